"""Plans of campaigns: their time, memory and disk, and the refusal of those that do not fit."""

import json
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
from small import experiment

from chaosbench.errors import SpecError
from chaosbench.execution import alone, planning
from chaosbench.execution.timing import Cost
from chaosbench.experiment import EvaluationSpec
from chaosbench.leaderboard.folder import read
from chaosbench.loading import read_experiment
from chaosbench.models import PLRNN, RNN
from chaosbench.monitor import known as cache
from chaosbench.monitor.costs import Costs, Observation, Work

BOARD = Path(__file__).parents[2] / "leaderboards" / "theory"
SIX = [experiment(RNN(hidden=5 + index)) for index in range(6)]


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAOSBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_more_workers_need_less_time_and_more_memory_for_the_same_work():
    one, two, six = (planning.plan(alone(SIX), Costs(), workers) for workers in (1, 2, 6))
    assert one.alone == pytest.approx(two.alone) == pytest.approx(six.alone) == pytest.approx(one.seconds)
    assert one.seconds > two.seconds > six.seconds
    assert one.together == one.memory < two.together < six.together
    assert one.disk == two.disk


def test_a_batch_takes_less_time_than_its_experiments_alone():
    """A batch of seeds costs less than their number, by the prior of the slope."""
    trainers = [
        SIX[0].replaced(trainer=SIX[0].trainer.replaced(learning_rate=rate, updates=10_000)) for rate in (1e-3, 2e-3)
    ]
    apart, together = planning.plan(alone(trainers), Costs(), 1), planning.plan([tuple(trainers)], Costs(), 1)
    assert together.seconds < apart.seconds


def test_nothing_to_run_needs_nothing():
    nothing = planning.plan([], Costs(), 2)
    assert (nothing.seconds, nothing.alone, nothing.memory, nothing.disk) == (0.0, 0.0, 0, 0)


def test_memory_grows_with_seeds_windows_and_free_runs():
    small = planning.memory_of(SIX[0])
    trainer = SIX[0].trainer.replaced(batch=4_000)
    free = EvaluationSpec(context=20, free_runs=1, free_run_steps=200, conditions=5, horizon=150)
    for larger in ({"seeds": tuple(range(50))}, {"trainer": trainer}, {"evaluation": free}):
        assert planning.memory_of(SIX[0].replaced(**larger)) > small


def test_memory_is_estimated_within_a_factor_of_two_of_published_runs():
    for folder in sorted(BOARD.glob("*-*"))[::4]:
        stored = read(folder)
        (peak, *_) = [row["value"] for row in stored.records if row["name"] == "diagnosis.peak_memory"]
        assert 1 / 2 < planning.memory_of(read_experiment(stored)) / 2**20 / peak < 2, folder.name


def test_a_plan_beyond_memory_or_disk_is_refused_with_the_estimate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    fits = planning.plan(alone(SIX), Costs(), 2)
    planning.require_room(fits, tmp_path / "not" / "there")
    monkeypatch.setattr(planning, "usable_memory", lambda: 10**9)
    with pytest.raises(SpecError, match=r"80\.0 GB.*1\.0 GB.*--workers"):
        planning.require_room(replace(fits, together=80 * 10**9), tmp_path)
    monkeypatch.setattr(planning, "usable_memory", lambda: 10**15)
    monkeypatch.setattr(planning.shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(1_000_000))
    with pytest.raises(SpecError, match="1 MB"):
        planning.require_room(fits, tmp_path)


def test_what_was_observed_on_this_machine_sets_the_estimate(own_cache: Path):
    work = planning._work(SIX[0])
    slow = [Observation(work, 2.0, 50.0)] * 20
    cache.remember(slow, device="cpu", host=planning.host())
    costs = planning.experience([], "cpu")
    found = planning.plan(alone(SIX[:1]), costs, 1)
    assert found.experience > 0
    assert found.seconds == pytest.approx(10 * 2.0 + 50.0, rel=0.5)
    assert len(planning.experience([], "cuda")) == 0


def test_times_in_the_cache_are_those_of_this_machine_and_survive_damage(own_cache: Path):
    work = Work("henon", "rnn", "bptt", 10, 1)
    mine, others = Observation(work, 1.0, 2.0), Observation(work, None, 3.0)
    cache.remember([mine, others], device="cpu", host="mine")
    cache.remember([mine], device="cuda:1", host="mine")
    cache.remember([mine], device="cpu", host="another")
    with (own_cache / "times.jsonl").open("a") as file:
        file.write(
            '{"device": "cpu"\n[]\n{"device": "cpu", "host": "mine", "work": {"size": 1}, "update": 1, "rest": 2}\n'
        )
    assert cache.known(device="cpu", host="mine") == [mine, others]
    assert cache.known(device="cuda", host="mine") == [mine]


def test_the_cache_keeps_the_latest_times(own_cache: Path):
    work = Work("henon", "rnn", "bptt", 10, 1)
    for start in range(0, 3_000, 500):
        cache.remember((Observation(work, 1.0, float(n)) for n in range(start, start + 500)), device="cpu", host="mine")
    rests = [one.rest for one in cache.known(device="cpu", host="mine")]
    assert rests == [float(n) for n in range(2_000, 3_000)]
    assert len((own_cache / "times.jsonl").read_text().splitlines()) <= 2_000


def test_what_is_unknown_is_measured_once_for_each_pair(own_cache: Path, monkeypatch: pytest.MonkeyPatch):
    """One that cannot be measured stays a guess."""
    asked: list[list[str]] = []

    def measured(experiments, device, *, budget):
        asked.append([one.model.kind for one in experiments])
        return [Cost(0.5, 7.0) if one.model.kind == "rnn" else Cost(float("inf"), float("inf")) for one in experiments]

    monkeypatch.setattr(planning, "measured", measured)
    costs = Costs()
    planning.measure(alone([*SIX, experiment(PLRNN(hidden=5))]), costs, "cpu")
    assert [sorted(kinds) for kinds in asked] == [["plrnn", "rnn"]]
    assert len(costs) == 1
    (row,) = map(json.loads, (own_cache / "times.jsonl").read_text().splitlines())
    assert (row["update"], row["rest"]) == (0.5, 7.0)
