"""The conformance check of systems passes every registered system and fails every broken one."""

from typing import Any, ClassVar, Literal

import pytest
import torch

from chaosbench import registry
from chaosbench.exponents import certify
from chaosbench.exponents.single_orbit import certify_orbit
from chaosbench.exponents.smoothness import rough_field
from chaosbench.systems import DoublePendulum, Duffing, Flow, Henon, LimitCycle, Lorenz63, Rossler, SystemSpec
from chaosbench.systems.kinks import crossed
from chaosbench.testing import check_system

KNOWN = registry.load().kinds


EQUATIONS = sorted(
    kind
    for kind, source in KNOWN["system"].items()
    if issubclass(source, SystemSpec)
    and not any(field.is_required() for name, field in source.model_fields.items() if name != "kind")
)


def slow_if(kind: str) -> Any:
    """Return the kind of a system, marked as slow where its steps solve equations."""
    return pytest.param(kind, marks=[pytest.mark.slow] if kind == "oregonator" else [])


@pytest.mark.parametrize("kind", [slow_if(kind) for kind in EQUATIONS])
def test_every_system_passes(kind: str, monkeypatch: pytest.MonkeyPatch):
    """A fifth of the transient suffices and saves time; the fourth-order step of the spectral system errs by 2e-6."""
    monkeypatch.setattr(KNOWN["system"][kind], "transient", KNOWN["system"][kind]().transient / 5)
    check_system(KNOWN["system"][kind](), step_error=1e-5 if kind == "kuramoto_sivashinsky" else 1e-6)


class NeedsOneBatchAxis(Henon):
    def step(self, state):
        return super().step(state.reshape(-1, 2))


class WrongSlope(Henon):
    def tangent_step(self, state, tangents):
        following, carried = super().tangent_step(state, tangents)
        return following, -carried


class StartsFromGlobalDraws(Henon):
    def initial_state(self, batch, generator):
        return super().initial_state(batch, torch.Generator().manual_seed(int(torch.randint(99, ()))))


class StartsAtOnePoint(Henon):
    def initial_state(self, batch, generator):
        return super().initial_state(1, generator).expand(batch, -1).clone()


class SinglePrecision(Henon):
    def step(self, state):
        return super().step(state.float())


class Unbounded(Flow):
    """x' = 0.05 x, y' = -y: doubles every 14 units of time, too slow to be noticed in the transient."""

    kind: Literal["unbounded"] = "unbounded"
    dimension: ClassVar[int] = 2
    start: ClassVar[tuple[float, ...] | None] = (1.0,)
    dt: float = 1.0

    def vector_field(self, state):
        return state * torch.tensor([0.05, -1.0], dtype=state.dtype)


class ConstantObservable(Henon):
    """Its second observable is always 0."""

    dimension: ClassVar[int] = 2

    def observe(self, state):
        return torch.cat([state[..., :1], 0 * state[..., :1]], dim=-1)


class Kinked(Flow):
    """A self-excited oscillator whose field has a kink at x = 0, or a jump at v = 0; both end on a limit cycle."""

    kind: Literal["kinked"] = "kinked"
    dimension: ClassVar[int] = 2
    transient: ClassVar[float] = 20.0
    jump: bool = False
    dt: float = 0.2

    def vector_field(self, state):
        x, v = state.unbind(-1)
        excitation = v.sign() - 0.3 * v if self.jump else (1 - x.abs()) * v
        return torch.stack([v, excitation - x], dim=-1)


@pytest.mark.parametrize("jump", [False, True])
def test_a_field_with_kinks_or_jumps_is_checked_where_it_is_smooth(jump: bool):
    """Some of the 64 states are within a step of a kink or a jump, where the method has a low order."""
    flow = Kinked(jump=jump)
    assert flow.step_error() > 1e-5
    check_system(flow, steps=200)


def test_a_step_that_is_too_long_for_the_smooth_parts_of_a_field_fails_as_any_other():
    with pytest.raises(AssertionError, match="`substeps`"):
        check_system(Kinked(dt=0.8), steps=200)


def test_lines_that_meet_a_jump_are_those_on_which_the_velocity_changes_sign():
    """Lines are a little longer than steps, by an eighth at each end, near which a jump may be missed."""
    flow, generator = Kinked(jump=True), torch.Generator().manual_seed(1)
    states, change = torch.randn(2, 4_000, 2, dtype=torch.float64, generator=generator)
    inner = (states * (states + change))[:, 1] < 0
    outer = ((states - 0.125 * change) * (states + 1.125 * change))[:, 1] < 0
    kink, jump = crossed(flow, states, states + change)
    assert bool(jump[inner].all())
    assert not bool((jump | kink)[~outer].any())
    assert 0.1 < float(jump.double().mean()) < 0.9


def test_lines_that_meet_a_kink_are_those_on_which_the_position_changes_sign():
    flow, generator = Kinked(), torch.Generator().manual_seed(1)
    states, change = torch.randn(2, 4_000, 2, dtype=torch.float64, generator=generator)
    inner = (states * (states + change))[:, 0] < 0
    outer = ((states - 0.125 * change) * (states + 1.125 * change))[:, 0] < 0
    kink, jump = crossed(flow, states, states + change)
    # A line along which v is near zero at the kink hardly bends, and one that meets it at its end may be missed.
    assert float(kink[inner].double().mean()) > 0.95
    assert not bool((jump | kink)[~outer].any())
    assert not bool(jump.any())


@pytest.mark.parametrize("word", ["kink", "jump"])
def test_certificates_remark_on_fields_that_are_not_smooth(word: str):
    flow = Kinked(jump=word == "jump")
    orbits = certify(flow, budget=1.0)
    single = certify_orbit(flow, [1.0, 0.5], duration=50.0)
    assert all(word in " ".join(one.remarks) for one in (orbits, single))


@pytest.mark.parametrize("flow", [Lorenz63(), Rossler(), Duffing(), DoublePendulum(), LimitCycle(mu=20.0, dt=0.01)])
def test_fields_of_the_catalogue_are_smooth(flow):
    assert rough_field(flow, flow.initial_state(16, torch.Generator().manual_seed(0))) is None


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (WrongSlope(), ["tangent_step", "derivative of step", "deviation"]),
        (StartsFromGlobalDraws(), ["initial states", "generator", "deviation"]),
        (StartsAtOnePoint(), ["initial states", "0.0e+00"]),
        (SinglePrecision(), ["torch.float32", "float64"]),
        (Lorenz63(dt=0.1), ["1e-06", "substeps"]),
        (Unbounded(), ["bounded", "1000 steps"]),
        (ConstantObservable(), ["observables", "[1]", "constant"]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, SystemSpec) else "",
)
def test_a_broken_system_fails_with_the_promise_that_it_breaks(spec: SystemSpec, words: list[str]):
    with pytest.raises(AssertionError) as raised:
        check_system(spec)
    assert [word for word in words if word not in str(raised.value)] == []


def test_a_system_that_needs_one_batch_axis_passes_because_it_is_called_with_one():
    check_system(NeedsOneBatchAxis())


def test_an_inaccurate_step_is_reported_with_the_settings_that_mend_it():
    with pytest.raises(AssertionError, match=r"`substeps`.*`dt`"):
        check_system(Lorenz63(dt=0.1))
