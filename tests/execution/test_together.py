"""The rows of experiments that were trained as one batch equal those of each alone, but for times and company."""

from dataclasses import asdict, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from small import experiment

from chaosbench.checkpoints import Checkpoints, Course, Stop
from chaosbench.diagnostics import COSTS, GradientNorm, Loss
from chaosbench.experiment import Experiment, Result, Run
from chaosbench.models import RNN, ModelSpec, ShallowPLRNN
from chaosbench.run import Progress, run_experiment
from chaosbench.together import Company
from chaosbench.trainers import GeneralizedTeacherForcing, SparseTeacherForcing, TrainerSpec
from chaosbench.trainers.base import TrainingStep

SMALL: dict[str, Any] = {"updates": 10, "batch": 4, "sequence_length": 20}
ROUNDING = 1e-6  # 1e-14 after training, times the growth of errors in free runs of 110 steps


def experiments(model: ModelSpec, *trainers: TrainerSpec) -> list[Experiment]:
    """Return experiments in double precision, the second with other seeds than the others."""
    data = experiment().data.replaced(dtype="float64")
    shared: dict[str, Any] = {"data": data, "diagnostics": (Loss(every=5), GradientNorm(every=5))}
    seeds = [(0, 1), (1, 4, 2)]
    return [
        experiment(model, trainer=trainer, seeds=own, **shared) for trainer, own in zip(trainers, seeds, strict=True)
    ]


def own_columns(run: Run) -> dict[str, Any]:
    """Return the columns of a run that do not depend on company."""
    others = {"started", "ended", "train_seconds", "total_seconds", "seeds_together", "provenance"}
    return {name: value for name, value in asdict(run).items() if name not in others}


def together(batch: list[Experiment]) -> list[Result]:
    seen = list[Progress]()
    company = Company(batch, device="cpu", plugins={"mine": "1"})
    company.train(seen.append)
    assert (seen[-1].phase, seen[-1].update, seen[-1].updates) == ("training", 10, 10)
    results = [company.finish(index, seen.append) for index in range(len(batch))]
    assert [progress.phase for progress in seen[-3:]] == ["diagnosis", "forecasts", "scores"]
    return results


FORCED: list[TrainerSpec] = [
    SparseTeacherForcing(interval=3, clip_norm=0.1, **SMALL),
    SparseTeacherForcing(interval=30, learning_rate=1e-2, final_learning_rate=1e-4, **SMALL),
]
BLENDED: list[TrainerSpec] = [
    GeneralizedTeacherForcing(alpha=0.9, clip_norm=0.1, clip_value=0.1, **SMALL),
    GeneralizedTeacherForcing(alpha=0.2, final_alpha=0.0, clip_value=0.1, **SMALL),
]


@pytest.mark.parametrize(
    ("model", "trainers"),
    [(RNN(hidden=5), FORCED), (ShallowPLRNN(hidden=5), BLENDED)],
    ids=["forced", "blended"],
)
def test_rows_equal_those_alone(model: ModelSpec, trainers: list[TrainerSpec]):
    batch = experiments(model, *trainers)
    for found, member in zip(together(batch), batch, strict=True):
        expected = run_experiment(member, plugins={"mine": "1"})
        assert found.experiment == member
        for run, other in zip(found.runs, expected.runs, strict=True):
            assert own_columns(run) == own_columns(other)
        for record, other in zip(found.records, expected.records, strict=True):
            assert replace(record, value=None) == replace(other, value=None)
            assert (record.value is None) == (other.value is None), record.name
            if record.value is not None and record.name.removeprefix("diagnosis.") not in COSTS:
                assert record.value == pytest.approx(other.value, rel=ROUNDING, abs=ROUNDING), record.name
        for ours, theirs in ((found.weights, expected.weights), (found.arrays, expected.arrays)):
            assert ours.keys() == theirs.keys()
            for name, value in theirs.items():
                np.testing.assert_allclose(ours[name], value, rtol=ROUNDING, atol=ROUNDING, err_msg=name)


def test_company_and_shares_of_the_time_are_stored():
    """Wall time is that of the whole batch, shared out: nothing is counted twice or lost."""
    batch, clock = experiments(RNN(hidden=5), *FORCED), perf_counter()
    results = together(batch)
    seconds = perf_counter() - clock
    runs = [run for result in results for run in result.runs]
    assert {run.seeds_together for run in runs} == {5}
    assert max(run.train_seconds for run in runs) == pytest.approx(min(run.train_seconds for run in runs))
    total = sum(run.total_seconds for run in runs)
    assert sum(run.train_seconds for run in runs) < total < seconds
    for index, result in enumerate(results):
        others = {other.digest()[:12] for place, other in enumerate(batch) if place != index}
        for run in result.runs:
            assert set(run.provenance["trained_with"].split()) == others
            assert run.provenance["mine"] == "1"


@pytest.mark.parametrize("trainers", [FORCED, BLENDED], ids=["forced", "blended"])
def test_a_batch_that_is_asked_to_end_goes_on_with_the_same_bits(
    trainers: list[TrainerSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The process ends after four updates; the next one has a company of its own, and is asked again at the eighth."""
    batch = experiments(RNN(hidden=5) if trainers is FORCED else ShallowPLRNN(hidden=5), *trainers)
    updates = list[int]()
    for limit in (4, 8):
        stop, company = Stop(), Company(batch, device="cpu", plugins={})
        saved = Checkpoints(batch[0], tmp_path, "cpu", every=1e9, stop=stop, others=batch[1:])
        see = saved.see

        def asked(step: TrainingStep, course: Course, seconds: float, *, limit=limit, stop=stop, see=see) -> None:
            updates.append(step.update)
            stop.requested = step.update == limit
            see(step, course, seconds)

        monkeypatch.setattr(saved, "see", asked)
        with pytest.raises(SystemExit):
            company.train(lambda _: None, saved)
    company = Company(batch, device="cpu", plugins={})
    saved = Checkpoints(batch[0], tmp_path, "cpu", others=batch[1:])
    company.train(lambda _: None, saved)
    saved.discard()
    assert updates == list(range(1, 9))
    assert [path.name for path in tmp_path.iterdir() if "-end" not in path.name] == []
    for index, expected in enumerate(together(batch)):
        found = company.finish(index, lambda _: None)
        for name, value in expected.weights.items():
            np.testing.assert_array_equal(found.weights[name], value, err_msg=name)
        assert [one.value for one in found.records if one.name.startswith("loss(")] == [
            one.value for one in expected.records if one.name.startswith("loss(")
        ]


def test_the_end_of_a_batch_is_kept_until_its_experiments_have_results(tmp_path: Path):
    """A process that ends while the first experiment is diagnosed does not train again."""
    batch = experiments(ShallowPLRNN(hidden=5), *BLENDED)
    for expected in (range(1, 11), range(0)):
        company, seen = Company(batch, device="cpu", plugins={}), list[Progress]()
        company.train(seen.append, Checkpoints(batch[0], tmp_path, "cpu", others=batch[1:]))
        found = company.finish(1, lambda _: None).weights
        assert {one.update for one in seen if one.phase == "training" and one.updates} <= set(expected)
    for name, value in together(batch)[1].weights.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
