"""A process runs several experiments where that changes nothing, and no more where anything foreign has run in it."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from misbehaving import Misbehaving
from small import experiment

from chaosbench.diagnostics import COSTS
from chaosbench.execution import Finished, Limits, alone, carry_out, reuse
from chaosbench.execution.reuse import Condition
from chaosbench.execution.workers import Workers
from chaosbench.experiment import Experiment, Result
from chaosbench.models import LSTM, PLRNN
from chaosbench.plugin_choice import Choice
from chaosbench.run import run_experiment

NOTHING = Choice((), ())


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Compile the kernels once and keep them in the cache, because a process that compiles grows and is not kept."""
    for model in (LSTM(hidden=5), PLRNN(hidden=5)):
        run_experiment(experiment(model))
    run_experiment(experiment())


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the number of each process that is forked."""
    numbers, fork = list[int](), Workers._forked

    def noting(self: Workers, order):
        process, pipe = fork(self, order)
        numbers.append(process.pid)
        return process, pipe

    monkeypatch.setattr(Workers, "_forked", noting)
    return numbers


def results(experiments: list[Experiment], logs: Path) -> list[Result]:
    events = carry_out(alone(experiments), device="cpu", workers=1, logs=logs, plugins=NOTHING)
    return [event.result for event in events if isinstance(event, Finished)]


def statuses(ended: list[Result]) -> list[str]:
    return [result.runs[0].status for result in ended]


def test_one_process_runs_experiments_of_chaosbench_and_their_numbers_are_those_of_fresh_ones(tmp_path: Path, forked):
    """The same experiment comes first and last, and another one between."""
    model = LSTM(hidden=5)
    here = run_experiment(experiment(model))
    planned = [experiment(model, seeds=(1,)), experiment(), experiment(model)]
    ended = results(planned, tmp_path)
    assert statuses(ended) == ["ok"] * 3
    assert len(forked) == 1
    for name, values in here.weights.items():
        np.testing.assert_array_equal(ended[-1].weights[name], values)
    for record, other in zip(ended[-1].records, here.records, strict=True):
        assert record.value == other.value or record.name.removeprefix("diagnosis.") in COSTS


def test_what_a_foreign_class_runs_in_is_not_used_again(tmp_path: Path, forked):
    """A model of a stranger works; after it, and after failures, processes are new, and nothing is lost."""
    foreign = [Misbehaving(fault=fault, folder=str(tmp_path)) for fault in ("print", "raise", "exit")]
    planned = [experiment(), *(experiment(one) for one in foreign), experiment(PLRNN(hidden=5))]
    ended = results(planned, tmp_path / "logs")
    assert statuses(ended) == ["ok", "ok", "failed", "crashed", "ok"]
    assert len(forked) == 4  # the first process also runs the first foreign model, which comes after chaosbench's own


def test_a_process_that_was_killed_while_it_waits_costs_nothing(tmp_path: Path, forked):
    planned = [experiment(seeds=(seed,)) for seed in range(2)]
    ended, killed = [], False
    for event in carry_out(alone(planned), device="cpu", workers=1, logs=tmp_path, plugins=NOTHING):
        ended += [event.result] if isinstance(event, Finished) else []
        if isinstance(event, Finished) and not killed:  # it waits, or is about to say so
            os.kill(forked[0], signal.SIGKILL)
            killed = True
    assert statuses(ended) == ["ok", "ok"]
    assert len(forked) == 2


def test_no_process_is_left_when_all_is_done(tmp_path: Path, forked):
    results([experiment(seeds=(seed,)) for seed in range(2)], tmp_path)
    assert forked
    for number in forked:
        with pytest.raises(ProcessLookupError):
            os.killpg(number, 0)
    assert not list(tmp_path.glob("*.log"))


def test_a_process_is_left_after_many_experiments_on_a_gpu_and_where_plug_ins_listen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reuse, "MOST", 3)
    cpu = Condition("cpu", None)
    assert [cpu.allows([experiment()], listeners=False) for _ in range(4)] == [True, True, False, False]
    assert not Condition("cuda", None).allows([experiment()], listeners=False)
    assert not Condition("cpu", None).allows([experiment()], listeners=True)
    assert not Condition("cpu", None).allows([experiment(Misbehaving(fault="print"))], listeners=False)


def test_a_process_that_keeps_much_memory_is_not_used_again():
    condition = Condition("cpu", 1 << 30)
    assert condition.allows([experiment()], listeners=False)
    kept = np.ones((128 << 20) // 8)  # a sixteenth of the limit is half of this
    assert not condition.allows([experiment()], listeners=False)
    assert kept.all()


def peak_memory(result: Result) -> float:
    """Return the peak memory of a run [MiB]."""
    return next(record.value for record in result.records if record.name == "diagnosis.peak_memory") or 0.0


@pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="needs Linux, which can reset the peak of a process"
)
def test_the_peak_memory_of_an_experiment_is_not_that_of_an_earlier_one(tmp_path: Path, forked):
    """The windows of the first one's updates alone have 2 x 100,000 x 51 x 2 numbers of 4 bytes, 78 MiB."""
    large = experiment().trainer.replaced(batch=100_000, sequence_length=50, updates=1)
    first, second = results([experiment(trainer=large), experiment()], tmp_path)
    assert len(forked) == 1
    assert peak_memory(first) > peak_memory(second) + 78


def test_every_experiment_has_its_own_time_and_log(tmp_path: Path, forked):
    """The second takes longer than the limit allows for one, and both together; the first is not counted."""
    quick, endless = experiment(), experiment(trainer=experiment().trainer.replaced(updates=10_000_000))
    events = carry_out(
        alone([quick, endless, experiment(seeds=(5,))]), device="cpu", workers=1, logs=tmp_path, plugins=NOTHING,
        limits=Limits(timeout=10.0),
    )  # fmt: skip
    assert statuses([event.result for event in events if isinstance(event, Finished)]) == ["ok", "timeout", "ok"]
    assert len(forked) == 2
