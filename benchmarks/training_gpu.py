"""Time updates of training on a GPU, as an experiment makes them, beside the published loop and JAX on the same card.

`python -m benchmarks.training_gpu [KIND ...]` prints a JSON object per line of the benchmark. Every family trains with
K = 1 to 1,024 seeds through `fit`, with the record of losses and gradient norms that every experiment keeps. With
`--compile` everything runs once, so that what is compiled is cached. `python -m benchmarks.on_gpu` runs both.
"""

import json
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import islice
from time import perf_counter

import torch

from benchmarks import training
from benchmarks.gpu import JAX, ON_CARD, ON_CPU
from benchmarks.jax_rival import KINDS
from benchmarks.lines import Line
from benchmarks.rounds import Way, compared, needing
from chaosbench.data import Dataset
from chaosbench.diagnostics.health import TrainingHealth
from chaosbench.models import GRU
from chaosbench.trainers import SparseTeacherForcing

CASES = (*training.CASES, training.Case(GRU(hidden=30), 30))
PUBLISHED = {case.model.kind for case in training.CASES}
COUNTS = (1, 8, 64, 256, 1024)  # K
ROUNDS, UPDATES = 7, 20  # and updates of ours in a turn


def main() -> None:
    """Time, or compile, every case and print its lines as they come."""
    options = parsed()
    torch.set_num_threads(1)
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX would take most of the card's memory
    data = training.lorenz()
    for case in CASES:
        if options.kinds and case.model.kind not in options.kinds:
            continue
        for count in options.counts:
            for line in measured(case, count, data, options):
                print(json.dumps(asdict(line)), flush=True)


def parsed() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser()
    parser.add_argument("kinds", nargs="*", metavar="KIND")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--counts", nargs="+", type=int, default=COUNTS, metavar="K")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    return parser.parse_args()


def measured(case: training.Case, count: int, data: Dataset, options: Namespace) -> list[Line]:
    """Time an architecture in interleaved rounds; the time is that of all K networks, and ratios are per network."""
    line = Line("gpu", f"update of {case.model.kind}", K=count, T=training.LENGTH, M=case.units)
    try:
        own = ours(case, count, data, options.device)
        rivals = rivals_of(case, count, data, options.device)
        if options.compile:
            for way in (own, *rivals.values()):
                if not isinstance(way.call, str):
                    way.call()
            return []
        found = compared(line, own, rivals, rounds=options.rounds, clock=perf_counter)
    except Exception as error:  # the next case is worth measuring whatever went wrong here
        return [replace(line, reason=repr(error)[:300])]
    return [of_all(one, count) for one in found]


def ours(case: training.Case, count: int, data: Dataset, device: str) -> Way:
    """Return updates through `fit`, with the record that every experiment keeps."""
    on = data.to(device, torch.float32)
    trainer = SparseTeacherForcing(
        interval=case.interval, batch=training.BATCH, sequence_length=training.LENGTH, clip_norm=training.CLIP,
        updates=1_000_000,
    )  # fmt: skip
    model, health = case.model.build(on.dimension, range(count)).to(device), TrainingHealth(trainer)
    steps = trainer.fit(model, on, range(count))

    def advance() -> None:
        for step in islice(steps, UPDATES):
            health.see(step)
        wait(device)

    return Way(advance, count * UPDATES)


def rivals_of(case: training.Case, count: int, data: Dataset, device: str) -> dict[str, Way]:
    """Return the published loops, of which the one on a CPU takes part with one seed only, and JAX."""
    rivals = {}
    if case.model.kind in PUBLISHED:
        rivals[ON_CARD] = Way(waiting(training.published(case, data.to(device, torch.float32)), device))
        if count == 1:
            rivals[ON_CPU] = Way(training.published(case, data))
    if case.model.kind in KINDS:
        rivals[JAX] = needing("optax", lambda: by_jax(case, count, data))
    return rivals


def by_jax(case: training.Case, count: int, data: Dataset) -> Way:
    """Return updates in JAX with products in full single precision, as ours are."""
    import jax

    jax.config.update("jax_default_matmul_precision", "highest")
    return Way(training.by_jax(case, data, count), count)


def waiting(function: Callable[[], object], device: str) -> Callable[[], None]:
    """Return the function with a wait for the device behind it."""

    def call() -> None:
        function()
        wait(device)

    return call


def wait(device: str) -> None:
    """Wait for the device."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def of_all(line: Line, count: int) -> Line:
    """Return the line with our time for all K networks instead of one."""
    times = {name: getattr(line, name) for name in ("value", "least", "most")}
    return replace(line, **{name: None if time is None else count * time for name, time in times.items()})


if __name__ == "__main__":
    main()
