"""Forecasters that store observations and replay them."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.errors import DataError
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.weights import parameter_without_gradient

_CHUNK = 2**23  # distances computed at once; bounds the memory


class MemorisingForecaster(Forecaster):
    """A forecaster that sees the training orbits once and stores what it needs; trained by `memorise`."""

    @abstractmethod
    def memorise(self, orbits: Tensor, generators: Sequence[Generator]) -> None:
        """Store what is needed of the training orbits.

        Args:
            orbits: `(N, T, D)`.
            generators: one per seed, for whatever is random.
        """


class ReplayForecaster(MemorisingForecaster):
    """K records of observations, replayed from a position that is part of the state: p' = p + a(p), x' = c(p').

    The state is (x, p), S = D + 1. Forcing shows the observation x as it is and sets p to the nearest recorded point;
    so does the initial state. The next x is copied from the record and does not depend on this x, and p is only
    shifted. Hence the largest Lyapunov exponent is 0 and all others are -inf: a replayed record is neither stable nor
    unstable, whatever the system was. Before training the record is a single zero.

    Attributes:
        record: c, `(K, N, D)`.
        advance: a, `(K, N)`.
    """

    resets = True
    dynamical = False

    def __init__(self, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size = len(seeds), dimension, dimension + 1
        self.record = parameter_without_gradient(torch.zeros(len(seeds), 1, dimension))
        self.advance = parameter_without_gradient(torch.zeros(len(seeds), 1))

    def set_record(self, record: Tensor, advance: Tensor) -> None:
        """Set the observations to replay, `(K, N, D)`, and the shift from each position to the next, `(K, N)`.

        Raises:
            DataError: if the model's precision cannot represent all N positions.
        """
        if record.shape[1] > 1 / torch.finfo(self.record.dtype).eps:
            raise DataError(
                f"{record.shape[1]} training observations are too many: {self.record.dtype} cannot represent all their "
                "positions; lower data.train_orbits or data.train_length"
            )
        copies = (values.to(self.record).clone(memory_format=torch.contiguous_format) for values in (record, advance))
        self.record, self.advance = map(parameter_without_gradient, copies)

    @override
    def step(self, state: Tensor) -> Tensor:
        """(c(p + a(p)), p + a(p))."""
        position = state[..., self.dimension]
        position = position + self.advance.gather(1, self._index(position))
        observation = self.record.gather(1, self._index(position).unsqueeze(-1).expand(-1, -1, self.dimension))
        return torch.cat([observation, position.unsqueeze(-1)], dim=-1)

    @override
    def observe(self, state: Tensor) -> Tensor:
        """Return x."""
        return state[..., : self.dimension]

    @override
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """(x, the position of the recorded point nearest to x)."""
        position = nearest(self.record, observation).to(observation)
        return torch.cat([observation, position.unsqueeze(-1)], dim=-1)

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """J is 1 for the position and 0 elsewhere."""
        return self.step(state), torch.cat([torch.zeros_like(tangents[..., :-1, :]), tangents[..., -1:, :]], dim=-2)

    def _index(self, position: Tensor) -> Tensor:
        """Convert positions to valid indices, `(K, B)`; NaN becomes 0, since a diverged seed must not raise."""
        return position.nan_to_num(0).round().clamp(0, self.record.shape[1] - 1).long()

    @override
    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        """Resize to the stored record, whose length a new model cannot know."""
        names = [f"{prefix}{name}" for name in ("record", "advance")]
        if all(name in state_dict for name in names):
            self.set_record(*(state_dict[name] for name in names))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def nearest(record: Tensor, observation: Tensor) -> Tensor:
    """Return the index of the recorded point nearest to each observation, `(K, N, D), (K, B, D) -> (K, B)`."""
    batch = max(1, _CHUNK // record.shape[1])
    indices = [
        torch.cat([_distances(points, queries).argmin(dim=-1) for queries in observations.split(batch)])
        for points, observations in zip(record, observation, strict=True)
    ]
    return torch.stack(indices)


def _distances(points: Tensor, queries: Tensor) -> Tensor:
    """Compute distances `(N, D), (B, D) -> (B, N)` by differences; products cannot separate points within 1e-4."""
    return torch.cdist(queries, points, compute_mode="donot_use_mm_for_euclid_dist")
