"""Faults of whole campaigns: their process is killed, their experiments misbehave, or several of them meet."""

import os
import random
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
from campaign_script import experiments
from misbehaving import Misbehaving
from small import experiment
from tally import Tally

from chaosbench.execution import Limits, Published, alone, carry_on
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import Stored, weights
from chaosbench.run import run_experiment

HERE = Path(__file__).parent
MARK = "CHAOSBENCH_FAULT"  # environment variable by which all processes of a campaign are found
UPDATES = 300


def start(results: Path, count: int, workers: int, mark: str, **environment: str) -> "subprocess.Popen[str]":
    """Start a campaign in a process of its own."""
    paths = [str(HERE), str(HERE.parent / "execution"), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, str(HERE / "campaign_script.py"), str(results), *map(str, (count, UPDATES, workers))]
    own = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), MARK: mark, **environment}
    return subprocess.Popen(command, env=own, stdout=subprocess.PIPE, text=True, start_new_session=True)


def processes(mark: str) -> Iterator[psutil.Process]:
    """Yield the processes of a campaign that are alive."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue


def orphans(mark: str, seconds: float = 20.0) -> int:
    """Return how many processes of a campaign are still there after a while, and end them."""
    deadline = time.monotonic() + seconds
    while (left := list(processes(mark))) and time.monotonic() < deadline:
        time.sleep(0.1)
    for process in left:
        process.kill()
    return len(left)


def judge(tally: Tally, results: Path, count: int) -> None:
    """Count experiments that are missing, stored twice, or have other weights than an undisturbed training."""
    stored: dict[int, list[Stored]] = {}
    for one in store.read_all(results, may_be_empty=True, every_file=True):
        stored.setdefault(one.runs[0]["seed"], []).append(one)
    for one in experiments(count, UPDATES):
        found = stored.get(one.seeds[0], [])
        tally.duplicated += max(0, len(found) - 1)
        sound = run_experiment(one).weights
        same = found and all(np.array_equal(value, sound[name]) for name, value in weights(found[0].folder).items())
        tally.lost += not same


def killed_parents(folder: Path, tries: int) -> Tally:
    """Kill campaigns at random moments with SIGKILL, and let the last one end."""
    tally, count, draw = Tally("campaign killed by SIGKILL at a random moment"), 6, random.Random(tries)
    results, alive = folder / "results", 0.0
    while True:
        mark, began = uuid.uuid4().hex, time.monotonic()
        campaign = start(results, count, 2, mark)
        if tally.tries == tries:
            campaign.communicate()
            alive = time.monotonic() - began
            break
        try:  # the first seconds are those of imports
            campaign.wait(draw.uniform(0.5, 12.0))
        except subprocess.TimeoutExpired:
            campaign.kill()
        campaign.communicate()
        tally.tries += 1
        tally.orphans += orphans(mark)
        if len(store.read_all(results, may_be_empty=True)) == count:
            count += 4  # more to interrupt
    assert alive > 0
    judge(tally, results, count)
    return tally


def two_campaigns(folder: Path, tries: int) -> Tally:
    """Run two campaigns on one results directory, in different time zones."""
    tally = Tally("two campaigns on one results directory")
    for number in range(tries):
        results, mark, count = folder / f"shared-{number}", uuid.uuid4().hex, 5
        both = [start(results, count, 1, mark, TZ=zone) for zone in ("Asia/Tokyo", "America/Lima")]
        ran = Counter(seed for campaign in both for seed in campaign.communicate()[0].split())
        tally.tries += 1
        tally.duplicated += sum(times - 1 for times in ran.values())
        tally.lost += count - len(ran)
        tally.orphans += orphans(mark)
        judge(tally, results, count)
    return tally


def misbehaving_experiments(folder: Path, tries: int) -> Tally:
    """Run experiments that raise, end, kill, hang, fork or need too much memory, among sound ones."""
    tally = Tally("experiment that ends, hangs, forks or eats memory")
    faults = ("raise", "exit", "kill", "crash", "fork", "hang", "eat", "feed", "ask")
    limits = Limits(stalled=2.0, memory=2**30)
    for number in range(tries):
        own = folder / f"misbehaving-{number}"
        own.mkdir()
        bad = [experiment(Misbehaving(fault=fault, folder=str(own)), seeds=(0,)) for fault in faults]
        good = [experiment(seeds=(seed,)) for seed in range(3)]
        mixed = [*bad[:3], good[0], *bad[3:6], good[1], *bad[6:], good[2]]
        events = carry_on(alone(mixed), own / "results", device="cpu", workers=2, limits=limits)
        runs = [event.stored.runs[0] for event in events if isinstance(event, Published)]
        tally.tries += len(faults)
        tally.lost += len(mixed) - len(runs) + sum(not run["message"] for run in runs if run["status"] != "ok")
        tally.lost += sum(run["status"] != "ok" for run in runs if run["model"] == good[0].model.label)
        tally.duplicated += len(runs) - len({run["experiment"] for run in runs})
        pids = [int(path.read_text()) for path in own.iterdir() if path.is_file() and path.name in NOTED]
        tally.orphans += sum(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids)
    return tally


NOTED = ("forked", "started", "hanging")
