"""Campaigns do not repeat runs that have a result."""

from collections.abc import Sequence
from pathlib import Path

from misbehaving import Misbehaving
from small import experiment

from chaosbench.execution import Finished, GivenUp, Published, alone, carry_on, grouped, missing
from chaosbench.experiment import Experiment
from chaosbench.leaderboard import store
from chaosbench.models import PLRNN


def todo(experiments: list[Experiment], folder: Path, rerun: Sequence[str] = ()) -> list[Experiment]:
    return missing(experiments, store.read_all(folder, may_be_empty=True), rerun)


def run(experiments: list[Experiment], folder: Path) -> list[Experiment]:
    """Run what has no result yet, and return the experiments that were run."""
    events = carry_on(alone(todo(experiments, folder)), folder, device="cpu", workers=2)
    return [event.experiment for event in events if isinstance(event, Finished)]


def test_a_campaign_runs_only_experiments_without_a_result(tmp_path: Path):
    first, second = experiment(), experiment(PLRNN(hidden=5))
    assert run([first], tmp_path) == [first]
    assert run([first, second], tmp_path) == [second]
    assert run([first, second], tmp_path) == []


def test_with_more_seeds_only_the_new_ones_run(tmp_path: Path):
    run([experiment()], tmp_path)
    assert [ran.seeds for ran in run([experiment(seeds=(0, 1, 2))], tmp_path)] == [(2,)]
    assert todo([experiment(seeds=(2, 0))], tmp_path) == []


def test_experiments_of_a_batch_that_are_done_are_not_trained_again(tmp_path: Path):
    three = [experiment(trainer=experiment().trainer.replaced(interval=interval)) for interval in (2, 3, 5)]
    run([three[1]], tmp_path)
    groups = grouped(todo(three, tmp_path), cheap=False)
    assert groups == [(three[0], three[2])]
    events = list(carry_on(groups, tmp_path, device="cpu", workers=1))
    stored = [event.stored for event in events if isinstance(event, Published)]
    assert [each.runs[0]["provenance"]["trained_with"] for each in stored] == [
        other.digest()[:12] for other in (three[2], three[0])
    ]
    assert todo(three, tmp_path) == []


def test_a_failed_experiment_is_published_and_run_again_only_when_that_is_asked_for(tmp_path: Path):
    failing = experiment(Misbehaving(fault="exit"))
    events = list(carry_on(alone([failing]), tmp_path, device="cpu", workers=1))
    assert isinstance(events[-1], Published)
    assert events[-1].stored.folder.is_dir()
    assert todo([failing], tmp_path) == []
    assert todo([failing], tmp_path, ["failed", "timeout", "oom"]) == []
    assert todo([failing], tmp_path, ["crashed"]) == todo([failing], tmp_path, ["all"]) == [failing]


def test_a_campaign_ends_after_the_number_of_failures_that_is_allowed(tmp_path: Path):
    failing = [experiment(Misbehaving(fault="raise"), seeds=(seed,)) for seed in range(3)]
    events = list(carry_on(alone([*failing, experiment()]), tmp_path, device="cpu", workers=1, max_failures=2))
    assert events[-1] == GivenUp(failures=2, left=2)
    assert todo([*failing, experiment()], tmp_path) == [failing[2], experiment()]


def test_an_interrupted_campaign_keeps_published_experiments(tmp_path: Path):
    hanging = experiment(Misbehaving(fault="hang", folder=str(tmp_path)))
    events = carry_on(alone([experiment(), hanging]), tmp_path, device="cpu", workers=1)
    for event in events:
        if isinstance(event, Published):
            break
    events.close()
    assert todo([experiment(), hanging], tmp_path) == [hanging]
