"""A picture of how estimates of Lyapunov exponents converge."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from typing_extensions import override

from chaosbench.figures.base import Arguments, Array, Axis, ExperimentPicture, Layout, Quantity
from chaosbench.figures.panels import STYLES, annotate, legend, new_figure, numbered, sparse_ticks
from chaosbench.figures.records import system_exponents, title
from chaosbench.intervals import half_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from chaosbench.leaderboard.folder import Stored

_SHOWN = 3  # leading exponents, a panel each: their sizes differ too much for a single one
_SETTLED = 1 / 10  # of all steps: the y range shows the estimates from here on, with room for earlier ones
_EXPONENT = Axis("exponent", "", "", "number of the exponent, from 0 for the largest")


class Convergence(ExperimentPicture):
    """Running estimates of the Lyapunov exponents of the median seed, beside those of the system."""

    kind: Literal["convergence"] = "convergence"
    needs: ClassVar[frozenset[str]] = frozenset({"exponents_steps", "exponents_running"})
    layout: ClassVar[Layout] = Layout(
        "running estimates of the Lyapunov exponents of free runs of one model",
        {
            "running": Quantity(
                "1 / system time",
                "estimate after a number of steps, from one initial condition",
                (
                    Axis("condition", "", "", "number of the initial condition"),
                    Axis("steps", "steps", "steps", "number of steps in the average"),
                    _EXPONENT,
                ),
            ),
            "reference": Quantity("1 / system time", "exponent of the system", (_EXPONENT,)),
        },
    )

    @override
    def arguments(self, stored: "Stored", arrays: Mapping[str, Array]) -> Arguments:
        run = stored.median_run
        exponents = system_exponents(stored)
        return {
            "steps": arrays["exponents_steps"],
            "running": arrays["exponents_running"][run],
            "reference": np.array(exponents) if exponents else None,
            "label": title(stored, run=run),
        }

    @override
    def figure(self, arguments: Arguments) -> "Figure":
        return lyapunov_convergence(**arguments)


def lyapunov_convergence(steps: Array, running: Array, *, reference: Array | None = None, label: str = "") -> "Figure":
    """Draw running estimates of the leading exponents, with the 95 % interval of their mean over initial conditions.

    Args:
        steps: `(P,)`, number of steps in the average [steps].
        running: `(C, P, M)`, one model from C initial conditions [1 / system time]; NaN where a free run diverged.
        reference: `(R,)`, exponents of the system, largest first [1 / system time].
        label: title of the run.
    """
    shown = min(_SHOWN, running.shape[-1])
    figure = new_figure(1.2 + 3.4 * shown, 3.8, label)
    finite = np.asarray(np.isfinite(running).all(axis=(1, 2)))
    for index, axes in enumerate(figure.subplots(1, shown, squeeze=False)[0]):
        system = None if reference is None or index >= len(reference) else float(reference[index])
        axes.set(xlabel="averaged over [steps]", ylabel=f"{numbered('λ', index + 1)} [1 / system time]", xscale="log")
        axes.set_xlim(steps.min(), steps.max())
        sparse_ticks(axes, "x")
        if finite.any():
            _estimate(axes, steps, running[finite, :, index], system)
        _count_diverged_runs(axes, ~finite)
    legend(figure.axes[0])
    return figure


def interval_of_mean(values: Array) -> tuple[Array, Array]:
    """Return the mean over the first axis and the half width of its 95 % interval (Student's t; 0 for one value)."""
    count, mean = len(values), values.mean(axis=0)
    if count == 1:
        return mean, np.zeros_like(mean)
    return mean, half_width(values.std(axis=0, ddof=1), count)


def _count_diverged_runs(axes: "Axes", diverged: Array) -> None:
    """Write the number of diverged free runs above the panel; `diverged` is a mask `(C,)`."""
    if diverged.any():
        axes.set_title(f"{int(diverged.sum())} of {len(diverged)} free runs diverged", fontsize=9)
    if diverged.all():
        annotate(axes, "diverged")


def _estimate(axes: "Axes", steps: Array, running: Array, reference: float | None) -> None:
    """Draw the mean over conditions `(C, P)`, its interval, and the exponent of the system."""
    mean, half = interval_of_mean(running)
    if len(running) > 1:
        band = f"95 % interval of the mean of {len(running)}"
        axes.fill_between(steps, mean - half, mean + half, color="#56B4E9", alpha=0.4, linewidth=0, label=band)
    axes.plot(steps, mean, label="model, mean over free runs", **STYLES["median"])
    if reference is not None:
        axes.axhline(reference, label="system", **STYLES["system slope"])
    late = steps >= _SETTLED * steps.max()
    marks = [*(mean - half)[late], *(mean + half)[late], *([] if reference is None else [reference])]
    room = 0.5 * max(max(marks) - min(marks), 0.02 * max(map(abs, marks)), 1e-9)
    axes.set_ylim(min(marks) - room, max(marks) + room)
