"""A flow as machine code, integrated by a method whose steps the values of the state choose."""

from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from chaosbench.kernels.scalar_graph import Node, partial_derivatives
from chaosbench.kernels.scheme import Scheme
from chaosbench.kernels.tensor_trace import Trace

_CALLS = 1000  # of torch's operations in a step, about: some ten evaluations and decompositions in each of few steps


class CompiledProcedure:
    """The integration of a flow over one step of the data, compiled, as `CompiledStep` is for fixed sequences.

    Args:
        trace: what the vector field computes.
        scheme: the method.
        size: S, entries of a state.
        dtype: float32 or float64.
        with_trace: add an entry to the state, whose rate is the trace of the field's Jacobian.
    """

    calls = _CALLS
    prescribed = False  # sums and decompositions round otherwise than torch's

    def __init__(
        self, trace: Trace, scheme: Scheme, size: int, dtype: torch.dtype, *, with_trace: bool = False
    ) -> None:
        self.size, self.dtype = size + with_trace, dtype
        self._scheme, self._graph = scheme, trace.graph
        self._outputs, self._partials = list(trace.outputs), partial_derivatives(trace.graph, trace.outputs, size)
        self._inputs = [self._graph.input(i) for i in range(self.size)]
        if with_trace:
            self._add_trace()

    def _add_trace(self) -> None:
        zero = self._graph.constant(0.0)
        total = zero
        for i, row in enumerate(self._partials):
            total = self._graph.apply("add", total, row[i])
        self._outputs.append(total)
        # Newton's method needs no derivative of the trace, which does not act back on the flow.
        self._partials = [*([*row, zero] for row in self._partials), [zero] * self.size]

    @cached_property
    def operations(self) -> int:
        """Number of scalar operations of the field and its Jacobian."""
        return len(self._graph.needed([*self._outputs, *self._entries]))

    @property
    def _entries(self) -> list[Node]:
        return [one for row in self._partials for one in row]

    def width(self, orbits: int) -> int:
        """Return 1: each orbit has steps of its own."""
        return 1

    def step(self, states: Tensor, *, width: int | None = None) -> Tensor:
        """Return the next states, `(B, S) -> (B, S)`."""
        return self.after(states, torch.ones(len(states), dtype=torch.int64))

    def tangent_step(self, states: Tensor, tangents: Tensor, *, width: int | None = None) -> tuple[Tensor, Tensor]:
        """Return the next states `(B, S)` and tangents `(B, S, M)`."""
        return self.carried(states, tangents, torch.ones(len(states), dtype=torch.int64))

    def orbit(self, states: Tensor, *, steps: int, transient: int = 0, every: int = 1) -> Tensor:
        """Return the states that follow, `(B, S) -> (B, T, S)`, every `every` steps behind a transient."""
        path = states.new_empty(len(states), steps, self.size)
        plan = self._plan(states, steps=steps, transient=transient, every=every)
        _loops().follow(plan, self._rule, states.contiguous().numpy(), path.numpy())
        return path

    def after(self, states: Tensor, counts: Tensor) -> Tensor:
        """Return each state after its own number of steps, `(B, S), (B,) -> (B, S)`."""
        return self.carried(states, states.new_empty(*states.shape, 0), counts)[0]

    def carried(self, states: Tensor, tangents: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Return states and tangents after each state's own number of steps, `(B, S), (B, S, M), (B,)`."""
        reached, moved = states.contiguous().clone(), tangents.contiguous().clone()
        plan = self._plan(states, columns=tangents.shape[-1])
        _loops().carry(plan, self._rule, reached.numpy(), moved.numpy(), counts.contiguous().numpy())
        return reached, moved

    def before_crossing(self, states: Tensor, **crossing: Any) -> tuple[Tensor, Tensor]:
        """Return the last states before a crossing, and after how many steps, as `CompiledStep` does."""
        reached, counts = states.contiguous().clone(), torch.empty(len(states), dtype=torch.int64)
        section = import_module("chaosbench.kernels.numba_sections").Crossing(**crossing)
        _loops().approach(self._plan(states), self._rule, reached.numpy(), counts.numpy(), section)
        return reached, counts

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
        """Return the log growth of tangents in blocks of `steps` steps, as `CompiledStep.growth` does.

        Tangents are decomposed behind every step that the method takes, whatever `every` is. Where an implicit step
        contracts a tangent by more than its derivative resolves, all are carried by the flow's variational equation;
        where that would take thousands of evaluations, the growth of this tangent and of those behind it is NaN.
        """
        reached = states.contiguous().clone()
        tangents = start.expand(len(states), -1, -1).contiguous().clone()
        together = blocks if after_block is None else 1
        found = list[Tensor]()
        while len(found) * together < blocks:
            rates = torch.empty(len(reached), together, start.shape[-1], dtype=torch.float64)
            sizes = {"steps": steps, "decomposed": 1, "columns": start.shape[-1], "blocks": together}
            plan = self._plan(reached, transient=0 if found else transient, **sizes)
            _loops().grow(plan, self._rule, reached.numpy(), tangents.numpy(), rates.numpy())
            found.append(rates)
            if after_block is not None and not after_block(reached.clone()):
                break
        return torch.cat(found, dim=1)

    @cached_property
    def _rule(self) -> Any:
        scheme, ranges = self._scheme, torch.zeros(self.size, dtype=torch.float64)
        for entry, size in scheme.ranges.items():
            ranges[entry] = size
        arrays = scheme.nodes, scheme.matrix, scheme.ends, scheme.errors, scheme.tableau, scheme.differences, ranges
        return _room().Rule(*(one.to(self.dtype).contiguous().numpy() for one in arrays))

    @cached_property
    def _machine(self) -> Any:
        code = import_module("chaosbench.kernels.machine_code")
        sections = [
            code.Section("field", [self._inputs], [self._outputs]),
            code.Section("jacobian", [self._inputs], [self._entries]),
        ]
        return code.compile_sections(self._graph, sections, bits=8 * self.dtype.itemsize, width=1)

    def _plan(self, states: Tensor, **sizes: int) -> Any:
        scheme, room = self._scheme, _room()
        stages = scheme.tableau.shape[1] if scheme.method == "adaptive" else len(scheme.ends)
        return room.Integration(
            orbits=len(states),
            size=self.size,
            **{"steps": 0, "transient": 0, "every": 1, "columns": 0, "blocks": 0, "decomposed": 0} | sizes,
            method=room.codes[scheme.method],
            stages=stages,
            substeps=scheme.substeps,
            **self._machine.addresses,
            dt=scheme.dt,
            tolerance=scheme.tolerance,
            order=float(scheme.order),
            damping=scheme.damping,
            rounding=torch.finfo(self.dtype).eps,
        )


def _loops() -> Any:
    """Import the compiled loops at their first use, which takes half a second."""
    return import_module("chaosbench.kernels.numba_integrals")


def _room() -> Any:
    return import_module("chaosbench.kernels.numba_room")
