"""Time the phases of experiments with 64 seeds on a GPU and on a core of its CPU: `python -m benchmarks.phases_gpu`.

Prints a JSON object per line of the benchmark. Training takes few updates: its speed is timed elsewhere. With
`--compile` every experiment runs with two seeds only, so that what is compiled is cached.
"""

import json
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
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
ALL_BUT_TRAINING = "outside training"


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
    chosen, show = experiments(seeds, updates), (lambda _: None) if options.compile else shown
    on_gpu = [line for experiment in chosen for line in lines(experiment, options.device)]
    show([*on_gpu, slowest(on_gpu)])
    on_cpu = [line for experiment in chosen for line in lines(experiment, "cpu")]
    show(beside(on_gpu, on_cpu))


def shown(lines: Iterable[Line]) -> None:
    """Print lines."""
    for line in lines:
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
    for phase, seconds in {**clock.wall, ALL_BUT_TRAINING: outside}.items():
        yield replace(line, value=seconds, least=seconds, most=seconds, phase=phase)


def beside(on_gpu: list[Line], on_cpu: list[Line]) -> Iterator[Line]:
    """Return the lines of the GPU with the times that the same phases took on the CPU."""
    others = {(line.what, line.phase): line.value for line in on_cpu}
    for line in on_gpu:
        other = others.get((line.what, line.phase))
        if line.value and other is not None:
            ratio = other / line.value
            ratios = {"ratio": ratio, "ratio_least": ratio, "ratio_most": ratio}
            yield replace(line, rival=CORE, rival_value=other, **ratios)


def slowest(on_gpu: list[Line]) -> Line:
    """Return everything outside training of the experiment that takes longest."""
    outside = [line for line in on_gpu if line.phase == ALL_BUT_TRAINING]
    return replace(max(outside, key=lambda line: line.value or 0.0), what=OUTSIDE, phase="")


if __name__ == "__main__":
    main()
