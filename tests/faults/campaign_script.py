"""A campaign of small experiments, run as a process of its own: RESULTS, number of experiments, updates, workers.

It prints the first seed of each experiment that it has run to its end.
"""

import sys
from pathlib import Path

from small import experiment

from chaosbench.execution import Finished, alone, carry_on, missing
from chaosbench.experiment import Experiment
from chaosbench.leaderboard import store


def experiments(count: int, updates: int) -> list[Experiment]:
    """Return experiments that differ in their seed."""
    trainer = experiment().trainer.replaced(updates=updates)
    return [experiment(trainer=trainer, seeds=(seed,)) for seed in range(count)]


def main(results: Path, count: int, updates: int, workers: int) -> None:
    todo = missing(experiments(count, updates), store.read_all(results, may_be_empty=True), ["crashed"])
    for event in carry_on(alone(todo), results, device="cpu", workers=workers, every=0.05):
        if isinstance(event, Finished):
            print(event.experiment.seeds[0], flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
