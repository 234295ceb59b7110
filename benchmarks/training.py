"""A training update beside the published loops and beside JAX."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks import jax_rival
from benchmarks.lines import Line
from benchmarks.reference_loops import loop_of
from benchmarks.rounds import Way, compared, needing
from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.models import LSTM, PLRNN, RNN, AlmostLinearRNN, ModelSpec, ShallowPLRNN
from chaosbench.seeds import seed_generator
from chaosbench.systems import Lorenz63
from chaosbench.trainers import SparseTeacherForcing
from chaosbench.trainers.forcing import forced_unroll

LENGTH, BATCH, CLIP = 200, 16, 10.0  # T [steps], B, largest gradient norm
PUBLISHED, JAX = "published loop", "JAX"


@dataclass(frozen=True)
class Case:
    """An architecture and its forcing interval."""

    model: ModelSpec
    interval: int  # tau [steps]
    units: int = 30  # M


CASES = (
    Case(ShallowPLRNN(hidden=50), 16, units=3),
    Case(PLRNN(hidden=30), 30),
    Case(RNN(hidden=30), 30),
    Case(LSTM(hidden=30), 30),
    Case(AlmostLinearRNN(hidden=20, rectified=2), 16, units=20),
)


def lines(*, long: bool) -> Iterator[Line]:
    """Time every case with one seed and with eight; `long` adds JAX with one seed."""
    data = lorenz()
    for case in CASES:
        check_agreement(case, data)
        for count in (1, 8):
            rivals = {PUBLISHED: Way(published(case, data))}
            if case.model.kind in jax_rival.KINDS and (count > 1 or long):
                rivals[JAX] = needing("optax", lambda case=case, count=count: Way(by_jax(case, data, count), count))
            line = Line("training", f"update of {case.model.kind}", K=count, T=LENGTH, M=case.units)
            yield from compared(line, Way(ours(case, data, count), count), rivals)


def lorenz() -> Dataset:
    """Return training data of Lorenz-63 in single precision."""
    return simulate(Lorenz63(), DataSpec(validation_orbits=0, test_orbits=2, test_length=2)).to("cpu", torch.float32)


def published(case: Case, data: Dataset) -> Callable[[], object]:
    """Return a function that makes an update of the published loop."""
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


def by_jax(case: Case, data: Dataset, count: int) -> Callable[[], object]:
    """Return a function that makes an update of `count` seeds in JAX."""
    model = case.model.build(data.dimension, range(count))
    sizes = {"interval": case.interval, "steps": LENGTH, "batch": BATCH, "clip": CLIP}
    return jax_rival.update_of(case.model.kind, model, data, **sizes)


def ours(case: Case, data: Dataset, count: int, length: int = LENGTH) -> Callable[[], object]:
    """Return a function that makes an update of `count` seeds together."""
    trainer = SparseTeacherForcing(
        interval=case.interval, batch=BATCH, sequence_length=length, clip_norm=CLIP, updates=1_000_000
    )
    model = case.model.build(data.dimension, range(count))
    steps: Iterator[object] = trainer.fit(model, data, range(count))
    return lambda: next(steps)


def check_agreement(case: Case, data: Dataset) -> None:
    """Assert that ours and the loop have the same loss and gradient in float64, and JAX the same loss in float32."""
    model = case.model.build(data.dimension, [0]).double()
    loop = loop_of(model).double()
    windows = data.windows(BATCH, LENGTH, [seed_generator(0, "windows")])
    loss = (forced_unroll(model, windows.double(), case.interval) - windows[:, :, 1:]).square().mean()
    expected = loop(windows[0].double(), case.interval)
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-12)
    norms = [squared_gradient_norm(model, loss), squared_gradient_norm(loop, expected)]
    assert abs(norms[0] - norms[1]) <= 1e-9 * norms[1], f"gradients of {case.model.label} differ: squares {norms}"
    if case.model.kind in jax_rival.KINDS:
        way = needing(
            "optax", lambda: Way(lambda: jax_rival.losses(case.model.kind, model.float(), windows, case.interval))
        )
        if not isinstance(way.call, str):
            torch.testing.assert_close(torch.tensor(way.call()).double()[0], expected.detach(), rtol=1e-4, atol=1e-5)


def squared_gradient_norm(network: torch.nn.Module, loss: Tensor) -> float:
    """Return the squared norm, without the parameters of the zero input: its bias duplicates the recurrent one."""
    parameters = [parameter for name, parameter in network.named_parameters() if "_ih_" not in name]
    return sum(float(gradient.square().sum()) for gradient in torch.autograd.grad(loss, parameters))
