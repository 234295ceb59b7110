"""A picture of how training went: loss and gradient norm."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from chaosbench.figures.base import SEED, Picture
from chaosbench.figures.panels import STYLES, Array, legend, new_figure, sparse_ticks, tell_diverged
from chaosbench.leaderboard.tidy import Axis, Layout, Quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def training(
    updates: Array,
    *,
    loss: Array | None = None,
    norm: Array | None = None,
    clip: float | None = None,
    seeds: Sequence[int] = (),
    label: str = "",
) -> "Figure":
    """Loss and gradient norm over training: a thin line per seed, a thick one for their median.

    Args:
        updates: `(U,)` [updates].
        loss: `(K, U)`; NaN or infinite where an update was not finite.
        norm: `(K, U)`, of the gradient before clipping; not finite likewise.
        clip: norm at which the trainer clips.
        seeds: the seeds that the rows are of; they are only kept.
        label: of what ran.
    """
    del seeds
    curves = {"loss [1]": loss, "gradient norm before clipping [1]": norm}
    shown = {name: values for name, values in curves.items() if values is not None}
    figure = new_figure(6.4 if len(shown) == 1 else 10.0, 3.8, label)
    for axes, (name, values) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True):
        axes.set(xlabel="training [updates]", ylabel=name, yscale="log", xlim=(0, updates.max()))
        _curves(axes, updates, values)
        if values is norm and clip is not None:
            axes.axhline(clip, label=f"clipped at {clip:g}", **STYLES["limit"])
        sparse_ticks(axes, "y")
        tell_diverged(axes, ~np.isfinite(values[:, -1]))
        legend(axes, loc="upper right")
    return figure


def _curves(axes: "Axes", updates: Array, values: Array) -> None:
    """The curve of each seed, the median, and where an update was not finite, at the last finite value before it."""
    drawable = np.where(np.isfinite(values) & (values > 0), values, np.nan)
    for curve in drawable:
        axes.plot(updates, curve, label="each seed", **STYLES["seed"])
    worst = np.where(np.isfinite(values), values, np.inf)
    middle = np.median(worst, axis=0)  # a diverged seed counts as worst
    middle = np.where(np.isfinite(middle) & (middle > 0), middle, np.nan)
    axes.plot(updates, middle, label="median over seeds", **STYLES["median"])
    begins = ~np.isfinite(values[:, 1:]) & np.isfinite(values[:, :-1])
    seed, before = np.nonzero(begins)
    if len(seed):
        axes.plot(updates[before], drawable[seed, before], label="next one is not finite", **STYLES["end"])


_AXES = (SEED, Axis("update", "updates", "updates", "of the weights, done"))

TRAINING = Picture(
    training,
    Layout(
        "training",
        "loss and gradient norm over training",
        {
            "loss": Quantity("1", "loss of the update's batch", _AXES),
            "norm": Quantity("1", "norm of its gradient, before clipping", _AXES),
            "clip": Quantity("1", "norm at which the trainer clips"),
        },
    ),
)
