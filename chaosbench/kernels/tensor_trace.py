"""A torch function of a state as scalar operations, found by watching one call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from chaosbench.kernels.scalar_graph import Graph, Node
from chaosbench.kernels.scalar_operations import ELEMENTWISE, IN_PLACE, REARRANGING, SUMMING, VIEWS

Nodes = Any  # an array of nodes, as numpy's object arrays: its views are views of each other, as a tensor's are
_LARGEST_CONSTANT = 10_000  # entries of a constant tensor


class UntraceableError(Exception):
    """A function is not a fixed sequence of known operations on scalars."""


@dataclass(frozen=True)
class Trace:
    """The scalar operations of a function, the nodes of its result, and how many operations of torch it called."""

    graph: Graph
    outputs: list[Node]
    calls: int


def trace(function: Callable[[Tensor], Tensor], state: Tensor) -> Trace:
    """Return the scalar operations that a function of a state performs.

    The function is called once. What it does with the state's numbers is recorded; everything else that it computes is
    a constant.

    Args:
        function: maps a state to the next one, or to its derivative.
        state: `(..., S)` with a single state, in the layout that the function expects.

    Raises:
        UntraceableError: if it needs the value of a number that depends on the state, or an unknown operation.
    """
    watcher = _Watcher(state)
    try:
        with torch.no_grad(), watcher:
            result = function(state)
    except UntraceableError:
        raise
    except Exception as error:  # the function is not ours; on a single state it may fail in any way
        raise UntraceableError(f"{type(error).__name__}: {error}") from error
    if not isinstance(result, Tensor) or result.shape != state.shape or result.dtype != state.dtype:
        raise UntraceableError("the result is not a state")
    outputs = [watcher.graph.number(int(node)) for node in watcher.nodes(result).flatten()]
    return Trace(watcher.graph, outputs, watcher.calls)


class _Watcher(TorchDispatchMode):
    """Records what happens to the numbers of a state, beside torch's own computation."""

    def __init__(self, state: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # of torch
        self.graph, self.calls, self._dtype = Graph(), 0, state.dtype
        self._nodes = dict[int, Nodes]()
        self._alive = list[Tensor]()  # so that no later tensor has the identity of an earlier one
        entries = np.array([self.graph.input(i) for i in range(state.numel())], dtype=object)
        self._remember(state, entries.reshape(tuple(state.shape)))

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False: torch would import its compiler, which takes seconds, only to keep it out of this class."""
        return False

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Compute an operation as torch does, and record it."""
        self.calls += 1
        kwargs, name = kwargs or {}, function.overloadpacket.__name__
        if not self._depends((args, kwargs)) and not (name in VIEWS and args[0].dtype == self._dtype):
            result = function(*args, **kwargs)
            if name.endswith("_") and isinstance(args[0], Tensor) and id(args[0]) in self._nodes:
                self._nodes[id(args[0])][...] = self._constants(args[0])
            return result
        if (record := _RECORDERS.get(name)) is None:
            raise UntraceableError(f"torch's {name} is not among the operations that are compiled")
        nodes = record(self.graph, *self._lifted(args), **self._lifted(kwargs))
        result = function(*args, **kwargs)
        self._keep(name, args, result, nodes)
        return result

    def _keep(self, name: str, args: Sequence[Any], result: Any, nodes: Nodes) -> None:
        """Remember the nodes of an operation's result, or write them into those of the tensor that it changes."""
        if name.endswith("_"):
            if args[0].dtype != self._dtype:
                raise UntraceableError(f"it writes into a tensor of {args[0].dtype}, not of {self._dtype}")
            self.nodes(args[0])[...] = nodes
            return
        pairs = [(result, nodes)] if isinstance(result, Tensor) else zip(result, nodes, strict=True)
        for tensor, entries in pairs:
            if tensor.dtype not in (self._dtype, torch.bool) and self._varies(entries):
                raise UntraceableError(f"it computes in {tensor.dtype}, not in {self._dtype}")
            self._remember(tensor, entries)

    def nodes(self, tensor: Tensor) -> Nodes:
        """Return the nodes of a tensor; one that does not depend on the state consists of constants."""
        if id(tensor) not in self._nodes:
            self._remember(tensor, self._constants(tensor))
        return self._nodes[id(tensor)]

    def _remember(self, tensor: Tensor, nodes: Nodes) -> None:
        nodes = np.asarray(nodes, dtype=object)
        assert nodes.shape == tuple(tensor.shape), f"{nodes.shape} nodes for a tensor {tuple(tensor.shape)}"
        self._nodes[id(tensor)] = nodes
        self._alive.append(tensor)

    def _constants(self, tensor: Tensor) -> Nodes:
        if tensor.numel() > _LARGEST_CONSTANT or tensor.is_complex():
            raise UntraceableError(f"it uses a tensor {tuple(tensor.shape)} of {tensor.dtype}")
        values = tensor.detach().flatten().tolist()
        entries = np.array([self.graph.constant(float(value)) for value in values], dtype=object)
        return entries.reshape(tuple(tensor.shape))

    def _depends(self, given: Any) -> bool:
        """Return whether a tensor among (nested) arguments depends on the state."""
        if isinstance(given, Tensor):
            return id(given) in self._nodes and self._varies(self._nodes[id(given)])
        if isinstance(given, dict):
            return self._depends(tuple(given.values()))
        return isinstance(given, list | tuple) and any(self._depends(one) for one in given)

    def _varies(self, nodes: Nodes) -> bool:
        return any(self.graph.operations[node].name != "constant" for node in nodes.flat)

    def _lifted(self, given: Any) -> Any:
        """Return (nested) arguments with nodes in place of tensors; whole numbers that are indices stay tensors."""
        if isinstance(given, Tensor):
            index = given.dtype not in (self._dtype, torch.bool) and not given.is_floating_point()
            return given if index and given.dim() else self.nodes(given)
        if isinstance(given, dict):
            return {name: self._lifted(one) for name, one in given.items()}
        return type(given)(self._lifted(one) for one in given) if isinstance(given, list | tuple) else given


_RECORDERS: dict[str, Callable[..., Nodes]] = {**ELEMENTWISE, **VIEWS, **REARRANGING, **SUMMING, **IN_PLACE}
