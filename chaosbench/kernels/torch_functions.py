"""Elementary functions that torch computes by the library it contains: compiled steps call the same ones.

Sines and exponentials of other libraries differ from torch's in the last bit, about twice in a thousand numbers.
"""

import ctypes
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

# The operations of a graph, the functions of torch that they come from, and those of Intel's MKL that torch calls.
_FUNCTIONS = {
    "sine": ("sin", "Sin"), "cosine": ("cos", "Cos"), "tangent_of": ("tan", "Tan"), "arctangent": ("atan", "Atan"),
    "exponential": ("exp", "Exp"), "log": ("log", "Ln"), "hyperbolic_tangent": ("tanh", "Tanh"),
}  # fmt: skip
MODE = 0x2 | 0x100 | 0x140000  # high accuracy, no reports of errors, denormal numbers kept: as torch calls them
_COMPARED = 20_000  # numbers at which a function is compared with torch; another library would differ at some forty


@lru_cache(maxsize=64)
def address_of(operation: str, bits: int) -> int | None:
    """Return the address of what torch computes an operation by, `f(count, from, to, MODE)`; None if there is none.

    Args:
        operation: name of a scalar operation.
        bits: 32 or 64, of a number.
    """
    library = _library()
    if operation not in _FUNCTIONS or library is None:
        return None
    ours, theirs = _FUNCTIONS[operation]
    function = getattr(library, f"vm{'d' if bits == 64 else 's'}{theirs}", None)
    if function is None or not _equal(function, getattr(torch, ours), torch.float64 if bits == 64 else torch.float32):
        return None
    return ctypes.cast(function, ctypes.c_void_p).value


@lru_cache(maxsize=1)
def _library() -> Any:
    """Return the library that holds torch's functions for the CPU; None where torch keeps them elsewhere."""
    try:
        return ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
    except OSError:
        return None


def _equal(function: Any, expected: Any, dtype: torch.dtype) -> bool:
    """Return whether two functions have the same bits at random numbers of all sizes, and one by one."""
    generator = torch.Generator().manual_seed(0)
    sizes = 10 ** torch.linspace(-12, 3, _COMPARED, dtype=torch.float64)
    numbers = torch.randn(_COMPARED, dtype=torch.float64, generator=generator) * sizes
    numbers[::2] = 10 * torch.randn(_COMPARED // 2, dtype=torch.float64, generator=generator)
    special = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, torch.nan, 1e30, 1e-310], dtype=torch.float64)
    numbers = torch.cat([numbers, special]).to(dtype)
    together, alone = torch.empty_like(numbers), torch.empty_like(numbers)
    _call(function, numbers, together)
    for index in range(0, len(numbers), 100):
        _call(function, numbers[index : index + 1], alone[index : index + 1])
    truth = expected(numbers)
    return _same(together, truth) and _same(alone[::100], truth[::100])


def _call(function: Any, numbers: Tensor, results: Tensor) -> None:
    count, mode = ctypes.c_int64(len(numbers)), ctypes.c_int64(MODE)
    function(count, ctypes.c_void_p(numbers.data_ptr()), ctypes.c_void_p(results.data_ptr()), mode)


def _same(found: Tensor, expected: Tensor) -> bool:
    """Return whether two results have equal bits, except that one NaN is as good as another."""
    whole = torch.int64 if found.dtype == torch.float64 else torch.int32
    return bool(((found.view(whole) == expected.view(whole)) | (found.isnan() & expected.isnan())).all())
