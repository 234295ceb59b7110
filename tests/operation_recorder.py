"""A recorder for tests that does on a CPU what a CUDA graph does: it repeats the same operations at the same addresses.

Numbers of Python, and tensors that the function makes in another way, are those of the recording. Recording itself
computes nothing: results are spoiled, and what the operations changed is restored.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from typing_extensions import override

T = TypeVar("T")

_READING = ("_local_scalar_dense", "is_nonzero", "nonzero", "equal")  # operations that wait for a GPU


class OperationRecorder:
    """Records operations of torch, those of backward passes included; `recorded` and `replayed` count.

    Args:
        refused: further operations that raise an error, as those that wait for a GPU do.
        on_host: precisions of tensors that never leave the CPU, so that reading them does not wait.
    """

    def __init__(self, *refused: str, on_host: Sequence[torch.dtype] = ()) -> None:
        self.recorded, self.replayed = 0, 0
        self._refused, self._on_host = (*_READING, *refused), on_host

    def rehearse(self, function: Callable[[], T]) -> T:
        """Call the function."""
        return function()

    def record(self, function: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        """Return the function's results, without their values, and a function that computes them."""
        self.recorded += 1
        operations = _Operations(self._refused, self._on_host)
        try:
            with operations:
                result = function()
        finally:
            operations.undo()
        for tensor in _tensors(result):
            tensor.detach().fill_(torch.nan)

        def replay() -> None:
            self.replayed += 1
            with torch.no_grad():
                for repeat in operations.repeats:
                    repeat()

        return result, replay


class _Operations(TorchDispatchMode):
    def __init__(self, refused: Sequence[str], on_host: Sequence[torch.dtype]) -> None:
        super().__init__()
        self.refused, self.on_host = refused, on_host
        self.repeats = list[Callable[[], None]]()
        self.made = dict[int, Tensor]()  # by the address of their memory
        self.before = dict[int, tuple[Tensor, Tensor]]()  # what the operations change, and its values

    @override
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, given = func._schema.name.removeprefix("aten::"), _tensors((args, kwargs))
        if name in self.refused and given[0].dtype not in self.on_host:
            raise RuntimeError(f"{name} waits for the device")
        if func._schema.is_mutable:
            self._remember(given)
        result = func(*args, **(kwargs or {}))
        made = _tensors(result)
        self.made |= {_memory(one): one for one in made if _memory(one) not in set(map(_memory, given))}
        self.repeats.append(lambda: _repeat(func, args, kwargs or {}, made))
        return result

    def undo(self) -> None:
        """Restore what the operations changed."""
        with torch.no_grad():
            for tensor, values in self.before.values():
                tensor.copy_(values)

    def _remember(self, tensors: Sequence[Tensor]) -> None:
        for tensor in tensors:
            if _memory(tensor) not in self.made.keys() | self.before.keys():
                whole = torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage())
                self.before[_memory(tensor)] = whole, whole.clone()


def _repeat(func: Any, args: Any, kwargs: Any, made: Sequence[Tensor]) -> None:
    for old, new in zip(made, _tensors(func(*args, **kwargs)), strict=True):
        if _memory(old) != _memory(new):  # a view, or a tensor that was changed in place, has its values already
            old.copy_(new)


def _tensors(values: Any) -> list[Tensor]:
    """Return all tensors that have memory, which empty ones and the zeros of forward mode have not."""
    found = [one for one in tree_leaves(values) if isinstance(one, Tensor)]
    return [one for one in found if not one._is_zerotensor() and one.numel()]


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
