"""A computation as scalar operations without repetition, and its derivative along a tangent vector."""

import math
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

Node = int  # a position in `Graph.operations`
CONDITIONS = frozenset({
    "less", "less_or_equal", "greater", "greater_or_equal", "equal", "different", "both", "either", "opposite",
})  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One operation on earlier nodes; `value` is that of a constant, or the position of an input."""

    name: str
    arguments: tuple[Node, ...] = ()
    value: float = 0.0


@dataclass
class Graph:
    """Scalar operations in the order of their computation; equal ones are stored once.

    Nothing is reordered, so that a graph rounds as the computation that it was made from. Numbers that do not depend on
    the inputs are computed at once, in double precision.
    """

    operations: list[Operation] = field(default_factory=list)
    _known: dict[object, Node] = field(default_factory=dict)

    def input(self, position: int) -> Node:
        """Return the node of an entry of the state."""
        return self._node(Operation("input", (), float(position)))

    def tangent(self, position: int) -> Node:
        """Return the node of an entry of the tangent vector."""
        return self._node(Operation("tangent", (), float(position)))

    def constant(self, value: float) -> Node:
        """Return the node of a number."""
        return self._node(Operation("constant", (), float(value)))

    def value(self, node: Node) -> float | None:
        """Return the number of a constant node; None for other nodes."""
        operation = self.operations[node]
        return operation.value if operation.name == "constant" else None

    def apply(self, name: str, *arguments: Node) -> Node:
        """Return the node of an operation on nodes."""
        if (known := self._without_work(name, arguments)) is not None:
            return known
        return self._node(Operation(name, arguments))

    def number(self, node: Node) -> Node:
        """Return 1 or 0 in place of a condition, and any other node itself."""
        if self.operations[node].name not in CONDITIONS:
            return node
        return self.apply("choose", node, self.constant(1.0), self.constant(0.0))

    def _node(self, operation: Operation) -> Node:
        # The bits of a number tell 0 from -0, and NaN equals itself.
        key = operation.name, operation.arguments, struct.pack("d", operation.value)
        if key not in self._known:
            self._known[key] = len(self.operations)
            self.operations.append(operation)
        return self._known[key]

    def _without_work(self, name: str, arguments: tuple[Node, ...]) -> Node | None:
        """Return the result of an operation on constants, of a multiplication by 1, and of a choice that is made."""
        values = [self.value(one) for one in arguments]
        if name == "choose" and (values[0] is not None or arguments[1] == arguments[2]):
            return arguments[1] if values[0] else arguments[2]
        if name in ("both", "either") and any(one is not None for one in values):
            known = next(i for i, one in enumerate(values) if one is not None)
            return arguments[1 - known] if bool(values[known]) == (name == "both") else arguments[known]
        if name in _FOLDED and all(one is not None for one in values):
            return self.constant(_FOLDED[name](*(one for one in values if one is not None)))
        if name == "multiply" and 1.0 in values:
            return arguments[1 - values.index(1.0)]
        return None

    def depending_on(self, name: str) -> list[bool]:
        """Return for each node whether an operation of this name, `input` or `tangent`, is among its origins."""
        depends = list[bool]()
        for operation in self.operations:
            depends.append(operation.name == name or any(depends[one] for one in operation.arguments))
        return depends

    def needed(self, outputs: Iterable[Node]) -> list[Node]:
        """Return the nodes from which the outputs are computed, in order, the outputs among them."""
        reached, waiting = set[Node](), list(outputs)
        while waiting:
            if (node := waiting.pop()) not in reached:
                reached.add(node)
                waiting.extend(self.operations[node].arguments)
        return sorted(reached)


def derivatives(graph: Graph, outputs: list[Node], size: int) -> list[Node]:
    """Return the derivatives of the outputs along a tangent vector of `size` entries, as further nodes of the graph.

    Raises:
        KeyError: if an operation has no known derivative.
    """
    return _along(graph, outputs, {graph.input(i): graph.tangent(i) for i in range(size)})


def partial_derivatives(graph: Graph, outputs: list[Node], size: int) -> list[list[Node]]:
    """Return the derivative of each output by each of `size` inputs, as further nodes: the rows of the Jacobian.

    Raises:
        KeyError: if an operation has no known derivative.
    """
    one = graph.constant(1.0)
    columns = [_along(graph, outputs, {graph.input(i): one}) for i in range(size)]
    return [list(row) for row in zip(*columns, strict=True)]


def _along(graph: Graph, outputs: list[Node], slopes: dict[Node, Node]) -> list[Node]:
    """Return the derivatives of the outputs, given those of some inputs."""
    for node in graph.needed(outputs):
        operation = graph.operations[node]
        along = [slopes.get(one) for one in operation.arguments]
        if all(one is None for one in along) or operation.name in _FLAT:
            continue
        slope = _SLOPES[operation.name](graph, node, operation.arguments, along)
        if slope is not None:
            slopes[node] = slope
    return [slopes[node] if node in slopes else graph.constant(0.0) for node in outputs]


# A slope of None is zero; that of a condition is never asked for.
_Slope = Callable[[Graph, Node, tuple[Node, ...], list[Node | None]], Node | None]


def _sum(graph: Graph, first: Node | None, second: Node | None) -> Node | None:
    if first is None or second is None:
        return second if first is None else first
    return graph.apply("add", first, second)


def _negated(graph: Graph, node: Node | None) -> Node | None:
    return None if node is None else graph.apply("negate", node)


def _times(graph: Graph, factor: Node, node: Node | None) -> Node | None:
    return None if node is None else graph.apply("multiply", factor, node)


def _added(graph: Graph, node: Node, arguments: tuple[Node, ...], along: list[Node | None]) -> Node | None:
    return _sum(graph, *along)


def _subtracted(graph: Graph, node: Node, arguments: tuple[Node, ...], along: list[Node | None]) -> Node | None:
    first, second = along
    if first is None or second is None:
        return _negated(graph, second) if first is None else first
    return graph.apply("subtract", first, second)


def _multiplied(graph: Graph, node: Node, arguments: tuple[Node, ...], along: list[Node | None]) -> Node | None:
    a, b = arguments
    return _sum(graph, _times(graph, b, along[0]), _times(graph, a, along[1]))


def _multiply_added(graph: Graph, node: Node, arguments: tuple[Node, ...], along: list[Node | None]) -> Node | None:
    a, b, _ = arguments
    first, second, third = along
    if first is None and second is not None and third is not None:
        return graph.apply("multiply_add", a, second, third)
    return _sum(graph, _multiplied(graph, node, (a, b), [first, second]), third)


def _divided(graph: Graph, node: Node, arguments: tuple[Node, ...], along: list[Node | None]) -> Node | None:
    above = _subtracted(graph, node, (), [along[0], _times(graph, node, along[1])])
    return None if above is None else graph.apply("divide", above, arguments[1])


def _power(graph: Graph, node: Node, arguments: tuple[Node, ...], along: list[Node | None]) -> Node | None:
    base, exponent = arguments
    lower = graph.apply("power", base, graph.apply("subtract", exponent, graph.constant(1.0)))
    by_base = _times(graph, graph.apply("multiply", exponent, lower), along[0])
    by_exponent = None
    if along[1] is not None:
        by_exponent = _times(graph, graph.apply("multiply", node, graph.apply("log", base)), along[1])
    return _sum(graph, by_base, by_exponent)


def _arctangent2(graph: Graph, node: Node, arguments: tuple[Node, ...], along: list[Node | None]) -> Node | None:
    y, x = arguments
    square = graph.apply("add", graph.apply("multiply", x, x), graph.apply("multiply", y, y))
    by_y = _times(graph, graph.apply("divide", x, square), along[0])
    return _subtracted(graph, node, (), [by_y, _times(graph, graph.apply("divide", y, square), along[1])])


def _remainder(graph: Graph, node: Node, arguments: tuple[Node, ...], along: list[Node | None]) -> Node | None:
    if along[1] is None:
        return along[0]
    quotient = graph.apply("floor", graph.apply("divide", *arguments))
    return _subtracted(graph, node, (), [along[0], _times(graph, quotient, along[1])])


def _chosen(graph: Graph, node: Node, arguments: tuple[Node, ...], along: list[Node | None]) -> Node | None:
    zero = graph.constant(0.0)
    first, second = (zero if one is None else one for one in along[1:])
    return None if first == second == zero else graph.apply("choose", arguments[0], first, second)


def _extreme(comparison: str) -> _Slope:
    """Return the slope of a minimum or maximum: of the argument that it is; the mean of both where they are equal."""

    def slope(graph: Graph, node: Node, arguments: tuple[Node, ...], along: list[Node | None]) -> Node | None:
        zero = graph.constant(0.0)
        a, b = (zero if one is None else one for one in along)
        mean = graph.apply("multiply", graph.constant(0.5), graph.apply("add", a, b))
        tied = graph.apply("choose", graph.apply("equal", *arguments), mean, b)
        return graph.apply("choose", graph.apply(comparison, *arguments), a, tied)

    return slope


def _by(factor: Callable[[Graph, Node, Node], Node]) -> _Slope:
    """Return the slope of a function of one argument from its derivative, given the result and the argument."""

    def slope(graph: Graph, node: Node, arguments: tuple[Node, ...], along: list[Node | None]) -> Node | None:
        return _times(graph, factor(graph, node, arguments[0]), along[0])

    return slope


def _reciprocal(graph: Graph, node: Node) -> Node:
    return graph.apply("divide", graph.constant(1.0), node)


def _one_minus(graph: Graph, node: Node) -> Node:
    return graph.apply("subtract", graph.constant(1.0), node)


def _one_plus(graph: Graph, sign: str, node: Node) -> Node:
    """Return 1 + x^2, or 1 - x^2 where the sign is `subtract`."""
    return graph.apply(sign, graph.constant(1.0), graph.apply("multiply", node, node))


_FLAT = frozenset({"sign", "floor", "ceil", "truncate", "round"}) | CONDITIONS
_SLOPES: Mapping[str, _Slope] = {
    "add": _added,
    "subtract": _subtracted,
    "multiply": _multiplied,
    "multiply_add": _multiply_added,
    "divide": _divided,
    "negate": lambda graph, node, arguments, along: _negated(graph, along[0]),
    "power": _power,
    "arctangent2": _arctangent2,
    "remainder": _remainder,
    "choose": _chosen,
    "minimum": _extreme("less"),
    "maximum": _extreme("greater"),
    "absolute": _by(lambda graph, node, x: graph.apply("sign", x)),
    "root": _by(lambda graph, node, x: graph.apply("divide", graph.constant(0.5), node)),
    "sine": _by(lambda graph, node, x: graph.apply("cosine", x)),
    "cosine": _by(lambda graph, node, x: graph.apply("negate", graph.apply("sine", x))),
    "tangent_of": _by(lambda graph, node, x: _one_plus(graph, "add", node)),
    "arctangent": _by(lambda graph, node, x: _reciprocal(graph, _one_plus(graph, "add", x))),
    "exponential": _by(lambda graph, node, x: node),
    "log": _by(lambda graph, node, x: _reciprocal(graph, x)),
    "hyperbolic_tangent": _by(lambda graph, node, x: _one_plus(graph, "subtract", node)),
    "sigmoid": _by(lambda graph, node, x: graph.apply("multiply", node, _one_minus(graph, node))),
    "hyperbolic_sine": _by(lambda graph, node, x: graph.apply("hyperbolic_cosine", x)),
    "hyperbolic_cosine": _by(lambda graph, node, x: graph.apply("hyperbolic_sine", x)),
}
_FOLDED: Mapping[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "negate": lambda a: -a,
    "less": lambda a, b: float(a < b),
    "equal": lambda a, b: float(a == b),
    "divide": lambda a, b: a / b if b else math.copysign(math.inf, a) * math.copysign(1, b) if a else math.nan,
}
