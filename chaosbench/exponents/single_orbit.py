"""Lyapunov exponents of one orbit from a given initial condition."""

import math
import time as clock
from collections.abc import Sequence

import torch
from torch import Tensor

from chaosbench.dynamics import AttractorRegime, finite_time_exponents, orbit, regime, shortest_period
from chaosbench.errors import SpecError
from chaosbench.exponents.conservation import energy_checks, energy_drift, mean_trace
from chaosbench.exponents.contraction import (
    left_out,
    resolved_columns,
    resolved_exponents,
    unresolved_contraction,
)
from chaosbench.exponents.smoothness import rough_field
from chaosbench.intervals import half_width
from chaosbench.kernels import compiled_growth
from chaosbench.systems.base import Map, SystemSpec
from chaosbench.systems.certificate import Certificate, Check
from chaosbench.systems.flow import Flow
from chaosbench.systems.reference import ROUNDING, Reference

_BLOCKS = 20
_SUM_STEPS = 100
_WATCHED, _POINTS = 20_000, 2_000  # [steps] of the orbit along which the error of a step is estimated, and points there
_APART = 1.5  # as in `certify`


def certify_orbit(
    system: SystemSpec, start: Sequence[float], *, duration: float | None = None, budget: float = 60.0
) -> Certificate:
    """Compute the Lyapunov exponents of the orbit from one initial condition, and check them.

    Nothing is drawn at random and no ensemble is used, so that the result holds for this orbit alone: where many orbits
    coexist, as in conservative systems, it is what characterises them. Intervals come from the spread over 20
    successive blocks of the orbit. The exponents are averaged from the start on, after a twentieth of the time in which
    tangents align, or after the system's transient if that is longer and the system is not conservative.

    Args:
        system: the system.
        start: the initial condition, as many numbers as the state has; a driven flow's clock may be left out.
        duration: time over which exponents are averaged [system time]; None: as long as the budget allows.
        budget: approximate computing time on one core, if `duration` is None [seconds].

    Raises:
        SpecError: if `start` does not fit the state.
        DataError: if the orbit escapes to infinity.
    """
    state = _state(system, start)
    steps = _affordable(system, state, budget) if duration is None else max(_BLOCKS, round(duration / system.dt))
    aligning = max(1, steps // 20, 0 if _conservative(system) else round(system.transient / system.dt))
    blocks = _rates(system, state, steps=steps, aligning=aligning)
    reference = _reference(system, blocks, steps=steps, aligning=aligning)
    neutral = 2 if _conservative(system) and system.neutral == 1 else system.neutral
    period = _period(system, state, reference, steps)
    kind: AttractorRegime = regime(reference.exponents, reference.tolerances, neutral=neutral, period=period)
    if kind == "quasi-periodic" and _may_be_chaotic(reference, blocks, steps * system.dt):
        kind = "undecided"
    trace, checks = _sum_check(system, state, len(reference.exponents))
    cause = None if all(check.passed for check in checks) else _contraction(system, state)
    if isinstance(system, Flow) and len(reference.exponents) < (system.leading or system.state_size):
        cause = left_out(system, len(reference.exponents), system.state_size)
    if neutral and kind != "fixed point":
        checks.append(_neutral_check(reference, neutral))
    checks += [_step_check(system, state, steps)] if isinstance(system, Flow) and not system.own_step else []
    checks += energy_checks(system, state, steps=steps)
    return Certificate(
        kind=system.kind,
        label=system.label,
        dt=system.dt,
        budget=budget,
        regime=kind,
        divergence=trace,
        reference=reference,
        checks=tuple(checks),
        remarks=(
            *_remarks(system, state, steps),
            *_doubts(reference, kind, steps * system.dt),
            *([cause] if cause else []),
        ),
    )


def _state(system: SystemSpec, start: Sequence[float]) -> Tensor:
    """Return the start as a state `(1, S)` in float64."""
    numbers = list(start)
    if isinstance(system, Flow) and system.period is not None and len(numbers) == system.state_size - 1:
        numbers.append(0.0)
    if len(numbers) != system.state_size:
        raise SpecError(
            f"a start of {len(start)} numbers does not fit {system.label}; its state has {system.state_size}"
        )
    return torch.tensor([numbers], dtype=torch.float64)


def _conservative(system: SystemSpec) -> bool:
    return isinstance(system, Flow) and system.conservative


def _affordable(system: SystemSpec, state: Tensor, budget: float) -> int:
    """Return the number of steps that fit the budget, of which the checks take a third."""
    finite_time_exponents(system, state, steps=5)
    began = clock.perf_counter()
    finite_time_exponents(system, state, steps=50)
    cost = (clock.perf_counter() - began) / 50
    return max(10 * _BLOCKS, int(budget / cost / 1.5))


def _rates(system: SystemSpec, state: Tensor, *, steps: int, aligning: int) -> Tensor:
    """Return the exponents of successive blocks, `(blocks, M)`: those that the step resolves."""
    count = system.leading or system.state_size
    if isinstance(system, Flow) and system.scheme is not None:
        compiled = compiled_growth(system, system.step, system.tangent_step, state, steps=steps + aligning)
        points = orbit(system, state, steps=min(steps, _POINTS))[0] if compiled is None else state
        count = count if compiled is not None else resolved_exponents(system, points, count)
    blocks = finite_time_exponents(
        system, state, steps=steps, blocks=_BLOCKS, transient=aligning, exponents=count, dt=system.dt
    )[0].double()
    blocks = blocks[:, : resolved_columns(blocks[None])]
    if not bool(blocks.isfinite().all()):
        raise system.escape_error(f" from {_text(state)}")
    return blocks


def _may_be_chaotic(reference: Reference, blocks: Tensor, time: float) -> bool:
    """Return whether neighbours still separate in the second half of a run whose exponent is not clearly positive.

    Along a regular orbit tangents grow in proportion to time, by ln 2 in the second half of the run; twice as much is
    allowed.
    """
    growth = blocks[len(blocks) // 2 :].mean(0) * time / 2
    return reference.largest > 0 and float(growth.max()) > 2 * math.log(2)


def _doubts(reference: Reference, kind: AttractorRegime, time: float) -> tuple[str, ...]:
    """Return what a run of this length cannot tell, and the time that would.

    Intervals shrink with the square root of the time, the resolution with the time.
    """
    value, width, resolution = reference.largest, reference.intervals[0], reference.resolution
    if kind == "undecided":
        root = (width + math.sqrt(width * width + 4 * value * resolution)) / (2 * value)
        needed = 2 * max(1.0, root * root) * time
        return (f"about {needed:.2g} units of time would tell an exponent of {value:.2g} from zero",)
    if kind == "quasi-periodic" and value > width:
        return (f"tangents grow by no more than in proportion to time, which looks like an exponent of {value:.2g}",)
    return ()


def _reference(system: SystemSpec, blocks: Tensor, *, steps: int, aligning: int) -> Reference:
    mean, order = blocks.mean(0).sort(descending=True)
    widths = half_width(blocks.std(0)[order], _BLOCKS)
    return Reference(
        parameters=system.parameters,
        exponents=tuple(round(value, 8) for value in mean.tolist()),
        intervals=tuple(round(value, 8) for value in widths.tolist()),
        resolution=round(math.log1p(steps / aligning) / (steps * system.dt), 8),
        source="computed by chaosbench",
        method=f"tangent dynamics in float64 along one orbit of {steps} steps after {aligning}, dt {system.dt:g}",
    )


def _period(system: SystemSpec, state: Tensor, reference: Reference, steps: int) -> int | None:
    if not isinstance(system, Map) or reference.chaotic:
        return None
    with torch.no_grad():
        return shortest_period(system, orbit(system, state, steps=1, transient=steps)[:, 0])


def _sum_check(system: SystemSpec, state: Tensor, count: int) -> tuple[float | None, list[Check]]:
    """Compare the sum of the exponents over the first hundred steps with the mean trace of the Jacobian."""
    if not isinstance(system, Flow) or count < system.state_size or system.own_step:
        return None, []
    total = float(finite_time_exponents(system, state, steps=_SUM_STEPS, dt=system.dt).sum())
    trace = float(mean_trace(system, state, steps=_SUM_STEPS))
    check = Check(
        name="sum of exponents",
        meaning="relative difference between the sum of the exponents and the mean trace of the Jacobian",
        measured=abs(total - trace) / max(1.0, abs(trace)),
        tolerance=1e-5,
    )
    return trace, [check]


@torch.no_grad()
def _contraction(system: SystemSpec, state: Tensor) -> str | None:
    """Return a remark if steps along the orbit contract more than they resolve."""
    return unresolved_contraction(system, orbit(system, state, steps=256)[0]) if isinstance(system, Flow) else None


def _neutral_check(reference: Reference, neutral: int) -> Check:
    pairs = sorted(zip(reference.exponents, reference.intervals, strict=True), key=lambda pair: abs(pair[0]))[:neutral]
    worst = max(abs(value) / (width + reference.resolution + ROUNDING) for value, width in pairs)
    return Check(
        name="zero exponent" if neutral == 1 else f"{neutral} zero exponents",
        meaning="largest of the exponents that are zero by symmetry, in units of its interval",
        measured=round(worst, 4),
        tolerance=_APART,
    )


@torch.no_grad()
def _step_check(system: Flow, state: Tensor, steps: int) -> Check:
    """Compare steps with finer ones at points all along the orbit, or along its first `_WATCHED` steps."""
    points = _along(system, state, steps)
    difference = (system.step(points) - system.refined().step(points)).abs()
    if system.period is not None:
        difference = difference[..., :-1]  # the clock may wrap in one of the two alone
    return Check(
        name="half the step",
        meaning="largest error of a step per unit of time, in units of the largest entry of the state, by finer steps",
        measured=float(difference.max() / points.abs().max()) / system.dt,
        tolerance=1e-6,
    )


def _remarks(system: SystemSpec, state: Tensor, steps: int) -> tuple[str, ...]:
    remarks = [
        f"the orbit from {_text(state)} over {steps * system.dt:g} units of time; other starts may have other exponents"
    ]
    if not system.stationary:
        remarks.append("the equation changes in time: these exponents are averages along this orbit only")
    if isinstance(system, Flow) and system.conservative:
        count = min(steps, 1000)
        energy, drift = float(system.energy(state)), float(energy_drift(system, state, steps=count))
        within = f"within the first {count * system.dt:g} units of time"
        remarks.append(f"the conserved quantity is {energy:.10g}; {within} it changes by {drift:.1e} of that")
    if isinstance(system, Flow) and (rough := rough_field(system, _along(system, state, steps))) is not None:
        remarks.append(rough)
    return tuple(remarks)


def _along(system: SystemSpec, state: Tensor, steps: int) -> Tensor:
    """Return points of the orbit's begin, `(N, S)`."""
    return orbit(system, state, steps=_POINTS, every=max(1, min(steps, _WATCHED) // _POINTS))[0]


def _text(state: Tensor) -> str:
    return f"({', '.join(f'{value:g}' for value in state[0].tolist())})"
