"""Time a training step against the published loops; `python benchmarks/training.py` rewrites training.md."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time

import torch
from machine import measured_on
from reference_loops import loop_of
from torch import Tensor

from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.execution.freed_memory import keep_freed_memory
from chaosbench.models import LSTM, PLRNN, RNN, AlmostLinearRNN, ModelSpec, ShallowPLRNN
from chaosbench.seeds import seed_generator
from chaosbench.systems import Lorenz63
from chaosbench.trainers import SparseTeacherForcing
from chaosbench.trainers.forcing import forced_unroll

LENGTH, BATCH, CLIP = 200, 16, 10.0  # T [steps], B, largest gradient norm
SEEDS = 8  # K, trained together in the last columns
ROUNDS, STEPS = 15, 12  # repetitions of each measurement, and training steps in each


@dataclass(frozen=True)
class Case:
    """A row of the table: an architecture and its forcing interval."""

    model: ModelSpec
    interval: int  # tau [steps]


CASES = [
    Case(LSTM(hidden=30), 30),
    Case(RNN(hidden=30), 30),
    Case(PLRNN(hidden=30), 30),
    Case(ShallowPLRNN(hidden=50), 16),
    Case(AlmostLinearRNN(hidden=20), 16),
]


def main() -> None:
    """Time every case, print the table and write it to training.md."""
    torch.set_num_threads(1)
    keep_freed_memory()  # as in the worker processes; the published loops gain from it, too
    data = simulate(Lorenz63(), DataSpec(validation_orbits=0, test_orbits=2, test_length=2)).to("cpu", torch.float32)
    lines = [
        f"| model | tau | published loop [ms] | K = 1 [ms] | ratio | K = {SEEDS}, per model [ms] | ratio |",
        "|---|---|---|---|---|---|---|",
        *(row(case, data) for case in CASES),
    ]
    text = "\n".join([*preamble(), *lines, ""])
    print(text)
    Path(__file__).with_suffix(".md").write_text(text)


def preamble() -> list[str]:
    """Return the heading of the page: quantity, machine and command."""
    return [
        "# A training step beside the published loops",
        "",
        f"Data, forward, backward, clipping and Adam at T = {LENGTH}, B = {BATCH}, D = 3, float32, on one thread:",
        f"CPU time, medians of {ROUNDS} interleaved rounds of {STEPS} steps; ratios are medians over rounds.",
        "From the same weights both have the same loss and gradient, checked in float64 before anything is timed.",
        "",
        *measured_on("training.py"),
        "",
    ]


def row(case: Case, data: Dataset) -> str:
    """Time one case against the published loop, round by round."""
    check_agreement(case, data)
    ways = [published(case, data), ours(case, data, 1), ours(case, data, SEEDS)]
    for step in ways:
        timed(step)  # the first steps allocate
    loops, singles, groups = zip(*([timed(step) for step in ways] for _ in range(ROUNDS)), strict=True)
    single_ratio = median(loop / single for loop, single in zip(loops, singles, strict=True))
    group_ratio = median(SEEDS * loop / group for loop, group in zip(loops, groups, strict=True))
    times = (median(loops), median(singles), median(groups) / SEEDS)
    return (
        f"| {case.model.kind} | {case.interval} | {1e3 * times[0]:.2f} "
        f"| {1e3 * times[1]:.2f} | {single_ratio:.1f} | {1e3 * times[2]:.2f} | {group_ratio:.1f} |"
    )


def timed(step: Callable[[], object]) -> float:
    """Return the CPU time of a training step, the mean over `STEPS` steps [s]."""
    begun = process_time()
    for _ in range(STEPS):
        step()
    return (process_time() - begun) / STEPS


def published(case: Case, data: Dataset) -> Callable[[], object]:
    """Return a function that makes a training step of the published loop."""
    loop = loop_of(case.model.build(data.dimension, [0])).to(data.train.device)
    optimizer = torch.optim.Adam(loop.parameters(), 1e-3)
    generator = seed_generator(0, "windows")

    def step() -> None:
        loss = loop(published_windows(data.train, generator), case.interval)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(loop.parameters(), CLIP)
        optimizer.step()

    return step


def published_windows(train: Tensor, generator: torch.Generator) -> Tensor:
    """Cut random windows one by one, `(B, T + 1, D)`."""
    orbits = torch.randint(train.shape[0], (BATCH,), generator=generator).tolist()
    starts = torch.randint(train.shape[1] - LENGTH, (BATCH,), generator=generator).tolist()
    return torch.stack([train[n, t : t + LENGTH + 1] for n, t in zip(orbits, starts, strict=True)])


def ours(case: Case, data: Dataset, count: int) -> Callable[[], object]:
    """Return a function that makes a training step of `count` seeds together."""
    trainer = SparseTeacherForcing(
        interval=case.interval, batch=BATCH, sequence_length=LENGTH, clip_norm=CLIP, updates=1_000_000
    )
    model = case.model.build(data.dimension, range(count))
    steps: Iterator[object] = trainer.fit(model, data, range(count))
    return lambda: next(steps)


def check_agreement(case: Case, data: Dataset) -> None:
    """Assert that both loops compute the same loss and gradient norm, up to rounding in float64."""
    model = case.model.build(data.dimension, [0]).double()
    loop = loop_of(model).double()
    windows = data.windows(BATCH, LENGTH, [seed_generator(0, "windows")]).double()
    loss = (forced_unroll(model, windows, case.interval) - windows[:, :, 1:]).square().mean()
    expected = loop(windows[0], case.interval)
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-12)
    norms = [squared_gradient_norm(model, loss), squared_gradient_norm(loop, expected)]
    assert abs(norms[0] - norms[1]) <= 1e-9 * norms[1], f"gradients of {case.model.label} differ: squares {norms}"


def squared_gradient_norm(network: torch.nn.Module, loss: Tensor) -> float:
    """Return the squared norm, without the parameters of the zero input: its bias duplicates the recurrent one."""
    parameters = [parameter for name, parameter in network.named_parameters() if "_ih_" not in name]
    return sum(float(gradient.square().sum()) for gradient in torch.autograd.grad(loss, parameters))


if __name__ == "__main__":
    main()
