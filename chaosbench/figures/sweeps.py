"""Sweeps over the forcing interval in a results directory, ready to be drawn."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chaosbench.figures.arguments import known_exponents
from chaosbench.figures.forcing_curve import FORCING_CURVE
from chaosbench.labels import shortened
from chaosbench.leaderboard.folder import Stored, forecast
from chaosbench.leaderboard.rank import Board, Ranking

_KIND, _METRIC = "sparse_teacher_forcing", "state_space_divergence"
_FEWEST = 3  # intervals that make a curve


def draw_sweeps(ranking: Ranking, experiments: Sequence[Stored], results: Path) -> list[Path]:
    """Draw `forcing_curve` into the results directory for each board that varies the interval three times or more."""
    found = [arguments for board in ranking.boards if (arguments := sweep(board, _of(board, experiments))) is not None]
    drawn = []
    for place, arguments in enumerate(found, start=1):
        name = "forcing_curve" if len(found) == 1 else f"forcing_curve-{place}-{_system(arguments)}"
        drawn += FORCING_CURVE.save(results, arguments, name=name)
    return drawn


def sweep(board: Board, experiments: Sequence[Stored]) -> dict[str, Any] | None:
    """What `forcing_curve` draws of a board; None where no model has three intervals and the score.

    Args:
        experiments: those of the board.
    """
    place = next((at for at, one in enumerate(board.measures) if one.name.partition("(")[0] == _METRIC), None)
    sparse = [stored for stored in experiments if stored.experiment["trainer"]["kind"] == _KIND]
    if place is None or len({stored.runs[0]["trainer"] for stored in sparse}) < _FEWEST:
        return None
    tau_pred, measure = _predictability_time(sparse), board.measures[place]
    curves = {key: curve for key, curve in _curves(board, place, sparse, tau_pred).items() if len(curve) >= _FEWEST}
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


def _curves(
    board: Board, place: int, experiments: Iterable[Stored], tau_pred: float | None
) -> dict[tuple[str, str], dict[int, list[float]]]:
    """By model and the trainer's other settings: by interval [steps] one score per seed, infinite where it diverged."""
    scores = {(entry.model, entry.trainer): entry.scores[place] for entry in board.entries}
    curves: dict[tuple[str, str], dict[int, list[float]]] = {}
    for stored in experiments:
        trainer, run = dict(stored.experiment["trainer"]), stored.runs[0]
        steps = _steps(trainer.pop("interval"), tau_pred)
        score = scores.get((run["model"], run["trainer"]))
        if steps is not None and score is not None:
            seeds = [math.inf if value is None else value for value in score.values]
            curves.setdefault((run["model"], json.dumps(trainer, sort_keys=True)), {})[steps] = seeds
    return dict(sorted(curves.items()))


def _of(board: Board, experiments: Iterable[Stored]) -> list[Stored]:
    """The experiments of a board."""

    def key(stored: Stored) -> tuple[str, str, str]:
        evaluation = json.dumps(stored.experiment["evaluation"], sort_keys=True)
        return stored.runs[0]["system"], stored.runs[0]["data"], evaluation

    return [stored for stored in experiments if key(stored) == (board.system, board.data, board.evaluation)]


def _predictability_time(experiments: Iterable[Stored]) -> float | None:
    """ln 2 / lambda_1 [steps], from the first experiment whose system is known."""
    for stored in experiments:
        known, arrays = known_exponents(stored), forecast(stored.folder)
        if known and known[0] > 0 and "dt" in arrays:
            return math.log(2) / (known[0] * float(arrays["dt"].item()))
    return None


def _steps(interval: int | str, tau_pred: float | None) -> int | None:
    """The interval [steps]; None where it cannot be told from what was stored."""
    if isinstance(interval, int):
        return interval
    from chaosbench.trainers.forcing_interval import tau_pred_factor  # brings torch, which a ranking does without

    if tau_pred is None or "tau_pred" not in interval:
        return None
    return max(1, round(tau_pred_factor(interval) * tau_pred))


def _stacked(curves: Sequence[dict[int, list[float]]]) -> dict[str, Any]:
    """Curves as one array `(L, I, K)`, NaN where a curve has no such interval or seed."""
    intervals = sorted({steps for curve in curves for steps in curve})
    seeds = max(len(row) for curve in curves for row in curve.values())
    values = np.full((len(curves), len(intervals), seeds), np.nan)
    for own, curve in zip(values, curves, strict=True):
        for steps, row in curve.items():
            own[intervals.index(steps), : len(row)] = row
    return {"intervals": np.array(intervals), "values": values}


def _names(curves: Sequence[tuple[str, str]]) -> list[str]:
    """The models' labels, with those settings of the trainer that tell curves apart."""
    short = shortened(model for model, _ in curves)
    trainers = [json.loads(trainer) for _, trainer in curves]
    told = sorted({key for one in trainers for key in one if any(one[key] != other.get(key) for other in trainers)})
    return [
        ", ".join([short[model], *(f"{key}={trainer.get(key)}" for key in told)])
        for (model, _), trainer in zip(curves, trainers, strict=True)
    ]


def _system(arguments: dict[str, Any]) -> str:
    return re.sub(r"[^a-z0-9_]+", "", arguments["label"].partition("(")[0].partition(",")[0].lower())
