"""Check the errors and gradients that Triton's kernels compute for whole models against plain torch in float64.

`python -m benchmarks.errors_gpu [--device DEVICE]` prints a JSON object per case: on a GPU, or with TRITON_INTERPRET=1
and `--device cpu` in Triton's interpreter. `--part I N` does every N-th case only, beginning with the I-th.
"""

import json
from argparse import ArgumentParser
from itertools import product

import torch
from torch import Tensor

from chaosbench import kernels
from chaosbench.kernels import plain_torch
from chaosbench.models import GRU, LSTM, PLRNN, RNN, AlmostLinearRNN, DendriticPLRNN, ModelSpec, ShallowPLRNN
from chaosbench.trainers.forcing import blended_error, forced_error

SEEN, LARGEST = 3, 1e-5  # D, and the largest relative error
MODELS: list[tuple[ModelSpec, int]] = [
    (ShallowPLRNN(hidden=50), 16), (ShallowPLRNN(hidden=50, clipped=True), 16), (ShallowPLRNN(states=6), 16),
    (PLRNN(hidden=30), 30), (PLRNN(hidden=40), 30), (RNN(hidden=30), 30), (RNN(hidden=40), 30),
    (AlmostLinearRNN(hidden=20, rectified=2), 16), (DendriticPLRNN(hidden=9, bases=5), 16),
    (LSTM(hidden=30), 30), (LSTM(hidden=40), 30), (GRU(hidden=30), 30),
]  # fmt: skip
COUNTS = (3, 200)  # K; with the latter, samples follow each other in one warp


def main() -> None:
    """Print the largest relative error of every case."""
    parser = ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--part", nargs=2, type=int, default=(0, 1), metavar=("I", "N"))
    options = parser.parse_args()
    if options.device == "cpu":
        from chaosbench.kernels import triton_cuda, triton_gated

        kernels.comparing_backend_for = lambda *_: triton_cuda
        kernels.gated_comparing_backend_for = lambda *_: triton_gated
    sizes = [(2, 3, 21)] if options.device == "cpu" else [(count, 16, 201) for count in COUNTS]
    first, step = options.part
    for (spec, interval), size in [*product(MODELS, sizes)][first::step]:
        case = {"check": f"error of {spec.label}", "K": size[0]}
        try:
            largest = largest_error(spec, interval, size, options.device)
            print(json.dumps(case | {"error": largest, "ok": largest < LARGEST}), flush=True)
        except Exception as error:  # the next case is worth trying whatever went wrong here
            print(json.dumps(case | {"failure": repr(error)[:300], "ok": False}), flush=True)


def largest_error(spec: ModelSpec, interval: int, size: tuple[int, int, int], device: str) -> float:
    """Return the largest relative error of a loss, and of a gradient over all seeds."""
    torch.manual_seed(0)
    seeds, batch, length = size
    windows = torch.randn(seeds, batch, length, SEEN).cumsum(dim=2).div(length**0.5).to(device)
    weights = torch.rand(seeds, 1, length - 2).to(device)
    single, double = (spec.build(SEEN, range(seeds)).to(device, dtype) for dtype in (torch.float32, torch.float64))
    double.load_state_dict(single.state_dict())

    def results(model: torch.nn.Module, dtype: torch.dtype) -> list[Tensor]:
        loss = forced_error(model, windows.to(dtype), interval)
        if model.compiled_network() is not None:
            loss = loss + blended_error(model, windows.to(dtype), weights.to(dtype))
        loss.sum().backward()
        return [loss.detach(), *(one.grad for one in model.parameters() if one.grad is not None)]

    found = results(single, torch.float32)
    with plain_torch():
        expected = results(double, torch.float64)
    pairs = zip(found, expected, strict=True)
    return max(float((ours.double() - truth).norm() / truth.norm()) for ours, truth in pairs)


if __name__ == "__main__":
    main()
