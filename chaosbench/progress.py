"""How far an experiment is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Phase = Literal["data", "search", "diagnosis", "training", "forecasts", "scores"]


@dataclass(frozen=True)
class Progress:
    """How far an experiment is.

    Attributes:
        phase: what it does now.
        update, updates: of the training, or the trials of a search; 0 in every other phase, and before the first one.
        loss: median training loss over seeds; None in every other phase, and before the first update.
        gradient_norm: median norm of the gradient over seeds, before clipping; None where the trainer uses none.
    """

    phase: Phase
    update: int = 0
    updates: int = 0
    loss: float | None = None
    gradient_norm: float | None = None


Watch = Callable[[Progress], None]
