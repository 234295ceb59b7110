"""A picture of training: loss and gradient norm over updates."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from typing_extensions import override

from chaosbench.figures.base import SEED, Arguments, Array, Axis, ExperimentPicture, Layout, Quantity
from chaosbench.figures.panels import STYLES, count_diverged, legend, new_figure, sparse_ticks
from chaosbench.figures.records import seeds, title, training_records

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from chaosbench.leaderboard.folder import Stored

_AXES = (SEED, Axis("update", "updates", "updates", "number of updates of the weights"))


class TrainingCurves(ExperimentPicture):
    """Loss and gradient norm of each seed over training, with their median.

    If the folder lacks the arrays, the records of the diagnostics are drawn instead.
    """

    kind: Literal["training"] = "training"
    layout: ClassVar[Layout] = Layout(
        "loss and gradient norm over training",
        {
            "loss": Quantity("1", "loss of the batch", _AXES),
            "norm": Quantity("1", "norm of the gradient before clipping", _AXES),
            "clip": Quantity("1", "norm at which the trainer clips"),
        },
    )

    @override
    def arguments(self, stored: "Stored", arrays: Mapping[str, Array]) -> Arguments | None:
        if stored.training_of(stored.runs[0])[0] == 1:  # a trainer without gradients
            return None
        curves: dict[str, Any] = (
            {name: arrays.get(f"training_{name}") for name in ("updates", "loss", "norm")}
            if "training_updates" in arrays
            else training_records(stored, loss="loss", norm="gradient_norm")
        )
        if not curves:
            return None
        clip = stored.experiment["trainer"].get("clip_norm")
        return {**curves, "clip": clip, "seeds": seeds(stored), "label": title(stored)}

    @override
    def figure(self, arguments: Arguments) -> "Figure":
        return training(**arguments)


def training(
    updates: Array,
    *,
    loss: Array | None = None,
    norm: Array | None = None,
    clip: float | None = None,
    seeds: Sequence[int] = (),
    label: str = "",
) -> "Figure":
    """Draw loss and gradient norm over training: a thin line per seed and a thick one for their median.

    Args:
        updates: `(U,)` [updates].
        loss: `(K, U)`; NaN or infinite where an update was not finite.
        norm: `(K, U)`, norm of the gradient before clipping; NaN or infinite where an update was not finite.
        clip: norm at which the trainer clips.
        seeds: seed of each row; not drawn.
        label: title of the run.
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
        count_diverged(axes, ~np.isfinite(values[:, -1]))
        legend(axes, loc="upper right")
    return figure


def _curves(axes: "Axes", updates: Array, values: Array) -> None:
    """Draw the curve of each seed, their median, and a mark at the last value before an update that was not finite."""
    drawable = np.where(np.isfinite(values) & (values > 0), values, np.nan)
    for curve in drawable:
        axes.plot(updates, curve, label="each seed", **STYLES["seed"])
    worst = np.where(np.isfinite(values), values, np.inf)
    median = np.median(worst, axis=0)  # a diverged seed counts as worst
    median = np.where(np.isfinite(median) & (median > 0), median, np.nan)
    axes.plot(updates, median, label="median over seeds", **STYLES["median"])
    begins = ~np.isfinite(values[:, 1:]) & np.isfinite(values[:, :-1])
    seed, before = np.nonzero(begins)
    if len(seed):
        axes.plot(updates[before], drawable[seed, before], label="next update is not finite", **STYLES["end"])
