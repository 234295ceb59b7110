"""Plan a certificate: how many orbits and exponents fit the time, and states behind the transient."""

import math
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Generator, Tensor

from chaosbench.dynamics import Ensemble, follow, kaplan_yorke_dimension, mean_and_interval, orbit, states_after
from chaosbench.exponents.conservation import mean_trace
from chaosbench.exponents.contraction import left_out, resolved_columns, resolved_exponents
from chaosbench.exponents.timing import Timer
from chaosbench.kernels import compiled_growth
from chaosbench.systems.base import ESCAPING, Map, SystemSpec, nearby
from chaosbench.systems.flow import Flow

_FEWEST = 16  # orbits
_SURVEY = 256  # orbits that show which attractors there are
_MANY = 64  # states of at most this size get all exponents at once
_TRANSIENT, _MAIN = 0.25, 0.5  # shares of the time
_LONG_ENOUGH, _MOST_REPEATED = 0.005, 10_000  # [seconds], [steps] of a sample of the cost
_BLOCKS = 50  # in which a run is planned; it ends when its time is over


@dataclass(frozen=True)
class Plan:
    """The size of a certificate's runs.

    Attributes:
        states: `(B, S)` behind the transient, all finite.
        every: steps between two QR decompositions [steps].
        count: number of leading exponents.
        remarks: what had to be left out, and why.
        settled: share of the transient that fitted the time.
    """

    states: Tensor
    every: int
    count: int
    remarks: tuple[str, ...]
    settled: float


def plan(system: SystemSpec, timer: Timer, seed: int, exponents: int | None) -> Plan:
    """Choose the number of orbits, let their transients pass, and choose the number of exponents.

    Time goes first into long orbits, so that tangents align and zero exponents are resolved, then into more orbits.

    Args:
        system: the system; its `attractor` is none or a state.
        timer: the time of the whole certificate.
        seed: seed of the initial states.
        exponents: number of exponents; None: as many as it takes to make their sum negative.

    Raises:
        DataError: if more than one in a hundred orbits escape to infinity.
    """
    timer.begin("transient")
    generator = Generator().manual_seed(seed)
    probe = system.random_starts(_FEWEST, Generator().manual_seed(seed))
    least = exponents or system.leading or (system.state_size if system.state_size <= _MANY else 8)
    count = min(least, system.state_size)
    every = _decomposition_interval(system, probe, count)
    members = _members(system, timer, every, count)
    starts = system.random_starts(members, generator)
    first = system.first_start()
    if first is not None:
        starts[0] = first
    states, settled = _settled(system, starts, generator, timer)
    states, remarks = _bounded(system, states)
    if settled < 1:
        remarks = (*remarks, f"only {settled:.0%} of the transient of {system.transient:g} fitted the time")
    resolved = _resolved(system, states, count)
    if isinstance(system, Flow) and resolved < count:
        remarks, count = (*remarks, left_out(system, resolved, system.state_size)), resolved
    every = _decomposition_interval(system, states, count)
    if exponents is None and resolved == min(least, system.state_size) < system.state_size:
        timer.begin("number of exponents")
        count = _enough(system, states, timer, every, count)
        states = states[: max(_FEWEST, _members(system, timer, every, count, states))]
    return Plan(_distinct(states), every, count, remarks, settled)


def compile_steps(system: SystemSpec) -> None:
    """Let steps and tangents be compiled, which takes seconds at the first use on a machine, and else less than one."""
    states = system.random_starts(_FEWEST, Generator().manual_seed(0))
    follow(system, states, block_steps=1, blocks=5, every=1, exponents=1)
    orbit(system, states, steps=1)
    if isinstance(system, Flow) and system.scheme is not None:  # which torch takes long to be compared with
        follow(system.refined(), states, block_steps=1, blocks=5, every=1, exponents=1)
        mean_trace(system, states, steps=1)
        if not system.double_precision:
            follow(system, states.float(), block_steps=1, blocks=5, every=1, exponents=1)


def measured_run(
    system: SystemSpec, chosen: Plan, timer: Timer, *, part: float, members: Tensor | None = None
) -> Ensemble:
    """Follow the orbits of a plan for a part of the time that is left; all of them, or those given."""
    states = chosen.states if members is None else chosen.states[members]
    steps = part * timer.left / _cost(system, states, timer, chosen.every, chosen.count)
    block = max(1, math.ceil(steps / _BLOCKS / chosen.every)) * chosen.every
    return run(system, states, chosen, block_steps=block, timer=timer, part=part)


def run(
    system: SystemSpec,
    states: Tensor,
    chosen: Plan,
    *,
    block_steps: int,
    timer: Timer,
    part: float,
    blocks: int = 4 * _BLOCKS,
) -> Ensemble:
    """Follow orbits in blocks of `block_steps` for a part of the time that is left."""
    return follow(
        system,
        states,
        block_steps=block_steps,
        blocks=blocks,
        every=chosen.every,
        exponents=chosen.count,
        dt=system.dt,
        goes_on=timer.share(part),
    )


def _members(system: SystemSpec, timer: Timer, every: int, count: int, states: Tensor | None = None) -> int:
    """Return the number of orbits: the more, the longer they may still be.

    Larger ensembles than the largest one exceed the processor's cache and cost as much as separate ones.
    """
    small = isinstance(system, Map) and system.state_size < 8
    largest = 8192 if small else max(_FEWEST, 2 ** round(math.log2(16384 / (system.state_size * (count + 1)))))
    if states is not None:
        largest = min(largest, len(states))
    wanted, longest, members = 4 * system.transient / system.dt, 0.0, _FEWEST
    allowed = timer.left
    for number in (2**power for power in range(4, 14, 2)):
        trial = min(number, largest)
        starts = system.random_starts(trial, Generator().manual_seed(0)) if states is None else states[:trial]
        steps = _MAIN * allowed / _cost(system, starts, timer, every, count)
        longest = longest or steps
        behind = _TRANSIENT / _MAIN * steps  # a step without tangents is cheaper still
        # Up to some hundred orbits cost little more than a few, and fewer would miss a rare attractor.
        least = longest / (4 if trial <= _SURVEY else 2)
        if steps < min(wanted, least) or (states is None and behind < system.transient / system.dt / 4):
            break
        members = trial
        if trial == largest:
            break
    return members


def _cost(system: SystemSpec, states: Tensor, timer: Timer, every: int, count: int) -> float:
    """Return the time that a step of states and tangents takes [seconds]; the fastest of two samples counts.

    Compiled steps are so fast that the call itself would take longest; they are repeated until it does not count.
    """
    block_steps = every
    while True:
        sample = partial(follow, system, states, block_steps=block_steps, blocks=2, every=every, exponents=count)
        seconds = min(timer.duration(sample) for _ in range(2))
        if seconds > _LONG_ENOUGH or block_steps > _MOST_REPEATED:
            return seconds / (2 * block_steps)
        block_steps *= 4


def _settled(system: SystemSpec, state: Tensor, generator: Generator, timer: Timer) -> tuple[Tensor, float]:
    """Return the states behind the transient, and the share of it that fitted its part of the time.

    Each member stops at its own random time in the second half, as in `SystemSpec.initial_state`.
    """
    if type(system).initial_state is not SystemSpec.initial_state:
        return system.initial_state(len(state), generator), 1.0
    steps, goes_on = max(2, round(system.transient / system.dt)), timer.share(_TRANSIENT)
    stops = torch.randint(steps // 2, steps, (len(state), 1), generator=generator)
    left, stretch, done = stops[:, 0] + 1, max(16, steps // 100), 0
    while bool((moving := left > 0).any()):
        if done and not goes_on():
            return state, done / steps
        state[moving] = states_after(system, state[moving], left[moving].clamp(max=stretch))
        left, done = left - stretch, done + stretch
    return state, 1.0


def _resolved(system: SystemSpec, states: Tensor, count: int) -> int:
    """Return how many of the leading exponents can be resolved, at least one; compiled steps tell during the run."""
    if not isinstance(system, Flow) or system.scheme is None:
        return count
    compiled = compiled_growth(system, system.step, system.tangent_step, states, steps=1)
    return count if compiled is not None else resolved_exponents(system, states[:_MANY], count)


def _bounded(system: SystemSpec, states: Tensor) -> tuple[Tensor, tuple[str, ...]]:
    """Return the finite states, and a remark if some are not.

    Raises:
        DataError: if more than one in a hundred are not.
    """
    finite = torch.isfinite(states).all(-1)
    escaped = int((~finite).sum())
    check_escapes(system, escaped, len(states))
    remark = f"{escaped} of {len(states)} orbits escape to infinity and are left out"
    return states[finite], (remark,) if escaped else ()


def check_escapes(system: SystemSpec, escaped: int, total: int) -> None:
    """Refuse a system of which more than one in a hundred orbits escape.

    Raises:
        DataError: with the number of these orbits.
    """
    if escaped > ESCAPING * total:
        raise system.escape_error(
            f" ({escaped} of {total} orbits do); expected a bounded attractor at {system.parameters} with "
            f"dt={system.dt}: change these, or the start"
        )


def _distinct(states: Tensor) -> Tensor:
    """Return the states, those that coincide a billionth apart, so that chaotic orbits become independent."""
    if len(states.unique(dim=0)) == len(states):
        return states
    generator = Generator().manual_seed(0)
    noise = torch.randn(states.shape, dtype=states.dtype, generator=generator)
    return torch.stack([nearby(state, one) for state, one in zip(states, noise, strict=True)])


def _enough(system: SystemSpec, states: Tensor, timer: Timer, every: int, count: int) -> int:
    """Return a number of exponents, at least `count`, whose sum is negative, or the largest one that fits the time."""
    goes_on, chosen = timer.share(0.3), Plan(states, every, count, (), 1.0)
    while True:
        trial = replace(chosen, states=states[:_FEWEST])
        pilot = measured_run(system, trial, timer, part=0.08)
        rates = pilot.rates[pilot.bounded]
        if len(rates) and (resolved := resolved_columns(rates)) < chosen.count:
            return resolved
        mean = mean_and_interval(pilot.counted[pilot.bounded])[0].sort(descending=True).values
        if float(mean.sum()) < 0:
            # Two more exponents than the dimension needs show that the sum stays negative.
            return max(count, min(chosen.count, math.ceil(float(kaplan_yorke_dimension(mean))) + 2))
        if chosen.count == system.state_size or not goes_on():
            return chosen.count
        chosen = replace(chosen, count=min(2 * chosen.count, system.state_size))


def _decomposition_interval(system: SystemSpec, states: Tensor, count: int) -> int:
    """Return the steps between QR decompositions: at most 5, and few enough that tangents separate by at most e^4."""
    size = system.state_size
    points = states[: 64 if size <= _MANY else 4]
    _, jacobians = system.tangent_step(points, torch.eye(size, dtype=states.dtype).expand(len(points), -1, -1))
    values = torch.linalg.svdvals(jacobians)
    spread = float((values[:, 0] / values[:, count - 1]).log().max())  # NaN or infinite if a direction vanishes
    return 1 if math.isnan(spread) else max(1, min(5, int(4 / max(spread, 0.8))))
