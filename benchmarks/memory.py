"""Measure the peak memory of training; `python benchmarks/memory.py` rewrites memory.md.

Only Linux reports the peak memory of a process since a given moment.
"""

import re
from concurrent.futures import ProcessPoolExecutor
from inspect import isabstract
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import torch
from machine import measured_on

from chaosbench import trainers
from chaosbench.data import DataSpec, simulate
from chaosbench.execution.freed_memory import keep_freed_memory
from chaosbench.models import LSTM, LiquidTimeConstant, ModelSpec, NeuralODE, ShallowPLRNN, UnICORNN
from chaosbench.systems import Lorenz63
from chaosbench.trainers import SOFO, DySLIM, JacobianMatching, WindowTrainer

SEEDS, LENGTH, BATCH = 8, 200, 16  # K, T [steps], B
LIMIT = 1024  # [MiB]

MODELS: tuple[ModelSpec, ...] = (LSTM(hidden=30), ShallowPLRNN())
LARGER: tuple[ModelSpec, ...] = (NeuralODE(), LiquidTimeConstant(), UnICORNN())
OWN = {DySLIM: {"growth": 1}}  # so that its last unrolls are as long as the others'


def main() -> None:
    """Measure every case, print the tables and write them to memory.md."""
    every = [trainer_of(kind) for kind in vars(trainers).values() if by_gradients(kind)]
    derivatives = [trainer_of(JacobianMatching), trainer_of(SOFO)]
    lines = [
        *preamble(),
        *table(every, MODELS),
        "",
        "The two trainers with forward-mode derivatives, on larger states and on a step that integrates a flow:",
        "",
        *table(derivatives, LARGER),
        "",
    ]
    text = "\n".join(lines)
    print(text)
    Path(__file__).with_suffix(".md").write_text(text)


def by_gradients(kind: object) -> bool:
    """Return whether `kind` is a concrete trainer with updates on windows."""
    return isinstance(kind, type) and issubclass(kind, WindowTrainer) and not isabstract(kind)


def trainer_of(kind: type[WindowTrainer]) -> WindowTrainer:
    """Return a trainer of this kind at T and B, with other settings at their defaults."""
    return kind(batch=BATCH, sequence_length=LENGTH, **OWN.get(kind, {}))


def preamble() -> list[str]:
    """Return the heading of the page: quantity, machine and command."""
    return [
        "# Memory of training",
        "",
        f"Peak resident growth [MiB] over four updates, the first two and the last two, of K = {SEEDS} seeds at once",
        f"at T = {LENGTH}, B = {BATCH}, D = 3 (Lorenz-63), float32, on one thread, beyond libraries, data",
        "and model. Each case runs in its own process, with the other settings at their defaults. The limit is",
        f"{LIMIT} MiB.",
        "",
        *measured_on("memory.py"),
        "",
    ]


def table(rows: list[WindowTrainer], columns: tuple[ModelSpec, ...]) -> list[str]:
    """Return the lines of a table with a row for each trainer."""
    pairs = list(product(rows, columns))
    # A new process for each case, because a process keeps freed memory.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        peaks = dict(zip(pairs, pool.map(growth, *zip(*pairs, strict=True)), strict=True))
    lines = [f"| trainer | {' | '.join(model.kind for model in columns)} |", "|---" * (len(columns) + 1) + "|"]
    for trainer in rows:
        cells = [f"{peaks[trainer, model]:.0f}" for model in columns]
        lines.append(f"| {trainer.kind} | {' | '.join(cells)} |")
    return lines


def growth(trainer: WindowTrainer, model: ModelSpec) -> float:
    """Return the growth of the peak resident memory over four updates [MiB]."""
    torch.set_num_threads(1)
    data = simulate(Lorenz63(), DataSpec(validation_orbits=0, test_orbits=2, test_length=2)).to("cpu", torch.float32)
    network = model.build(data.dimension, range(SEEDS))
    keep_freed_memory()
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = resident("VmRSS")
    training = trainer.start(network, data, range(SEEDS))
    for training.update in (1, 2, trainer.updates - 1, trainer.updates):
        trainer.gradient(network, trainer.windows(training), training)
        trainer.advance(network, training)
    peak = resident("VmHWM") - before
    assert peak <= LIMIT, f"{trainer.kind} took {peak:.0f} MiB on {model.kind}"
    return peak


def resident(field: str) -> float:
    """Return a memory field of this process [MiB]."""
    match = re.search(rf"^{field}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert match is not None, f"/proc/self/status has no field {field}"
    return int(match[1]) / 1024


if __name__ == "__main__":
    main()
