"""Compile every Triton kernel that training launches, for an H100 and without a GPU: run by `test_triton_compiles`.

Launches are intercepted: kernels are compiled for the arguments with which they would have been called, and not run.
Each must keep within the memory that its module states, and within the registers of a thread but for a few: spilling
kilobytes at each step makes a kernel slower than plain torch.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
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

HOPPER, SEEDS, STEPS, TAU = GPUTarget("cuda", 90, 32), 2, 20, 8
MOST_SPILLED = 1_100  # bytes of a thread
MODELS: list[ModelSpec] = [
    ShallowPLRNN(hidden=50), ShallowPLRNN(hidden=50, clipped=True), ShallowPLRNN(states=6), PLRNN(hidden=30),
    PLRNN(hidden=40), RNN(hidden=30), RNN(hidden=40), AlmostLinearRNN(hidden=20, rectified=2),
    DendriticPLRNN(hidden=9, bases=5), LSTM(hidden=30), LSTM(hidden=40), GRU(hidden=30),
]  # fmt: skip
OF_SIZE: list[Callable[[int], ModelSpec]] = [  # with as many observables as units, which take the most memory
    lambda size: PLRNN(hidden=size), lambda size: RNN(hidden=size), lambda size: ShallowPLRNN(hidden=size),
    lambda size: AlmostLinearRNN(hidden=size, rectified=2), lambda size: LSTM(hidden=size),
    lambda size: GRU(hidden=size), lambda size: GRU(hidden=size, form="closed_loop"),
]  # fmt: skip
CASES = [(spec, 3) for spec in MODELS] + [(spec(size), size) for size in (32, 64) for spec in OF_SIZE]
COMPILED: dict[str, int] = {}
TOO_LARGE: list[str] = []


def compiled(kernel: JITFunction[Any], *args: Any, grid: Any, warmup: bool, num_warps: int, **settings: Any) -> None:
    """Compile a kernel for its arguments, specialised as a launch specialises them."""
    options = {"num_warps": num_warps, "enable_fp_fusion": settings.pop("enable_fp_fusion")}
    given = dict(zip(kernel.arg_names, args, strict=False))
    fixed = settings | {name: 1 for name, value in given.items() if isinstance(value, int) and value == 1}
    types = {name: "*fp32" if isinstance(value, torch.Tensor) else "i32" for name, value in given.items()}
    signature = {name: "constexpr" if name in fixed else types[name] for name in kernel.arg_names}
    aligned = [
        (index,)
        for index, (name, kind) in enumerate(signature.items())
        if kind == "*fp32" or (kind == "i32" and given[name] % 16 == 0)
    ]
    source = ASTSource(kernel, signature, fixed, {index: [["tt.divisibility", 16]] for index in aligned})
    made = triton.compile(source, target=HOPPER, options=options)
    widest = max(32, *(fixed.get(name, 0) for name in ("MP", "LP", "DP")))  # kernels for few units have no such axes
    shared, lost = made.metadata.shared, spilled(made.asm["cubin"])
    if shared > stated(kernel)[widest] or lost > MOST_SPILLED:
        TOO_LARGE.append(f"{kernel.__name__}, axes of {widest}, {num_warps} warps: {shared} B shared, {lost} B spilled")
    COMPILED[kernel.__name__] = COMPILED.get(kernel.__name__, 0) + 1


def stated(kernel: JITFunction[Any]) -> Mapping[int, int]:
    """Return the memory that the module of a kernel states, by the padded size of axes."""
    gate = kernel.__name__.strip("_").partition("_")[0]
    return triton_gated.SHARED.get(gate, triton_cuda.SHARED)


def spilled(cubin: bytes) -> int:
    """Return the bytes of a thread's registers that are kept elsewhere, as a tool reports that Triton brings."""
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [tool, "--dump-resource-usage", file.name]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (stack,) = re.findall(r"STACK:(\d+)", said)
    return int(stack)


def main() -> None:
    """Compile what every family of models needs, for errors and for unrolls."""
    JITFunction.run = compiled
    kernels.comparing_backend_for = kernels.backend_for = lambda *_: triton_cuda
    kernels.gated_comparing_backend_for = kernels.gated_backend_for = lambda *_: triton_gated
    for spec, seen in CASES:
        model, windows = spec.build(seen, range(SEEDS)), torch.randn(SEEDS, 4, STEPS + 1, seen)
        forced_error(model, windows, TAU).sum().backward()
        observed, _ = model.predict(model.initial_state(windows[:, :, :1]), TAU)
        observed.sum().backward()
        if model.compiled_network() is not None:
            blended_error(model, windows, torch.rand(SEEDS, 1, STEPS - 1)).sum().backward()
    print(COMPILED)
    sys.exit("\n".join(TOO_LARGE) or None)


if __name__ == "__main__":
    main()
