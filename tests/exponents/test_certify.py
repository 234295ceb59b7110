import json
import math
import time
from functools import partial
from typing import ClassVar, Literal

import pytest
import torch
from typer.testing import CliRunner

from chaosbench import cli
from chaosbench.errors import SpecError, UnknownNameError
from chaosbench.exponents import certify as by_wall_clock
from chaosbench.exponents.checks import sum_of_exponents
from chaosbench.systems import Flow, Henon, Logistic, Lorenz63, MackeyGlass, Map, Rossler, Torus, TwoCycle
from chaosbench.systems.certificate import Check

# Other processes do not count, so that a busy machine does not shorten the orbits.
certify = partial(by_wall_clock, clock=time.process_time)


class Sheared(Henon):
    """The Hénon map with an error in its tangents."""

    def tangent_step(self, state, tangents):
        u, v = tangents.unbind(-2)
        return self.step(state), torch.stack([-2 * self.a * state[..., :1] * u + v, 1.01 * self.b * u], dim=-2)


class Skewed(Lorenz63):
    """The Lorenz system with an error in its tangents that preserves the sum of the exponents."""

    transient: ClassVar[float] = 1.0

    def tangent_field(self, state, tangents):
        return super().tangent_field(state, tangents) + 0.1 * tangents.roll(1, -2)


class Turn(Map):
    """A rotation by 0.618 of a turn, the inverse of the golden ratio."""

    kind: Literal["turn"] = "turn"
    dimension: ClassVar[int] = 2
    start: ClassVar[tuple[float, ...] | None] = (1.0, 0.0)

    def step(self, state):
        angle = math.pi * (5**0.5 - 1)
        x, y = state.unbind(-1)
        sine, cosine = math.sin(angle), math.cos(angle)
        return torch.stack([cosine * x - sine * y, sine * x + cosine * y], dim=-1)


class Decay(Flow):
    """Exponential decay, x' = -x."""

    kind: Literal["decay"] = "decay"
    dimension: ClassVar[int] = 1
    transient: ClassVar[float] = 4.0

    def vector_field(self, state):
        return -state


def failed(certificate) -> set[str]:
    return {check.name for check in certificate.checks if not check.passed}


def test_a_map_is_certified_within_seconds():
    certificate = certify(Henon(), budget=3.0)
    assert certificate.passed
    assert certificate.regime == "chaotic"
    assert certificate.divergence == pytest.approx(math.log(0.3), abs=1e-12)
    assert {check.name for check in certificate.checks} == {"single precision", "sum of exponents"}
    assert certificate.predictability_steps == pytest.approx(math.log(2) / certificate.reference.largest)


def test_the_sum_of_exponents_detects_tangents_that_are_not_the_derivative():
    assert "sum of exponents" in failed(certify(Sheared(), budget=0.5))


class Spiking(Rossler):
    """Rossler's system with high spikes of z, and tangents that shrink by a given rate more than they should."""

    kind: Literal["spiking"] = "spiking"
    a: float = 0.15
    c: float = 10.0
    surplus: float = 0.0

    def tangent_field(self, state, tangents):
        return super().tangent_field(state, tangents) - self.surplus * tangents


@pytest.mark.parametrize("surplus", [0.0, 1e-3])
def test_an_inexact_step_in_a_spike_is_told_from_wrong_tangents(surplus):
    """At half the step only the first difference vanishes; at the step itself both exceed the tolerance."""
    system = Spiking(surplus=surplus)
    states = Rossler(a=0.15, c=10.0).initial_state(256, torch.Generator().manual_seed(1))
    _, (check,), _ = sum_of_exponents(system, states, 3)
    assert check.passed == (surplus == 0.0)


def test_the_carried_field_detects_wrong_tangents_even_if_the_sum_is_right():
    checks = failed(certify(Skewed(), budget=1.0))
    assert "field carried along" in checks
    assert "sum of exponents" not in checks


@pytest.mark.parametrize(
    ("system", "regime"),
    [
        (TwoCycle(), "periodic"),
        (Logistic(r=2.5), "fixed point"),
        (Turn(), "quasi-periodic"),
        (Decay(dt=0.1), "fixed point"),
    ],
    ids=lambda value: getattr(value, "kind", value),
)
def test_systems_that_are_not_chaotic_have_no_predictability_time(system, regime):
    """At r = 2.5 the fixed point 1 - 1 / r is stable."""
    certificate = certify(system, budget=1.0)
    assert certificate.regime == regime
    assert certificate.predictability_steps is None
    assert certificate.passed


def test_the_torus_has_its_exact_exponents():
    """They are 0, 0, -2, -2; tangents align as exp(-2 t), so that the first fifth of the run leaves nothing."""
    certificate = certify(Torus(), budget=4.0)
    assert certificate.regime == "quasi-periodic"
    assert certificate.reference.exponents == pytest.approx((0, 0, -2, -2), abs=2e-3)
    assert {check.name for check in certificate.checks if check.passed} >= {"sum of exponents", "field carried along"}


def test_a_certificate_of_leading_exponents_remarks_that_the_sum_is_not_checked():
    certificate = certify(MackeyGlass(substeps=1), budget=1.0)
    assert certificate.divergence is None
    assert "leading 4 of 18" in certificate.remarks[-1]
    assert "sum of exponents" not in {check.name for check in certificate.checks}


def test_a_check_passes_up_to_its_tolerance():
    assert Check(name="a", meaning="b", measured=1.0, tolerance=1.0).passed
    assert not Check(name="a", meaning="b", measured=1.1, tolerance=1.0).passed


def test_the_command_prints_the_certificate_and_its_checks():
    shown = CliRunner().invoke(cli.app, ["certify", "two_cycle", "--budget", "0.5s"])
    assert shown.exit_code == 0
    assert "two_cycle is periodic" in shown.output
    assert "the system is not chaotic" in shown.output
    assert "sum of exponents" in shown.output


def test_the_command_prints_json_and_takes_parameters():
    shown = CliRunner().invoke(cli.app, ["certify", "logistic", "--set", "r=3.8", "--budget", "0.5s", "--json"])
    content = json.loads(shown.output)
    assert content["label"] == "logistic(r=3.8)"
    assert content["passed"] == (shown.exit_code == 0)
    assert content["kaplan_yorke_dimension"] == 1


def test_a_failed_check_gives_exit_code_one(monkeypatch):
    monkeypatch.setattr(cli, "_system", lambda *_: Sheared())
    shown = CliRunner().invoke(cli.app, ["certify", "henon", "--budget", "0.5s"])
    assert shown.exit_code == 1
    assert "FAILED" in shown.output


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (["henom"], UnknownNameError, "did you mean 'henon'"),
        (["henon", "--set", "c=1"], UnknownNameError, "no field is called 'c'"),
        (["henon", "--set", "attractor=[0.1, 0.2, 0.3]"], SpecError, "a state of 2 numbers"),
        (["henon", "--duration", "10"], SpecError, "--start"),
        (["henon", "--start", "0,0", "--exponents", "1"], SpecError, "--exponents"),
        (["lorenz63", "--set", "dt=-1"], SpecError, "greater than 0"),
        (["mackey_glass", "--set", "tau=0.3"], SpecError, "multiple"),
        (["timeseries", "--set", "path=x.npy"], SpecError, "no equation"),
        (["henon", "--budget", "soon"], SpecError, "60s"),
    ],
)
def test_the_command_reports_a_mistake_in_one_line(arguments, error, words):
    raised = CliRunner().invoke(cli.app, ["certify", *arguments]).exception
    assert isinstance(raised, error)
    assert words in str(raised)
    assert "\n" not in str(raised)
