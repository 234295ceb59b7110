"""Scalar operations as machine code for this processor: functions of addresses, for one state or a vector of them.

LLVM only translates: every operation is rounded as it stands, and none is reordered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from chaosbench.kernels.scalar_graph import Graph, Node
from chaosbench.kernels.torch_functions import MODE, address_of

BYTES = 64  # of a vector of states


@dataclass(frozen=True)
class Machine:
    """Compiled functions, by name, as addresses; `engine` keeps their code alive."""

    addresses: dict[str, int]
    engine: Any


@dataclass(frozen=True)
class Section:
    """A function to compile: it loads and computes nodes, and stores the outputs.

    Attributes:
        name: of the function.
        sources: the arrays it reads, one for each of its first arguments: the node of each entry.
        targets: the arrays it writes, one for each of the arguments behind.
    """

    name: str
    sources: Sequence[Sequence[Node]]
    targets: Sequence[Sequence[Node]]


def compile_sections(graph: Graph, sections: Sequence[Section], *, bits: int, width: int) -> Machine:
    """Compile functions of arrays of `width` numbers of `bits` bits each, one array for each entry of a state."""
    module = ir.Module("steps")
    for section in sections:
        _Writer(graph, module, bits, width).write(section)
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    engine = llvm.create_mcjit_compiler(parsed, _processor())
    engine.finalize_object()
    return Machine({section.name: engine.get_function_address(section.name) for section in sections}, engine)


def _processor() -> Any:
    """Return the description of this processor for one engine, which owns it."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=2, jit=True)


class _Writer:
    """Writes one function, node by node."""

    def __init__(self, graph: Graph, module: ir.Module, bits: int, width: int) -> None:
        self._graph, self._module = graph, module
        self._scalar = ir.FloatType() if bits == 32 else ir.DoubleType()
        self._type = self._scalar if width == 1 else ir.VectorType(self._scalar, width)
        self._width, self._suffix = width, f"f{bits}" if width == 1 else f"v{width}f{bits}"
        self._values = dict[Node, Any]()
        self._builder = ir.IRBuilder()
        self._room: tuple[Any, Any] | None = None  # where torch's functions read and write

    def write(self, section: Section) -> None:
        arrays = [*section.sources, *section.targets]
        pointers = [self._scalar.as_pointer()] * len(arrays)
        function = ir.Function(self._module, ir.FunctionType(ir.VoidType(), pointers), section.name)
        self._builder, self._room = ir.IRBuilder(function.append_basic_block()), None
        inputs = function.args[: len(section.sources)]
        given = {
            node: (array, at)
            for array, nodes in zip(inputs, section.sources, strict=True)
            for at, node in enumerate(nodes)
        }
        outputs = [node for nodes in section.targets for node in nodes]
        for node in self._needed(outputs, set(given)):
            self._values[node] = self._load(*given[node]) if node in given else self._computed(node)
        for array, nodes in zip(function.args[len(inputs) :], section.targets, strict=True):
            for at, node in enumerate(nodes):
                self._builder.store(self._values[node], self._place(array, at), align=self._scalar_bytes())
        self._builder.ret_void()

    def _needed(self, outputs: Sequence[Node], given: set[Node]) -> list[Node]:
        """Return the nodes to load or to compute, in order."""
        reached, waiting = set[Node](), list(outputs)
        while waiting:
            if (node := waiting.pop()) not in reached:
                reached.add(node)
                waiting.extend(() if node in given else self._graph.operations[node].arguments)
        return sorted(reached)

    def _place(self, array: Any, at: int) -> Any:
        place = self._builder.gep(array, [ir.Constant(ir.IntType(64), at * self._width)])
        return self._builder.bitcast(place, self._type.as_pointer())

    def _load(self, array: Any, at: int) -> Any:
        return self._builder.load(self._place(array, at), align=self._scalar_bytes())

    def _scalar_bytes(self) -> int:
        return 4 if isinstance(self._scalar, ir.FloatType) else 8

    def _constant(self, value: float) -> Any:
        return ir.Constant(self._type, value if self._width == 1 else [value] * self._width)

    def _computed(self, node: Node) -> Any:
        operation = self._graph.operations[node]
        if operation.name == "constant":
            return self._constant(operation.value)
        arguments = [self._values[one] for one in operation.arguments]
        build = self._builder
        if operation.name in _INSTRUCTIONS:
            return getattr(build, _INSTRUCTIONS[operation.name])(*arguments)
        if operation.name in _COMPARISONS:
            ordered = build.fcmp_unordered if operation.name == "different" else build.fcmp_ordered
            return ordered(_COMPARISONS[operation.name], *arguments)
        if operation.name in _INTRINSICS:
            name = f"llvm.{_INTRINSICS[operation.name]}.{self._suffix}"
            return build.call(self._declared(name, self._type, len(arguments)), arguments)
        if (address := address_of(operation.name, 8 * self._scalar_bytes())) is not None:
            return self._by_torch(address, *arguments)
        if operation.name in _LIBRARY:
            return self._by_library(_LIBRARY[operation.name], arguments)
        return getattr(self, f"_{operation.name}")(*arguments)

    def _declared(self, name: str, kind: Any, count: int) -> Any:
        if name in self._module.globals:
            return self._module.globals[name]
        return ir.Function(self._module, ir.FunctionType(kind, [kind] * count), name)

    def _by_library(self, name: str, arguments: Sequence[Any]) -> Any:
        """Call a function of the C library, entry by entry."""
        name = name + "f" if isinstance(self._scalar, ir.FloatType) else name
        function = self._declared(name, self._scalar, len(arguments))
        if self._width == 1:
            return self._builder.call(function, arguments)
        result = ir.Constant(self._type, ir.Undefined)
        for lane in range(self._width):
            at = ir.Constant(ir.IntType(32), lane)
            value = self._builder.call(function, [self._builder.extract_element(one, at) for one in arguments])
            result = self._builder.insert_element(result, value, at)
        return result

    def _by_torch(self, address: int, argument: Any) -> Any:
        """Call the function of arrays by which torch computes this operation."""
        build, whole = self._builder, ir.IntType(64)
        if self._room is None:
            self._room = build.alloca(self._type), build.alloca(self._type)
        source, target = self._room
        kind = ir.FunctionType(ir.VoidType(), [whole, self._type.as_pointer(), self._type.as_pointer(), whole])
        function = build.inttoptr(ir.Constant(whole, address), kind.as_pointer())
        build.store(argument, source)
        build.call(function, [ir.Constant(whole, self._width), source, target, ir.Constant(whole, MODE)])
        return build.load(target)

    def _sigmoid(self, x: Any) -> Any:
        """Return 1 / (1 + exp(-x)); the exponential in torch's sigmoid is not the one of its own exponential."""
        build, one = self._builder, self._constant(1.0)
        return build.fdiv(one, build.fadd(one, self._by_library("exp", [build.fneg(x)])))

    def _sign(self, x: Any) -> Any:
        """Return -1, 0 or 1; NaN gives 0 as in torch."""
        build, zero = self._builder, self._constant(0.0)
        negative = build.select(build.fcmp_ordered("<", x, zero), self._constant(-1.0), zero)
        return build.select(build.fcmp_ordered(">", x, zero), self._constant(1.0), negative)

    def _minimum(self, a: Any, b: Any) -> Any:
        return self._extreme("<", a, b)

    def _maximum(self, a: Any, b: Any) -> Any:
        return self._extreme(">", a, b)

    def _extreme(self, comparison: str, a: Any, b: Any) -> Any:
        """Return the smaller or larger number; NaN if one is."""
        chosen = self._builder.select(self._builder.fcmp_ordered(comparison, a, b), a, b)
        return self._builder.select(self._builder.fcmp_unordered("uno", a, a), a, chosen)

    def _remainder(self, a: Any, b: Any) -> Any:
        """Return the remainder with the sign of the divisor."""
        build, zero = self._builder, self._constant(0.0)
        rest = self._by_library("fmod", [a, b])
        opposite = build.xor(build.fcmp_ordered("<", rest, zero), build.fcmp_ordered("<", b, zero))
        turned = build.and_(opposite, build.fcmp_unordered("!=", rest, zero))
        return build.select(turned, build.fadd(rest, b), rest)


_INSTRUCTIONS = {
    "add": "fadd", "subtract": "fsub", "multiply": "fmul", "divide": "fdiv", "negate": "fneg", "choose": "select",
    "both": "and_", "either": "or_", "opposite": "not_",
}  # fmt: skip
_COMPARISONS = {
    "less": "<", "less_or_equal": "<=", "greater": ">", "greater_or_equal": ">=", "equal": "==", "different": "!=",
}  # fmt: skip
_INTRINSICS = {
    "multiply_add": "fma", "root": "sqrt", "absolute": "fabs", "floor": "floor", "ceil": "ceil", "truncate": "trunc",
    "round": "roundeven",
}  # fmt: skip
_LIBRARY = {
    "sine": "sin", "cosine": "cos", "tangent_of": "tan", "arctangent": "atan", "arctangent2": "atan2",
    "exponential": "exp", "log": "log", "power": "pow", "hyperbolic_tangent": "tanh", "hyperbolic_sine": "sinh",
    "hyperbolic_cosine": "cosh",
}  # fmt: skip
