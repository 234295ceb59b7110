"""Forecasters that are linear in everything they learn."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from chaosbench.models.forecaster import Forecaster


class RegressionForecaster(Forecaster):
    """x' = C phi + d with features phi that are not learned; linear regression finds C and d (trainer `ridge`).

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

    def drive_along(self, state: Tensor, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Call `respond` for all observations, `(K, B, S), (K, B, T, D)`.

        Returns:
            The last state, `(K, B, S)`, and all features, `(K, B, T, F)`.
        """
        features = []
        for observation in observations.unbind(2):
            state, phi = self.respond(state, observation)
            features.append(phi)
        return state, torch.stack(features, dim=2)

    @abstractmethod
    def set_readout(self, weight: Tensor, offset: Tensor) -> None:
        """Set C, `(K, D, F)`, and d, `(K, 1, D)`."""

    def sample_features(self, orbits: Tensor, generators: Sequence[Generator]) -> None:
        """Draw the parameters of phi from training orbits, `(N, T, D)`, with one generator per seed; default: none."""
