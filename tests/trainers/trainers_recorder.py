"""A recorder for tests that does on a CPU what a CUDA graph does: it repeats the same operations at the same addresses.

Numbers from Python and tensors made outside are those of the recording, whatever has changed since. Whatever waits for
a GPU, such as reading a number out of a tensor, is an error while it records.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from typing_extensions import override

T = TypeVar("T")

_WAITING = ("_local_scalar_dense", "nonzero", "_linalg_eigh", "_linalg_svd", "linalg_qr", "is_nonzero", "equal")
_ON_HOST = (torch.int64,)  # trainers keep settings such as an interval in integer tensors that never leave the CPU


class _Operations(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.replays: list[Callable[[], None]] = []
        self.made = dict[int, Tensor]()  # by address of their memory
        self.before = dict[int, tuple[Tensor, Tensor]]()  # what the recorded operations change, and its values

    @override
    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        waits = func._schema.name.removeprefix("aten::") in _WAITING
        if waits and args[0].dtype not in _ON_HOST:
            raise RuntimeError(f"{func} waits for the device")
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        if func._schema.is_mutable:
            self._remember(given)
        result = func(*args, **(kwargs or {}))
        addresses = {_address(x) for x in given}
        made = [x for x in tree_leaves(result) if isinstance(x, Tensor)]
        new = [_address(x) not in addresses for x in made]
        self.made |= {_address(x): x for x, is_new in zip(made, new, strict=True) if is_new}
        if func._schema.is_mutable or any(new):
            self.replays.append(lambda: _repeat(func, args, kwargs or {}, made, new))
        return result

    def undo(self) -> None:
        """Restore what was there before: recording computes nothing."""
        for tensor, values in self.before.values():
            tensor.copy_(values)

    def _remember(self, tensors: Sequence[Tensor]) -> None:
        for tensor in tensors:
            if _address(tensor) not in self.made.keys() | self.before.keys():
                whole = torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage())
                self.before[_address(tensor)] = whole, whole.clone()


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _repeat(func: Any, args: Any, kwargs: Any, made: list[Tensor], new: list[bool]) -> None:
    again = [x for x in tree_leaves(func(*args, **kwargs)) if isinstance(x, Tensor)]
    for old, value, copied in zip(made, again, new, strict=True):
        if copied and old.numel():
            old.copy_(value)


class OperationRecorder:
    """Records the operations of torch that a function calls, those of backward passes included."""

    def __init__(self) -> None:
        self.recorded = 0
        self.replayed = 0

    def rehearse(self, function: Callable[[], T]) -> T:
        """Call the function."""
        return function()

    def record(self, function: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        """Record the function; its results are spoiled, as a CUDA graph computes nothing while it is recorded."""
        self.recorded += 1
        operations = _Operations()
        try:
            with operations:
                result = function()
        finally:
            with torch.no_grad():
                operations.undo()
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                tensor.detach().fill_(torch.nan)

        def replay() -> None:
            self.replayed += 1
            with torch.no_grad():
                for one in operations.replays:
                    one()

        return result, replay
