"""Time the phases of experiments with 64 seeds on a GPU and on a core of its CPU: `python -m benchmarks.phases_gpu`.

Prints a JSON object per line of the benchmark. Training takes few updates: its speed is timed elsewhere. With
`--compile` every experiment runs with two seeds only, so that what is compiled is cached.
"""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict, replace

import torch

from benchmarks.gpu import CORE, OUTSIDE
from benchmarks.lines import Line
from benchmarks.phases import Clock
from chaosbench import registry, suite
from chaosbench.execution.freed_memory import keep_freed_memory
from chaosbench.experiment import Experiment
from chaosbench.run import run_experiment

TRAINER, MODELS, SEEDS, UPDATES = "sparse_teacher_forcing", ("shallow_plrnn", "lstm"), 64, 100


def main() -> None:
    """Run the experiments on the GPU first, then on the CPU, and print their lines as they come."""
    parser = ArgumentParser()
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--updates", type=int, default=UPDATES)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    seeds, updates = (2, 4) if options.compile else (options.seeds, options.updates)
    found = list[Line]()
    for device in (options.device, "cpu"):
        for experiment in experiments(seeds, updates):
            for line in lines(experiment, device):
                if not options.compile and device == options.device:
                    print(json.dumps(asdict(line)), flush=True)
                found.append(replace(line, rival=CORE) if device == "cpu" else line)
    if not options.compile:
        for line in [*beside_cpu(found), slowest(found)]:
            print(json.dumps(asdict(line)), flush=True)


def experiments(seeds: int, updates: int) -> list[Experiment]:
    """Return the experiments of the suite `quickstart` with sparse teacher forcing, with these numbers of seeds."""
    chosen = suite.Selection((), (), (), tuple(range(seeds)), {"trainer.updates": updates})
    every = suite.load("quickstart", registry.load(), chosen)
    return [one for one in every if one.trainer.kind == TRAINER and one.model.kind in MODELS]


def lines(experiment: Experiment, device: str) -> Iterator[Line]:
    """Run an experiment and return the wall time of each phase, and of all but data and training."""
    clock = Clock(device)
    run_experiment(experiment, device=device, watch=clock.see)
    clock.enter("")
    line = Line("gpu", f"{TRAINER} on {experiment.model.kind}", rounds=1, K=len(experiment.seeds))
    outside = sum(seconds for phase, seconds in clock.wall.items() if phase not in ("data", "training"))
    for phase, seconds in {**clock.wall, "outside training": outside}.items():
        yield replace(line, value=seconds, least=seconds, most=seconds, phase=phase)


def beside_cpu(found: list[Line]) -> Iterator[Line]:
    """Return the lines of the GPU with the time that the same phase took on the CPU."""
    on_cpu = {(line.what, line.phase): line.value for line in found if line.rival}
    for line in found:
        other = on_cpu.get((line.what, line.phase))
        if not line.rival and line.value and other is not None:
            ratio = other / line.value
            ratios = {"ratio": ratio, "ratio_least": ratio, "ratio_most": ratio}
            yield replace(line, rival=CORE, rival_value=other, **ratios)


def slowest(found: list[Line]) -> Line:
    """Return everything outside training of the experiment that takes longest on the GPU."""
    outside = [line for line in found if line.phase == "outside training" and not line.rival]
    return replace(max(outside, key=lambda line: line.value or 0.0), what=OUTSIDE, phase="")


if __name__ == "__main__":
    main()
