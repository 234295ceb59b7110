"""The peak memory of training; only Linux reports that of a process since a given moment."""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from inspect import isabstract
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import torch

from benchmarks.lines import Line
from chaosbench import trainers
from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.execution.freed_memory import keep_freed_memory
from chaosbench.models import LSTM, Forecaster, LiquidTimeConstant, ModelSpec, NeuralODE, ShallowPLRNN, UnICORNN
from chaosbench.systems import Lorenz63
from chaosbench.trainers import SOFO, DySLIM, JacobianMatching, WindowTrainer

SEEDS, LENGTH, BATCH = 8, 200, 16  # K, T [steps], B

MODELS: tuple[ModelSpec, ...] = (LSTM(hidden=30), ShallowPLRNN())
LARGER: tuple[ModelSpec, ...] = (NeuralODE(), LiquidTimeConstant(), UnICORNN())
OWN = {DySLIM: {"growth": 1}}  # so that its last unrolls are as long as the others'


def lines(*, long: bool) -> Iterator[Line]:
    """Measure every trainer with two models, and two trainers with larger ones; only where `long` asks for minutes.

    The growth is that over four updates, the first two and the last two, beyond libraries, data and model.
    """
    if not long:
        return
    every = [trainer_of(kind) for kind in vars(trainers).values() if by_gradients(kind)]
    cases = [*product(every, MODELS), *product([trainer_of(JacobianMatching), trainer_of(SOFO)], LARGER)]
    # A new process for each case, because a process keeps freed memory.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for (trainer, model), peak in zip(cases, pool.map(growth, *zip(*cases, strict=True)), strict=True):
            what = f"{trainer.kind} on {model.kind}"
            yield Line("memory", what, "MiB", peak, peak, peak, rounds=1, K=SEEDS, T=LENGTH)


def by_gradients(kind: object) -> bool:
    """Return whether `kind` is a concrete trainer with updates on windows."""
    return isinstance(kind, type) and issubclass(kind, WindowTrainer) and not isabstract(kind)


def trainer_of(kind: type[WindowTrainer]) -> WindowTrainer:
    """Return a trainer of this kind at T and B, with other settings at their defaults."""
    return kind(batch=BATCH, sequence_length=LENGTH, **OWN.get(kind, {}))


def growth(trainer: WindowTrainer, model: ModelSpec) -> float:
    """Return the growth of the peak resident memory over four updates [MiB]."""
    torch.set_num_threads(1)
    data = simulate(Lorenz63(), DataSpec(validation_orbits=0, test_orbits=2, test_length=2)).to("cpu", torch.float32)
    network = model.build(data.dimension, range(SEEDS))
    small = trainer.replaced(batch=2)
    _train(small, model.build(data.dimension, (0,)), data, (1,))  # loads compiled kernels, which are libraries
    keep_freed_memory()
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = resident("VmRSS")
    _train(trainer, network, data, (1, 2, trainer.updates - 1, trainer.updates))
    return resident("VmHWM") - before


def _train(trainer: WindowTrainer, network: Forecaster, data: Dataset, updates: Sequence[int]) -> None:
    """Make these updates."""
    training = trainer.start(network, data, range(network.seeds))
    for training.update in updates:
        trainer.gradient(network, trainer.windows(training), training)
        trainer.advance(network, training)


def resident(field: str) -> float:
    """Return a memory field of this process [MiB]."""
    match = re.search(rf"^{field}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert match is not None, f"/proc/self/status has no field {field}"
    return int(match[1]) / 1024
