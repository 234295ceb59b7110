"""Forecasters that keep observations and play them back."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from chaosbench.errors import DataError
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.weights import fitted

_CHUNK = 2**23  # distances at once; bounds the memory


class Remembering(Forecaster):
    """Forecasters that learn by being shown the training orbits once."""

    @abstractmethod
    def remember(self, orbits: Tensor, generators: Sequence[Generator]) -> None:
        """Keep of the orbits, `(N, T, D)`, what is needed; whatever is drawn comes from each seed's own generator."""


class Replay(Remembering):
    """K records of observations, walked through by a position in the state: p' = p + a(p), x' = c(p').

    The state is (x, p), S = D + 1. It starts, and is forced, at the recorded point nearest to the observation, which it
    shows as it is. Nothing is carried over from the x it shows to the next, which is copied, and its position is only
    moved: the largest Lyapunov exponent is 0, the others are -inf. A record that is played back is neither stable nor
    unstable, whatever the system was. Before it has been shown anything, the record is one zero.
    """

    resets = True
    dynamical = False

    def __init__(self, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size = len(seeds), dimension, dimension + 1
        self.record = fitted(torch.zeros(len(seeds), 1, dimension))  # c
        self.advance = fitted(torch.zeros(len(seeds), 1))  # a

    def keep(self, record: Tensor, advance: Tensor) -> None:
        """Play this record back, `(K, N, D)`, by these moves from each position to the next, `(K, N)`."""
        if record.shape[1] > 1 / torch.finfo(self.record.dtype).eps:
            raise DataError(
                f"{record.shape[1]} training observations are too many to be counted in {self.record.dtype}; "
                "set data.train_orbits or data.train_length lower"
            )
        self.record = fitted(record.to(self.record).clone(memory_format=torch.contiguous_format))
        self.advance = fitted(advance.to(self.advance).clone(memory_format=torch.contiguous_format))

    def step(self, state: Tensor) -> Tensor:
        """(c(p + a(p)), p + a(p))."""
        position = state[..., self.dimension]
        moved = position + self.advance.gather(1, self._places(position))
        shown = self.record.gather(1, self._places(moved).unsqueeze(-1).expand(-1, -1, self.dimension))
        return torch.cat([shown, moved.unsqueeze(-1)], dim=-1)

    def observe(self, state: Tensor) -> Tensor:
        """x."""
        return state[..., : self.dimension]

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """(x, the position of the recorded point nearest to x)."""
        places = nearest(self.record, observation).to(observation)
        return torch.cat([observation, places.unsqueeze(-1)], dim=-1)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """J = 1 for the position, 0 for the rest."""
        return self.step(state), torch.cat([torch.zeros_like(tangents[..., :-1, :]), tangents[..., -1:, :]], dim=-2)

    def _places(self, position: Tensor) -> Tensor:
        """Indices into the record, `(K, B)`: there for any number, since a seed that is NaN must not raise."""
        return position.nan_to_num(0).round().clamp(0, self.record.shape[1] - 1).long()

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        """A record is as long as what was remembered, which a new model cannot know."""
        names = [f"{prefix}{name}" for name in ("record", "advance")]
        if all(name in state_dict for name in names):
            self.keep(*(state_dict[name] for name in names))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def nearest(record: Tensor, observation: Tensor) -> Tensor:
    """Index of the recorded point nearest to each observation, `(K, N, D), (K, B, D) -> (K, B)`."""
    batch = max(1, _CHUNK // record.shape[1])
    found = [
        torch.cat([_distances(points, part).argmin(dim=-1) for part in asked.split(batch)])
        for points, asked in zip(record, observation, strict=True)
    ]
    return torch.stack(found)


def _distances(points: Tensor, asked: Tensor) -> Tensor:
    """`(N, D), (B, D) -> (B, N)`; by differences, since by products neighbours closer than 1e-4 could not be told."""
    return torch.cdist(asked, points, compute_mode="donot_use_mm_for_euclid_dist")
