"""A picture of how neighbouring states of a recorded series separate."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from typing_extensions import override

from chaosbench.figures.base import Arguments, Array, Axis, ExperimentPicture, Layout, Quantity
from chaosbench.figures.panels import STYLES, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chaosbench.leaderboard.folder import Stored


class NeighbourSeparation(ExperimentPicture):
    """The separation of neighbouring states of a recorded series, and the line fitted to it."""

    kind: Literal["divergence"] = "divergence"  # kept, because older results use this file name
    needs: ClassVar[frozenset[str]] = frozenset({"divergence", "divergence_times", "divergence_fit", "dt"})
    layout: ClassVar[Layout] = Layout(
        "separation of neighbouring states of a recorded series",
        {
            "log_divergence": Quantity(
                "nats",
                "mean logarithm of the distance between neighbours",
                (Axis("time", "times", "system time", "time since they were neighbours"),),
            ),
            "slope": Quantity("1 / system time", "largest Lyapunov exponent"),
            "interval": Quantity("1 / system time", "half width of the 95 % confidence interval of the slope"),
            "fit": Quantity("steps", "first and last step of the fit", (Axis("end", "", "", "0 first, 1 last"),)),
            "dt": Quantity("system time", "time per step"),
        },
    )

    @override
    def arguments(self, stored: "Stored", arrays: Mapping[str, Array]) -> Arguments:
        slope, interval, start, stop = arrays["divergence_fit"].tolist()
        return {
            "times": arrays["divergence_times"],
            "log_divergence": arrays["divergence"],
            "slope": slope,
            "interval": interval,
            "fit": (start, stop),
            "dt": float(arrays["dt"].item()),
            "label": stored.runs[0]["system"],
        }

    @override
    def figure(self, arguments: Arguments) -> "Figure":
        return neighbour_separation(**arguments)


def neighbour_separation(
    times: Array,
    log_divergence: Array,
    *,
    slope: float,
    fit: tuple[float, float] | Array,
    dt: float,
    interval: float | None = None,
    label: str = "",
) -> "Figure":
    """Draw the mean logarithm of the distance between neighbours over time, and the line whose slope is the exponent.

    Args:
        times: `(P,)` [system time].
        log_divergence: `(P,)`, mean logarithm of the distance [nats]; stored results use this name.
        slope: largest Lyapunov exponent [1 / system time].
        fit: first and last step of the fit [steps].
        dt: time per step [system time].
        interval: half width of the 95 % confidence interval of the slope [1 / system time].
        label: name of the series.
    """
    figure = new_figure(6.4, 3.8, label)
    axes = figure.subplots()
    axes.plot(times, log_divergence, label="mean over neighbours", **STYLES["truth"])
    start, stop = (dt * step for step in fit)
    axes.axvspan(start, stop, color=STYLES["seed"]["color"], alpha=0.25, linewidth=0, label="fitted range")
    inside = (times >= start - dt / 2) & (times <= stop + dt / 2)
    level = log_divergence[inside].mean() - slope * times[inside].mean()
    width = "" if interval is None else f" ± {interval:.2g}"
    low, high = axes.get_ylim()
    axes.plot(times, level + slope * times, label=f"slope {slope:.3g}{width} / system time", **STYLES["free run"])
    axes.set(xlabel="time [system time]", ylabel="log distance [nats]")
    axes.set(xlim=(0, float(np.max(times))), ylim=(low, high))  # set again, because the line would stretch the range
    axes.legend(loc="lower right")
    return figure
