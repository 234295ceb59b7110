"""A picture of how estimates of Lyapunov exponents settle."""

from typing import TYPE_CHECKING

import numpy as np

from chaosbench.figures.base import Picture
from chaosbench.figures.panels import STYLES, Array, legend, new_figure, say, sparse_ticks
from chaosbench.intervals import half_width
from chaosbench.leaderboard.tidy import Axis, Layout, Quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHOWN = 3  # leading exponents, a panel each: their sizes differ too much for one
_SETTLED = 1 / 10  # of all steps: the range shows the estimates from here on, with room for what came before


def lyapunov_convergence(steps: Array, running: Array, *, reference: Array | None = None, label: str = "") -> "Figure":
    """Running estimates of the leading exponents, with the 95 % interval of their mean over initial conditions.

    Args:
        steps: `(P,)`, averaged over [steps].
        running: `(C, P, M)`, one model's, from C conditions [1 / system time]; NaN where a free run diverged.
        reference: `(R,)`, the system's own exponents, leading ones first [1 / system time].
        label: of what ran.
    """
    shown = min(_SHOWN, running.shape[-1])
    figure = new_figure(1.2 + 3.4 * shown, 3.8, label)
    alive = np.asarray(np.isfinite(running).all(axis=(1, 2)))
    for place, axes in enumerate(figure.subplots(1, shown, squeeze=False)[0]):
        own = None if reference is None or place >= len(reference) else float(reference[place])
        axes.set(xlabel="averaged over [steps]", ylabel=f"$\\lambda_{{{place + 1}}}$ [1 / system time]", xscale="log")
        axes.set_xlim(steps.min(), steps.max())
        sparse_ticks(axes, "x")
        if alive.any():
            _estimate(axes, steps, running[alive, :, place], own)
        tell_lost(axes, ~alive)
    legend(figure.axes[0])
    return figure


def tell_lost(axes: "Axes", lost: Array) -> None:
    """Say how many of the conditions, `(C,)`, diverged."""
    if lost.any():
        axes.set_title(f"{int(lost.sum())} of {len(lost)} free runs diverged", fontsize=9)
    if lost.all():
        say(axes, "diverged")


def interval_of_mean(values: Array) -> tuple[Array, Array]:
    """Mean over the first axis and half width of its 95 % interval (Student's t); no width for a single value."""
    count, mean = len(values), values.mean(axis=0)
    if count == 1:
        return mean, np.zeros_like(mean)
    return mean, half_width(values.std(axis=0, ddof=1), count)


def _estimate(axes: "Axes", steps: Array, running: Array, reference: float | None) -> None:
    """The mean over conditions `(C, P)`, its interval, and the system's exponent."""
    mean, half = interval_of_mean(running)
    if len(running) > 1:
        band = f"95 % of the mean of {len(running)}"
        axes.fill_between(steps, mean - half, mean + half, color="#56B4E9", alpha=0.4, linewidth=0, label=band)
    axes.plot(steps, mean, label="model, mean over starts", **STYLES["median"])
    if reference is not None:
        axes.axhline(reference, label="system", **STYLES["system slope"])
    late = steps >= _SETTLED * steps.max()
    marks = [*(mean - half)[late], *(mean + half)[late], *([] if reference is None else [reference])]
    room = 0.5 * max(max(marks) - min(marks), 0.02 * max(map(abs, marks)), 1e-9)
    axes.set_ylim(min(marks) - room, max(marks) + room)


_EXPONENT = Axis("exponent", "", "", "number of the exponent, from 0 for the largest")

CONVERGENCE = Picture(
    lyapunov_convergence,
    Layout(
        "convergence",
        "running estimates of the Lyapunov exponents of one model's free runs",
        {
            "running": Quantity(
                "1 / system time",
                "estimate after so many steps, from one initial condition",
                (
                    Axis("condition", "", "", "number of the initial condition"),
                    Axis("steps", "steps", "steps", "averaged over"),
                    _EXPONENT,
                ),
            ),
            "reference": Quantity("1 / system time", "the system's own", (_EXPONENT,)),
        },
    ),
)
