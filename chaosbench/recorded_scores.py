"""The scores of an experiment as records, and what they say about each seed: its status and message."""

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
from torch import Tensor

from chaosbench.experiment import Experiment, Record, Status
from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.skill import too_good_to_be_true


def score_records(experiment: Experiment, evaluation: Evaluation) -> list[Record]:
    """Return every metric of every seed with its details, each beside its noise floor: that of another true orbit.

    A detail is stored under the name of its metric, a dot and its own, such as `skill.censored_share`. The score on
    the test orbit with index I alone is stored as `orbit.I.` and the name of the metric, without a floor.
    """
    digest, truth = experiment.digest(), evaluation.floor()
    records: list[Record] = []

    def add(name: str, values: Tensor, true: Tensor | None, unit: str, better: Literal["lower", "higher", ""]) -> None:
        floor = None if true is None else finite(float(true[0]))
        for seed, value in zip(experiment.seeds, values.tolist(), strict=True):
            records.append(Record(digest, seed, name, finite(value), floor, unit, better, None))

    for metric in experiment.metrics:
        scores, by_orbit = metric.score_with_orbits(evaluation)
        add(metric.label, scores, metric.score(truth), metric.unit, metric.better)
        for orbit, values in enumerate([] if by_orbit is None else by_orbit.T):
            add(f"orbit.{orbit}.{metric.label}", values, None, metric.unit, "")
        true = metric.details(truth)
        for name, shares in metric.details(evaluation).items():
            add(f"{metric.label}.{name}", shares, true[name], "1", "")
    return records


def outcomes(
    experiment: Experiment, evaluation: Evaluation, scores: Iterable[Record]
) -> Iterator[tuple[int, Status, str]]:
    """Yield seed, status and message of each seed.

    A run has diverged where a free run is not finite or leaves the box of ten standard deviations around the data, and
    for no other reason. A score that is undefined although the truth has one is explained in the message.
    """
    escaped = evaluation.escaped()
    finite = evaluation.free_run.isfinite().flatten(2).all(-1)
    suspicious = too_good_to_be_true(evaluation).tolist() if experiment.data.noise == 0 else [False] * len(escaped)
    undefined = [
        (record.seed, record.name)
        for record in scores
        if record.better and record.value is None and record.floor is not None
    ]
    metrics = {metric.label: metric for metric in experiment.metrics}
    for index, seed in enumerate(experiment.seeds):
        count, total = int(escaped[index].sum()), escaped.shape[1]
        if count:
            where = "leave the box around the data" if finite[index].all() else "are not finite or leave the box"
            yield seed, "diverged", f"{count} of {total} free runs {where}"
            continue
        remarks = [
            f"{name} is undefined: {metrics[name].why_undefined(evaluation, index)}"
            for other, name in undefined
            if other == seed
        ]
        if suspicious[index]:
            remarks.append("too good to be true: forecasts outlast the true system's own, so test data were known")
        yield seed, "ok", "; ".join(remarks)


def finite(value: float) -> float | None:
    """Return None for a number that is not finite: at rest that is a category of its own."""
    return value if np.isfinite(value) else None
