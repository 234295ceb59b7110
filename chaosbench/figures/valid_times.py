"""A picture of for how long forecasts are right, beside the true system's own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from chaosbench.figures.base import SEED, Picture
from chaosbench.figures.panels import STYLES, Array, legend, new_figure
from chaosbench.leaderboard.tidy import Axis, Layout, Quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS = 20


def valid_times(
    model: Array,
    *,
    twin: Array | None = None,
    threshold: float = 0.4,
    seeds: Sequence[int] = (),
    label: str = "",
) -> "Figure":
    """Histograms over the test conditions of valid prediction times.

    Args:
        model: `(K, C)` [Lyapunov times]; 0 where the first step is wrong, so a seed that diverged has zeros.
        twin: `(C,)`, of the true system started with a small error: the ceiling [Lyapunov times].
        threshold: error up to which a forecast is valid [std].
        seeds: the seeds that the rows are of; they are only kept.
        label: of what ran.
    """
    del seeds
    figure = new_figure(6.4, 3.8, label)
    axes = figure.subplots()
    whole = model if twin is None else np.concatenate([model, twin[None]])
    finite = whole[np.isfinite(whole)]
    longest = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    edges = np.linspace(0, longest, _BINS + 1)
    shares = np.stack([_shares(times, edges) for times in model])
    middle = f"median {np.nanmedian(model):.2g}" if np.isfinite(model).any() else "none finite"
    axes.stairs(shares.mean(axis=0), edges, fill=True, color="#56B4E9", alpha=0.6, label=f"model, all seeds: {middle}")
    for share in shares if len(shares) > 1 else ():
        axes.stairs(share, edges, label="each seed", **STYLES["seed histogram"])
    if twin is not None:
        name = f"true system, perturbed: median {np.nanmedian(twin):.2g}"
        axes.stairs(_shares(twin, edges), edges, label=name, **STYLES["free run"])
    axes.set(
        xlabel=f"valid prediction time, error up to {threshold:g} std [Lyapunov times]",
        ylabel="share of the conditions",
        xlim=(0, longest),
    )
    legend(axes)
    return figure


def _shares(times: Array, edges: Array) -> Array:
    """Of all conditions, those in each bin; times that are not finite are in none."""
    counts: Array = np.histogram(times[np.isfinite(times)], edges)[0] / max(1, times.size)
    return counts


_CONDITION = Axis("condition", "", "", "number of the test condition")

VALID_TIMES = Picture(
    valid_times,
    Layout(
        "valid_times",
        "valid prediction times over the test conditions",
        {
            "model": Quantity("Lyapunov times", "of the models", (SEED, _CONDITION)),
            "twin": Quantity("Lyapunov times", "of the true system started with a small error", (_CONDITION,)),
            "threshold": Quantity("std", "error up to which a forecast is valid"),
        },
    ),
)
