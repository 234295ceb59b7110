"""Context parroting: find the motif of the last observations earlier in the history, and copy what followed it."""

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.replay import MemorisingForecaster


class ContextParroting(ModelSpec):
    """Find where the last `motif` observations best match earlier ones of the context, and copy what followed there.

    With the context x_1 ... x_L and motifs of D observations, j minimises |x_(j-D+1..j) - x_(L-D+1..L)| over
    D <= j < L - D, jointly over observables; x_(L+h) is a copy of x_(j+h), and where the copy reaches the end of the
    context, it continues with what it has copied, so a free run is a cycle of L - j steps. Nothing is learned and
    nothing is random: training data are not used, and all seeds are the same. The last `context` observations of a
    history are searched; a shorter history is preceded by repetitions of its first entry.

    Source:
        Zhang and Gilpin 2025 (2505.11349), with contexts of 512 steps; the default lengths here are ours.
    """

    learning: ClassVar[str] = "memory"
    kind: Literal["context_parroting"] = "context_parroting"
    motif: int = Field(10, ge=1)  # D [steps]
    context: int = Field(200, ge=3)  # L, the longest context [steps]; `evaluation.context` says how long the history is

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return ContextParrotingForecaster(self, dimension, seeds)

    @model_validator(mode="after")
    def _the_context_has_an_earlier_motif(self) -> Self:
        if self.context < 2 * self.motif + 1:
            raise ValueError(
                f"motif = {self.motif} needs a context of at least {2 * self.motif + 1} steps, not {self.context}"
            )
        return self


class ContextParrotingForecaster(MemorisingForecaster):
    """The K identical copiers of `ContextParroting`, as a step map whose state is the context.

    The state is (x_1, ..., x_L, p), S = L D + 1: the last L observations or copies, and the lag p = L - j at which they
    are copied. A step shifts the context by one, x' = (x_2, ..., x_L, x_(L+1-p)). Forcing replaces x_L and searches p
    anew.
    """

    dynamical = False

    def __init__(self, spec: ContextParroting, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension, self.motif, self.context = len(seeds), dimension, spec.motif, spec.context
        self.state_size = spec.context * dimension + 1

    @override
    def memorise(self, orbits: Tensor, generators: Sequence[Generator]) -> None:
        """Store nothing."""

    @override
    def step(self, state: Tensor) -> Tensor:
        """(x_2, ..., x_L, x_(L+1-p), p)."""
        context, lag = self._split(state)
        following = self._entries(context, self.context - lag.unsqueeze(-1))
        return self._joined(torch.cat([context[:, :, 1:], following], dim=2), state[..., -1:])

    @override
    def observe(self, state: Tensor) -> Tensor:
        """Return x_L."""
        return state[..., -1 - self.dimension : -1]

    @override
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """Replace x_L, and search for the motif that then ends the context."""
        context = torch.cat([self._split(state)[0][:, :, :-1], observation.unsqueeze(2)], dim=2)
        return self._joined(context, self._best_lag(context))

    @override
    def first_state(self, observation: Tensor) -> Tensor:
        """Return a context of equal observations, which is copied for ever."""
        return self.initial_state(observation.unsqueeze(2))

    @override
    def initial_state(self, history: Tensor) -> Tensor:
        """Take the end of the history as the context, and search once."""
        context = history[:, :, -self.context :]
        missing = self.context - context.shape[2]
        context = torch.cat([context[:, :, :1].expand(-1, -1, missing, -1), context], dim=2)
        return self._joined(context, self._best_lag(context))

    @override
    def predict(self, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Read the cycle that the copies are, without the states in between."""
        context, lag = self._split(state)
        lag = lag.unsqueeze(-1)
        observed = self._entries(context, self.context - lag + torch.arange(steps, device=state.device) % lag)
        last = torch.cat([context, observed], dim=2)[:, :, -self.context :]
        return observed, self._joined(last, state[..., -1:])

    def _split(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the context, `(K, B, L, D)`, and the lag as a valid integer, `(K, B)`; a lag of NaN becomes 1."""
        lag = state[..., -1].nan_to_num(1).round().clamp(1, self.context).long()
        return state[..., :-1].unflatten(-1, (self.context, self.dimension)), lag

    def _joined(self, context: Tensor, lag: Tensor) -> Tensor:
        return torch.cat([context.flatten(2), lag], dim=-1)

    def _entries(self, context: Tensor, index: Tensor) -> Tensor:
        """Return the entries of the context at `index`, `(K, B, L, D), (K, B, n) -> (K, B, n, D)`."""
        return context.gather(2, index.unsqueeze(-1).expand(-1, -1, -1, self.dimension))

    def _best_lag(self, context: Tensor) -> Tensor:
        """Return L - j for the motif most similar to the last, `(K, B, L, D) -> (K, B, 1)`; the latest of equals."""
        motifs = context.unfold(2, self.motif, 1)  # (K, B, L - D + 1, observables, D); the one at i ends at i + D
        earlier = motifs[:, :, : self.context - 2 * self.motif].flip(2)  # j = L - D - 1 first
        distance = (earlier - motifs[:, :, -1:]).square().sum(dim=(3, 4)).nan_to_num(torch.inf)
        return (distance.argmin(dim=2, keepdim=True) + self.motif + 1).to(context)
