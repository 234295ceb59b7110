"""The checks of a certificate: finer steps, single precision, symmetries, and the mean trace of the Jacobian."""

import math

import torch
from torch import Tensor

from chaosbench.dynamics import (
    Ensemble,
    Found,
    finite_time_exponents,
    mean_and_interval,
    orbit,
    tangent_step_by_jvp,
)
from chaosbench.exponents.conservation import mean_trace
from chaosbench.exponents.contraction import unresolved_contraction
from chaosbench.systems.base import ESCAPING, Map, SystemSpec
from chaosbench.systems.certificate import Check
from chaosbench.systems.flow import Flow
from chaosbench.systems.map_of_flow import MapOfFlow
from chaosbench.systems.reference import ROUNDING, Reference

# The half width of a 95 % interval is 1.96 standard errors. Two spectra may differ by 1.5 times the sum of their half
# widths, which is 4.2 standard errors of the difference: for the whole catalogue, the probability that a check fails by
# chance is one in a hundred.
APART = 1.5
_SUM_ORBITS, _SUM_STEPS = 256, 20
_FLOW_SUM = 1e-5  # tolerance of the sum of exponents of a flow, relative


def same_rates(
    name: str, meaning: str, main: Ensemble, other: Ensemble, rounding: float, *, relative: float = 0.0
) -> list[Check]:
    """Compare the exponents of two runs from the same states and tangents over the same time, orbit by orbit.

    Both runs have the same alignment of tangents, and over short times the same orbits, so that the interval of the
    difference holds what is left: how the method, the step or the precision change the exponents.

    Args:
        name, meaning: of the check.
        main, other: runs of the same orbits; the longer one is cut.
        rounding: difference that rounding alone explains [1 / system time].
        relative: the same for an exponent of size 1, which grows with its size.
    """
    blocks = min(main.rates.shape[1], other.rates.shape[1])
    main, other = main.beginning(blocks), other.beginning(blocks)
    kept = main.bounded & other.bounded
    lost = float((main.bounded & ~other.bounded).double().mean())
    checks = []
    if bool(kept.any()):
        mean, width = mean_and_interval((other.counted - main.counted)[kept])
        # The sum of the intervals of two independent runs is sqrt(2) times the interval of their difference.
        allowed = rounding + relative * main.counted[kept].mean((0, 1)).abs().nan_to_num(posinf=0.0)
        units = math.sqrt(2) * width.nan_to_num() + allowed
        checks.append(Check(name=name, meaning=meaning, measured=_largest(mean, units), tolerance=APART))
    if lost > ESCAPING or not checks:
        share = "share of the orbits that escape to infinity in this run"
        checks.append(Check(name=f"{name}: escapes", meaning=share, measured=round(lost, 4), tolerance=ESCAPING))
    return checks


def same_spectrum(name: str, meaning: str, main: Reference, other: Reference) -> Check:
    """Compare two spectra from different orbits."""
    columns = zip(main.exponents, other.exponents, main.intervals, other.intervals, strict=True)
    measured = max(abs(a - b) / (width_a + width_b + ROUNDING) for a, b, width_a, width_b in columns)
    return Check(name=name, meaning=meaning, measured=round(measured, 4), tolerance=APART)


def neutral(system: SystemSpec, main: Reference, trace: float | None) -> Check | None:
    """Check that as many exponents are zero as there are symmetries; None where too few exponents are computed.

    Zero exponents stand behind the positive ones: they are among those computed if the last one is negative.
    """
    last = main.exponents[-1] < -main.tolerances[-1]
    if not last and len(main.exponents) < system.state_size:
        return None
    pairs = sorted(zip(main.exponents, main.intervals, strict=True), key=lambda pair: abs(pair[0]))[: system.neutral]
    # Tangents of further neutral directions grow by shear, as those of a flow that conserves volume do.
    shear = system.neutral > 1 or (trace is not None and abs(trace) < ROUNDING)
    allowed = ROUNDING + (main.resolution if shear else 0.0)
    return Check(
        name="zero exponent" if system.neutral == 1 else f"{system.neutral} zero exponents",
        meaning="largest of the exponents that are zero by symmetry, in units of its interval",
        measured=round(max(abs(value) / (width + allowed) for value, width in pairs), 4),
        tolerance=APART,
    )


def carried_field(system: Flow, states: Tensor) -> Check:
    """Check that the tangent step maps dz/dt to dz/dt one step later, so that states and tangents agree."""
    points = states[:64]
    measured, meaning = (
        _field_difference(system, points),
        "largest relative difference between the tangent step of dz/dt",
    )
    # Stiff modes are slaved to the others; an exponential method of fourth order has order 3 for them.
    tolerance, meaning = 1e-6 if system.leading is None else 1e-3, f"{meaning} and dz/dt one step later"
    if not measured <= tolerance and not system.own_step:
        # Tangents that are not the derivative of the step differ as much at half the step.
        finer = _field_difference(system.refined(), points)
        if finer <= tolerance:
            measured, meaning = finer, f"{meaning}, at half the numerical step; {measured:.1e} at the whole one"
    return Check(name="field carried along", meaning=meaning, measured=measured, tolerance=tolerance)


def _field_difference(flow: Flow, points: Tensor) -> float:
    """Return the largest relative difference between the field that a tangent step carries and the field behind it."""
    stepped, carried = flow.tangent_step(points, flow.vector_field(points)[..., None])
    field = flow.vector_field(stepped)
    return float(((carried[..., 0] - field).norm(dim=-1) / field.norm(dim=-1)).max())


@torch.no_grad()
def sum_of_exponents(system: SystemSpec, states: Tensor, count: int) -> tuple[float | None, list[Check], str | None]:
    """Compare the sum of the exponents with the mean trace of the Jacobian, which needs no tangent step.

    Returns:
        The mean trace, the check, and a remark if there is none, or if it fails for a step that is too long.
    """
    size = system.state_size
    if count < size:
        return None, [], f"only the leading {count} of {size} exponents are computed: their sum is not checked"
    if not isinstance(system, Flow | Map):
        return None, [], "neither a flow nor a map: the sum of the exponents is not checked"
    # The identity holds for each orbit over any time, so large states need few of both.
    points, steps = states[: _SUM_ORBITS if size <= 16 else 4], _SUM_STEPS
    sums, traces = _sums_and_traces(system, points, steps)
    check = Check(
        name="sum of exponents",
        meaning="largest relative difference between an orbit's sum of exponents and its mean "
        + ("trace of the Jacobian" if isinstance(system, Flow) else "ln |det J|"),
        measured=_relative(sums, traces),
        tolerance=_FLOW_SUM if isinstance(system, Flow | MapOfFlow) else 1e-9,
    )
    if isinstance(system, Flow) and not check.passed:
        check = _mean_sum(system, points, check, _relative(sums.mean(), traces.mean()))
    mean = float(traces.mean())
    remark = unresolved_contraction(system, points) if isinstance(system, Flow) and not check.passed else None
    return (mean if math.isfinite(mean) else None), [check], remark


def _mean_sum(flow: Flow, points: Tensor, check: Check, mean: float) -> Check:
    """Return the check of the mean sum where the step's error explains the difference of single orbits, else `check`.

    In a fast phase of an orbit the step may be inexact, although the average over orbits is exact. Tangents that are
    not the derivative of the step differ at half the step as well.
    """
    finer = _relative(*_sums_and_traces(flow.refined(), points, _SUM_STEPS))
    if not max(finer, mean) <= _FLOW_SUM:
        return check
    return Check(
        name=check.name,
        meaning="relative difference between the mean sum of exponents and the mean trace of the Jacobian; a single "
        f"orbit differs by up to {check.measured:.1e} over {_SUM_STEPS} steps, by {finer:.1e} at half the step",
        measured=mean,
        tolerance=check.tolerance,
    )


def no_collapse(system: SystemSpec, main: Found, repeating: float) -> list[Check]:
    """Check that chaotic orbits of a map do not end in short cycles, as those of x -> 2 x mod 1 do by rounding."""
    if system.continuous or main.regime != "chaotic" or repeating == 0:
        return []
    return [
        Check(
            name="no collapse",
            meaning="share of the orbits that rounding leads into a short cycle, although neighbours separate",
            measured=round(repeating, 4),
            tolerance=ESCAPING,
        )
    ]


def _largest(difference: Tensor, units: Tensor) -> float:
    # Both may be infinite: a superstable orbit has the exponent -inf.
    return round(float((difference.abs() / units).nan_to_num(0.0, posinf=1e9).max()), 4)


def _relative(sums: Tensor, traces: Tensor) -> float:
    equal = (sums == traces) | (sums.isinf() & traces.isinf())
    return float(torch.where(equal, 0.0, (sums - traces).abs() / traces.abs().clamp(min=1)).nan_to_num(1e9).max())


def _sums_and_traces(system: Flow | Map, states: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Return the sum of the exponents and the mean trace, or the mean ln |det J|, of each orbit, `(B,)` each."""
    sums = finite_time_exponents(system, states, steps=steps, dt=system.dt).sum(-1)
    if isinstance(system, Flow):
        return sums, mean_trace(system, states, steps=steps)
    return sums, _mean_determinant(system, states, steps)


def _mean_determinant(system: Map, states: Tensor, steps: int) -> Tensor:
    """Return ln |det J|, averaged along each orbit, `(B,)`: by forward-mode differentiation, or from a flow's trace."""
    if isinstance(system, MapOfFlow):
        visits = orbit(system, states, steps=steps - 1)
        return torch.cat([system.log_determinant(states)[:, None], system.log_determinant(visits)], dim=1).mean(1)
    eye = torch.eye(system.state_size, dtype=states.dtype).expand(len(states), -1, -1)
    total = states.new_zeros(len(states))
    for _ in range(steps):
        states, jacobian = tangent_step_by_jvp(system.step, states, eye)
        total = total + torch.linalg.slogdet(jacobian).logabsdet
    return total / steps
