"""A picture of how forecast errors grow, with the system's largest exponent as a slope."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from typing_extensions import override

from chaosbench.figures.base import SEED, Arguments, Array, Axis, ExperimentPicture, Layout, Quantity
from chaosbench.figures.panels import STYLES, legend, new_figure, sparse_ticks
from chaosbench.figures.records import seeds, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chaosbench.leaderboard.folder import Stored

_STEP = Axis("step", "", "steps", "steps after the last observation, from 0 for the first")
_SATURATED = 0.4  # [std] beyond which a forecast is no longer valid
_SHOWN = 3.0  # times the time to this error, shown


class ErrorGrowth(ExperimentPicture):
    """The typical error of forecasts over time, that of the perturbed true system, and the growth at the exponent."""

    kind: Literal["error_growth"] = "error_growth"
    needs: ClassVar[frozenset[str]] = frozenset({"error_growth", "largest_exponent", "dt"})
    layout: ClassVar[Layout] = Layout(
        "growth of forecast errors, geometric mean over the test conditions",
        {
            "error": Quantity("std", "error of a model", (SEED, _STEP)),
            "twin": Quantity("std", "error of the true system started with a small error", (_STEP,)),
            "exponent": Quantity("1 / system time", "largest Lyapunov exponent of the system; NaN if unknown"),
            "dt": Quantity("system time", "time per step"),
            "chosen": Quantity("", "row of the median seed"),
        },
    )

    @override
    def arguments(self, stored: "Stored", arrays: Mapping[str, Array]) -> Arguments:
        return {
            "error": arrays["error_growth"],
            "twin": arrays.get("twin_error_growth"),
            "exponent": float(arrays["largest_exponent"].item()),
            "dt": float(arrays["dt"].item()),
            "chosen": stored.median_run,
            "seeds": seeds(stored),
            "label": title(stored),
        }

    @override
    def figure(self, arguments: Arguments) -> "Figure":
        return error_growth(**arguments)


def error_growth(
    error: Array,
    *,
    dt: float,
    exponent: float = np.nan,
    twin: Array | None = None,
    chosen: float = 0,
    seeds: Array | list[int] | None = None,
    label: str = "",
) -> "Figure":
    """Draw the growth of forecast errors on a logarithmic axis.

    Args:
        error: `(K, H)`; index 0 is one step past the last observation [std].
        dt: time per step [system time].
        exponent: largest Lyapunov exponent of the system [1 / system time]; NaN, zero or negative: no slope is drawn.
        twin: `(H,)`, error of the true system started with a small error [std].
        chosen: row of the seed that is drawn thick.
        seeds: seed of each row; not drawn.
        label: title of the run.
    """
    del seeds
    chaotic = bool(exponent > 0)
    time = np.arange(1, error.shape[1] + 1) * dt * (exponent if chaotic else 1.0)
    figure = new_figure(6.4, 4.0, label)
    axes = figure.subplots()
    for row in error:
        axes.plot(time, row, label="model, each seed", **STYLES["seed"])
    own = error[int(chosen)]
    axes.plot(time, own, label="model, median seed", **STYLES["median"])
    if twin is not None:
        axes.plot(time[: len(twin)], twin, label="true system, perturbed", **STYLES["truth"])
    if chaotic:
        start = own[0] if np.isfinite(own[0]) else 1.0
        growth = start * np.exp(time - time[0])
        axes.plot(time, growth, label="growth at the largest exponent", **STYLES["system slope"])
    axes.axhline(_SATURATED, label=f"{_SATURATED:g} std", **STYLES["start"])
    reached = [time[np.argmax(row > _SATURATED)] for row in (own, twin) if row is not None and (row > _SATURATED).any()]
    unit = "Lyapunov times" if chaotic else "system time"
    shown = np.concatenate([error.ravel(), [] if twin is None else np.ravel(twin)])
    shown = shown[np.isfinite(shown) & (shown > 0)]
    axes.set(xlabel=f"time since the last observation [{unit}]", ylabel="error [std]", yscale="log")
    axes.set_xlim(0, min(time[-1], _SHOWN * max(reached, default=time[-1])))
    if shown.size:
        axes.set_ylim(max(shown.min(), 1e-9) / 2, max(5.0, min(2 * float(own[np.isfinite(own)].max(initial=0)), 20.0)))
    sparse_ticks(axes, "y")
    legend(axes, loc="lower right")
    return figure
