"""The time of each phase of the experiments of the suite quickstart: `python -m benchmarks.phases [DEVICE] [SEEDS]`.

Each experiment runs once, from its data to its pictures; a phase ends where the next begins.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import torch

from benchmarks.lines import Line
from benchmarks.machine import here
from benchmarks.results import append
from chaosbench import options, registry, suite
from chaosbench.execution.freed_memory import keep_freed_memory
from chaosbench.experiment import Experiment
from chaosbench.figures import draw
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import read
from chaosbench.run import Progress, run_experiment

VERSION = "after"  # as opposed to the version of an earlier commit, whose lines are kept


class Clock:
    """The wall time and CPU time of each phase [s]."""

    def __init__(self, device: str) -> None:
        self.device, self.phase, self.trained = device, "", False
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}
        self._since = (0.0, 0.0)

    def see(self, progress: Progress) -> None:
        """Enter the phase of a report."""
        self.trained |= progress.phase == "training"
        suffix = {True: " after", False: " before"}[self.trained] if progress.phase == "diagnosis" else ""
        self.enter(progress.phase + suffix)

    def enter(self, phase: str) -> None:
        """End a phase and begin another; an empty name ends the last."""
        if self.device.startswith("cuda"):
            torch.cuda.synchronize(self.device)
        now = perf_counter(), process_time()
        if self.phase:
            for total, end, begin in zip((self.wall, self.cpu), now, self._since, strict=True):
                total[self.phase] = total.get(self.phase, 0.0) + end - begin
        self.phase, self._since = phase, now


def lines(device: str, seeds: str | None) -> Iterator[Line]:
    """Run every experiment and return a line for each phase; on a CPU the CPU time, on a GPU the wall time."""
    known = registry.load()
    pictures = known.kinds["picture"].values()
    for experiment in suite.load("quickstart", known, suite.Selection((), (), (), options.seeds(seeds), {})):
        clock = measured(experiment, device, pictures)
        times = clock.cpu if device == "cpu" else clock.wall
        what = f"{experiment.trainer.kind} on {experiment.model.kind}, {VERSION}"
        for phase, seconds in times.items():
            yield Line("phases", what, "s", seconds, seconds, seconds, rounds=1, K=len(experiment.seeds), phase=phase)


def measured(experiment: Experiment, device: str, pictures: object) -> Clock:
    """Run an experiment, store it and draw its pictures."""
    clock = Clock(device)
    result = run_experiment(experiment, device=device, watch=clock.see)
    clock.enter("pictures")
    with TemporaryDirectory() as folder:
        draw.draw(read(store.write(result, Path(folder))), pictures)  # type: ignore[arg-type]  # kinds of pictures
    clock.enter("")
    return clock


def main() -> None:
    """Measure, print and append."""
    device = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    torch.set_num_threads(1)
    keep_freed_memory()
    where = here(torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu")
    for line in lines(device, sys.argv[2] if len(sys.argv) > 2 else None):
        print(f"{line.what}: {line.phase} {line.value:.2f} s", flush=True)
        append([line], where)


if __name__ == "__main__":
    main()
