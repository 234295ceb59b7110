"""A picture of a score over the forcing interval: the U-shaped curve of Mikhaeil et al. 2022, figure 1."""

import json
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from typing_extensions import override

from chaosbench.figures.base import Arguments, Array, Axis, BoardPicture, Layout, Quantity
from chaosbench.figures.panels import CURVES, STYLES, legend, new_figure, sparse_ticks
from chaosbench.figures.records import system_exponents
from chaosbench.labels import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from chaosbench.leaderboard.board import Board
    from chaosbench.leaderboard.folder import Stored

_TRAINER, _METRIC = "sparse_teacher_forcing", "state_space_divergence"
_FEWEST = 3  # smallest number of intervals that is drawn as a curve
_SHIFT = 0.02  # shift between curves, as a share of the axis, so that dots do not hide each other


class ForcingCurve(BoardPicture):
    """D_stsp against the interval of sparse teacher forcing, for each model that was run with three intervals or more.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, Advances in Neural Information Processing Systems 35, figure 1.
    """

    kind: Literal["forcing_curve"] = "forcing_curve"
    layout: ClassVar[Layout] = Layout(
        "score of the free runs over the interval of sparse teacher forcing",
        {
            "values": Quantity(
                "nats",
                "score of one seed; infinite if it diverged, NaN if it was not run",
                (
                    Axis("model", "names", "", "label of the model"),
                    Axis("interval", "intervals", "steps", "steps from one forcing to the next"),
                    Axis("seed", "", "", "number of the seed"),
                ),
            ),
            "floor": Quantity("nats", "score of another true orbit"),
            "tau_pred": Quantity("steps", "ln 2 / lambda_1, the predictability time"),
        },
        ("label", "metric"),
    )

    @override
    def arguments(self, board: "Board", experiments: Sequence["Stored"]) -> Arguments | None:
        names = [measure.name.partition("(")[0] for measure in board.measures]
        sparse = [stored for stored in experiments if stored.experiment["trainer"]["kind"] == _TRAINER]
        if _METRIC not in names or len({stored.runs[0]["trainer"] for stored in sparse}) < _FEWEST:
            return None
        column = names.index(_METRIC)
        measure, tau_pred = board.measures[column], _predictability_time(sparse)
        curves = _curves(board, column, sparse, tau_pred)
        curves = {key: curve for key, curve in curves.items() if len(curve) >= _FEWEST}
        if not curves:
            return None
        return {
            **_stacked(list(curves.values())),
            "names": _names(list(curves)),
            "floor": measure.floor,
            "tau_pred": tau_pred,
            "metric": measure.name.replace("_", " "),
            "label": board.system if board.data == "data" else f"{board.system}, {board.data}",
        }

    @override
    def figure(self, arguments: Arguments) -> "Figure":
        return forcing_curve(**arguments)


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
    """Draw D_stsp over the forcing interval: for each model the median over its seeds, and every seed.

    Args:
        intervals: `(I,)`, ascending [steps].
        values: `(L, I, K)`, scores of L models [nats]; infinite for a diverged seed, NaN for one that was not run.
        names: names of the models.
        floor: score of another true orbit [nats].
        tau_pred: ln 2 / lambda_1, the predictability time [steps].
        metric: name of the score.
        label: the system and the data.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, Advances in Neural Information Processing Systems 35, figure 1.
    """
    figure = new_figure(6.8, 4.4, label)
    axes = figure.subplots()
    axes.set(xlabel="forcing interval τ [steps]", ylabel=f"{metric} [nats]", xscale="log")
    for index, scores in enumerate(values):
        shift = float(np.ptp(np.log(intervals))) * _SHIFT * (index - (len(values) - 1) / 2)
        _model(axes, intervals * np.exp(shift), scores, index, names[index] if len(names) else f"model {index + 1}")
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


def _model(axes: "Axes", intervals: Array, scores: Array, index: int, name: str) -> None:
    """Draw one curve through the medians of the intervals that were run; a diverged seed counts as worst."""
    style = CURVES[index % len(CURVES)]
    run = ~np.isnan(scores).all(axis=1)
    medians = np.array([np.median(row[~np.isnan(row)]) for row in scores[run]])
    drawable = np.where(np.isfinite(medians), medians, np.nan)
    axes.plot(intervals[run], drawable, label=name, markersize=6, linewidth=1.6, **style)
    for interval, row in zip(intervals, scores, strict=True):
        seeds = row[np.isfinite(row)]
        if seeds.size:
            axes.plot([interval] * 2, [seeds.min(), seeds.max()], color=style["color"], linewidth=0.8)
            axes.plot([interval] * len(seeds), seeds, color=style["color"], linestyle="", marker=".", markersize=4)


def _mark_intervals(axes: "Axes", intervals: Array) -> None:
    axes.set_xticks(intervals, [f"{interval:g}" for interval in intervals])
    axes.set_xticks([], minor=True)


def _mark_diverged(axes: "Axes", intervals: Array, values: Array) -> None:
    """Write above each interval how many seeds of all models diverged."""
    diverged, total = np.isinf(values).sum(axis=(0, 2)), (~np.isnan(values)).sum(axis=(0, 2))
    settings: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom", "fontsize": 7}
    for interval, failed, seeds in zip(intervals, diverged, total, strict=True):
        if failed:
            axes.text(interval, 1.01, f"{failed}/{seeds}\ndiverged", **settings)


def _curves(
    board: "Board", column: int, experiments: Iterable["Stored"], tau_pred: float | None
) -> dict[tuple[str, str], dict[int, list[float]]]:
    """Collect the scores of each curve by interval [steps], one per seed, infinite for a diverged seed.

    A curve is identified by its model and the settings of its trainer other than the interval.
    """
    scores = {(entry.model, entry.trainer): entry.scores[column] for entry in board.entries}
    curves: dict[tuple[str, str], dict[int, list[float]]] = {}
    for stored in experiments:
        trainer, run = dict(stored.experiment["trainer"]), stored.runs[0]
        steps = _steps(trainer.pop("interval"), tau_pred)
        score = scores.get((run["model"], run["trainer"]))
        if steps is not None and score is not None:
            seeds = [math.inf if value is None else value for value in score.values]
            curves.setdefault((run["model"], json.dumps(trainer, sort_keys=True)), {})[steps] = seeds
    return dict(sorted(curves.items()))


def _predictability_time(experiments: Iterable["Stored"]) -> float | None:
    """Return ln 2 / lambda_1 [steps] from the first experiment that stores both the exponent and the time step."""
    from chaosbench.leaderboard.folder import forecast  # imports pyarrow, which only drawing needs

    for stored in experiments:
        exponents, arrays = system_exponents(stored), forecast(stored.folder)
        if exponents and exponents[0] > 0 and "dt" in arrays:
            return math.log(2) / (exponents[0] * float(arrays["dt"].item()))
    return None


def _steps(interval: int | str, tau_pred: float | None) -> int | None:
    """Return the interval [steps], or None if stored results do not determine it."""
    if isinstance(interval, int):
        return interval
    from chaosbench.trainers.forcing_interval import tau_pred_factor  # imports torch, which only drawing needs

    if tau_pred is None or "tau_pred" not in interval:
        return None
    return max(1, round(tau_pred_factor(interval) * tau_pred))


def _stacked(curves: Sequence[dict[int, list[float]]]) -> dict[str, Any]:
    """Stack the curves into `values` `(L, I, K)`, NaN where a curve lacks the interval or the seed."""
    intervals = sorted({steps for curve in curves for steps in curve})
    seeds = max(len(row) for curve in curves for row in curve.values())
    values = np.full((len(curves), len(intervals), seeds), np.nan)
    for rows, curve in zip(values, curves, strict=True):
        for steps, row in curve.items():
            rows[intervals.index(steps), : len(row)] = row
    return {"intervals": np.array(intervals), "values": values}


def _names(curves: Sequence[tuple[str, str]]) -> list[str]:
    """Return the label of each model, with the settings of the trainer that differ between curves."""
    short = shortened(model for model, _ in curves)
    trainers = [json.loads(trainer) for _, trainer in curves]
    differ = sorted(
        {
            field
            for trainer in trainers
            for field in trainer
            if any(trainer[field] != other.get(field) for other in trainers)
        }
    )
    return [
        ", ".join([short[model], *(f"{field}={trainer.get(field)}" for field in differ)])
        for (model, _), trainer in zip(curves, trainers, strict=True)
    ]
