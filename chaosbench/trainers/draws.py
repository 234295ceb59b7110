"""Random integers for many updates, drawn in bulk, which equal those drawn update by update."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

_UPDATES = 256  # updates drawn at once: drawing for each update alone costs K calls and a copy to the device


class BulkIntegers:
    """Integers below a bound, for one update after the other, each seed's from its own generator.

    Reading `generators` gives up what is drawn in advance, so that their states are those after the last update.

    Args:
        generators: one per seed.
    """

    def __init__(self, generators: Sequence[Generator]) -> None:
        self._generators = list(generators)
        self._before: list[Tensor] = []  # states of the generators before the integers in `_drawn`
        self._drawn = torch.empty(0)
        self._bound, self._used = 0, 0

    @property
    def generators(self) -> list[Generator]:
        """The generators, in the states in which single draws would have left them."""
        if self._before:
            for generator, state in zip(self._generators, self._before, strict=True):
                generator.set_state(state)
                torch.randint(self._bound, (self._used, self._drawn.shape[-1]), generator=generator)
            self._before = []
        return self._generators

    def draw(self, count: int, bound: int, device: torch.device) -> Tensor:
        """Return integers from 0 to bound - 1 for the next update, `(K, count)`."""
        fits = (bound, count, device) == (self._bound, self._drawn.shape[-1], self._drawn.device)
        if not self._before or not fits or self._used == _UPDATES:
            generators = self.generators
            self._before = [generator.get_state() for generator in generators]
            drawn = [torch.randint(bound, (_UPDATES, count), generator=generator) for generator in generators]
            self._drawn, self._bound, self._used = torch.stack(drawn, dim=1).to(device), bound, 0
        self._used += 1
        return self._drawn[self._used - 1]
