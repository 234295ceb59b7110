"""The scores of an experiment as records, and what they say about each seed: its status and message."""

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np

from chaosbench.errors import SpecError
from chaosbench.experiment import Experiment, Record, Status
from chaosbench.isolation import attempt, one_per_seed
from chaosbench.metrics.base import Evaluation, MetricSpec
from chaosbench.metrics.skill import too_good_to_be_true


def score_records(experiment: Experiment, evaluation: Evaluation, *, remarks: list[str] | None = None) -> list[Record]:
    """Return every metric of every seed with its details, each beside its noise floor: that of another true orbit.

    A detail is stored under the name of its metric, a dot and its own, such as `skill.censored_share`. The score on
    the test orbit with index I alone is stored as `orbit.I.` and the name of the metric, without a floor.

    Args:
        experiment: gives the metrics and the seeds.
        evaluation: of the trained models, in the order of the seeds.
        remarks: receives a sentence on each metric that raises or returns something else than numbers of the seeds,
            whose scores are then undefined, and on each that changes the arrays it is given; None: it raises.

    Raises:
        SpecError: where a metric changes arrays in place, unless there are `remarks`.
    """
    truth = evaluation.floor()
    records: list[Record] = []
    for metric in experiment.metrics:
        undefined = [
            Record(experiment.digest(), seed, metric.label, None, None, metric.unit, metric.better, None)
            for seed in experiment.seeds
        ]
        own = type(metric).__module__.partition(".")[0] == "chaosbench"
        given = (evaluation, truth) if own else (evaluation.copied(), truth.copied())  # a stranger's may write there
        records += attempt(
            lambda: _metric_records(metric, experiment, *given),  # noqa: B023  # called at once
            otherwise=undefined,
            what=f"the metric {metric.label}",
            remarks=remarks,
        )
        changed = [] if own else sorted({*evaluation.differences(given[0]), *truth.differences(given[1])})
        if changed:
            _report(
                f"the metric {metric.label} changes {', '.join(changed)} in place; other metrics got copies", remarks
            )
    return records


def _report(remark: str, remarks: list[str] | None) -> None:
    if remarks is None:
        raise SpecError(remark)
    remarks.append(remark)


def _metric_records(
    metric: MetricSpec, experiment: Experiment, evaluation: Evaluation, truth: Evaluation
) -> list[Record]:
    """Return the scores of one metric, those on each test orbit, and its details."""
    digest, count, records = experiment.digest(), len(experiment.seeds), list[Record]()

    def add(name: str, values: object, true: object, unit: str, better: Literal["lower", "higher", ""]) -> None:
        floor = None if true is None else finite(float(one_per_seed(true, 1)[0]))
        for seed, value in zip(experiment.seeds, one_per_seed(values, count).tolist(), strict=True):
            records.append(Record(digest, seed, name, finite(value), floor, unit, better, None))

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
            f"{name} is undefined: {_why_undefined(metrics[name], evaluation, index)}"
            for other, name in undefined
            if other == seed
        ]
        if suspicious[index]:
            remarks.append("too good to be true: forecasts outlast the true system's own, so test data were known")
        yield seed, "ok", "; ".join(remarks)


def _why_undefined(metric: MetricSpec, evaluation: Evaluation, index: int) -> str:
    """Return the metric's reason; if it raises instead, what it raised."""
    remarks = list[str]()
    what = "its why_undefined"
    return attempt(lambda: metric.why_undefined(evaluation, index), otherwise="", what=what, remarks=remarks) or (
        remarks[0] if remarks else "its value is not finite"
    )


def finite(value: float) -> float | None:
    """Return None for a number that is not finite: at rest that is a category of its own."""
    return value if np.isfinite(value) else None
