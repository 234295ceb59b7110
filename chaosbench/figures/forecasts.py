"""A picture of forecasts against the truth, one panel for each test orbit or trial."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from typing_extensions import override

from chaosbench.figures.base import OBSERVABLE, Arguments, Array, Axis, ExperimentPicture, Layout, Quantity
from chaosbench.figures.panels import STYLES, annotate, new_figure, observables
from chaosbench.figures.records import title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from chaosbench.leaderboard.folder import Stored

_AXES = (
    Axis("orbit", "", "", "number of the test orbit or trial"),
    Axis("step", "", "steps", "steps after the last observation, from 0 for the first"),
    OBSERVABLE,
)
_THRESHOLD = 0.4  # [std], largest error of a valid forecast
_SHOWN, _LEAST = 2.5, 3.0  # times the longest valid time that are shown; [Lyapunov times] that are shown at least


class Forecasts(ExperimentPicture):
    """Forecasts of the median seed beside the truth, in Lyapunov times: the fit on each test orbit or trial."""

    kind: Literal["forecasts"] = "forecasts"
    needs: ClassVar[frozenset[str]] = frozenset({"forecasts", "futures", "largest_exponent", "deviation", "dt"})
    layout: ClassVar[Layout] = Layout(
        "forecasts and truth on each test orbit",
        {
            "forecast": Quantity("std", "forecast of the median seed; NaN from the step at which it diverged", _AXES),
            "truth": Quantity("std", "true continuation", _AXES),
            "exponent": Quantity("1 / system time", "largest Lyapunov exponent of the system; NaN if unknown"),
            "dt": Quantity("system time", "time per step"),
        },
    )

    @override
    def arguments(self, stored: "Stored", arrays: Mapping[str, Array]) -> Arguments:
        run = stored.median_run
        return {
            "forecast": arrays["forecasts"][run] / arrays["deviation"],
            "truth": arrays["futures"] / arrays["deviation"],
            "exponent": float(arrays["largest_exponent"].item()),
            "dt": float(arrays["dt"].item()),
            "label": title(stored, run=run),
        }

    @override
    def figure(self, arguments: Arguments) -> "Figure":
        return forecasts(**arguments)


def forecasts(
    forecast: Array,
    truth: Array,
    *,
    dt: float,
    exponent: float = np.nan,
    names: Array | list[str] | None = None,
    label: str = "",
) -> "Figure":
    """Draw forecasts over the truth; with a single orbit all observables, otherwise the first one of each orbit.

    A dotted line marks the time until which the error over the drawn observables is at most 0.4 standard deviations.

    Args:
        forecast, truth: `(N, H, D)` [std]; index 0 is one step past the last observation.
        dt: time per step [system time].
        exponent: largest Lyapunov exponent of the system [1 / system time]; NaN, zero or negative: time is not scaled.
        names: names of the observables.
        label: title of the run.
    """
    chaotic = bool(exponent > 0)
    unit = dt * (exponent if chaotic else 1.0)
    orbits, steps, dimension = truth.shape
    valid = np.array([valid_steps(a, b) for a, b in zip(forecast, truth, strict=True)])
    least = _LEAST / unit if chaotic else steps / 4
    shown = int(min(steps, max(_SHOWN * valid.max(), least, 10)))
    labels = observables([] if names is None else list(names), dimension)
    panels = [(0, index) for index in range(dimension)] if orbits == 1 else [(orbit, 0) for orbit in range(orbits)]
    columns = 1 if len(panels) <= 3 else 3
    rows = -(-len(panels) // columns)
    figure = new_figure(7.2 if columns == 1 else 10.0, 1.0 + 1.7 * rows, label)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    for axes, (orbit, index) in zip(grid, panels, strict=False):
        time = np.arange(1, shown + 1) * unit
        _panel(axes, time, forecast[orbit, :shown, index], truth[orbit, :shown, index], valid[orbit] * unit)
        axes.set_ylabel(f"{labels[index]} [std]")
        if orbits > 1:
            axes.set_title(f"test orbit {orbit}: valid for {valid[orbit] * unit:.2g}", fontsize=9)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[max(0, len(panels) - columns) : len(panels)]:
        axes.set_xlabel("time [Lyapunov times]" if chaotic else "time [system time]")
        axes.tick_params(labelbottom=True)
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    return figure


def valid_steps(forecast: Array, truth: Array) -> int:
    """Return for how many steps the error of a forecast `(H, D)` stays within 0.4 standard deviations [steps]."""
    error = np.sqrt(np.square(forecast - truth).mean(axis=1))
    return int(np.logical_and.accumulate(error <= _THRESHOLD).sum())  # false for NaN


def _panel(axes: "Axes", time: Array, forecast: Array, truth: Array, valid: float) -> None:
    """Draw one observable; the range of values is that of the truth."""
    axes.plot(time, truth, label="truth", **STYLES["truth"])
    axes.plot(time, forecast, label="forecast", **STYLES["free run"])
    axes.axvline(valid, label="valid until here", **STYLES["start"])
    room = 0.25 * (float(np.ptp(truth)) or 1.0)
    axes.set(xlim=(0, time[-1]), ylim=(truth.min() - room, truth.max() + room))
    if not np.isfinite(forecast).any():
        annotate(axes, "diverged")
