"""Decide whether a step is compiled: where it can be, where it pays, and only if it computes what torch does."""

import logging
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.autograd import forward_ad

from chaosbench.kernels.compiled_procedure import CompiledProcedure
from chaosbench.kernels.compiled_step import CompiledStep
from chaosbench.kernels.scheme import Scheme
from chaosbench.kernels.tensor_trace import UntraceableError, trace
from chaosbench.kernels.unroll import compiles_for_cpu, kernels_apply
from chaosbench.spec import Content

LARGEST = 128  # entries of a state; the machine code grows with their number
LARGEST_COUPLED = 32  # entries of a state where all of them are solved for at once
MOST_OPERATIONS = 20_000  # scalar operations of a step, which take seconds to compile
FEWEST_STEPS = 100  # [steps]; fewer are not worth a look
FEWEST_CALLS = 100_000  # of torch's operations, which take half a second: about what compiling takes
_LONG = 10.0  # [seconds] of a computation by torch whose reason is told
_POINTS = 64  # states at which a compiled step is compared with torch
_FEW = 15  # states at which one with steps of its own choice is
_STRICT: ContextVar[bool] = ContextVar("orbits equal to the last bit, and compiled only where that pays", default=True)

_LOGGER = logging.getLogger(__name__)

Step = Callable[[Tensor], Tensor]
TangentStep = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Compiled = CompiledStep | CompiledProcedure


@contextmanager
def for_exponents() -> Iterator[None]:
    """Compile steps inside the block however few there are, and orbits also where torch rounds differently.

    Short and long computations then take the same path, so that the cost of one predicts that of the other.
    """
    token = _STRICT.set(False)
    try:
        yield
    finally:
        _STRICT.reset(token)


@contextmanager
def for_data() -> Iterator[None]:
    """Give orbits inside the block the bits of torch, also within `for_exponents`: data must not depend on numba."""
    token = _STRICT.set(True)
    try:
        yield
    finally:
        _STRICT.reset(token)


def compiled_orbits(owner: object, step: Step, states: Tensor, *, steps: int) -> Compiled | None:
    """Return a compiled step for orbits of `steps` steps from states `(S,)` or `(B, S)`; None if torch must do it.

    Outside `for_exponents` its states have the bits that torch gives, so that data are the same without compiling.

    Args:
        owner: the object whose step it is, or the step itself; what is found for a frozen record is remembered.
    """
    found = _found(owner, step, states, calls=steps)
    return found.compiled if found is not None and (found.exact or not _STRICT.get()) else None


def compiled_growth(
    owner: object, step: Step, tangent_step: TangentStep, states: Tensor, *, steps: int
) -> Compiled | None:
    """Return a compiled step for tangent vectors along `steps` steps; None if torch must do it.

    Args:
        owner, step, states, steps: as for `compiled_orbits`.
        tangent_step: returns the next states and tangents, with which the compiled derivative is compared.
    """
    found = _found(owner, step, states, calls=3 * steps)  # torch takes three times as long with tangents, or more
    return found.compiled if found is not None and found.carries(tangent_step) else None


def compiled_part(
    owner: Content,
    name: str,
    function: Step,
    states: Tensor,
    *,
    tangent_step: TangentStep | None = None,
    sample: Callable[[], Tensor] | None = None,
) -> Compiled | None:
    """Return a part of a system's step that is called again and again, compiled; None if torch must do it.

    Bits are those of torch outside `for_exponents`, as for `compiled_orbits`.

    Args:
        owner: the frozen record whose part it is.
        name: of the part, under which what is found is remembered.
        function: maps `(B, S)` to `(B, S)`.
        states: `(B, S)` for which it is needed.
        tangent_step: as for `compiled_growth`, where tangents are needed, too.
        sample: returns states `(B, S)` at which to compare with torch; None: along orbits from `states`.
    """
    if not _applies(owner, states) or states.dim() != 2:
        return None
    shelf = _shelf(owner, name, states.dtype)
    if not shelf:
        shelf.append(_made(function, states, sample, getattr(owner, "scheme", None) if name == "step" else None))
    found = shelf[0]
    if isinstance(found, _Refusal) or not (found.exact or not _STRICT.get()):
        return None
    return found.compiled if tangent_step is None or found.carries(tangent_step) else None


def compiled_trace(owner: object, step: Step, states: Tensor, *, steps: int) -> CompiledProcedure | None:
    """Return a flow's procedure with a further entry that integrates the trace of its Jacobian; None if torch must.

    Args:
        owner, step, states, steps: as for `compiled_growth`.
    """
    scheme = getattr(owner, "scheme", None)
    if scheme is None or _found(owner, step, states, calls=3 * steps) is None:
        return None
    return CompiledProcedure(trace(scheme.value, states[:1]), scheme, states.shape[-1], states.dtype, with_trace=True)


@dataclass
class _Compared:
    """A compiled step that agrees with torch at `points`; `exact` if it does to the last bit."""

    compiled: Compiled
    exact: bool
    points: Tensor
    width: int
    _carries: bool | None = None

    def carries(self, tangent_step: TangentStep) -> bool:
        """Return whether the compiled derivative agrees with torch's at the points, too."""
        if self._carries is None:
            size = self.points.shape[-1]
            tangents = torch.randn(size, min(size, 3), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
            spread = tangents.to(self.points).expand(len(self.points), -1, -1).contiguous()
            try:
                ours = self.compiled.tangent_step(self.points, spread, width=self.width)[1]
                self._carries = _close(ours, tangent_step(self.points, spread)[1])
            except (KeyError, RuntimeError) as error:
                self._carries = False
                _LOGGER.info("tangents are not compiled: %s", error)
        return self._carries


@dataclass(frozen=True)
class _Refusal:
    """Why a step is not compiled, and how long torch takes for it [seconds]."""

    reason: str
    seconds: float


def _found(owner: object, step: Step, states: Tensor, *, calls: int) -> _Compared | None:
    """Return the compiled step if it applies to these states and pays for `calls` steps."""
    strict = _STRICT.get()
    if (strict and calls < FEWEST_STEPS) or not _applies(owner, states):
        return None
    shelf = _shelf(owner, states.dtype, states.dim()) if isinstance(owner, Content) else list[_Compared | _Refusal]()
    if not shelf:
        shelf.append(_made(step, states, scheme=getattr(owner, "scheme", None)))
    found = shelf[0]
    if isinstance(found, _Refusal):
        _tell(owner, found, calls)
        return None
    return found if not strict or calls * found.compiled.calls >= FEWEST_CALLS else None


def _applies(owner: object, states: Tensor) -> bool:
    """Return whether a step of these states may be compiled at all."""
    if not (kernels_apply() and compiles_for_cpu() and getattr(owner, "compilable", True)):
        return False
    if states.dim() not in (1, 2) or not 0 < states.shape[-1] <= LARGEST or not states.numel():
        return False
    if states.device.type != "cpu" or states.dtype not in (torch.float32, torch.float64):
        return False
    differentiated = forward_ad._current_level >= 0 or (torch.is_grad_enabled() and states.requires_grad)
    return not differentiated


@lru_cache(maxsize=64)
def _shelf(*_key: Hashable) -> "list[_Compared | _Refusal]":
    """Return where the compiled step of a frozen record is kept, under the record and more: an empty list at first."""
    return []


def _tell(owner: object, refusal: _Refusal, calls: int) -> None:
    """Log why a step is not compiled, where a user waits for it; what systems of the catalogue cost is documented."""
    seconds = calls * refusal.seconds
    if seconds > _LONG and not type(owner).__module__.startswith("chaosbench."):
        text = "torch computes these steps one by one, which takes %.0f s or more; they are not compiled: %s"
        _LOGGER.warning(text, seconds, refusal.reason)


def _made(
    step: Step, states: Tensor, sample: Callable[[], Tensor] | None = None, scheme: Scheme | None = None
) -> _Compared | _Refusal:
    """Compile a step and compare it with torch, along orbits from these states or at a sample."""
    one = states if states.dim() == 1 else states[:1]
    try:
        if step(one).requires_grad:  # and whatever the step computes once at its first call is computed now
            raise UntraceableError("gradients of its parameters are asked for")
        compiled = _translated(step, one.detach().clone(), scheme)
        if compiled.operations > MOST_OPERATIONS:
            raise UntraceableError(f"it has {compiled.operations} operations, more than {MOST_OPERATIONS}")
        visited = _visited(compiled, states.reshape(-1, states.shape[-1])) if sample is None else sample()
        return _compared(compiled, step, states, visited)
    except UntraceableError as error:
        began = time.perf_counter()
        step(one)
        return _Refusal(str(error), time.perf_counter() - began)


def _translated(step: Step, state: Tensor, scheme: Scheme | None) -> Compiled:
    """Return the machine code of a step, or of the field that a scheme integrates."""
    size, dtype = state.shape[-1], state.dtype
    if scheme is None:
        return CompiledStep(trace(step, state), size, dtype)
    if size > LARGEST_COUPLED:
        raise UntraceableError(
            f"its equations have {size} entries, more than {LARGEST_COUPLED} with method {scheme.method}"
        )
    try:
        return CompiledProcedure(trace(scheme.value, state), scheme, size, dtype)
    except KeyError as error:
        raise UntraceableError(f"the derivative of {error} is not known") from error


@torch.no_grad()
def _compared(compiled: Compiled, step: Step, states: Tensor, visited: Tensor) -> _Compared:
    """Compare with torch at states along orbits, and at random states around them.

    Raises:
        UntraceableError: if they disagree.
    """
    noise = torch.randn(visited.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).to(visited)
    around = visited.mean(0) + 2 * visited.std(0, correction=0) * noise
    if isinstance(compiled, CompiledProcedure):  # far from an orbit a stiff flow needs very many steps
        visited = visited[:: len(visited) // _FEW + 1]
        around = visited * (1 + 0.01 * noise[: len(visited)])
    exact = compiled.prescribed
    width = compiled.width(states.numel() // states.shape[-1])
    for points in (visited, around):
        expected, found = _called(step, points, axes=states.dim()), compiled.step(points, width=width)
        if expected.shape != found.shape or not _close(found, expected):
            raise UntraceableError("it computes something else at other states")
        exact = exact and _equal(found, expected)
    alone = _called(step, points[:1], axes=states.dim())  # torch has other loops for a single state
    return _Compared(compiled, exact and _equal(alone, expected[:1]), visited, width)


def _equal(found: Tensor, expected: Tensor) -> bool:
    return torch.equal(found.nan_to_num(), expected.nan_to_num())


def _visited(compiled: Compiled, states: Tensor) -> Tensor:
    """Return at most 64 states along orbits."""
    state, path, width = states[:_POINTS], [states[:_POINTS]], compiled.width(len(states))
    for _ in range(max(8, _POINTS // len(state))):
        state = compiled.step(state, width=width)
        path.append(state)
    points = torch.cat(path)
    points = points[points.isfinite().all(-1)]
    if not len(points):
        raise UntraceableError("its orbit escapes")
    return points[torch.linspace(0, len(points) - 1, min(_POINTS, len(points)), dtype=torch.float64).long()]


def _called(step: Step, points: Tensor, *, axes: int) -> Tensor:
    return step(points) if axes == 2 else torch.stack([step(point) for point in points])


def _close(found: Tensor, expected: Tensor) -> bool:
    """Return whether two results agree to rounding, which a step may amplify."""
    tolerance = 1e-10 if found.dtype == torch.float64 else 1e-3
    finite = expected[expected.isfinite()]
    scale = float(finite.abs().max()) if len(finite) else 1.0
    return torch.allclose(found, expected, rtol=tolerance, atol=tolerance * scale, equal_nan=True)
