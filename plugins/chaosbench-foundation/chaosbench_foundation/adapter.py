"""The adapter: a pretrained model that forecasts blocks of steps becomes a step map whose state is its context."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench import MemorisingForecaster


class BlockModel(Protocol):
    """A pretrained model that forecasts the steps after a context.

    Attributes:
        block: the steps that it forecasts at once.
        parameters: their number.
    """

    block: int
    parameters: int

    def forecast(self, contexts: Tensor, seeds: Sequence[int]) -> Tensor:
        """Return the next `block` steps, `(K, B, L, D) -> (K, B, block, D)`.

        Args:
            contexts: NaN where the history does not reach.
            seeds: one per k, for whatever is random; equal contexts and seeds must give equal forecasts.
        """
        ...


class BlockForecaster(MemorisingForecaster):
    """K forecasters that share one pretrained model, whose weights are not stored with results.

    The state is (x_1, ..., x_L, f_1, ..., f_Q, r, n), S = L D + Q D + 2: the context, the block forecast from it, how
    many steps of the block are still to come, and how many entries of the context are known. While r > 0 a step shows
    the next step of the block; at r = 0 it forecasts a new block from the context, which by then holds what has been
    shown. Forcing replaces x_L and drops the block. Hence a free run is the same whether it is stepped or predicted.
    Forecasts are not differentiated: the Jacobian only shifts the context.
    """

    dynamical = False

    def __init__(self, model: BlockModel, *, context: int, steps: int, dimension: int, seeds: Sequence[int]) -> None:
        """Wrap a model.

        Args:
            context: L [steps].
            steps: Q, steps used of each block, at most the model's own.
        """
        super().__init__()
        self.seeds, self.dimension, self.context, self.steps = len(seeds), dimension, context, steps
        self.state_size = (context + steps) * dimension + 2
        self._model, self._seeds = model, tuple(seeds)

    @override
    def memorise(self, orbits: Tensor, generators: Sequence[Generator]) -> None:
        """Store nothing."""

    @override
    def step(self, state: Tensor) -> Tensor:
        """(x_2, ..., x_L, f, ...) with f from the block, or from a new one."""
        context, block, left, known = self._split(state)
        if (left == 0).any():
            block = torch.where(left[..., None, None] == 0, self._forecast(context, known), block)
            left = torch.where(left == 0, self.steps, left)
        place = (self.steps - left)[..., None, None].expand(-1, -1, 1, self.dimension)
        context = torch.cat([context[:, :, 1:], block.gather(2, place)], dim=2)
        return self._joined(context, block, left - 1, (known + 1).clamp_max(self.context))

    @override
    def predict(self, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Show whole blocks at once where all forecasts are at the same step of theirs."""
        context, block, left, known = self._split(state)
        if not bool((left == left[0, 0]).all()):
            states = self.unroll(state, steps)
            return self.observe(states), states[:, :, -1]
        remaining, shown = int(left[0, 0]), list[Tensor]()
        while steps:
            if not remaining:
                block, remaining = self._forecast(context, known), self.steps
            taken = min(steps, remaining)
            shown.append(block[:, :, self.steps - remaining :][:, :, :taken])
            context = torch.cat([context, shown[-1]], dim=2)[:, :, -self.context :]
            known = (known + taken).clamp_max(self.context)
            steps, remaining = steps - taken, remaining - taken
        return torch.cat(shown, dim=2), self._joined(context, block, torch.full_like(left, remaining), known)

    @override
    def observe(self, state: Tensor) -> Tensor:
        """Return x_L."""
        end = self.context * self.dimension
        return state[..., end - self.dimension : end]

    @override
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """Replace x_L, and drop the block."""
        context, block, left, known = self._split(state)
        context = torch.cat([context[:, :, :-1], observation.unsqueeze(2)], dim=2)
        return self._joined(context, torch.zeros_like(block), torch.zeros_like(left), known)

    @override
    def initial_state(self, history: Tensor) -> Tensor:
        """Take the end of the history as the context, without a block."""
        context = history[:, :, -self.context :]
        missing = self.context - context.shape[2]
        known = torch.full(history.shape[:2], context.shape[2], device=history.device)
        context = torch.nn.functional.pad(context, (0, 0, missing, 0))
        block = history.new_zeros(*history.shape[:2], self.steps, self.dimension)
        return self._joined(context, block, torch.zeros_like(known), known)

    @override
    def first_state(self, observation: Tensor) -> Tensor:
        """Return a context of one observation."""
        return self.initial_state(observation.unsqueeze(2))

    @override
    def parameters_per_seed(self) -> int:
        """Count the parameters of the pretrained model."""
        return self._model.parameters

    @torch.no_grad()
    def _forecast(self, context: Tensor, known: Tensor) -> Tensor:
        """Return the first Q steps of the model's forecast, `(K, B, L, D), (K, B) -> (K, B, Q, D)`."""
        unknown = torch.arange(self.context, device=context.device) < self.context - known[..., None]
        seen = context.detach().masked_fill(unknown[..., None], torch.nan)
        return self._model.forecast(seen, self._seeds)[:, :, : self.steps].to(context)

    def _split(self, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return context, block, and the two counts as valid integers; a count of NaN becomes 0 or 1."""
        end = self.context * self.dimension
        context = state[..., :end].unflatten(-1, (self.context, self.dimension))
        block = state[..., end:-2].unflatten(-1, (self.steps, self.dimension))
        counts = state[..., -2:].detach().nan_to_num(0).round().long()
        return context, block, counts[..., 0].clamp(0, self.steps), counts[..., 1].clamp(1, self.context)

    def _joined(self, context: Tensor, block: Tensor, left: Tensor, known: Tensor) -> Tensor:
        counts = torch.stack([left, known], dim=-1).to(context)
        return torch.cat([context.flatten(2), block.flatten(2), counts], dim=-1)
