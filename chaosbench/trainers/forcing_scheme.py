"""How trainers force the state or cut the gradient, which determines the products of Jacobians in their gradients."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Restart = Literal["forced", "kept", "zero", "learned"]


@dataclass(frozen=True)
class ForcingScheme:
    """How a trainer treats the model's state within a window of data.

    Attributes:
        window: length of a window without its warm-up [steps]; unless the model resets, gradients reach beyond it only
            through the warm-up.
        interval: time between two restarts, the mean where it is random [steps]; None: no restarts at fixed times.
        restart: the state after each interval. `"forced"`: set from data, as far as the read-out determines it, so that
            gradients pass through the rest of the state alone. In the other cases the gradient is cut: the state is
            `"kept"`; or set to `"zero"`, also at the start of the window; or replaced by a state `"learned"` along with
            the weights (the diagnosis, which has no access to it, uses the forced state).
        alpha: weight of the forced state in the blend at every step, one per seed, `(K,)`; None: no blending.
        probability: of forcing the state before each step, independently of the others; None: not random.
        warm_up: steps before the window in which the state is forced at every step [steps]. The diagnosis follows
            products of Jacobians from their end on.
    """

    window: int
    interval: int | None = None
    restart: Restart = "forced"
    alpha: Tensor | None = None
    probability: float | None = None
    warm_up: int = 0

    def __post_init__(self) -> None:
        assert self.interval is None or self.probability is None, "restarts are either periodic or random"

    @property
    def forced(self) -> bool:
        """True if restarts set the state from data; False if they cut the gradient."""
        return self.restart == "forced"

    @property
    def product_length(self) -> int:
        """Longest product of Jacobians between two restarts; the mean length if restarts are random [steps]."""
        if self.probability is not None:
            return round(self.window / (1 + self.probability * (self.window - 1)))
        return self.window if self.interval is None else min(self.interval, self.window)
