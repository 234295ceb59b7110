"""A step of a small system as machine code, with its derivative along tangent vectors."""

import ctypes
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from chaosbench.kernels.scalar_graph import CONDITIONS, Node, derivatives
from chaosbench.kernels.tensor_trace import Trace
from chaosbench.kernels.torch_functions import address_of

# Operations that IEEE 754 prescribes to the last bit; sines, say, differ between libraries, unless torch's is called.
_PRESCRIBED = frozenset({
    "input", "constant", "add", "subtract", "multiply", "multiply_add", "divide", "negate", "root", "absolute",
    "minimum", "maximum", "sign", "choose", "floor", "ceil", "truncate", "less", "less_or_equal", "greater",
    "greater_or_equal", "equal", "different", "both", "either", "opposite",
    "remainder",  # is exact
})  # fmt: skip


class CompiledStep:
    """The machine code of a step, for a single state and for vectors of states.

    Args:
        trace: what the step computes.
        size: S, entries of a state.
        dtype: float32 or float64.
    """

    def __init__(self, trace: Trace, size: int, dtype: torch.dtype) -> None:
        self.size, self.dtype, self.calls = size, dtype, trace.calls
        self._graph, self._outputs = trace.graph, trace.outputs
        self._inputs = [self._graph.input(i) for i in range(size)]
        self._machines = dict[tuple[int, bool], Any]()

    @cached_property
    def prescribed(self) -> bool:
        """True if every operation has a result prescribed to the last bit, or is computed by torch's own function."""
        names = {self._graph.operations[node].name for node in self._graph.needed(self._outputs)}
        return all(name in _PRESCRIBED or address_of(name, 8 * self.dtype.itemsize) for name in names)

    @cached_property
    def operations(self) -> int:
        """Number of scalar operations of a step."""
        return len(self._graph.needed(self._outputs))

    @cached_property
    def _slopes(self) -> tuple[list[Node], list[Node], list[Node]]:
        """Nodes of the tangent vector, of its derivative, and of what the derivative reads from the step."""
        along = derivatives(self._graph, self._outputs, self.size)
        depends, operations = self._graph.depending_on("tangent"), self._graph.operations
        used = {one for node in self._graph.needed(along) if depends[node] for one in operations[node].arguments}
        kept, waiting = set[Node](), [one for one in used | set(along) if not depends[one]]
        while waiting:
            if operations[one := waiting.pop()].name in CONDITIONS:
                waiting.extend(operations[one].arguments)  # only numbers are kept; a comparison is made again
            elif operations[one].name != "constant":
                kept.add(one)
        return [self._graph.tangent(i) for i in range(self.size)], along, sorted(kept)

    def step(self, states: Tensor, *, width: int | None = None) -> Tensor:
        """Return the next states, `(B, S) -> (B, S)`, computed `width` at a time."""
        width = width or self.width(len(states))
        (step,) = self._functions(width, carrying=False)
        stepped = torch.empty_like(states)
        for rows in _blocks(len(states), width):
            state = states[rows].mT.contiguous()
            step(state.data_ptr(), state.data_ptr())
            stepped[rows] = state.mT
        return stepped

    def tangent_step(self, states: Tensor, tangents: Tensor, *, width: int | None = None) -> tuple[Tensor, Tensor]:
        """Return the next states `(B, S)` and tangents `(B, S, M)`, computed `width` at a time."""
        width = width or self.width(len(states))
        step, carry = self._functions(width, carrying=True)
        stepped, carried = torch.empty_like(states), torch.empty_like(tangents)
        partials = states.new_empty(max(len(self._slopes[2]), 1) * width)
        for rows in _blocks(len(states), width):
            state, columns = states[rows].mT.contiguous(), tangents[rows].permute(2, 1, 0).contiguous()
            step(state.data_ptr(), state.data_ptr(), partials.data_ptr())
            for column in columns:
                carry(partials.data_ptr(), column.data_ptr(), column.data_ptr())
            stepped[rows], carried[rows] = state.mT, columns.permute(2, 1, 0)
        return stepped, carried

    def _functions(self, width: int, *, carrying: bool) -> list[Any]:
        """Return the step, and what carries a tangent vector along, as functions of addresses."""
        kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (3 if carrying else 2))
        return [kind(address) for address in self._machine(width, carrying=carrying).addresses.values()]

    def orbit(self, states: Tensor, *, steps: int, transient: int = 0, every: int = 1) -> Tensor:
        """Return the states that follow, `(B, S) -> (B, T, S)`, every `every` steps behind a transient."""
        path = states.new_empty(len(states), steps, self.size)
        width, (work, plan) = self._prepared(states, steps=steps, transient=transient, every=every)
        _loops().follow[width](plan, 0, work.numpy(), states.contiguous().numpy(), path.numpy())
        return path

    def after(self, states: Tensor, counts: Tensor) -> Tensor:
        """Return each state after its own number of steps, at least one, `(B, S), (B,) -> (B, S)`."""
        reached = states.contiguous().clone()
        width, (work, plan) = self._prepared(states)
        _loops().reach[width](plan, 0, work.numpy(), reached.numpy(), counts.contiguous().numpy())
        return reached

    def carried(self, states: Tensor, tangents: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Return states and tangents after each state's own number of steps, `(B, S), (B, S, M), (B,)`."""
        reached, moved = states.contiguous().clone(), tangents.contiguous().clone()
        width, (work, plan) = self._prepared(states, carrying=True, columns=tangents.shape[-1])
        arrays = work.numpy(), reached.numpy(), moved.numpy(), counts.contiguous().numpy()
        _sections().carry[width](plan, 0, *arrays)
        return reached, moved

    def before_crossing(self, states: Tensor, **crossing: Any) -> tuple[Tensor, Tensor]:
        """Return the last states before a crossing, and after how many steps they are reached, `(B, S), (B,)`.

        Args:
            states: `(B, S)`.
            crossing: the section, as fields of `numba_sections.Crossing`; `limit` is the largest number of steps.

        Returns:
            NaN and -1 for an orbit that does not cross, or is not finite.
        """
        reached, counts = states.contiguous().clone(), torch.empty(len(states), dtype=torch.int64)
        width, (work, plan) = self._prepared(states)
        loops = _sections()
        arrays = work.numpy(), reached.numpy(), counts.numpy()
        loops.approach[width](plan, 0, *arrays, loops.Crossing(**crossing))
        return reached, counts

    def crossing_times(self, states: Tensor, **crossing: Any) -> Tensor:
        """Return the time from each state to its crossing, `(B, S) -> (B,)`.

        This is for a function of a state and a time, of S + 1 entries, that returns the state after that time and the
        rate of change of the entry that crosses.

        Args:
            states: `(B, S)`, less than a step before the crossing.
            crossing: as for `before_crossing`; `limit` is the largest number of iterations.
        """
        times, loops = states.new_empty(len(states)), _sections()
        width, (work, plan) = self._prepared(states)
        arrays = work.numpy(), states.contiguous().numpy(), times.numpy()
        loops.locate[width](plan, 0, *arrays, loops.Crossing(**crossing))
        return times

    def growth(
        self,
        states: Tensor,
        start: Tensor,
        *,
        steps: int,
        blocks: int,
        transient: int,
        every: int,
        after_block: Callable[[Tensor], bool] | None = None,
    ) -> Tensor:
        """Return the log growth of tangents in blocks of `steps` steps, `(B, S), (S, M) -> (B, blocks, M)` float64.

        Where `after_block`, called with the states behind each block, returns False, the blocks that follow are left
        out.
        """
        reached = states.contiguous().clone()
        tangents = start.expand(len(states), -1, -1).contiguous().clone()
        sizes = {"steps": steps, "every": every, "columns": start.shape[-1]}
        if after_block is None:
            return self._grown(reached, tangents, **sizes, blocks=blocks, transient=transient)
        found = list[Tensor]()
        while len(found) < blocks:
            found.append(self._grown(reached, tangents, **sizes, blocks=1, transient=0 if found else transient))
            if not after_block(reached.clone()):
                break
        return torch.cat(found, dim=1)

    def _grown(self, reached: Tensor, tangents: Tensor, *, blocks: int, columns: int, **sizes: int) -> Tensor:
        """Carry states and tangents on, in place, and return the log growth, `(B, blocks, M)` float64."""
        rates = torch.empty(len(reached), blocks, columns, dtype=torch.float64)
        width, (work, plan) = self._prepared(reached, carrying=True, columns=columns, blocks=blocks, **sizes)
        _loops().grow[width](plan, 0, work.numpy(), reached.numpy(), tangents.numpy(), rates.numpy())
        return rates

    def width(self, orbits: int) -> int:
        """Return how many orbits are stepped together: a vector of 64 bytes unless there are few."""
        full = 64 // self.dtype.itemsize
        return full if orbits > full // 4 else 1

    def _prepared(self, states: Tensor, *, carrying: bool = False, **sizes: int) -> tuple[int, tuple[Tensor, Any]]:
        """Return the width, an array to work in, and the plan of a loop."""
        width = self.width(len(states))
        machine = self._machine(width, carrying=carrying)
        numbers = (self.size + (len(self._slopes[2]) if carrying else 0)) * width
        defaults = {"steps": 0, "transient": 0, "every": 1, "columns": 0, "blocks": 0} | sizes
        addresses = {"step": machine.addresses["step"], "carry": machine.addresses.get("carry", 0)}
        plan = _loops().Plan(orbits=len(states), size=self.size, **defaults, **addresses)
        return width, (states.new_empty(numbers), plan)

    def _machine(self, width: int, *, carrying: bool) -> Any:
        """Compile at the first use."""
        if (width, carrying) not in self._machines:
            code = import_module("chaosbench.kernels.machine_code")
            sections = [code.Section("step", [self._inputs], [self._outputs])]
            if carrying:
                tangents, along, kept = self._slopes
                sections = [
                    code.Section("step", [self._inputs], [self._outputs, kept]),
                    code.Section("carry", [kept, tangents], [along]),
                ]
            bits = 8 * self.dtype.itemsize
            self._machines[width, carrying] = code.compile_sections(self._graph, sections, bits=bits, width=width)
        return self._machines[width, carrying]


def _blocks(count: int, width: int) -> list[Tensor]:
    """Return the rows of each block of `width` states; the last row fills up the last block."""
    return [torch.arange(first, first + width).clamp(max=count - 1) for first in range(0, count, width)]


def _loops() -> Any:
    """Import the compiled loops at their first use, which takes half a second."""
    return import_module("chaosbench.kernels.numba_orbits")


def _sections() -> Any:
    return import_module("chaosbench.kernels.numba_sections")
