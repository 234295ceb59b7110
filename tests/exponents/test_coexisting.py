import json
import math
import time
from functools import partial
from typing import ClassVar, Literal

import pytest
import torch
from typer.testing import CliRunner

from chaosbench import cli
from chaosbench.data import DataSpec, simulate
from chaosbench.errors import DataError
from chaosbench.exponents import certify as by_wall_clock
from chaosbench.systems import Flow, Lorenz84, Map

certify = partial(by_wall_clock, clock=time.process_time)


class Bistable(Map):
    """Two copies of the logistic map side by side: chaos at r = 4 for y < 0, a fixed point at r = 2.5 for y > 0."""

    kind: Literal["bistable"] = "bistable"
    dimension: ClassVar[int] = 2
    start: ClassVar[tuple[float, ...] | None] = (0.4, -0.2)
    spread: ClassVar[float] = 0.1

    def step(self, state):
        x, y = state.unbind(-1)
        x = x.clamp(0, 1)
        return torch.stack([torch.where(y < 0, 3.99, 2.5) * x * (1 - x), y.sign() * (0.5 + 0.1 * (y.abs() - 0.5))], -1)


class CoupledBeta(Map):
    """Sixteen maps x -> 1.9 x mod 1 on a ring, with diffusive coupling."""

    kind: Literal["coupled_beta"] = "coupled_beta"
    dimension: ClassVar[int] = 16
    start: ClassVar[tuple[float, ...] | None] = (0.5,)

    def step(self, state):
        y = (1.9 * state) % 1
        return 0.7 * y + 0.15 * (y.roll(1, -1) + y.roll(-1, -1))


class Gauss(Map):
    """Gauss's map of continued fractions."""

    kind: Literal["gauss"] = "gauss"
    dimension: ClassVar[int] = 1
    start: ClassVar[tuple[float, ...] | None] = (0.4,)
    spread: ClassVar[float] = 0.03

    def step(self, state):
        return (1 / state) % 1


class Towel(Map):
    """Rossler's map of a folded towel, all orbits from the same point."""

    kind: Literal["towel"] = "towel"
    dimension: ClassVar[int] = 3
    start: ClassVar[tuple[float, ...] | None] = (0.085, -0.121, 0.075)
    spread: ClassVar[float] = 0.0

    def step(self, state):
        x, y, z = state.unbind(-1)
        folded = (y + 0.35) * (1 - 2 * z)
        return torch.stack(
            [3.8 * x * (1 - x) - 0.05 * folded, 0.1 * (folded - 1) * (1 - 1.9 * x), 3.78 * z * (1 - z) + 0.2 * y], -1
        )


class Linear(Flow):
    """The linear flow x' = -x, y' = -2 y."""

    kind: Literal["linear"] = "linear"
    dimension: ClassVar[int] = 2
    start: ClassVar[tuple[float, ...] | None] = (1.0, 1.0)
    transient: ClassVar[float] = 5.0

    def vector_field(self, state):
        return torch.cat([-state[..., :1], -2 * state[..., 1:]], dim=-1)


class Doubling(Map):
    """x -> 2 x mod 1, which rounding leads to 0."""

    kind: Literal["doubling"] = "doubling"
    dimension: ClassVar[int] = 1
    start: ClassVar[tuple[float, ...] | None] = (0.3,)

    def step(self, state):
        return (2 * state) % 1


def failed(certificate) -> set[str]:
    return {check.name for check in certificate.checks if not check.passed}


def within(certificate, expected, width=1.5) -> bool:
    """Return whether each exponent is the expected one within its interval, widened for many comparisons."""
    reference = certificate.reference
    columns = zip(reference.exponents, expected, reference.intervals, strict=True)
    return all(abs(value - right) <= width * interval + 1e-3 for value, right, interval in columns)


def test_each_attractor_of_a_mixture_is_reported_with_its_share():
    """The starts with y > 0, 2.3 % of 256 by the spread, reach the point; the others are chaotic."""
    certificate = certify(Bistable(), budget=4.0)
    assert [one.regime for one in certificate.attractors] == ["chaotic", "fixed point"]
    assert failed(certificate) == {"one attractor"}
    assert all(one.verified for one in certificate.attractors)
    rare = certificate.attractors[1]
    right = 0.5 * math.erfc(2 / math.sqrt(2))
    assert rare.share_interval[0] <= right <= rare.share_interval[1]
    assert rare.reference.exponents[0] == pytest.approx(math.log(0.5), abs=1e-6)


class Twins(Map):
    """The logistic map at r = 3.99 beside a coordinate that keeps its sign: two attractors with the same exponents."""

    kind: Literal["twins"] = "twins"
    dimension: ClassVar[int] = 2
    start: ClassVar[tuple[float, ...] | None] = (0.4, 0.0)
    spread: ClassVar[float] = 0.1

    def step(self, state):
        x, y = state.unbind(-1)
        x = x.clamp(0, 1)
        return torch.stack([3.99 * x * (1 - x), y.sign() * (0.5 + 0.1 * (y.abs() - 0.5))], -1)


def test_attractors_at_different_places_are_told_apart_though_their_exponents_are_equal():
    """They lie at y = -1/2 and y = 1/2, and half of the starts lead to each."""
    certificate = certify(Twins(), budget=3.0)
    assert [one.regime for one in certificate.attractors] == ["chaotic", "chaotic"]
    assert failed(certificate) == {"one attractor"}
    assert sorted(one.start[1] for one in certificate.attractors) == pytest.approx([-0.5, 0.5])
    assert all(low <= 0.5 <= high for low, high in (one.share_interval for one in certificate.attractors))


@pytest.mark.parametrize("choice", ["fixed point", (0.5, 0.5)])
def test_an_attractor_is_chosen_by_its_regime_or_by_a_state(choice):
    """The multiplier of the fixed point 1 - 1 / r of the logistic map is 2 - r, here -1/2; the other one is 1/10."""
    certificate = certify(Bistable(attractor=choice), budget=3.0)
    assert certificate.regime == "fixed point"
    assert certificate.passed
    assert certificate.reference.exponents == pytest.approx((math.log(0.5), math.log(0.1)), abs=1e-6)


def test_an_attractor_that_does_not_exist_is_refused():
    with pytest.raises(DataError, match=r"quasi-periodic.*chaotic"):
        certify(Bistable(attractor="quasi-periodic"), budget=2.0)


def test_data_never_mix_attractors(caplog, tmp_path, monkeypatch):
    """The start leads to chaos, where y < 0; the warning counts the attractors."""
    monkeypatch.setenv("CHAOSBENCH_CACHE", str(tmp_path))
    spec = DataSpec(train_orbits=200, train_length=20, validation_orbits=0, test_orbits=2, test_length=40)
    free = simulate(Bistable(), spec.replaced(standardise="none"))
    assert "2 attractors" in caplog.text
    assert bool((free.train[..., 1] < 0).all())
    assert free.largest_exponent > 0.5
    caplog.clear()
    rest = Bistable(attractor="fixed point").recordings(spec)
    assert bool((rest.train[..., 1] > 0).all())
    assert [one for one in caplog.records if one.name != "chaosbench.kernels.compiling"] == []


def test_an_attractor_that_is_not_chosen_does_not_change_the_identity_of_a_system():
    assert "attractor" not in json.loads(Lorenz84().canonical())
    assert Lorenz84().digest() != Lorenz84(attractor="chaotic").digest()
    assert Lorenz84.model_validate_json(Lorenz84(attractor=(1.0, 0.0, 0.0)).model_dump_json()).attractor == (1, 0, 0)


@pytest.mark.slow
def test_lorenz_84_has_a_fixed_point_a_cycle_and_chaos():
    """Freire, Bonatto, DaCamara & Gallas 2008, Chaos 18, 033121, show coexisting attractors. Shares: counted apart."""
    certificate = certify(Lorenz84(a=0.255, b=4.0, F=6.886, G=1.347), budget=60.0)
    assert [one.regime for one in certificate.attractors] == ["fixed point", "periodic", "chaotic"]
    assert all(one.verified for one in certificate.attractors)
    shares = [one.share_interval for one in certificate.attractors]
    assert all(low <= right / 256 <= high for (low, high), right in zip(shares, (169, 51, 36), strict=True))
    zero, chaos = (one.reference for one in certificate.attractors[1:])
    assert abs(zero.exponents[0]) <= 1.5 * zero.tolerances[0]
    assert abs(chaos.exponents[0] - 0.063) <= 1.5 * chaos.intervals[0] + 0.001


@pytest.mark.slow
def test_exact_exponents_of_a_lattice_pass_in_single_precision():
    certificate = certify(CoupledBeta(), budget=4.0)
    modes = [math.log(0.7 + 0.3 * math.cos(2 * math.pi * k / 16)) for k in range(16)]
    assert certificate.passed
    assert sum(certificate.reference.exponents) == pytest.approx(16 * math.log(1.9) + sum(modes), abs=1e-6)
    assert certificate.reference.largest == pytest.approx(math.log(1.9), abs=5e-3)


def test_escapes_that_single_precision_alone_has_do_not_refuse_a_system():
    """The exponent of Gauss's map is pi^2 / (6 ln 2); its data are in double precision."""
    certificate = certify(Gauss(), budget=2.0)
    assert certificate.passed
    assert within(certificate, (math.pi**2 / (6 * math.log(2)),))


class ScatteredTowel(Towel):
    """The same map with orbits from scattered points."""

    spread: ClassVar[float] = 0.01


@pytest.mark.slow
def test_orbits_from_one_point_become_independent():
    """Their exponents agree with those of orbits from scattered points within both intervals."""
    one, many = (certify(system, budget=2.0).reference for system in (Towel(), ScatteredTowel()))
    for index in range(3):
        allowed = 1.5 * (one.intervals[index] + many.intervals[index])
        assert abs(one.exponents[index] - many.exponents[index]) <= allowed


@pytest.mark.slow
def test_a_stable_flow_has_its_eigenvalues_as_exponents_and_no_zero():
    certificate = certify(Linear(dt=0.1), budget=3.0)
    assert certificate.regime == "fixed point"
    assert certificate.passed
    assert within(certificate, (-1.0, -2.0))


def test_a_map_that_collapses_by_rounding_fails():
    assert failed(certify(Doubling(), budget=4.0)) == {"no collapse"}


def test_the_command_shows_the_attractors_and_exits_with_code_one(monkeypatch):
    monkeypatch.setattr(cli, "_system", lambda *_: Bistable())
    shown = CliRunner().invoke(cli.app, ["certify", "henon", "--budget", "4s"])
    assert shown.exit_code == 1
    assert "2 attractors" in shown.output
    assert "set attractor" in shown.output
