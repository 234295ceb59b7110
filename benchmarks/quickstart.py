"""The wall time of the suite quickstart on two cores, from the command to its ranking; installation aside."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.lines import Line

CORES = 2


def lines(*, long: bool) -> Iterator[Line]:
    """Run the suite once, where `long` asks for minutes, with simulated data already in the cache."""
    line = Line("quickstart", f"quickstart on {CORES} cores", K=3)
    if not long:
        return
    if (os.cpu_count() or 1) < CORES:
        yield Line(line.benchmark, line.what, K=3, reason=f"fewer than {CORES} cores")
        return
    with TemporaryDirectory() as folder:
        seconds = _run(Path(folder))
    yield Line(line.benchmark, line.what, "s", seconds, seconds, seconds, rounds=1, K=3)


def _run(folder: Path) -> float:
    """Return the wall time of the command [s]."""
    words = ["run", "quickstart", "--device", "cpu", "--workers", str(CORES), "--results", str(folder)]
    began = perf_counter()
    subprocess.run([sys.executable, "-m", "chaosbench", *words], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - began
