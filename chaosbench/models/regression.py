"""Forecasters that are linear in everything they learn."""

from abc import abstractmethod
from collections.abc import Sequence

from torch import Generator, Tensor

from chaosbench.models.forecaster import Forecaster


class RegressionForecaster(Forecaster):
    """x' = C phi + d with features phi that are not learned; linear regression finds C and d (trainer `ridge`).

    A second, optional regression learns where to start: s = L psi + l, with features psi of a single observation,
    approximates the state s that a long history up to this observation would lead to.

    Attributes:
        feature_count: F, how many features phi has.
    """

    feature_count: int

    @abstractmethod
    def respond(self, state: Tensor, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Drive the state by an observation, `(K, B, S), (K, B, D)`.

        Returns:
            The new state, `(K, B, S)`, and the features phi, `(K, B, F)`, from which the next observation is
            predicted. The new state need not show the next observation yet.
        """

    @abstractmethod
    def set_readout(self, weight: Tensor, offset: Tensor) -> None:
        """Set C, `(K, D, F)`, and d, `(K, 1, D)`."""

    def sample_features(self, orbits: Tensor, generators: Sequence[Generator]) -> None:
        """Draw the parameters of phi from training orbits, `(N, T, D)`, with one generator per seed; default: none."""

    def start_features(self, observation: Tensor) -> Tensor | None:
        """Return psi, `(K, B, D) -> (K, B, G)`; None (the default) if no start is learned."""
        return None

    def set_start(self, weight: Tensor, offset: Tensor) -> None:
        """Set L, `(K, S, G)`, and l, `(K, 1, S)`."""
