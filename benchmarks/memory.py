"""How much memory training takes; `python benchmarks/memory.py` rewrites memory.md.

Only Linux lets a process ask for its own peak since some moment.
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
OWN = {DySLIM: {"growth": 1}}  # so that its last runs are as long as the others'


def main() -> None:
    """Measure every case, print the tables and write them down."""
    every = [asked(kind) for kind in vars(trainers).values() if by_gradients(kind)]
    derivatives = [asked(JacobianMatching), asked(SOFO)]
    lines = [
        *preamble(),
        *table(every, MODELS),
        "",
        "The two that take derivatives forward, on larger states and on a step that is a flow:",
        "",
        *table(derivatives, LARGER),
        "",
    ]
    text = "\n".join(lines)
    print(text)
    Path(__file__).with_suffix(".md").write_text(text)


def by_gradients(kind: object) -> bool:
    """Whether this is a kind of trainer that has updates on windows."""
    return isinstance(kind, type) and issubclass(kind, WindowTrainer) and not isabstract(kind)


def asked(kind: type[WindowTrainer]) -> WindowTrainer:
    """A trainer of this kind at T and B, otherwise as by default."""
    return kind(batch=BATCH, sequence_length=LENGTH, **OWN.get(kind, {}))


def preamble() -> list[str]:
    """What was measured, on what, and how to repeat it."""
    return [
        "# Memory of training",
        "",
        f"Peak resident growth [MiB] over four updates, the first two and the last two, of K = {SEEDS} seeds at once",
        f"at T = {LENGTH}, B = {BATCH}, D = 3 (Lorenz-63), float32, on one thread, beyond what libraries, data and",
        "model took before. Each in a process of its own, with the other settings at their defaults. At most",
        f"{LIMIT} is allowed.",
        "",
        *measured_on("memory.py"),
        "",
    ]


def table(rows: list[WindowTrainer], columns: tuple[ModelSpec, ...]) -> list[str]:
    """A line for each trainer."""
    pairs = list(product(rows, columns))
    # A new process for each, since freed memory is kept.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        found = dict(zip(pairs, pool.map(growth, *zip(*pairs, strict=True)), strict=True))
    lines = [f"| trainer | {' | '.join(model.kind for model in columns)} |", "|---" * (len(columns) + 1) + "|"]
    for trainer in rows:
        cells = [f"{found[trainer, model]:.0f}" for model in columns]
        lines.append(f"| {trainer.kind} | {' | '.join(cells)} |")
    return lines


def growth(trainer: WindowTrainer, model: ModelSpec) -> float:
    """Peak resident memory of four updates beyond that before [MiB]."""
    torch.set_num_threads(1)
    data = simulate(Lorenz63(), DataSpec(validation_orbits=0, test_orbits=2, test_length=2)).to("cpu", torch.float32)
    network = model.build(data.dimension, range(SEEDS))
    keep_freed_memory()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = resident("VmRSS")
    training = trainer.start(network, data, range(SEEDS))
    for training.update in (1, 2, trainer.updates - 1, trainer.updates):
        trainer.gradient(network, trainer.windows(training), training)
        trainer.advance(network, training)
    peak = resident("VmHWM") - before
    assert peak <= LIMIT, f"{trainer.kind} took {peak:.0f} MiB on {model.kind}"
    return peak


def resident(field: str) -> float:
    """A number of this process's memory [MiB]."""
    found = re.search(rf"^{field}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None, f"{field} is not told"
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
