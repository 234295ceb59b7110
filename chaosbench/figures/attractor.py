"""A picture of where the orbits go: the truth beside a free run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chaosbench.figures.base import OBSERVABLE, Picture
from chaosbench.figures.panels import Array, generated_panel, new_figure, observables, paired_panels, true_panel
from chaosbench.leaderboard.tidy import Axis, Layout, Quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def attractor(truth: Array, free_run: Array, *, names: Sequence[str] = (), label: str = "") -> "Figure":
    """The true orbit beside a generated one, in the same ranges.

    From three observables on a curve in the first three, of two the points of the plane, of one the next value over
    this one.

    Args:
        truth, free_run: `(T, D)`, standardised; the free run is NaN from where it diverged.
        names: of the observables.
        label: of what ran.
    """
    names = observables(names, truth.shape[1])
    figure = new_figure(8.4, 4.3, label)
    left, right = paired_panels(figure, solid=truth.shape[1] > 2)
    true_panel(left, truth, names)
    generated_panel(right, free_run, truth, names)
    return figure


_AXES = (Axis("step", "", "steps", "time"), OBSERVABLE)

ATTRACTOR = Picture(
    attractor,
    Layout(
        "attractor",
        "where the true orbit goes, and where the free run of the trained model goes",
        {
            "truth": Quantity("std", "a true orbit", _AXES),
            "free_run": Quantity("std", "a free run; NaN from where it diverged", _AXES),
        },
    ),
)
