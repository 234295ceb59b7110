"""Certify a system: compute its Lyapunov exponents and check them against finer steps, symmetries and traces."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, arange, cat, finfo, float32

from chaosbench.dynamics import Ensemble, Found, find_attractors, mean_and_interval, orbit
from chaosbench.errors import DataError
from chaosbench.exponents.checks import (
    carried_field,
    neutral,
    no_collapse,
    same_rates,
    same_spectrum,
    sum_of_exponents,
)
from chaosbench.exponents.coexisting import chosen_attractor, copies, records, spectrum, too_short, verified
from chaosbench.exponents.conservation import energy_checks, whole_trace
from chaosbench.exponents.contraction import left_out, resolved_columns
from chaosbench.exponents.plan import Plan, check_escapes, compile_steps, measured_run, plan, run
from chaosbench.exponents.smoothness import rough_field
from chaosbench.exponents.timing import Report, Timer
from chaosbench.kernels import for_exponents
from chaosbench.systems.attractors import LEAST, PATH, stretch
from chaosbench.systems.base import Map, SystemSpec
from chaosbench.systems.certificate import Attractor, Certificate, Check
from chaosbench.systems.flow import Flow
from chaosbench.systems.reference import ROUNDING

_SORTED = 256  # orbits that are sorted into attractors; if all are on one, so are the others
_CHANGED = 0.02  # largest share of orbits whose transient may end during the run
_ENERGIES = 32  # orbits along which a conserved quantity is checked
_TIMED = 16  # [steps] that show what a step of the states costs
_SHORT = 20  # [steps] of a block in single precision of maps, whose orbits merge by rounding


@for_exponents()
def certify(
    system: SystemSpec,
    *,
    budget: float = 60.0,
    seed: int = 0,
    exponents: int | None = None,
    report: Report | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Certificate:
    """Compute a system's Lyapunov exponents and check them.

    Args:
        system: the system. Where attractors coexist, its field `attractor` chooses one; the default is the one that
            its start leads to.
        budget: time that the computation may take, without that for compiling [seconds]; the intervals shrink with its
            square root.
        seed: seed of the initial states.
        exponents: number of leading exponents; None: the system's, or all, and more until their sum is negative.
        report: called with the phase and the seconds left.
        clock: returns the time [seconds].

    Raises:
        DataError: if more than one in a hundred orbits escape to infinity, no attractor is the chosen one, or the
            equation changes in time other than periodically.
    """
    _require_stationary(system)
    free = system.replaced(attractor=None) if isinstance(system.attractor, str) else system
    compile_steps(free)
    timer = Timer(budget, report, clock)
    chosen, whole = _followed(free, plan(free, timer, seed, exponents), timer)
    result = _sorted(free, chosen, whole, timer)
    number = chosen_attractor(system, result.found, result.first)
    main = result.found[number]
    reference = spectrum(system, main, result.ensemble, chosen.every, seed)
    attractors = _attractors(free, chosen, result, timer, seed) if len(result.found) > 1 else ()
    checks = [*_unmixed(system, result), *no_collapse(system, main, result.repeating(main))]
    if not isinstance(system, Map):
        checks += _half_the_step(free, chosen, result, main, timer, seed)
    if not system.double_precision:
        checks += _single_precision(free, chosen, result, main, timer)
    timer.begin("identities")
    states = result.states_of(main)
    trace, sum_checks, remark = sum_of_exponents(system, states, chosen.count)
    if system.neutral and main.regime != "fixed point":
        zero = neutral(system, reference, trace)
        checks += [zero] if zero is not None else []
    if isinstance(system, Flow) and main.regime != "fixed point":
        checks.append(carried_field(system, states))
    checks += energy_checks(system, states[:_ENERGIES], steps=1000)
    rough = rough_field(system, states) if isinstance(system, Flow) else None
    return Certificate(
        kind=system.kind,
        label=system.label,
        dt=system.dt,
        budget=budget,
        regime=main.regime,
        divergence=whole_trace(system, result.ensemble, main, trace),
        reference=reference,
        checks=(*checks, *sum_checks),
        remarks=(*chosen.remarks, *result.remarks, *(text for text in (remark, rough) if text is not None)),
        attractors=attractors,
        attractor=number if attractors else None,
        period=main.period,
        state_size=system.state_size,
    )


def _require_stationary(system: SystemSpec) -> None:
    if not system.stationary:
        raise DataError(
            f"{system.label} is not stationary: its equation changes in time, so that no exponents characterise it; "
            "certify a snapshot, frozen_at=TIME, or the orbit from one start"
        )


@dataclass(frozen=True)
class _Result:
    """The main run, its orbits sorted into attractors."""

    ensemble: Ensemble  # of the orbits that did not blow up
    numbers: Tensor  # of these orbits in the plan
    found: list[Found]
    periods: Tensor  # of the sorted orbits; infinite if an orbit does not repeat itself [steps]
    groups: int  # into which orbits fall; more than attractors where these are too short to be sorted
    changed: float  # share of orbits whose transient ended during the run
    longest: int  # stretch that was searched for repetitions [steps]
    remarks: tuple[str, ...]

    @property
    def first(self) -> int | None:
        """Number of the orbit that begins at the system's start; None if it blew up."""
        return 0 if len(self.numbers) and int(self.numbers[0]) == 0 else None

    def states_of(self, attractor: Found) -> Tensor:
        """Return states on the attractor, `(N, S)`."""
        return self.ensemble.states[attractor.orbits]

    def repeating(self, attractor: Found) -> float:
        """Return the share of the attractor's sorted orbits that repeat themselves."""
        orbits = attractor.orbits[attractor.orbits < len(self.periods)]
        return float(self.periods[orbits].isfinite().double().mean())


def _followed(system: SystemSpec, chosen: Plan, timer: Timer) -> tuple[Plan, Ensemble]:
    """Follow all orbits, and leave out the exponents that the step does not resolve."""
    timer.begin("exponents")
    whole = measured_run(system, chosen, timer, part=0.5)
    whole = replace(whole, speeds=range_of_speeds(system, [whole.starts[whole.bounded], whole.states[whole.bounded]]))
    count = resolved_columns(whole.rates[whole.bounded]) if bool(whole.bounded.any()) else chosen.count
    if count == chosen.count or not isinstance(system, Flow):
        return chosen, whole
    remark = left_out(system, count, system.state_size)
    chosen = replace(chosen, count=count, remarks=(*chosen.remarks, remark))
    return chosen, replace(whole, rates=whole.rates[..., :count])


def range_of_speeds(system: SystemSpec, states: Sequence[Tensor]) -> float:
    """Return the logarithm of the ratio between speeds, for flows that may have spikes; 0 for others."""
    if not isinstance(system, Flow) or system.scheme is None or not states[0].numel():
        return 0.0
    speeds = system.vector_field(cat([part.flatten(0, -2) for part in states])).norm(dim=-1).log()
    return float((speeds.max() - speeds.min()).nan_to_num(0.0, posinf=0.0))


def _sorted(system: SystemSpec, chosen: Plan, whole: Ensemble, timer: Timer) -> _Result:
    """Sort the orbits into attractors."""
    check_escapes(system, int((~whole.bounded).sum()), len(chosen.states))
    numbers, ensemble = whole.bounded.nonzero().flatten(), whole.chosen(whole.bounded)
    timer.begin("attractors")
    sample = ensemble.states[:_SORTED]
    step_time = min(timer.duration(lambda: orbit(system, sample, steps=_TIMED)) for _ in range(2)) / _TIMED
    least = LEAST if 3 * LEAST * step_time < timer.left else _TIMED
    longest = int(min(PATH, 0.25 * timer.left / step_time / 1.5))
    paths = [
        stretch(system, ensemble.starts[:_SORTED], longest=longest // 2, least=least),
        stretch(system, sample, longest=longest, least=least),
    ]
    # Ends of orbits are too few to hit a spike; any half of a run may end in one.
    ensemble = replace(ensemble, speeds=max(ensemble.speeds, range_of_speeds(system, paths)))
    found, sorting = find_attractors(
        ensemble.chosen(arange(len(sample))), paths, continuous=system.continuous, neutral=system.neutral
    )
    if len(found) == 1 and len(ensemble.states) > len(sample):
        found = [_of_all(ensemble, found[0])]
    escaped = len(chosen.states) - len(numbers)
    remarks = [f"{escaped} of {len(chosen.states)} orbits escape and are left out"] if escaped else []
    groups = len(found)
    if short := too_short(system, ensemble):
        remarks.append(short)
        if len(found) > 1:
            found = [_of_all(ensemble, found[0])._replace(regime="undecided", period=None)]
    changed = int(sorting.changed.sum())
    if changed:
        remarks.append(
            f"{changed} of {len(sample)} orbits moved otherwise in the first half of the run than in the second: the "
            f"transient of {system.transient:g} is too short for them"
        )
    if sorting.switching:
        remarks.append("orbits change between regular and chaotic motion and back: the motion is intermittent")
    if sorting.family:
        remarks.append("orbits of one kind of motion differ by where they start, without forming a few groups")
    outside = int((sorting.groups < 0).sum())
    if outside:
        remarks.append(f"{outside} of {len(sample)} orbits are on no attractor that another orbit is on")
    share = changed / len(sample)
    return _Result(ensemble, numbers, found, sorting.periods, groups, share, longest, tuple(remarks))


def _of_all(ensemble: Ensemble, found: Found) -> Found:
    """Return the only attractor with the exponents of all orbits, of which a sample was sorted."""
    exponents, intervals, order = _mean(ensemble)
    orbits = arange(len(ensemble.states))
    return found._replace(orbits=orbits, exponents=exponents, intervals=intervals, order=order)


def _unmixed(system: SystemSpec, result: _Result) -> list[Check]:
    """Check that all orbits end on one attractor unless one is chosen, and that their transients are over."""
    checks = []
    if len(result.found) > 1 and not isinstance(system.attractor, str):
        meaning = "number of attractors that orbits end on; the field `attractor` chooses one"
        checks.append(Check(name="one attractor", meaning=meaning, measured=len(result.found), tolerance=1))
    if result.groups > len(result.found):
        meaning = "number of groups of orbits, which are too short to be sorted into attractors"
        checks.append(Check(name="one attractor", meaning=meaning, measured=result.groups, tolerance=1))
    if result.changed:
        meaning = "share of the orbits whose transient ended during the run"
        checks.append(
            Check(name="transient over", meaning=meaning, measured=round(result.changed, 4), tolerance=_CHANGED)
        )
    return checks


def _attractors(system: SystemSpec, chosen: Plan, result: _Result, timer: Timer, seed: int) -> tuple[Attractor, ...]:
    """Return a record of each attractor, and verify that its start leads to it."""
    ensemble, total = result.ensemble, len(result.periods)
    found = records(system, result.found, ensemble, total=total, every=chosen.every, seed=seed)
    timer.begin("initial conditions of the attractors")
    states = copies(system, found)
    again = run(system, states, chosen, block_steps=ensemble.block_steps, timer=timer, part=0.3)
    return verified(system, found, again, longest=result.longest)


def _half_the_step(
    system: SystemSpec, chosen: Plan, result: _Result, main: Found, timer: Timer, seed: int
) -> list[Check]:
    """Compare with the exponents from half the numerical step."""
    timer.begin("half the step")
    factor = 1
    if isinstance(system, Flow) and not system.own_step:
        finer: SystemSpec = system.refined()
    elif "substeps" in type(system).model_fields:
        finer = system.replaced(substeps=2 * system.substeps)  # type: ignore[attr-defined]  # checked above
    else:
        finer, factor = system.replaced(dt=system.dt / 2), 2
    name, meaning = "half the step", "largest difference from the exponents at half the numerical step"
    if finer.state_size != system.state_size:  # a finer step needs more samples of a delayed history
        other = plan(finer, timer.part(0.3), seed, chosen.count)
        ensemble = measured_run(finer, other, timer, part=0.4)
        found = Found("chaotic", ensemble.bounded.nonzero().flatten(), *_mean(ensemble), None)
        return [
            same_spectrum(
                name,
                f"{meaning}, in units of both intervals",
                spectrum(system, main, result.ensemble, chosen.every, seed),
                spectrum(finer, found, ensemble, other.every, seed),
            )
        ]
    orbits = result.numbers[main.orbits]
    block = factor * result.ensemble.block_steps
    other_run = run(finer, chosen.states[orbits], chosen, block_steps=block, timer=timer, part=0.5)
    alike = result.ensemble.chosen(main.orbits)
    return same_rates(name, f"{meaning}, in units of both intervals", alike, other_run, ROUNDING)


def _single_precision(system: SystemSpec, chosen: Plan, result: _Result, main: Found, timer: Timer) -> list[Check]:
    """Compare with the exponents in float32 from the same states. Orbits of maps are kept short."""
    timer.begin("single precision")
    relative = 10 * float(finfo(float32).eps)
    rounding = relative / system.dt
    name, size = "single precision", f"{rounding:.1e} + {relative:.1e} |exponent|"
    meaning = f"largest difference from the exponents in float32, in units of both intervals and {size}"
    states = chosen.states[result.numbers[main.orbits]]
    alike, block = result.ensemble.chosen(main.orbits), result.ensemble.block_steps
    if isinstance(system, Map):
        block = _SHORT
        alike = run(system, states, chosen, block_steps=block, timer=timer, part=0.3, blocks=10)
    other = run(system, states.float(), chosen, block_steps=block, timer=timer, part=0.5, blocks=alike.rates.shape[1])
    return same_rates(name, meaning, alike, other, rounding, relative=relative)


def _mean(ensemble: Ensemble) -> tuple[Tensor, Tensor, Tensor]:
    mean, interval = mean_and_interval(ensemble.counted[ensemble.bounded])
    exponents, order = mean.sort(descending=True)
    return exponents, interval[order].nan_to_num(), order
