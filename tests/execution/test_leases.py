"""No two processes run the same experiment at once, and what a dead one has held goes to others."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from small import experiment

from chaosbench.execution import Elsewhere, Finished, Published, Shared, Started, alone, carry_on, leases
from chaosbench.execution.leases import FOLDER, Leases
from chaosbench.execution.sharing import lease_name
from chaosbench.leaderboard import store
from chaosbench.models import PLRNN
from chaosbench.run import run_experiment


@pytest.fixture
def foreign(tmp_path: Path):
    """Write a lease of a process on another machine, and return its file."""
    (tmp_path / FOLDER).mkdir()
    path = tmp_path / FOLDER / "one.0123456789ab"
    path.write_text(json.dumps({"host": "far", "machine": "far away", "pid": os.getpid(), "started": 1.0}))
    return path


def test_one_of_two_holds_a_lease_until_it_gives_it_back(tmp_path: Path):
    with Leases(tmp_path) as first, Leases(tmp_path) as second:
        assert first.take("one") is None
        assert second.take("one").pid == os.getpid()
        assert second.take("other") is None
        first.give_back("one")
        assert second.take("one") is None
    assert not (tmp_path / FOLDER).exists()


def test_of_many_at_once_never_two_hold_a_lease(tmp_path: Path):
    """Threads stand for processes: each has its own `Leases`, and they meet in the files alone."""
    inside, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal inside, most
        with Leases(tmp_path) as mine:
            for _ in range(60):
                if mine.take("one") is None:
                    with lock:
                        inside += 1
                        most = max(most, inside)
                    time.sleep(0.0002)
                    with lock:
                        inside -= 1
                    mine.give_back("one")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_the_lease_of_a_killed_process_is_free_at_once(tmp_path: Path):
    code = (
        "import sys, os, signal; from pathlib import Path; from chaosbench.execution.leases import Leases\n"
        "with Leases(Path(sys.argv[1])) as mine: mine.take('one'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert len(list((tmp_path / FOLDER).iterdir())) == 1
    with Leases(tmp_path) as mine:
        assert mine.take("one") is None
        assert len(list((tmp_path / FOLDER).iterdir())) == 1


def test_a_process_with_the_number_of_the_holder_is_not_the_holder(tmp_path: Path, foreign: Path):
    content = json.loads(foreign.read_text())
    foreign.write_text(json.dumps(content | {"machine": leases._machine()}))
    with Leases(tmp_path) as mine:
        assert mine.take("one") is None


@pytest.mark.parametrize("shift", [-(10**6), 0, 10**6])
def test_a_holder_elsewhere_is_judged_by_its_renewals_and_not_by_its_clock(tmp_path: Path, foreign: Path, shift: int):
    with Leases(tmp_path, lapse=0.3) as mine:
        for beat in range(4):
            os.utime(foreign, (time.time() + shift + beat, time.time() + shift + beat))
            assert mine.take("one").host == "far"
            time.sleep(0.15)
        time.sleep(0.3)
        assert mine.take("one") is None
    assert not foreign.exists()


def test_a_lease_is_renewed_while_its_holder_lives(tmp_path: Path):
    with Leases(tmp_path, beat=0.02) as mine:
        mine.take("one")
        (path,) = (tmp_path / FOLDER).iterdir()
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 20
        while path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert path.stat().st_mtime > 0


def test_a_lease_that_cannot_be_read_counts_until_it_lapses(tmp_path: Path, foreign: Path):
    foreign.write_text("{")
    with Leases(tmp_path, lapse=0.2) as mine:
        assert mine.take("one") is not None
        time.sleep(0.3)
        assert mine.take("one") is None


def test_an_experiment_that_another_campaign_runs_is_waited_for_and_not_repeated(tmp_path: Path):
    """The other campaign publishes it after this one has run what was left."""
    both, published = [experiment(), experiment(PLRNN(hidden=5))], []
    with Leases(tmp_path) as other:
        assert other.take(lease_name(both[0])) is None
        events = []
        for event in carry_on(alone(both), tmp_path, device="cpu", workers=2):
            events.append(event)
            if isinstance(event, Published):
                published.append(event.stored)
                (tmp_path / "other").mkdir()
                list(carry_on(alone([both[0]]), tmp_path / "other", device="cpu", workers=1))
                (folder,) = (one.folder for one in store.read_all(tmp_path / "other"))
                folder.rename(tmp_path / folder.name)
                other.give_back(lease_name(both[0]))
    (elsewhere,) = [event for event in events if isinstance(event, Elsewhere)]
    assert elsewhere.experiment == both[0]
    assert [event.experiment for event in events if isinstance(event, Finished)] == [both[1]]
    (shared,) = [event for event in events if isinstance(event, Shared)]
    assert shared.experiment == both[0]
    assert [one.identity for one in shared.stored] == [both[0].identity]


def test_only_the_seeds_that_another_campaign_has_not_run_are_left(tmp_path: Path):
    first, second = experiment(PLRNN(hidden=5), seeds=(0,)), experiment(seeds=(0, 1))
    events = []
    for event in carry_on(alone([first, second]), tmp_path, device="cpu", workers=1):
        events.append(event)
        if isinstance(event, Started) and event.experiment == first:
            store.write(run_experiment(second.replaced(seeds=(1,))), tmp_path)
    (shared,) = [event for event in events if isinstance(event, Shared)]
    assert not shared.ended
    assert [run["seed"] for run in shared.stored[0].runs] == [1]
    assert [event.experiment.seeds for event in events if isinstance(event, Finished)] == [(0,), (0,)]


@pytest.mark.slow
def test_two_campaigns_on_one_folder_share_the_work(tmp_path: Path):
    """Both end with the whole table, each experiment runs once, and a log has one writer."""
    code = (
        "import sys; from pathlib import Path; from misbehaving import Misbehaving; from small import experiment\n"
        "from chaosbench.execution import Finished, alone, carry_on\n"
        "todo = [experiment(Misbehaving(fault='print'), seeds=(seed,)) for seed in range(12)]\n"
        "events = carry_on(alone(todo), Path(sys.argv[1]), device='cpu', workers=1)\n"
        "print(*(event.experiment.seeds[0] for event in events if isinstance(event, Finished)))\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-c", code, str(tmp_path)]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    ran = [process.communicate()[0].split() for process in both]
    assert sorted(map(int, ran[0] + ran[1])) == list(range(12))
    assert len(store.read_all(tmp_path)) == 12
    assert not (tmp_path / FOLDER).exists()
