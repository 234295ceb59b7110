"""Forecasters whose next output is linear in numbers that need not be learned."""

from abc import abstractmethod
from collections.abc import Sequence

from torch import Generator, Tensor

from chaosbench.models.forecaster import Forecaster


class Regressed(Forecaster):
    """x' = C phi + d, where a linear regression finds C and d, and phi is the state's response to an observation.

    A second regression, s = L psi + l, may find the state s that a long series of observations would have led to from
    the last of these alone; psi is again a function that need not be learned.

    Attributes:
        regressors: F, how many numbers phi has.
    """

    regressors: int

    @abstractmethod
    def respond(self, state: Tensor, observation: Tensor) -> tuple[Tensor, Tensor]:
        """The state driven by the observation, `(K, B, S), (K, B, D) -> (K, B, S)`, and phi, `(K, B, F)`.

        The state need not show the next observation yet: that is what the regression is for.
        """

    @abstractmethod
    def read(self, weight: Tensor, offset: Tensor) -> None:
        """Take C, `(K, D, F)`, and d, `(K, 1, D)`."""

    def sample(self, orbits: Tensor, generators: Sequence[Generator]) -> None:
        """Draw from the training orbits, `(N, T, D)`, what phi needs, each seed by its own generator; else nothing."""

    def clue(self, observation: Tensor) -> Tensor | None:
        """psi, `(K, B, D) -> (K, B, G)`; None where a state has no memory, and its start nothing to learn."""
        return None

    def start(self, weight: Tensor, offset: Tensor) -> None:
        """Take L, `(K, S, G)`, and l, `(K, 1, S)`."""
