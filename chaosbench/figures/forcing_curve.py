"""A picture of what the forcing interval decides: the U-shaped curve of Mikhaeil et al. 2022, figure 1."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chaosbench.figures.base import Picture
from chaosbench.figures.panels import CURVES, STYLES, Array, legend, new_figure, sparse_ticks
from chaosbench.leaderboard.tidy import Axis, Layout, Quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_APART = 0.02  # between the dots of two curves, as a share of the axis: they would hide each other


def forcing_curve(
    intervals: Array,
    values: Array,
    *,
    names: Sequence[str] = (),
    floor: float | None = None,
    tau_pred: float | None = None,
    metric: str = "state space divergence",
    label: str = "",
) -> "Figure":
    """D_stsp over the forcing interval, for each model the median over its seeds and the seeds themselves.

    Args:
        intervals: `(I,)`, ascending [steps].
        values: `(L, I, K)`, of L models [nats]; infinite where a seed diverged, NaN where there is none.
        names: of the models.
        floor: the score of the truth itself [nats].
        tau_pred: ln 2 / lambda_1, the predictability time [steps].
        metric: name of the score.
        label: of the system and data.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, Advances in Neural Information Processing Systems 35, figure 1.
    """
    figure = new_figure(6.8, 4.4, label)
    axes = figure.subplots()
    axes.set(xlabel="forcing interval τ [steps]", ylabel=f"{metric} [nats]", xscale="log")
    for place, scores in enumerate(values):
        shift = float(np.ptp(np.log(intervals))) * _APART * (place - (len(values) - 1) / 2)
        _model(axes, intervals * np.exp(shift), scores, place, names[place] if len(names) else f"model {place + 1}")
    if floor is not None:
        axes.axhline(floor, label="noise floor: two true orbits", **STYLES["limit"])
    if tau_pred is not None:
        name = f"$\\tau_{{pred}} = \\ln 2 / \\lambda_1$ = {tau_pred:.3g} steps"
        axes.axvline(tau_pred, label=name, **STYLES["start"])
    shown = [*values[np.isfinite(values)].tolist(), *([] if floor is None else [floor])]
    if shown and min(shown) > 0:
        axes.set_yscale("log")
        sparse_ticks(axes, "y")
    _mark_intervals(axes, intervals)
    _mark_diverged(axes, intervals, values)
    legend(axes)
    return figure


def _model(axes: "Axes", intervals: Array, scores: Array, place: int, name: str) -> None:
    """One curve: medians, in which a diverged seed counts as worst, joined where there are any."""
    style = CURVES[place % len(CURVES)]
    here = ~np.isnan(scores).all(axis=1)
    middle = np.array([np.median(row[~np.isnan(row)]) for row in scores[here]])
    drawable = np.where(np.isfinite(middle), middle, np.nan)
    axes.plot(intervals[here], drawable, label=name, markersize=6, linewidth=1.6, **style)
    for interval, row in zip(intervals, scores, strict=True):
        seeds = row[np.isfinite(row)]
        if seeds.size:
            axes.plot([interval] * 2, [seeds.min(), seeds.max()], color=style["color"], linewidth=0.8)
            axes.plot([interval] * len(seeds), seeds, color=style["color"], linestyle="", marker=".", markersize=4)


def _mark_intervals(axes: "Axes", intervals: Array) -> None:
    axes.set_xticks(intervals, [f"{interval:g}" for interval in intervals])
    axes.set_xticks([], minor=True)


def _mark_diverged(axes: "Axes", intervals: Array, values: Array) -> None:
    """Above each interval, how many seeds of all models diverged."""
    lost, every = np.isinf(values).sum(axis=(0, 2)), (~np.isnan(values)).sum(axis=(0, 2))
    settings: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom", "fontsize": 7}
    for interval, some, count in zip(intervals, lost, every, strict=True):
        if some:
            axes.text(interval, 1.01, f"{some}/{count}\ndiverged", **settings)


FORCING_CURVE = Picture(
    forcing_curve,
    Layout(
        "forcing_curve",
        "a score of the free runs over the interval of sparse teacher forcing",
        {
            "values": Quantity(
                "nats",
                "score of one seed; infinite where it diverged, NaN where there is none",
                (
                    Axis("model", "names", "", "label of the model"),
                    Axis("interval", "intervals", "steps", "from one forcing to the next"),
                    Axis("seed", "", "", "number of the seed"),
                ),
            ),
            "floor": Quantity("nats", "the score of the truth itself"),
            "tau_pred": Quantity("steps", "ln 2 / lambda_1, the predictability time"),
        },
        ("label", "metric"),
    ),
)
