"""Faults of files: writers that are killed, several at once, readers beside them, flipped bits, and foreign files."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from small import experiment
from tally import Tally

from chaosbench.errors import StoreError
from chaosbench.experiment import Experiment, Result
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import MANIFEST, read, verify
from chaosbench.run import run_experiment


def result(seed: int, sample: list[Result]) -> Result:
    """Return a result of an experiment with this seed, without training: the numbers of another one."""
    if not sample:
        sample.append(run_experiment(experiment(seeds=(0,))))
    one: Experiment = experiment(seeds=(seed,))
    digest = one.digest()
    runs = tuple(replace(run, seed=seed, experiment=digest) for run in sample[0].runs)
    records = tuple(replace(record, seed=seed, experiment=digest) for record in sample[0].records)
    return replace(sample[0], experiment=one, runs=runs, records=records)


def forked(work: Callable[[], object]) -> int:
    """Do something in a forked process, and return its number."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return pid


def readable(results: Path) -> set[int]:
    """Return the seeds that can be read, with every file checked; a damaged folder raises."""
    folders = store.folders(results) if any(results.glob(f"[!.]*/{MANIFEST}")) else []
    for folder in folders:
        verify(folder)
    return {read(folder).runs[0]["seed"] for folder in folders}


def killed_writers(folder: Path, tries: int) -> Tally:
    """Kill a process in the middle of writing a result, and write it again."""
    tally, draw, sample = Tally("writer killed by SIGKILL in the middle of a result"), random.Random(1), list[Result]()
    results = folder / "killed"
    first = result(10**6, sample)
    began = time.perf_counter()
    store.write(first, results)
    whole = time.perf_counter() - began
    written = {10**6}
    for seed in range(tries):
        one = result(seed, sample)
        pid = forked(lambda: store.write(one, results))  # noqa: B023  # called at once
        time.sleep(draw.uniform(0, 1.3 * whole))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        if seed % 10 == 0:
            tally.lost += len(written - readable(results))
        store.write(one, results)
        written.add(seed)
        tally.tries += 1
    tally.lost += len(written - readable(results))
    tally.duplicated += len(store.folders(results)) - len(written)
    return tally


def writers_at_once(folder: Path, tries: int) -> Tally:
    """Let eight processes write the same results, in different orders."""
    tally, sample = Tally("eight writers of the same results at once"), list[Result]()
    result(0, sample)
    for number in range(tries):
        results = folder / f"writers-{number}"
        orders = [random.Random(writer).sample(range(6), 6) for writer in range(8)]
        pids = [
            forked(lambda: [store.write(result(seed, sample), results) for seed in order])  # noqa: B023
            for order in orders
        ]
        for pid in pids:
            _, status = os.waitpid(pid, 0)
            tally.lost += status != 0
        tally.lost += len(set(range(6)) - readable(results))
        tally.duplicated += len(store.folders(results)) - 6
        tally.tries += 1
    return tally


def reads_during_writes(folder: Path, tries: int) -> Tally:
    """Read a results directory while another process writes, replaces and moves folders in it."""
    tally, sample, results = Tally("read during writes"), list[Result](), folder / "read"
    finished = store.write(result(0, sample), results)
    failed = replace(result(1, sample), runs=tuple(replace(run, status="failed") for run in result(1, sample).runs))

    def write() -> None:
        for seed in range(2, 10**6):
            store.write(failed, results)  # replaces itself, since it has no result
            store.write(result(seed % 40, sample), results)

    pid = forked(write)
    try:
        for _ in range(tries):
            found = store.folders(results)
            tally.lost += finished not in found or not _readable_or_gone(finished, tries=1)  # it is never replaced
            tally.lost += sum(not _readable_or_gone(one) for one in found[:3])
            tally.tries += 1
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return tally


def _readable_or_gone(folder: Path, tries: int = 200) -> bool:
    """Return True if a folder is read, or is not there.

    Its files are read one after another, so a reading fails where the writer replaces the folder in the middle of it;
    the next one meets the new folder. One that is damaged fails every time.
    """
    for _ in range(tries):
        with suppress(StoreError):
            read(folder)
            return True
        if not folder.exists():
            return True
        time.sleep(0.01)
    return False


def flipped_bits(folder: Path, tries: int) -> Tally:
    """Flip one bit of a result, which must be noticed, and leave the other results as they are."""
    tally, draw, sample = Tally("one bit flipped in a result"), random.Random(2), list[Result]()
    results = folder / "flipped"
    target = store.write(result(0, sample), results)
    store.write(result(1, sample), results)
    paths = sorted(path for path in target.iterdir() if path.stat().st_size)
    for _ in range(tries):
        path = draw.choice(paths)
        content = path.read_bytes()
        place = draw.randrange(8 * len(content))
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        kept = [one.runs[0]["seed"] for one in store.read_all(results, every_file=True)]
        same = path.name == MANIFEST and kept == [0, 1]  # white space, or a name that nobody reads
        tally.lost += not same and kept != [1]
        path.write_bytes(content)
        tally.tries += 1
    tally.lost += len({0, 1} - readable(results))
    return tally


def damaged_and_foreign_files(folder: Path, tries: int) -> Tally:
    """Truncate, empty or remove files of a result, and put files and folders of others beside it."""
    tally, draw, sample = Tally("truncated, empty, missing and foreign files"), random.Random(3), list[Result]()
    for number in range(tries):
        results = folder / f"damaged-{number}"
        target = store.write(result(0, sample), results)
        store.write(result(1, sample), results)
        path = draw.choice(sorted(target.iterdir()))
        size = path.stat().st_size
        draw.choice(
            [lambda: os.truncate(path, draw.randrange(size)), lambda: os.truncate(path, 0), path.unlink]  # noqa: B023
        )()
        (results / "stranger").mkdir()
        (results / "stranger" / MANIFEST).write_text('{"name": "a web page"}')
        (results / "notes.txt").write_bytes(draw.randbytes(100))
        os.mkfifo(results / "stranger" / "pipe")
        tally.lost += [one.runs[0]["seed"] for one in store.read_all(results, every_file=True)] != [1]
        store.write(result(0, sample), results)  # the damaged folder is kept aside
        tally.lost += len({0, 1} - {one.runs[0]["seed"] for one in store.read_all(results, every_file=True)})
        tally.tries += 1
        shutil.rmtree(results)
    return tally


def full_disks(folder: Path, tries: int) -> Tally:
    """Write results until a small file system is full, read them, make room, and go on."""
    tally = Tally("full disk")
    for number in range(tries):
        mount = folder / f"full-{number}"
        mount.mkdir()
        script = (
            f"mount -t tmpfs -o size={600 + 100 * number}k tmpfs {mount} && exec {sys.executable} {__file__} {mount}"
        )
        paths = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "execution")]
        own = {**os.environ, "PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])}
        ended = subprocess.run(["unshare", "-rm", "sh", "-c", script], env=own, capture_output=True, text=True)
        tally.tries += 1
        tally.lost += int(ended.stdout.strip()) if ended.returncode == 0 and ended.stdout.strip().isdigit() else 1
    return tally


def can_mount() -> bool:
    """Return True if a process may mount file systems of its own."""
    try:
        return subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def fill_and_go_on(mount: Path) -> int:
    """Return how many results are lost on a full file system."""
    sample, results, written = list[Result](), mount / "results", list[int]()
    ballast = mount / "ballast"
    ballast.write_bytes(bytes(300_000))
    lost = 0
    for seed in range(200):
        try:
            store.write(result(seed, sample), results)
        except StoreError as error:
            lost += "space" not in str(error)  # it says so
            break
        written.append(seed)
    else:
        lost += 1  # it was never full
    lost += len(set(written) - readable(results))
    ballast.unlink()
    store.write(result(1_000, sample), results)
    return lost + len({*written, 1_000} - readable(results))


if __name__ == "__main__":
    print(fill_and_go_on(Path(sys.argv[1])))
