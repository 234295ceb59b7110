"""The state of a campaign, from its events and from its files."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from execution.small import experiment

from chaosbench.errors import StoreError
from chaosbench.execution import Advanced, Finished, Separated, Started, alone
from chaosbench.execution.journal import Journal
from chaosbench.experiment import Result, Run
from chaosbench.models import PLRNN
from chaosbench.monitor.costs import Costs, Observation, Work
from chaosbench.monitor.lines import FOLDER, append
from chaosbench.monitor.reading import SILENT, Reader
from chaosbench.monitor.state import Planned, Running, State, shortened
from chaosbench.progress import Progress

WORK = Work("henon", "rnn", "bptt", updates=100, seeds=1)


def state(*titles: str, workers: int = 1) -> State:
    planned = {title: Planned(title, 1, WORK) for title in titles}
    known = [Observation(WORK, 1.0, 10.0)] * 200  # 110 s each
    return State(planned, workers=workers, costs=Costs(known), began=0.0)


def test_an_experiment_counts_under_its_worst_status_and_while_drawn_as_ended():
    seen = state("a", "b", "c", "d", "e")
    seen.end("a", {"ok": 2, "diverged": 1, "failed": 1})
    seen.end("b", {"ok": 2, "diverged": 1})
    seen.end("c", {"ok": 3})
    seen.drawing("c", 5.0)
    seen.start("d", 6.0)
    assert seen.counts == {"ok": 1, "diverged": 1, "failed": 1, "running": 1, "drawing": 1, "waiting": 1}
    assert sum(count for name, count in seen.counts.items() if name != "drawing") == seen.total == 5
    seen.drawn("c")
    assert "drawing" not in seen.counts


@pytest.mark.parametrize(("workers", "seconds"), [(1, 330.0), (2, 220.0), (3, 110.0)])
def test_the_time_left_is_that_of_the_workers_one_experiment_after_another(workers: int, seconds: float):
    left = state("a", "b", "c", workers=workers).seconds_left(0.0)
    assert left is not None
    assert left[0] == pytest.approx(seconds, rel=0.1)


def test_the_time_left_of_a_training_follows_its_own_speed():
    seen = state("a")
    seen.start("a", 0.0)
    for update in (0, 50):
        seen.advance("a", "training", 1_000.0 + update / 10, update=update, updates=100, loss=1.0)
    left = seen.seconds_left(1_005.0)
    assert left is not None
    assert left[0] == pytest.approx(5.0 + 10.0 / 2, rel=0.1)  # at 10 updates/s, and half of the rest
    seen.end("a", {"ok": 1})
    assert seen.seconds_left(1_100.0) is None


def test_the_course_of_a_long_training_keeps_its_span_in_few_points():
    run = Running("a", 0.0)
    for update in range(100_000):
        run.advance("training", update, 100_000, (float(update), None), float(update))
    assert 100 <= len(run.losses) <= 401
    assert run.losses[0] == 0.0
    assert run.losses[-1] > 99_000
    assert len(run.losses) == len(run.norms)


def test_a_share_without_a_finite_value_is_a_gap():
    assert shortened([1.0, None, 3.0, None, None, None], 3) == [1.0, 3.0, None]
    assert shortened([1.0], 3) == [1.0]


def test_another_process_sees_what_the_campaign_does(tmp_path: Path):
    """The same counts from files as from events."""
    first, second, third = experiment(), experiment(PLRNN(hidden=5)), experiment(PLRNN(hidden=6))
    writer = Journal(tmp_path, alone([first, second, third]), device="cpu", workers=2)
    reader = Reader(tmp_path)
    assert reader.campaigns()[0].state.counts == {"waiting": 3}
    writer.see(Started(first))
    writer.see(Started(second, first))
    writer.see(Advanced(first, Progress("training", 3, 10, 0.5, 2.0)))
    writer.see(Separated((second,), "no memory"))
    writer.see(Started(second))
    writer.see(Advanced(second, Progress("forecasts")))
    (campaign,) = reader.campaigns()
    assert campaign.running
    assert campaign.state.counts == {"running": 2, "waiting": 1}
    one, two = campaign.state.running.values()
    assert (one.phase, one.update, one.updates, one.losses, one.norms) == ("training", 3, 10, [0.5], [2.0])
    assert (two.phase, two.batch) == ("forecasts", None)
    writer.close()
    (campaign,) = reader.campaigns()
    assert (campaign.running, campaign.left) == (False, 3)


def test_a_campaign_that_was_killed_counts_as_stopped(tmp_path: Path):
    writer = Journal(tmp_path, alone([experiment()]), device="cpu", workers=1)
    writer.see(Started(experiment()))
    writer._over.set()  # as after a kill: nothing is written any more
    (file,) = (tmp_path / FOLDER).glob("campaign-*")
    silent = time.time() - SILENT - 5
    os.utime(file, (silent, silent))
    (campaign,) = Reader(tmp_path).campaigns()
    assert (campaign.running, campaign.left) == (False, None)
    assert campaign.silent > SILENT


def test_finished_experiments_teach_a_watcher_their_times(tmp_path: Path):
    """Ten updates of 0.5 s for both seeds together, and 4 s outside training."""
    done, waits = experiment(), experiment(PLRNN(hidden=5))
    writer = Journal(tmp_path, alone([done, waits]), device="cpu", workers=1)
    costs = {"updates": 10, "train_seconds": 2.5, "total_seconds": 4.5, "started": datetime.now(UTC)}
    runs = tuple(Run.of(done, seed, "ok", "", **costs) for seed in done.seeds)
    writer.see(Finished(done, Result(done, runs, ())))
    (campaign,) = Reader(tmp_path).campaigns()
    work = campaign.state.planned[done.digest()[:12]].work
    assert campaign.state.costs._observations == [Observation(work, 0.5, 4.0)]
    assert campaign.state.counts == {"ok": 1, "waiting": 1}
    writer.close()


def test_lines_of_another_program_are_left_out(tmp_path: Path):
    writer = Journal(tmp_path, alone([experiment()]), device="cpu", workers=1)
    (file,) = (tmp_path / FOLDER).glob("campaign-*")
    append(file, "end", experiment=7)
    append(file, "campaign_end", left="many")
    append(writer.file(experiment()), "progress", phase=["training"])
    append(writer.file(experiment()), "start")
    (tmp_path / FOLDER / "campaign-0.jsonl").write_text("[]\nnonsense\n")
    append(writer.file(experiment()), "progress", phase="training", update="many")
    (campaign,) = Reader(tmp_path).campaigns()
    assert campaign.state.counts == {"running": 1}
    writer.close()


def test_a_path_that_is_no_directory_is_named(tmp_path: Path):
    with pytest.raises(StoreError, match="absent"):
        Reader(tmp_path / "absent")
