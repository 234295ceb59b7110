"""Measure what a campaign costs beyond its experiments: `python -m benchmarks.campaign [NUMBER] [WORKERS]`.

CPU time is measured beside wall time, because it depends less on what else the machine does. The own work of an
experiment is that of `run_experiment` in one process, one experiment after another.
"""

import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from multiprocessing import forkserver
from pathlib import Path
from time import perf_counter, process_time

import psutil

from chaosbench.data import DataSpec
from chaosbench.execution import Published, alone, carry_on
from chaosbench.experiment import EvaluationSpec, Experiment
from chaosbench.metrics import StateSpaceDivergence
from chaosbench.models import RNN
from chaosbench.processes import start_server
from chaosbench.run import run_experiment
from chaosbench.systems import Henon
from chaosbench.trainers import SparseTeacherForcing


@dataclass(frozen=True)
class Overhead:
    """The cost of each experiment beyond its own work.

    Attributes:
        experiments, workers: numbers of both.
        own_wall, own_cpu: time of an experiment's own work [s].
        wall, cpu: time beyond it, per experiment and worker [s].
        parent_cpu: the part of the parent [s].
        load: of the machine, the average of the last minute.
    """

    experiments: int
    workers: int
    own_wall: float
    own_cpu: float
    wall: float
    cpu: float
    parent_cpu: float
    load: float


def tiny(seed: int) -> Experiment:
    """Return an experiment of a fraction of a second."""
    return Experiment(
        suite="tiny",
        system=Henon(),
        data=DataSpec(train_orbits=2, train_length=100, validation_orbits=0, test_orbits=2, test_length=200),
        model=RNN(hidden=5),
        trainer=SparseTeacherForcing(interval=2, updates=10, batch=4, sequence_length=20),
        metrics=(StateSpaceDivergence(),),
        evaluation=EvaluationSpec(
            context=20, free_runs=1, free_run_steps=100, free_run_transient=10, conditions=5, horizon=20,
            exponent_conditions=2, exponent_steps=20, exponent_transient=5,
        ),
        seeds=(seed,),
    )  # fmt: skip


def measured(experiments: int, workers: int) -> Overhead:
    """Run the experiments one after another in this process, and then as a campaign."""
    for seed in (0, 1):
        run_experiment(tiny(seed))  # compiles, and fills the caches of data
    wall, cpu = perf_counter(), process_time()
    alike = 20
    for seed in range(alike):
        run_experiment(tiny(seed))
    own_wall, own_cpu = (perf_counter() - wall) / alike, (process_time() - cpu) / alike
    start_server()
    with tempfile.TemporaryDirectory() as folder:
        list(carry_on(alone([tiny(10**6)]), Path(folder) / "warm", device="cpu", workers=1))
        wall, cpu, served = perf_counter(), process_time(), _server_cpu()
        groups = alone([tiny(seed) for seed in range(experiments)])
        events = carry_on(groups, Path(folder) / "results", device="cpu", workers=workers)
        done = sum(isinstance(event, Published) for event in events)
        wall, cpu, served = perf_counter() - wall, process_time() - cpu, _server_cpu() - served
    assert done == experiments, "every experiment has a result"
    return Overhead(
        experiments,
        workers,
        own_wall,
        own_cpu,
        wall=wall * workers / experiments - own_wall,
        cpu=(cpu + served) / experiments - own_cpu,
        parent_cpu=cpu / experiments,
        load=os.getloadavg()[0],
    )


def _server_cpu() -> float:
    """Return the CPU time of the server of workers and of all workers that have ended [s]."""
    times = psutil.Process(forkserver._forkserver._forkserver_pid).cpu_times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    experiments, workers = (*numbers, *(200, 2)[len(numbers) :])
    print(json.dumps(asdict(measured(experiments, workers)), indent=1))
