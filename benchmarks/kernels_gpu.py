"""Check the Triton kernels of unrolls on a CUDA device and time updates; `python -m benchmarks.kernels_gpu FOLDER`.

Names of families behind FOLDER restrict checks and timings to them, and `--launch 16x4 32x8` times each kernel with
blocks of 16 samples on 4 warps and so on instead of its own choice. The file is then named after the families.
An update draws windows, unrolls, computes loss and gradients, clips each seed and steps Adam, as one CUDA graph.
Needs torch, triton and `chaosbench.kernels` alone. With TRITON_INTERPRET=1 it checks, on a CPU, and times nothing.
"""

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import torch
import triton
from torch import Tensor

from chaosbench.kernels import Forcing, GatedNetwork, Network, gated, reference, triton_cuda, triton_gated, unroll

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
STEPS, BATCH, SEEN, CLIP = 200, 16, 3, 10.0  # T [steps], B, D, largest gradient norm
COUNTS = (1, 8, 64, 256)  # K
ROUNDS, REPLAYS = 7, 50
GATED, ACTIVATIONS = ("lstm", "gru"), ("relu", "tanh", "clipped", "almost_linear")
FAMILIES = ("shallow", "plrnn", "rnn", "almost_linear", *GATED)


def main() -> None:
    """Check, time, print each line as it comes, and write them down."""
    options = parsed()
    families = options.families or FAMILIES
    torch.backends.cuda.matmul.allow_tf32 = False
    names = [one for one in families if one in GATED] + (list(ACTIVATIONS) if set(families) - set(GATED) else [])
    lines = list(recorded(checks(options.checks or names)))
    if options.checks:
        return
    if not INTERPRETED:
        lines += recorded(timings(families, options.launch))
    device = "interpreter" if INTERPRETED else torch.cuda.get_device_name()
    result = {"device": device, "torch": torch.__version__, "triton": triton.__version__, "lines": lines}
    result = {"command": " ".join(["python", *sys.argv])} | result
    name = "_".join(["kernels_gpu", *options.families])
    (options.folder / f"{name}.json").write_text(json.dumps(result, indent=1))
    failed = [line for line in lines if not line.get("ok", True)]
    sys.exit(f"{len(failed)} of {len(lines)} failed" if failed else 0)


def parsed() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=", ".join(FAMILIES))
    parser.add_argument("--checks", nargs="+", choices=[*GATED, *ACTIVATIONS], help="check these alone, write nothing")
    parser.add_argument("--launch", nargs="+", default=[], metavar="SAMPLESxWARPS")
    options = parser.parse_args()
    if unknown := set(options.families) - set(FAMILIES):
        parser.error(f"unknown families {sorted(unknown)}; known: {', '.join(FAMILIES)}")
    return options


def recorded(lines: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Print lines as they come."""
    for line in lines:
        print(json.dumps(line), flush=True)
        yield line


def checks(names: list[str]) -> Iterator[dict[str, Any]]:
    """Loss and gradients of gated networks, and of each activation, shape and forcing, against float64 autograd."""
    for kind, fed_back in product([name for name in names if name in GATED], (False, True)):
        yield checked({"check": kind, "fed_back": fed_back}, partial(gated_errors, kind, fed_back))
    shapes = (("A W1 W2 C", 30, 50), ("A W1", 20, 20), ("W2 C", 30, 30), ("A W1 W2", 3, 50))
    kinds = ("none", "replaced", "partly", "blended")
    for activation, (parts, units, hidden), kind in product(
        [one for one in names if one in ACTIVATIONS], shapes, kinds
    ):
        case = {"check": activation, "parts": parts, "units": units, "forcing": kind}
        yield checked(case, partial(errors_of, activation, parts.split(), (units, hidden), kind))


def checked(case: dict[str, Any], errors: Callable[[], list[float]]) -> dict[str, Any]:
    """Add the largest error to the description of a case."""
    try:
        largest = max(errors())
        return case | {"error": largest, "ok": largest < 1e-5}
    except Exception as error:  # the next case is worth trying whatever went wrong here
        return case | {"failure": repr(error)[:300], "ok": False}


def gated_errors(kind: str, fed_back: bool) -> list[float]:
    """Relative errors of the loss and of each gradient of an LSTM or a GRU."""
    torch.manual_seed(0)
    (seeds, samples, steps, units), gates = (1, 19, 5, 30) if INTERPRETED else (3, 19, 23, 30), {"lstm": 4, "gru": 3}
    shapes = [(gates[kind] * units, units), (gates[kind] * units,), (units,), (units, units), (SEEN, units), (SEEN,)]
    present = (True, True, kind == "gru", kind == "gru" and fed_back, True, fed_back)
    pairs = zip(shapes, present, strict=True)
    tensors = [torch.randn(seeds, *shape).double() * units**-0.5 if there else None for shape, there in pairs]
    start, found = torch.randn(seeds, samples, (2 if kind == "lstm" else 1) * units).double(), []
    target = torch.randn(seeds, samples, steps, SEEN, device=DEVICE)
    for dtype in (torch.float64, torch.float32):
        given = [None if x is None else x.to(DEVICE, dtype).requires_grad_() for x in (*tensors, start)]
        run = gated.unroll if dtype == torch.float64 else partial(unroll, triton_gated)
        observed, last = run(GatedNetwork(kind, *given[:6]), given[6], steps)
        loss = (observed - target.to(dtype)).square().mean() + last.square().mean()
        found.append([loss, *torch.autograd.grad(loss, [x for x in given if x is not None])])
    return [float(((b.double() - a).norm() / a.norm()).detach()) for a, b in zip(*found, strict=True)]


def errors_of(activation: str, parts: list[str], sizes: tuple[int, int], kind: str) -> list[float]:
    """Relative errors of the loss and of each gradient."""
    torch.manual_seed(0)
    (units, hidden), (seeds, samples, steps) = sizes, (1, 19, 5) if INTERPRETED else (3, 19, 23)
    shapes = [("A", (units,)), ("W1", (units, hidden)), ("W2", (hidden, units)), ("h1", (units,)), ("h2", (hidden,))]
    shapes += [("C", (SEEN, units)), ("d", (SEEN,))]
    present = {*parts, "h1", "h2", "d"}
    tensors = [0.3 * hidden**-0.5 * torch.randn(seeds, *s).double() if n in present else None for n, s in shapes]
    start, weights = torch.randn(seeds, samples, units).double(), torch.rand(seeds, 1, steps - 1).double()
    count = steps - 1 if kind == "blended" else (steps - 1) // 2
    signals = torch.randn(seeds, samples, count, SEEN if kind == "partly" else units).double()
    target, found = torch.randn(seeds, samples, steps, SEEN, device=DEVICE), []
    for dtype in (torch.float64, torch.float32):
        given = [None if x is None else x.to(DEVICE, dtype).requires_grad_() for x in (*tensors, start, signals)]
        network = Network(activation, *given[:7], dimension=SEEN, rectified=2)
        shares = weights.to(DEVICE, dtype) if kind == "blended" else None
        forcing = None if kind == "none" else Forcing(given[8], shares, interval=2)
        run = reference.unroll if dtype == torch.float64 else lambda *args: unroll(triton_cuda, *args)
        observed, last = run(network, given[7], steps, forcing)
        loss = (observed - target.to(dtype)).square().mean() + last.square().mean()
        inputs = [x for x in given if x is not None and (x is not given[8] or forcing is not None)]
        found.append([loss, *torch.autograd.grad(loss, inputs)])
    return [float(((b.double() - a).norm() / a.norm()).detach()) for a, b in zip(*found, strict=True)]


def timings(families: tuple[str, ...], launches: list[str]) -> Iterator[dict[str, Any]]:
    """Milliseconds of a whole update, by kernel and by plain torch, each as a CUDA graph."""
    ways = [f"triton {launch}" for launch in launches] or ["triton", "torch"]
    for family, count, way in product(families, COUNTS, ways):
        if way == "torch" and count not in (1, 64):
            continue
        case = {"family": family, "K": count, "way": way}
        try:
            yield case | timed(family, count, way)
        except Exception as error:
            yield case | {"failure": repr(error)[:300], "ok": False}


def timed(family: str, count: int, way: str) -> dict[str, Any]:
    """Capture the update, replay it, and report milliseconds, set-up and memory."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    begun = perf_counter()
    update, loss, _kept = whole_update(family, count, way)
    replay = captured(update)
    torch.cuda.synchronize()
    setup, first, times = perf_counter() - begun, float(loss.mean()), []
    for _ in range(ROUNDS):
        torch.cuda.synchronize()
        begun = perf_counter()
        for _ in range(REPLAYS):
            replay()
        torch.cuda.synchronize()
        times.append((perf_counter() - begun) / REPLAYS * 1e3)
    peak = torch.cuda.max_memory_allocated() / 2**20
    losses = {"loss": float(loss.mean()), "first_loss": first}
    return {"ms": median(times), "least": min(times), "most": max(times), "setup_s": setup, "peak_MiB": peak} | losses


def captured(update: Callable[[], None]) -> Callable[[], None]:
    """Run the update thrice, which compiles kernels and makes the optimiser's state, and record it as a graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            update()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        update()
    return graph.replay


def whole_update(family: str, count: int, way: str) -> tuple[Callable[[], None], Tensor, Any]:
    """Return an update, the tensor that holds its loss, and all that a graph of it must find alive."""
    torch.manual_seed(0)
    data = torch.randn(32, 1000, SEEN, device=DEVICE).cumsum(dim=1) / 30
    stretches, starts = data.unfold(1, STEPS + 1, 1), data.shape[1] - STEPS
    draws = torch.randint(len(data) * starts, (1000, count, BATCH), device=DEVICE)
    at, loss = torch.zeros(1, dtype=torch.long, device=DEVICE), torch.zeros(count, device=DEVICE)
    parameters, predict = model_of(family, count, way)
    rate = torch.tensor(1e-3, device=DEVICE)
    optimizer = torch.optim.Adam(parameters, lr=rate, fused=True, capturable=True)

    def update() -> None:
        index = draws.index_select(0, at % len(draws))[0]
        windows = stretches[index // starts, index % starts].mT
        for parameter in parameters:
            parameter.grad = None
        error = (predict(windows) - windows[:, :, 1:]).square().flatten(1).mean(dim=1)
        error.sum().backward()
        norms = torch.stack([p.grad.flatten(1).square().sum(dim=1) for p in parameters]).sum(dim=0).sqrt()
        for parameter in parameters:
            parameter.grad.mul_((CLIP / norms).clamp(max=1).view(-1, *[1] * (parameter.dim() - 1)))
        optimizer.step()
        loss.copy_(error.detach())
        at.add_(1)

    return update, loss, (data, draws, optimizer)


def model_of(family: str, count: int, way: str) -> tuple[list[Tensor], Callable[[Tensor], Tensor]]:
    """Return parameters of K networks, and what predicts windows."""

    def parameter(*shape: int) -> Tensor:
        return ((2 * torch.rand(count, *shape, device=DEVICE) - 1) * shape[-1] ** -0.5).requires_grad_()

    run = runner(family, way)
    if family in GATED:
        return gated_model(family, parameter, run)
    units, hidden, interval = {"shallow": (3, 50, 16), "almost_linear": (20, 20, 16)}.get(family, (30, 30, 30))
    diagonal, outward, bias, readout = parameter(units), parameter(units, hidden), parameter(units), None
    parameters = [diagonal, outward, bias]
    if family == "shallow":
        inward, threshold = parameter(hidden, units), parameter(hidden)
        parameters += [inward, threshold]
        network = Network("relu", diagonal, outward, inward, bias, threshold, None, None, dimension=SEEN)
    elif family == "almost_linear":
        lift = parameter(units - SEEN, SEEN)
        parameters += [lift]
        network = Network("almost_linear", diagonal, outward, None, bias, None, None, None, dimension=SEEN, rectified=2)

        def partly(windows: Tensor) -> Tensor:
            start = torch.cat([windows[:, :, 0], torch.bmm(windows[:, :, 0], lift.mT)], dim=-1)
            return run(network, start, STEPS, Forcing(windows[:, :, interval:-1:interval], interval=interval))[0]

        return parameters, partly
    else:
        readout = parameter(SEEN, units)
        parameters += [readout]
        network = Network("relu", diagonal, outward, None, bias, None, readout, None, dimension=SEEN)
        if family == "rnn":
            parameters = [outward, bias, readout]
            network = Network("tanh", None, None, outward, None, bias, readout, None, dimension=SEEN)

    return parameters, partial(folded, lambda start: run(network, start, interval, None)[0], readout, interval)


def folded(run: Callable[[Tensor], Tensor], readout: Tensor | None, interval: int, windows: Tensor) -> Tensor:
    """Predict windows with every segment a member of the batch."""
    start = windows[:, :, :-1:interval].flatten(1, 2)
    if readout is not None:
        start = torch.bmm(start, (readout.mT @ torch.linalg.inv_ex(readout @ readout.mT)[0]).mT)
    return run(start).unflatten(1, (BATCH, -1)).flatten(2, 3)[:, :, :STEPS]


def gated_model(family: str, parameter: Callable[..., Tensor], run: Callable[..., Any]) -> Any:
    """Return parameters of K LSTMs or GRUs of 30 units, and what predicts windows."""
    units, gates = 30, {"lstm": 4, "gru": 3}[family]
    weight, bias, readout = parameter(gates * units, units), parameter(gates * units), parameter(SEEN, units)
    candidate = parameter(units) if family == "gru" else None
    network = GatedNetwork(family, weight, bias, candidate, None, readout, None)

    def predicted(h: Tensor) -> Tensor:
        start = torch.cat([h, torch.zeros_like(h)], dim=-1) if family == "lstm" else h
        return run(network, start, 30)[0]

    parameters = [one for one in (weight, bias, candidate, readout) if one is not None]
    return parameters, partial(folded, predicted, readout, 30)


def runner(family: str, way: str) -> Callable[..., Any]:
    """Return the unroll by plain torch, or by a kernel with its own launch or another."""
    if way == "torch":
        return gated.unroll if family in GATED else reference.unroll
    module, launch = triton_gated if family in GATED else triton_cuda, {}
    if way != "triton":
        launch = dict(zip(("block", "warps"), map(int, way.removeprefix("triton ").split("x")), strict=True))
    passes = {name: partial(getattr(module, name), **launch) for name in ("forward", "backward")}
    return partial(unroll, SimpleNamespace(**passes))


if __name__ == "__main__":
    main()
