"""Through which products of Jacobians the gradients of a training pass."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class GradientPath:
    """Where a training sets the state from data, draws it there, or cuts the gradient.

    Attributes:
        length: of a window, beyond which nothing passes [steps].
        interval: from one forcing or cut to the next; None: there is none [steps].
        forced: at each interval data replace the state, as far as the read-out sets it; False: only the gradient ends.
        share: alpha of each seed, by which data draw the state at every step, `(K,)`; None: not at all.
    """

    length: int
    interval: int | None = None
    forced: bool = True
    share: Tensor | None = None

    @property
    def chain(self) -> int:
        """Longest product of Jacobians where a forcing or a cut ends it [steps]."""
        return self.length if self.interval is None else min(self.interval, self.length)
