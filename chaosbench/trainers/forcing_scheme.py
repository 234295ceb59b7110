"""Through which products of Jacobians the gradients of a training pass."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Restart = Literal["forced", "kept", "blank", "learned"]


@dataclass(frozen=True)
class ForcingScheme:
    """Where a training sets the state from data, draws it there, or cuts the gradient.

    Attributes:
        length: of a window, beyond which nothing passes [steps].
        interval: from one forcing or cut to the next, the mean where it is drawn; None: there is none [steps].
        state: what it is after each interval. "forced": data replace it, as far as the read-out sets it. Elsewhere the
            gradient ends there, and the state is "kept"; or "blank", z = 0, with which the window begins, too; or
            "learned" beside the weights, to which the state that data show is the nearest that is known.
        share: alpha of each seed, by which data draw the state at every step, `(K,)`; None: not at all.
        probability: of a forcing before each step by the toss of a coin, in place of an interval; None: no tosses.
    """

    length: int
    interval: int | None = None
    state: Restart = "forced"
    share: Tensor | None = None
    probability: float | None = None

    def __post_init__(self) -> None:
        assert self.interval is None or self.probability is None, "forced at intervals or by tosses, not by both"

    @property
    def forced(self) -> bool:
        """Whether data set the state where an interval ends."""
        return self.state == "forced"

    @property
    def chain(self) -> int:
        """Longest product of Jacobians where a forcing or a cut ends it; under tosses the mean one [steps]."""
        if self.probability is not None:
            return round(self.length / (1 + self.probability * (self.length - 1)))
        return self.length if self.interval is None else min(self.interval, self.length)
