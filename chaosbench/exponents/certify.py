"""Certify a system: compute its Lyapunov exponents and check them against finer steps, symmetries and traces."""

import math
import time
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from chaosbench.dynamics import (
    finite_time_exponents,
    regime,
    shortest_period,
    tangent_step_by_jvp,
)
from chaosbench.errors import DataError
from chaosbench.exponents.conservation import energy_checks, mean_trace
from chaosbench.exponents.measured import measured_reference
from chaosbench.kernels import for_exponents
from chaosbench.systems.base import Map, SystemSpec
from chaosbench.systems.certificate import Certificate, Check
from chaosbench.systems.flow import Flow
from chaosbench.systems.reference import ROUNDING, Reference

# The half width of a 95 % interval is 1.96 standard errors. Two spectra may differ by 1.5 times the sum of their half
# widths, which is 4.2 standard errors of the difference: for the whole catalogue, the probability that a check fails by
# chance is one in a hundred.
_APART = 1.5
_SUM_ORBITS, _SUM_STEPS = 32, 100


@for_exponents()
def certify(system: SystemSpec, *, budget: float = 60.0, seed: int = 0) -> Certificate:
    """Compute a system's Lyapunov exponents and check them.

    Args:
        system: the system.
        budget: approximate computing time on one core [seconds]; the intervals shrink with its square root.
        seed: seed of the initial states.

    Raises:
        DataError: if an orbit escapes to infinity, or the equation changes in time other than periodically.
    """
    if not system.stationary:
        raise DataError(
            f"{system.label} is not stationary: its equation changes in time, so that no exponents characterise it; "
            "certify a snapshot, frozen_at=TIME, or the orbit from one start"
        )
    effort, states = _plan(system, budget, seed)
    reference = _computed(system, states, effort, seed)
    checks = [_half_the_step(system, states, effort, reference, seed)] if not isinstance(system, Map) else []
    checks.append(_single_precision(system, states, effort, reference, seed))
    attractor = regime(
        reference.exponents, reference.tolerances, neutral=system.neutral, period=_period(system, states, reference)
    )
    if system.neutral and attractor != "fixed point":
        checks.append(_neutral(system, reference))
    if isinstance(system, Flow) and attractor != "fixed point":
        checks.append(_carried_field(system, states))
    checks.extend(energy_checks(system, states[:_SUM_ORBITS], steps=1000))
    trace, sum_checks, remarks = _sum(system, states)
    return Certificate(
        kind=system.kind,
        label=system.label,
        dt=system.dt,
        budget=budget,
        regime=attractor,
        divergence=trace,
        reference=reference,
        checks=(*checks, *sum_checks),
        remarks=remarks,
    )


@dataclass(frozen=True)
class _Effort:
    """Size of the computation that fits the budget."""

    members: int  # orbits
    steps: int  # length of each orbit [steps]
    every: int  # steps between two QR decompositions [steps]


def _plan(system: SystemSpec, budget: float, seed: int) -> tuple[_Effort, Tensor]:
    """Return the effort that the budget allows, and states on the attractor.

    The budget is spent first on long orbits, so that tangents align and zero exponents are resolved, then on more
    orbits.
    """
    began = time.perf_counter()
    count = system.leading or system.state_size
    small = isinstance(system, Map) and system.state_size < 8
    # More orbits than this exceed the processor's cache and cost as much as separate batches.
    members = 8192 if small else max(16, 2 ** round(math.log2(16384 / (system.state_size * (count + 1)))))
    states = system.initial_state(members, Generator().manual_seed(seed))
    every = _decomposition_interval(system, states, count)
    left = 0.9 * (budget - (time.perf_counter() - began))
    wanted = 4 * system.transient / system.dt
    longest = left / _cost(system, states[:16], every, count)
    while (steps := left / _cost(system, states[:members], every, count)) < min(wanted, longest / 2) and members > 16:
        members //= 2
    steps = max(steps, wanted / 2)
    digits = 10 ** (math.floor(math.log10(steps)) - 1)
    return _Effort(members, int(steps // digits * digits), every), states[:members]


def _cost(system: SystemSpec, states: Tensor, every: int, count: int) -> float:
    """Measure the cost of a step of the main run, including its share of the other runs [seconds]."""
    samples = []
    for _ in range(3):  # the fastest counts, because other processes may slow some
        began = time.perf_counter()
        finite_time_exponents(system, states, steps=2 * every, transient=2 * every, every=every, exponents=count)
        samples.append((time.perf_counter() - began) / (4 * every))
    # In units of the main run without its transient, which takes another quarter: the main run costs 1.25; the run at
    # half the step 2 (1/4 + 1/4), for a quarter of the length and a transient; that in single precision 1/4 + 1/4.
    return min(samples) * (1.25 + 1.0 + 0.5)


def _decomposition_interval(system: SystemSpec, states: Tensor, count: int) -> int:
    """Return the steps between QR decompositions: at most 5, and few enough that tangents separate by at most e^4."""
    size = system.state_size
    _, jacobians = system.tangent_step(
        states[:64], torch.eye(size, dtype=states.dtype).expand(min(64, len(states)), -1, -1)
    )
    values = torch.linalg.svdvals(jacobians)
    spread = float((values[:, 0] / values[:, count - 1]).log().max())  # NaN or infinite if a direction vanishes
    return 1 if math.isnan(spread) else max(1, min(5, int(4 / max(spread, 0.8))))


def _computed(
    system: SystemSpec, states: Tensor, effort: _Effort, seed: int, *, part: int = 1, longest: int | None = None
) -> Reference:
    """Compute the exponents with one `part`-th of the effort, rounded to 8 decimals."""
    aligning, steps = effort.steps // 4, max(100, effort.steps // part)
    if longest is not None:
        aligning, steps = min(aligning, longest), min(steps, longest)
    full = measured_reference(system, states=states, steps=steps, transient=aligning, every=effort.every, seed=seed)
    exponents, intervals = (tuple(round(value, 8) for value in values) for values in (full.exponents, full.intervals))
    return full.replaced(exponents=exponents, intervals=intervals, resolution=round(full.resolution, 8))


def _half_the_step(system: SystemSpec, states: Tensor, effort: _Effort, main: Reference, seed: int) -> Check:
    """Compare with the exponents from half the numerical step."""
    if isinstance(system, Flow):
        finer: SystemSpec = system.refined()
    elif "substeps" in type(system).model_fields:
        finer = system.replaced(substeps=2 * system.substeps)  # type: ignore[attr-defined]  # checked above
    else:
        finer = system.replaced(dt=system.dt / 2)
    if finer.state_size != system.state_size:  # a finer step needs more samples of a delayed history
        states = finer.initial_state(effort.members, Generator().manual_seed(seed))
    other = _computed(finer, states, effort, seed, part=4)
    return Check(
        name="half the step",
        meaning="largest difference from the exponents at half the numerical step, in units of both intervals",
        measured=_relative_difference(main, other, ROUNDING + _shear(system, main, other)),
        tolerance=_APART,
    )


def _single_precision(system: SystemSpec, states: Tensor, effort: _Effort, main: Reference, seed: int) -> Check:
    """Compare with the exponents in float32. Orbits of maps merge by rounding and are therefore kept short."""
    longest = 20 if isinstance(system, Map) else None
    other = _computed(system, states.float(), effort, seed, part=4, longest=longest)
    rounding = 10 * torch.finfo(torch.float32).eps / system.dt
    return Check(
        name="single precision",
        meaning=f"largest difference from the exponents in float32, in units of both intervals and {rounding:.1e}",
        measured=_relative_difference(main, other, rounding + _shear(system, main, other)),
        tolerance=_APART,
    )


def _relative_difference(first: Reference, second: Reference, rounding: float) -> float:
    """Return the largest difference between two spectra in units of the sum of their intervals."""
    columns = zip(first.exponents, second.exponents, first.intervals, second.intervals, strict=True)
    return round(max(abs(a - b) / (width_a + width_b + rounding) for a, b, width_a, width_b in columns), 4)


def _neutral(system: SystemSpec, main: Reference) -> Check:
    """Check that as many exponents are zero as there are symmetries."""
    pairs = sorted(zip(main.exponents, main.intervals, strict=True), key=lambda pair: abs(pair[0]))[: system.neutral]
    allowed = ROUNDING + _shear(system, main)
    return Check(
        name="zero exponent" if system.neutral == 1 else f"{system.neutral} zero exponents",
        meaning="largest of the exponents that are zero by symmetry, in units of its interval",
        measured=round(max(abs(value) / (width + allowed) for value, width in pairs), 4),
        tolerance=_APART,
    )


def _shear(system: SystemSpec, *references: Reference) -> float:
    """Return the apparent exponent of tangents that grow linearly by shear of neutral directions [1 / system time]."""
    return sum(reference.resolution for reference in references) if system.neutral > 1 else 0.0


def _carried_field(system: Flow, states: Tensor) -> Check:
    """Check that the tangent step maps dz/dt to dz/dt one step later, so that states and tangents agree."""
    points = states[:64]
    stepped, carried = system.tangent_step(points, system.vector_field(points)[..., None])
    field = system.vector_field(stepped)
    return Check(
        name="field carried along",
        meaning="largest relative difference between the tangent step of dz/dt and dz/dt one step later",
        measured=float(((carried[..., 0] - field).norm(dim=-1) / field.norm(dim=-1)).max()),
        # Stiff modes are slaved to the others; an exponential method of fourth order has order 3 for them.
        tolerance=1e-6 if system.leading is None else 1e-3,
    )


@torch.no_grad()
def _sum(system: SystemSpec, states: Tensor) -> tuple[float | None, list[Check], tuple[str, ...]]:
    """Compare the sum of the exponents with the mean trace of the Jacobian, which needs no tangent step."""
    if system.leading is not None and system.leading < system.state_size:
        remark = (
            f"only the leading {system.leading} of {system.state_size} exponents are computed: their sum is not checked"
        )
        return None, [], (remark,)
    if not isinstance(system, Flow | Map):
        return None, [], ("neither a flow nor a map: the sum of the exponents is not checked",)
    points = states[:_SUM_ORBITS]
    sums = finite_time_exponents(system, points, steps=_SUM_STEPS, dt=system.dt).sum(-1)
    traces = (
        mean_trace(system, points, steps=_SUM_STEPS)
        if isinstance(system, Flow)
        else _mean_log_determinant(system, points)
    )
    check = Check(
        name="sum of exponents",
        meaning="largest relative difference between an orbit's sum of exponents and its mean "
        + ("trace of the Jacobian" if isinstance(system, Flow) else "ln |det J|"),
        measured=float(((sums - traces).abs() / traces.abs().clamp(min=1)).max()),
        tolerance=1e-5 if isinstance(system, Flow) else 1e-9,
    )
    return float(traces.mean()), [check], ()


def _mean_log_determinant(system: Map, states: Tensor) -> Tensor:
    """Return ln |det J| by forward-mode differentiation, averaged along each orbit, `(B,)`."""
    eye = torch.eye(system.state_size, dtype=states.dtype).expand(len(states), -1, -1)
    total = states.new_zeros(len(states))
    for _ in range(_SUM_STEPS):
        states, jacobian = tangent_step_by_jvp(system.step, states, eye)
        total = total + torch.linalg.slogdet(jacobian).logabsdet
    return total / _SUM_STEPS


def _period(system: SystemSpec, states: Tensor, main: Reference) -> int | None:
    """Return the period of a map; None for flows and chaotic maps."""
    if not isinstance(system, Map) or main.chaotic:
        return None
    with torch.no_grad():
        for _ in range(1000):
            states = system.step(states)
    return shortest_period(system, states)
