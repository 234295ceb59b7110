"""The choice of a device, by times that a stand-in supplies."""

import json
from collections.abc import Sequence
from math import inf
from pathlib import Path

import pytest
from misbehaving import Misbehaving
from small import experiment

from chaosbench.errors import SpecError
from chaosbench.execution.placement import Placement, check_device, cores, place, places
from chaosbench.execution.timing import Cost, measured
from chaosbench.experiment import Experiment
from chaosbench.models import PLRNN, EchoStateNetwork
from chaosbench.trainers import Ridge

UPDATES = experiment().trainer.updates


class Clock:
    """A stand-in for the measurement: constant costs per device, and a count of what was measured."""

    def __init__(self, cpu: float, gpu: float, rest: float = 0.0) -> None:
        self.cost = {"cpu": Cost(cpu, rest), "cuda": Cost(gpu, rest)}
        self.asked: list[tuple[str, int]] = []

    def __call__(self, experiments: Sequence[Experiment], device: str) -> list[Cost]:
        self.asked.append((device, len(experiments)))
        return [self.cost[device]] * len(experiments)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAOSBENCH_CACHE", str(tmp_path))
    return tmp_path / "devices"


def auto(experiments: list[Experiment], clock: Clock, workers: int | None = 1, **options) -> Placement:
    return place(experiments, "auto", workers, measure=clock, card=lambda: "a card", say=lambda line: None, **options)


def test_without_a_gpu_the_cpu_is_chosen_and_nothing_is_measured():
    clock = Clock(1.0, 0.1)
    assert place([experiment()], "auto", None, measure=clock, card=lambda: None) == Placement("cpu", cores())
    assert clock.asked == []


@pytest.mark.parametrize(("gpu", "expected"), [(0.1, "cuda"), (10.0, "cpu"), (inf, "cpu")])
def test_the_faster_device_is_chosen(gpu: float, expected: str):
    chosen = auto([experiment()], Clock(1.0, gpu))
    assert chosen.device == expected
    assert "a card" in chosen.reason


def test_a_gpu_must_beat_all_cores_together():
    """Four experiments on four cores take as long as one on one core; a GPU runs them one after another."""
    four = [experiment(seeds=(seed,)) for seed in range(4)]
    assert auto(four, Clock(1.0, 0.3), workers=1).device == "cuda"
    assert auto(four, Clock(1.0, 0.3), workers=4).device == "cpu"
    assert auto(four[:1], Clock(1.0, 0.3), workers=4).device == "cuda"


def test_time_outside_training_counts():
    assert Cost(0.5, 2.0).of(experiment()) == 0.5 * UPDATES + 2.0


def test_times_are_cached_per_kind_of_experiment():
    clock, learning = Clock(1.0, 0.1), experiment().trainer.replaced(learning_rate=0.1)
    auto([experiment()], clock)
    auto([experiment(), experiment(trainer=learning), experiment(seeds=(5, 6))], clock)
    assert clock.asked == [("cpu", 1), ("cuda", 1)]
    auto([experiment(), experiment(PLRNN(hidden=5)), experiment(seeds=(1, 2, 3))], clock)
    assert clock.asked[2:] == [("cpu", 2), ("cuda", 2)]


def test_another_card_is_measured_by_itself():
    clock = Clock(1.0, 0.1)
    auto([experiment()], clock)
    place([experiment()], "auto", 1, measure=clock, card=lambda: "another card", say=lambda line: None)
    assert len(clock.asked) == 4


@pytest.mark.parametrize("content", ["", "{", "[]", '{"costs": []}', '{"costs": {"a": {"cpu": [1]}}}', "\x00"])
def test_a_broken_cache_file_is_measured_again(content: str, cache: Path):
    auto([experiment()], Clock(1.0, 0.1))
    (file,) = cache.iterdir()
    file.write_text(content)
    clock = Clock(1.0, 0.1)
    assert auto([experiment()], clock).device == "cuda"
    assert len(clock.asked) == 2
    assert json.loads(file.read_text())["costs"]


def test_a_failed_measurement_is_repeated_by_the_next_command():
    auto([experiment()], Clock(1.0, inf))
    clock = Clock(1.0, 0.1)
    assert auto([experiment()], clock).device == "cuda"


def test_a_cache_that_cannot_be_written_costs_only_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("CHAOSBENCH_CACHE", str(tmp_path / "file"))
    assert auto([experiment()], Clock(1.0, 0.1)).device == "cuda"


def test_a_dry_run_measures_nothing():
    clock = Clock(1.0, 0.1)
    assert auto([experiment()], clock, may_measure=False).device == "auto"
    assert clock.asked == []


def test_a_named_device_is_used_and_checked():
    assert place([experiment()], "cuda:1", None) == Placement("cuda:1", 1)
    with pytest.raises(SpecError, match="cuda:99"):
        check_device("cuda:99")


def test_costs_are_positive_and_a_crash_leaves_the_rest_without_a_result(tmp_path: Path):
    ridge = experiment(EchoStateNetwork(hidden=20), trainer=Ridge(warm_up=10))
    crashing = experiment(Misbehaving(fault="exit", folder=str(tmp_path)))
    raising = experiment(Misbehaving(fault="raise", folder=str(tmp_path)))
    costs = measured([ridge, experiment(), raising, crashing, experiment()], "cpu")
    assert all(0 < cost.update < inf and 0 < cost.rest < inf for cost in costs[:2])
    assert [cost.update for cost in costs[2:]] == [inf, inf, inf]


def test_several_jobs_share_each_gpu():
    costs = Clock(1.0, 0.01)
    options = {"measure": costs, "card": lambda: "a card", "cards": lambda: 2, "say": lambda line: None}
    assert place([experiment()], "auto", None, jobs_per_gpu=3, **options).workers == 6
    assert place([experiment()], "cuda:1", None, jobs_per_gpu=3, **options).workers == 3
    assert place([experiment()], "auto", 1, jobs_per_gpu=3, **options).workers == 1
    assert places("cuda", 3, cards=2) == ["cuda:0", "cuda:1", "cuda:0"]
    assert places("cuda:1", 2, cards=2) == ["cuda:1", "cuda:1"]
    assert places("cpu", 2, cards=0) == ["cpu", "cpu"]
