"""Compile every Triton kernel that training launches, for an H100 and without a GPU: run by `test_triton_compiles`.

Launches are intercepted: kernels are compiled for the arguments with which they would have been called, and not run.
"""

from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.jit import JITFunction

from chaosbench import kernels
from chaosbench.kernels import triton_cuda, triton_gated
from chaosbench.models import GRU, LSTM, PLRNN, RNN, AlmostLinearRNN, DendriticPLRNN, ModelSpec, ShallowPLRNN
from chaosbench.trainers.forcing import blended_error, forced_error

HOPPER, SEEN, SEEDS, STEPS, TAU = GPUTarget("cuda", 90, 32), 3, 2, 20, 8
MODELS: list[ModelSpec] = [
    ShallowPLRNN(hidden=50), ShallowPLRNN(hidden=50, clipped=True), ShallowPLRNN(states=6), PLRNN(hidden=30),
    PLRNN(hidden=40), RNN(hidden=30), RNN(hidden=40), AlmostLinearRNN(hidden=20, rectified=2),
    DendriticPLRNN(hidden=9, bases=5), LSTM(hidden=30), LSTM(hidden=40), GRU(hidden=30),
]  # fmt: skip
COMPILED: dict[str, int] = {}


def compiled(kernel: JITFunction[Any], *args: Any, grid: Any, warmup: bool, num_warps: int, **constants: Any) -> None:
    """Compile a kernel for its arguments, specialised as a launch specialises them."""
    given = dict(zip(kernel.arg_names, args, strict=False))
    fixed = constants | {name: 1 for name, value in given.items() if isinstance(value, int) and value == 1}
    types = {name: "*fp32" if isinstance(value, torch.Tensor) else "i32" for name, value in given.items()}
    signature = {name: "constexpr" if name in fixed else types[name] for name in kernel.arg_names}
    aligned = [
        (index,)
        for index, (name, kind) in enumerate(signature.items())
        if kind == "*fp32" or (kind == "i32" and given[name] % 16 == 0)
    ]
    source = ASTSource(kernel, signature, fixed, {index: [["tt.divisibility", 16]] for index in aligned})
    triton.compile(source, target=HOPPER, options={"num_warps": num_warps})
    COMPILED[kernel.__name__] = COMPILED.get(kernel.__name__, 0) + 1


def main() -> None:
    """Compile what every family of models needs, for errors and for unrolls."""
    JITFunction.run = compiled
    kernels.comparing_backend_for = kernels.backend_for = lambda *_: triton_cuda
    kernels.gated_comparing_backend_for = kernels.gated_backend_for = lambda *_: triton_gated
    for spec in MODELS:
        model, windows = spec.build(SEEN, range(SEEDS)), torch.randn(SEEDS, 4, STEPS + 1, SEEN)
        forced_error(model, windows, TAU).sum().backward()
        observed, _ = model.predict(model.initial_state(windows[:, :, :1]), TAU)
        observed.sum().backward()
        if model.compiled_network() is not None:
            blended_error(model, windows, torch.rand(SEEDS, 1, STEPS - 1)).sum().backward()
    print(COMPILED)


if __name__ == "__main__":
    main()
