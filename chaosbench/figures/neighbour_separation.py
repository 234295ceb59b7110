"""A picture of how neighbouring states of a measured series part."""

from typing import TYPE_CHECKING

import numpy as np

from chaosbench.figures.base import Picture
from chaosbench.figures.panels import STYLES, Array, new_figure
from chaosbench.leaderboard.tidy import Axis, Layout, Quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def divergence(
    times: Array,
    log_divergence: Array,
    *,
    slope: float,
    fit: tuple[float, float] | Array,
    dt: float,
    interval: float | None = None,
    label: str = "",
) -> "Figure":
    """The mean logarithm of the neighbours' distance over time, and the line whose slope is the exponent.

    Args:
        times: `(P,)` [system time].
        log_divergence: `(P,)` [nats].
        slope: the exponent [1 / system time].
        fit: first and last step of the fit [steps].
        dt: time per step [system time].
        interval: half width of the slope's 95 % confidence [1 / system time].
        label: of the series.
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
    axes.set(xlim=(0, float(np.max(times))), ylim=(low, high))  # the line would stretch them
    axes.legend(loc="lower right")
    return figure


DIVERGENCE = Picture(
    divergence,
    Layout(
        "divergence",
        "how neighbouring states of a measured series part",
        {
            "log_divergence": Quantity(
                "nats",
                "mean logarithm of the neighbours' distance",
                (Axis("time", "times", "system time", "since they were neighbours"),),
            ),
            "slope": Quantity("1 / system time", "the exponent"),
            "interval": Quantity("1 / system time", "half width of the slope's 95 % confidence"),
            "fit": Quantity("steps", "first and last step of the fit", (Axis("end", "", "", "0 first, 1 last"),)),
            "dt": Quantity("system time", "per step"),
        },
    ),
)
