"""A recorder for tests that does on a CPU what a CUDA graph does: it repeats the same operations at the same addresses.

Numbers of Python, and tensors that the function makes in another way, are those of the recording.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from typing_extensions import override

_WAITING = ("_local_scalar_dense", "is_nonzero", "nonzero", "equal")


class OperationRecorder:
    """Records operations of torch; `recorded` and `replayed` count, and `refused` names operations that raise."""

    def __init__(self, *refused: str) -> None:
        self.recorded, self.replayed, self.refused = 0, 0, (*_WAITING, *refused)

    def record(self, function: Callable[[], tuple[Tensor, ...]]) -> tuple[tuple[Tensor, ...], Callable[[], None]]:
        """Record the function; its results are spoiled, as a CUDA graph computes nothing while it is recorded."""
        self.recorded += 1
        with _Operations(self.refused) as operations:
            results = function()
        for one in results:
            one.fill_(-7.0)

        def replay() -> None:
            self.replayed += 1
            for repeat in operations.repeats:
                repeat()

        return results, replay


class _Operations(TorchDispatchMode):
    def __init__(self, refused: tuple[str, ...]) -> None:
        super().__init__()
        self.refused, self.repeats = refused, list[Callable[[], None]]()

    @override
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.removeprefix("aten::")
        if name in self.refused:
            raise RuntimeError(f"{name} waits for the device")
        result = func(*args, **(kwargs or {}))
        made = [one for one in tree_leaves(result) if isinstance(one, Tensor)]
        self.repeats.append(lambda: _repeat(func, args, kwargs or {}, made))
        return result


def _repeat(func: Any, args: Any, kwargs: Any, made: list[Tensor]) -> None:
    again = [one for one in tree_leaves(func(*args, **kwargs)) if isinstance(one, Tensor)]
    for old, new in zip(made, again, strict=True):
        if old._is_zerotensor() or not old.numel():  # zeros of forward mode, which have no memory
            continue
        if old.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():
            old.copy_(new)
