"""Operations of torch on arrays of scalar nodes: each function records what the operation of its name computes."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
import torch

from chaosbench.kernels.scalar_graph import Graph

Nodes = Any  # numpy object array of nodes, or a number
Recorder = Callable[..., Nodes]


def _broadcast(graph: Graph, name: str, *operands: Nodes) -> Nodes:
    """Record an operation entry by entry; numbers become constants, and conditions that are computed with 1 and 0."""
    nodes = [one if isinstance(one, np.ndarray) else np.array(graph.constant(float(one)), object) for one in operands]
    spread: list[Nodes] = list(np.broadcast_arrays(*nodes))
    found = np.empty(spread[0].shape, dtype=object)
    for index in np.ndindex(found.shape):
        entries: list[int] = [one[index] for one in spread]
        if name not in _LOGICAL:
            first = entries[:1] if name == "choose" else [graph.number(entries[0])]
            entries = [*first, *map(graph.number, entries[1:])]
        found[index] = graph.apply(name, *entries)
    return found


_LOGICAL = frozenset({"both", "either", "opposite"})


def _entrywise(name: str) -> Recorder:
    def record(graph: Graph, *operands: Nodes) -> Nodes:
        return _broadcast(graph, name, *operands)

    return record


def _add(graph: Graph, first: Nodes, second: Nodes, *, alpha: float = 1) -> Nodes:
    # Torch rounds a sum with a factor once.
    return (
        _broadcast(graph, "add", first, second)
        if alpha == 1
        else _broadcast(graph, "multiply_add", alpha, second, first)
    )


def _sub(graph: Graph, first: Nodes, second: Nodes, *, alpha: float = 1) -> Nodes:
    if alpha == 1:
        return _broadcast(graph, "subtract", first, second)
    return _broadcast(graph, "multiply_add", -alpha, second, first)


def _rsub(graph: Graph, first: Nodes, second: Nodes, alpha: float = 1) -> Nodes:
    return _sub(graph, second, first, alpha=alpha)


def _div(graph: Graph, first: Nodes, second: Nodes, *, rounding_mode: str | None = None) -> Nodes:
    quotient = _broadcast(graph, "divide", first, second)
    if rounding_mode is None:
        return quotient
    return _broadcast(graph, {"floor": "floor", "trunc": "truncate"}[rounding_mode], quotient)


def _pow(graph: Graph, base: Nodes, exponent: Nodes) -> Nodes:
    """Record a power as torch computes it: products for small whole exponents, and a square root."""
    if isinstance(exponent, np.ndarray) or exponent not in (1, 2, 3, 0.5, -0.5, -1, -2):
        return _broadcast(graph, "power", base, exponent)
    if exponent == 1:
        return base
    if abs(exponent) == 0.5:
        positive = _broadcast(graph, "root", base)
    else:
        positive = reduce(lambda a, b: _broadcast(graph, "multiply", a, b), [base] * int(abs(exponent)))
    return positive if exponent > 0 else _reciprocal(graph, positive)


def _reciprocal(graph: Graph, one: Nodes) -> Nodes:
    return _broadcast(graph, "divide", 1.0, one)


def _rsqrt(graph: Graph, one: Nodes) -> Nodes:
    return _reciprocal(graph, _broadcast(graph, "root", one))


def _relu(graph: Graph, one: Nodes) -> Nodes:
    return _broadcast(graph, "choose", _broadcast(graph, "less_or_equal", one, 0.0), 0.0, one)


def _clamp(graph: Graph, one: Nodes, lowest: Nodes = None, highest: Nodes = None) -> Nodes:
    """Record a clamp with the slope of torch, which is 1 at both bounds."""
    if lowest is not None:
        one = _broadcast(graph, "choose", _broadcast(graph, "less", one, lowest), lowest, one)
    if highest is not None:
        one = _broadcast(graph, "choose", _broadcast(graph, "greater", one, highest), highest, one)
    return one


def _addcmul(graph: Graph, start: Nodes, first: Nodes, second: Nodes, *, value: float = 1) -> Nodes:
    return _add(graph, start, _broadcast(graph, "multiply", _scaled(graph, value, first), second))


def _addcdiv(graph: Graph, start: Nodes, first: Nodes, second: Nodes, *, value: float = 1) -> Nodes:
    return _add(graph, start, _broadcast(graph, "divide", _scaled(graph, value, first), second))


def _scaled(graph: Graph, factor: float, one: Nodes) -> Nodes:
    return one if factor == 1 else _broadcast(graph, "multiply", factor, one)


def _lerp(graph: Graph, start: Nodes, end: Nodes, weight: Nodes) -> Nodes:
    return _add(graph, start, _broadcast(graph, "multiply", weight, _sub(graph, end, start)))


def _copy(graph: Graph, one: Nodes, *_: Any, **__: Any) -> Nodes:
    return one.copy()


def _converted(graph: Graph, one: Nodes, *, dtype: torch.dtype | None = None, **_: Any) -> Nodes:
    """Record a conversion; truth values become 1 and 0."""
    found = one.copy()
    if dtype is not None and dtype.is_floating_point:
        for index in np.ndindex(found.shape):
            found[index] = graph.number(one[index])
    return found


def _sum(graph: Graph, one: Nodes, axes: Sequence[int] | None = None, keepdim: bool = False, **_: Any) -> Nodes:
    return _reduced(graph, "add", one, axes, keepdim)


def _mean(graph: Graph, one: Nodes, axes: Sequence[int] | None = None, keepdim: bool = False, **_: Any) -> Nodes:
    total = _reduced(graph, "add", one, axes, keepdim)
    return _broadcast(graph, "divide", total, one.size // max(total.size, 1))


def _reduced(graph: Graph, name: str, one: Nodes, axes: Sequence[int] | None, keepdim: bool) -> Nodes:
    """Combine entries along axes, from the first to the last; all axes if there are none."""
    every = tuple(range(one.ndim))
    along = tuple(axis % one.ndim for axis in axes) if axes and one.ndim else every
    kept = [axis for axis in every if axis not in along]
    rows = one.transpose(*kept, *along).reshape([one.shape[axis] for axis in kept] + [-1])
    found = np.empty(rows.shape[:-1], dtype=object)
    for index in np.ndindex(found.shape):
        found[index] = reduce(lambda a, b: graph.apply(name, a, b), rows[index])
    return np.expand_dims(found, along) if keepdim and one.ndim else found


def _product(graph: Graph, first: Nodes, second: Nodes) -> Nodes:
    """Record a product of matrices, of a matrix and a vector, or of two vectors, batched or not."""
    left = first if first.ndim > 1 else first[None]
    right = second if second.ndim > 1 else second[:, None]
    terms = _broadcast(graph, "multiply", left[..., :, None, :], np.swapaxes(right, -1, -2)[..., None, :, :])
    found = _reduced(graph, "add", terms, (-1,), False)
    found = found if second.ndim > 1 else found[..., 0]
    return found if first.ndim > 1 else found[..., 0, :] if second.ndim > 1 else found[0]


def _addmm(graph: Graph, start: Nodes, first: Nodes, second: Nodes, *, beta: float = 1, alpha: float = 1) -> Nodes:
    return _add(graph, _scaled(graph, beta, start), _scaled(graph, alpha, _product(graph, first, second)))


def _index(graph: Graph, one: Nodes, indices: Sequence[Any]) -> Nodes:
    return one[tuple(slice(None) if index is None else _whole(graph, index) for index in indices)]


def _index_select(graph: Graph, one: Nodes, axis: int, index: Any) -> Nodes:
    return np.take(one, _whole(graph, index), axis=axis)


def _whole(graph: Graph, index: Any) -> Any:
    """Return constant indices as whole numbers, or a constant mask as truth values."""
    if isinstance(index, torch.Tensor):
        return index.numpy()
    values = [graph.value(node) for node in index.flat]
    assert all(value is not None for value in values), "the entries that are chosen depend on the state"
    return np.array(values, dtype=float).astype(bool if set(values) <= {0.0, 1.0} else int).reshape(index.shape)


def _slice(
    graph: Graph, one: Nodes, axis: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Nodes:
    return one[(slice(None),) * (axis % one.ndim) + (slice(start, end, step),)]


def _select(graph: Graph, one: Nodes, axis: int, index: int) -> Nodes:
    return one[(slice(None),) * (axis % one.ndim) + (index, ...)]


def _unbind(graph: Graph, one: Nodes, axis: int = 0) -> list[Nodes]:
    return [_select(graph, one, axis, index) for index in range(one.shape[axis])]


def _split(graph: Graph, one: Nodes, size: int | Sequence[int], axis: int = 0) -> list[Nodes]:
    length = one.shape[axis]
    sizes = [min(size, length - at) for at in range(0, length, size)] if isinstance(size, int) else list(size)
    ends = np.cumsum(sizes).tolist()
    return [_slice(graph, one, axis, end - part, end) for end, part in zip(ends, sizes, strict=True)]


def _squeeze(graph: Graph, one: Nodes, axes: Any = None) -> Nodes:
    chosen = range(one.ndim) if axes is None else [axes] if isinstance(axes, int) else axes
    return np.squeeze(one, tuple(axis for axis in chosen if one.ndim and one.shape[axis] == 1))


def _permute(graph: Graph, one: Nodes, axes: Sequence[int]) -> Nodes:
    return one.transpose([axis % one.ndim for axis in axes])


def _swap(graph: Graph, one: Nodes, first: int = 0, second: int = 1) -> Nodes:
    return np.swapaxes(one, first, second) if one.ndim > 1 else one


def _expand(graph: Graph, one: Nodes, size: Sequence[int], **_: Any) -> Nodes:
    missing = len(size) - one.ndim
    shape = [one.shape[axis - missing] if length == -1 else length for axis, length in enumerate(size)]
    return np.broadcast_to(one, shape)


def _roll(graph: Graph, one: Nodes, shifts: Any, axes: Any = ()) -> Nodes:
    return np.roll(one, tuple(shifts), tuple(axes)) if axes else np.roll(one, next(iter(shifts)))


def _stack(graph: Graph, parts: Sequence[Nodes], axis: int = 0) -> Nodes:
    return np.stack(list(parts), axis)


def _cat(graph: Graph, parts: Sequence[Nodes], axis: int = 0) -> Nodes:
    return np.concatenate([part for part in parts if part.size], axis)


def _full(value: float) -> Recorder:
    def record(graph: Graph, one: Nodes, *_: Any, **__: Any) -> Nodes:
        return np.full(one.shape, graph.constant(value), dtype=object)

    return record


def _full_like(graph: Graph, one: Nodes, value: float, **_: Any) -> Nodes:
    return np.full(one.shape, graph.constant(float(value)), dtype=object)


def _filled(graph: Graph, one: Nodes, value: Nodes) -> Nodes:
    return value if isinstance(value, np.ndarray) else np.array(graph.constant(float(value)), dtype=object)


def _copied(graph: Graph, one: Nodes, source: Nodes, *_: Any) -> Nodes:
    return source.copy() if isinstance(source, np.ndarray) else source


_NAMES = {
    "mul": "multiply", "multiply": "multiply", "neg": "negate", "abs": "absolute", "sqrt": "root", "sin": "sine",
    "cos": "cosine", "tan": "tangent_of", "atan": "arctangent", "atan2": "arctangent2", "exp": "exponential",
    "log": "log", "tanh": "hyperbolic_tangent", "sinh": "hyperbolic_sine", "cosh": "hyperbolic_cosine",
    "sign": "sign", "sgn": "sign", "floor": "floor", "ceil": "ceil", "trunc": "truncate", "round": "round",
    "minimum": "minimum", "maximum": "maximum", "remainder": "remainder", "where": "choose", "lt": "less",
    "le": "less_or_equal", "gt": "greater", "ge": "greater_or_equal", "eq": "equal", "ne": "different",
    "logical_and": "both", "bitwise_and": "both", "logical_or": "either", "bitwise_or": "either",
    "logical_not": "opposite", "bitwise_not": "opposite", "sigmoid": "sigmoid",
}  # fmt: skip
ELEMENTWISE: dict[str, Recorder] = {
    **{name: _entrywise(ours) for name, ours in _NAMES.items()},
    "add": _add, "sub": _sub, "rsub": _rsub, "div": _div, "pow": _pow, "reciprocal": _reciprocal, "rsqrt": _rsqrt,
    "relu": _relu, "clamp": _clamp, "clamp_min": _clamp,
    "clamp_max": lambda graph, one, highest: _clamp(graph, one, None, highest),
    "addcmul": _addcmul, "addcdiv": _addcdiv, "lerp": _lerp, "square": lambda graph, one: _pow(graph, one, 2),
    "clone": _copy, "_to_copy": _converted,
    "zeros_like": _full(0.0), "ones_like": _full(1.0), "empty_like": _full(0.0), "full_like": _full_like,
    "new_zeros": lambda graph, one, size, **_: np.full(tuple(size), graph.constant(0.0), dtype=object),
}  # fmt: skip
SUMMING: dict[str, Recorder] = {
    "sum": _sum, "mean": _mean, "dot": _product, "mv": _product, "mm": _product, "bmm": _product, "addmm": _addmm,
    "addmv": _addmm,
}  # fmt: skip
VIEWS: dict[str, Recorder] = {
    "select": _select, "slice": _slice, "unbind": _unbind, "split": _split, "split_with_sizes": _split,
    "squeeze": _squeeze, "unsqueeze": lambda graph, one, axis: np.expand_dims(one, axis),
    "view": lambda graph, one, size: one.reshape(tuple(size)),
    "_unsafe_view": lambda graph, one, size: one.reshape(tuple(size)),
    "reshape": lambda graph, one, size: one.reshape(tuple(size)),
    "permute": _permute, "transpose": _swap, "t": _swap, "expand": _expand, "alias": lambda graph, one: one,
    "detach": lambda graph, one: one, "diagonal": lambda graph, one, *args: np.diagonal(one, *args),
    "lift_fresh": lambda graph, one: one,
}  # fmt: skip
REARRANGING: dict[str, Recorder] = {
    "roll": _roll, "stack": _stack, "cat": _cat, "flip": lambda graph, one, axes: np.flip(one, tuple(axes)),
    "index": _index, "index_select": _index_select,
    "repeat": lambda graph, one, times: np.tile(one, tuple(times)),
}  # fmt: skip
IN_PLACE: dict[str, Recorder] = {
    "copy_": _copied, "fill_": _filled, "zero_": lambda graph, one: _filled(graph, one, 0.0),
    "add_": _add, "sub_": _sub, "mul_": _entrywise("multiply"), "div_": _div, "neg_": _entrywise("negate"),
}  # fmt: skip
