"""Certifies a system: its exponents from tangent dynamics, against everything that is known of them."""

import math
import time
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from chaosbench.dynamics import (
    finite_time_exponents,
    regime,
    runge_kutta_step,
    shortest_period,
    tangent_step_by_jvp,
)
from chaosbench.exponents.measured import measured_reference
from chaosbench.systems.base import Flow, Map, SystemSpec
from chaosbench.systems.certificate import Certificate, Check
from chaosbench.systems.reference import ROUNDING, Reference

# Half widths of 95 % are 1.96 standard errors: 1.5 of two together are 4.2 standard errors of their difference,
# which over a whole catalogue hold but for one case in a hundred.
_APART = 1.5
_SUM_ORBITS, _SUM_STEPS = 32, 100


def certify(system: SystemSpec, *, budget: float = 60.0, seed: int = 0) -> Certificate:
    """Measure a system's exponents and check them.

    Args:
        system: the system.
        budget: about how long it may take on one core [seconds]; the intervals shrink with its square root.
        seed: of the initial states.

    Raises:
        DataError: where an orbit escapes.
    """
    effort, states = _plan(system, budget, seed)
    reference = _measured(system, states, effort, seed)
    checks = [_half_the_step(system, states, effort, reference, seed)] if not isinstance(system, Map) else []
    checks.append(_single_precision(system, states, effort, reference, seed))
    found = regime(
        reference.exponents, reference.tolerances, neutral=system.neutral, period=_period(system, states, reference)
    )
    if system.neutral and found != "fixed point":
        checks.append(_neutral(system, reference))
    if isinstance(system, Flow) and found != "fixed point":
        checks.append(_carried_field(system, states))
    divergence, more, remarks = _sum(system, states)
    return Certificate(
        kind=system.kind,
        label=system.label,
        dt=system.dt,
        budget=budget,
        regime=found,
        divergence=divergence,
        reference=reference,
        checks=(*checks, *more),
        remarks=remarks,
    )


@dataclass(frozen=True)
class _Effort:
    """How much is computed, chosen so that the budget is used."""

    members: int
    steps: int
    every: int


def _plan(system: SystemSpec, budget: float, seed: int) -> tuple[_Effort, Tensor]:
    """The effort that the budget allows, and states on the attractor.

    Orbits come first long, so that tangents align and zero exponents are resolved; what is left makes them many.
    """
    began = time.perf_counter()
    count = system.leading or system.state_size
    small = isinstance(system, Map) and system.state_size < 8
    # More orbits than this leave the processor's cache and are no cheaper together.
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
    """Of a step of the main run, with its share of all else [seconds]."""
    samples = []
    for _ in range(3):  # the fastest: a busy machine slows some
        began = time.perf_counter()
        finite_time_exponents(system, states, steps=2 * every, transient=2 * every, every=every, exponents=count)
        samples.append((time.perf_counter() - began) / (4 * every))
    each = min(samples)
    # All runs have a transient of a quarter; the main run takes 1.25, half the step 2 (1/4 + 1/4), and so on.
    return each * (1.25 + 1.0 + 0.5)


def _decomposition_interval(system: SystemSpec, states: Tensor, count: int) -> int:
    """Steps between two QR decompositions: few enough that directions stay apart by less than e^4, at most 5."""
    size = system.state_size
    _, jacobians = system.tangent_step(
        states[:64], torch.eye(size, dtype=states.dtype).expand(min(64, len(states)), -1, -1)
    )
    values = torch.linalg.svdvals(jacobians)
    spread = float((values[:, 0] / values[:, count - 1]).log().max())  # NaN or infinite where a direction dies
    return 1 if math.isnan(spread) else max(1, min(5, int(4 / max(spread, 0.8))))


def _measured(
    system: SystemSpec, states: Tensor, effort: _Effort, seed: int, *, part: int = 1, longest: int | None = None
) -> Reference:
    """Exponents on one `part`-th of the effort."""
    aligning, steps = effort.steps // 4, max(100, effort.steps // part)
    if longest is not None:
        aligning, steps = min(aligning, longest), min(steps, longest)
    found = measured_reference(system, states=states, steps=steps, transient=aligning, every=effort.every, seed=seed)
    shorter = [tuple(round(value, 8) for value in values) for values in (found.exponents, found.intervals)]
    return found.replaced(exponents=shorter[0], intervals=shorter[1], resolution=round(found.resolution, 8))


def _half_the_step(system: SystemSpec, states: Tensor, effort: _Effort, known: Reference, seed: int) -> Check:
    """The same exponents from a numerical method of half the step."""
    if "substeps" in type(system).model_fields:
        finer = system.replaced(substeps=2 * system.substeps)  # type: ignore[attr-defined]  # seen on the line above
    else:
        finer = system.replaced(dt=system.dt / 2)
    if finer.state_size != system.state_size:  # a sampled history has more samples then
        states = finer.initial_state(effort.members, Generator().manual_seed(seed))
    found = _measured(finer, states, effort, seed, part=4)
    return Check(
        name="half the step",
        meaning="largest difference from the exponents at half the numerical step, in units of both intervals",
        measured=_apart(known, found, ROUNDING + _shear(system, known, found)),
        tolerance=_APART,
    )


def _single_precision(system: SystemSpec, states: Tensor, effort: _Effort, known: Reference, seed: int) -> Check:
    """The same exponents in float32; rounded orbits of maps merge, so that theirs are kept short."""
    longest = 20 if isinstance(system, Map) else None
    found = _measured(system, states.float(), effort, seed, part=4, longest=longest)
    rounding = 10 * torch.finfo(torch.float32).eps / system.dt
    return Check(
        name="single precision",
        meaning=f"largest difference from the exponents in float32, in units of both intervals and {rounding:.1e}",
        measured=_apart(known, found, rounding + _shear(system, known, found)),
        tolerance=_APART,
    )


def _apart(one: Reference, other: Reference, rounding: float) -> float:
    """The largest difference between two spectra in units of both intervals."""
    columns = zip(one.exponents, other.exponents, one.intervals, other.intervals, strict=True)
    return round(max(abs(a - b) / (wide_a + wide_b + rounding) for a, b, wide_a, wide_b in columns), 4)


def _neutral(system: SystemSpec, known: Reference) -> Check:
    """As many exponents are zero as the symmetries say."""
    pairs = sorted(zip(known.exponents, known.intervals, strict=True), key=lambda pair: abs(pair[0]))[: system.neutral]
    allowed = ROUNDING + _shear(system, known)
    return Check(
        name="zero exponent" if system.neutral == 1 else f"{system.neutral} zero exponents",
        meaning="largest of the exponents that are zero by symmetry, in units of its interval",
        measured=round(max(abs(value) / (width + allowed) for value, width in pairs), 4),
        tolerance=_APART,
    )


def _shear(system: SystemSpec, *known: Reference) -> float:
    """What the growth of tangents as t adds where neutral directions shear each other [1 / system time]."""
    return sum(reference.resolution for reference in known) if system.neutral > 1 else 0.0


def _carried_field(system: Flow, states: Tensor) -> Check:
    """Along an orbit the tangent step takes the field to the field: states and tangents belong together."""
    points = states[:64]
    stepped, carried = system.tangent_step(points, system.vector_field(points)[..., None])
    field = system.vector_field(stepped)
    return Check(
        name="field carried along",
        meaning="largest relative difference between the tangent step of dz/dt and dz/dt one step later",
        measured=float(((carried[..., 0] - field).norm(dim=-1) / field.norm(dim=-1)).max()),
        # Stiff modes follow the others, and an exponential method of fourth order gives them to third order only.
        tolerance=1e-6 if system.leading is None else 1e-3,
    )


@torch.no_grad()
def _sum(system: SystemSpec, states: Tensor) -> tuple[float | None, list[Check], tuple[str, ...]]:
    """The sum of the exponents against the mean divergence of the same orbits, which needs no tangent step."""
    if system.leading is not None and system.leading < system.state_size:
        told = (
            f"only the leading {system.leading} of {system.state_size} exponents are computed: their sum is not checked"
        )
        return None, [], (told,)
    if not isinstance(system, Flow | Map):
        return None, [], ("neither a flow nor a map: the sum of the exponents is not checked",)
    points = states[:_SUM_ORBITS]
    sums = finite_time_exponents(system, points, steps=_SUM_STEPS, dt=system.dt).sum(-1)
    along = _mean_divergence(system, points) if isinstance(system, Flow) else _mean_log_determinant(system, points)
    check = Check(
        name="sum of exponents",
        meaning="largest relative difference between an orbit's sum of exponents and its mean "
        + ("divergence" if isinstance(system, Flow) else "ln |det J|"),
        measured=float(((sums - along).abs() / along.abs().clamp(min=1)).max()),
        tolerance=1e-5 if isinstance(system, Flow) else 1e-9,
    )
    return float(along.mean()), [check], ()


def _mean_divergence(system: Flow, states: Tensor) -> Tensor:
    """The trace of the field's Jacobian, integrated along each orbit by the same Runge-Kutta method, `(B)`."""
    eye = torch.eye(system.state_size, dtype=states.dtype).expand(len(states), -1, -1)

    def field(joined: Tensor) -> Tensor:
        slope, jacobian = tangent_step_by_jvp(system.vector_field, joined[:, :-1], eye)
        return torch.cat([slope, jacobian.diagonal(dim1=-2, dim2=-1).sum(-1, keepdim=True)], dim=-1)

    joined = torch.cat([states, states.new_zeros(len(states), 1)], dim=-1)
    for _ in range(_SUM_STEPS * system.substeps):
        joined = runge_kutta_step(field, joined, system.dt / system.substeps)
    return joined[:, -1] / (_SUM_STEPS * system.dt)


def _mean_log_determinant(system: Map, states: Tensor) -> Tensor:
    """ln |det J| by forward-mode differentiation, averaged along each orbit, `(B)`."""
    eye = torch.eye(system.state_size, dtype=states.dtype).expand(len(states), -1, -1)
    total = states.new_zeros(len(states))
    for _ in range(_SUM_STEPS):
        states, jacobian = tangent_step_by_jvp(system.step, states, eye)
        total = total + torch.linalg.slogdet(jacobian).logabsdet
    return total / _SUM_STEPS


def _period(system: SystemSpec, states: Tensor, known: Reference) -> int | None:
    """A map's period, where it is not chaotic."""
    if not isinstance(system, Map) or known.chaotic:
        return None
    with torch.no_grad():
        for _ in range(1000):
            states = system.step(states)
    return shortest_period(system, states)
