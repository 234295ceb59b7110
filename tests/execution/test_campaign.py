"""Campaigns: what has a result is not run again."""

from pathlib import Path

from misbehaving import Misbehaving
from small import experiment

from chaosbench.execution import Finished, Published, carry_on, missing
from chaosbench.experiment import Experiment
from chaosbench.leaderboard import store
from chaosbench.models import PLRNN


def todo(experiments: list[Experiment], folder: Path) -> list[Experiment]:
    return missing(experiments, store.read_all(folder, may_be_empty=True))


def run(asked: list[Experiment], folder: Path) -> list[Experiment]:
    """What was run, after what is missing was carried on."""
    events = carry_on(todo(asked, folder), folder, device="cpu", workers=2)
    return [event.experiment for event in events if isinstance(event, Finished)]


def test_a_campaign_runs_only_what_is_missing(tmp_path: Path):
    first, second = experiment(), experiment(PLRNN(hidden=5))
    assert run([first], tmp_path) == [first]
    assert run([first, second], tmp_path) == [second]
    assert run([first, second], tmp_path) == []


def test_more_seeds_run_the_new_ones_alone(tmp_path: Path):
    run([experiment()], tmp_path)
    assert [asked.seeds for asked in run([experiment(seeds=(0, 1, 2))], tmp_path)] == [(2,)]
    assert todo([experiment(seeds=(2, 0))], tmp_path) == []


def test_what_failed_is_published_and_tried_again(tmp_path: Path):
    asked = experiment(Misbehaving(fault="exit"))
    events = list(carry_on([asked], tmp_path, device="cpu", workers=1))
    assert isinstance(events[-1], Published)
    assert events[-1].stored.folder.is_dir()
    assert todo([asked], tmp_path) == [asked]


def test_a_campaign_that_is_stopped_keeps_what_was_published(tmp_path: Path):
    hanging = experiment(Misbehaving(fault="hang", folder=str(tmp_path)))
    events = carry_on([experiment(), hanging], tmp_path, device="cpu", workers=1)
    for event in events:
        if isinstance(event, Published):
            break
    events.close()
    assert todo([experiment(), hanging], tmp_path) == [hanging]
