"""Next-generation reservoirs reproduce published errors, and fulfil the contract of a model."""

import re
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from math import log
from pathlib import Path

import numpy as np
import pytest
import torch
from chaosbench_reservoir import DelayPolynomial, Monomials, NextGenerationReservoir
from scipy.integrate import solve_ivp
from torch import Tensor
from torch.testing import assert_close

from chaosbench import lyapunov_spectrum
from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.systems import Henon, Lorenz63
from chaosbench.testing import check_model
from chaosbench.trainers import Ridge

README = Path(__file__).parents[1] / "README.md"
SHORT = DataSpec(train_orbits=4, train_length=500, validation_orbits=0, test_length=50)


def fitted(spec: NextGenerationReservoir, trainer: Ridge, data: Dataset) -> DelayPolynomial:
    model = spec.build(data.dimension, (0,)).double()
    for _ in trainer.fit(model, data, (0,)):
        pass
    return model


@pytest.mark.parametrize(
    ("spec", "dimension", "regularisation"),
    [
        (NextGenerationReservoir(), 3, 1.0),
        (NextGenerationReservoir(delays=1), 3, 1.0),
        (NextGenerationReservoir(delays=3, stride=2), 1, 1.0),
        (NextGenerationReservoir(degree=3, odd=True), 1, 100.0),
    ],
    ids=lambda value: value.label if isinstance(value, NextGenerationReservoir) else str(value),
)
def test_the_model_fulfils_its_contract(spec: NextGenerationReservoir, dimension: int, regularisation: float):
    """The check steps from random states, off every attractor, where a weakly regularised polynomial soon overflows."""
    check_model(spec, dimension, trainer=Ridge(regularisation=regularisation))


@pytest.mark.parametrize(("variables", "degree", "odd"), [(1, 4, False), (3, 3, False), (2, 5, True), (4, 1, False)])
def test_monomials_are_the_products_of_their_variables(variables: int, degree: int, odd: bool):
    monomials, points = Monomials(variables, degree, odd=odd), torch.randn(7, variables, dtype=torch.float64)
    expected = [points[:, list(term)].prod(dim=1) for term in monomials.terms]
    assert_close(monomials.values(points), torch.stack(expected, dim=1), atol=1e-14, rtol=1e-14)
    assert len(set(monomials.terms)) == monomials.count
    assert {len(term) for term in monomials.terms} == set(range(1, degree + 1, 2 if odd else 1))


@pytest.mark.parametrize(("variables", "degree", "odd"), [(1, 4, False), (3, 3, False), (2, 5, True), (4, 1, False)])
def test_slopes_of_monomials_obey_eulers_theorem(variables: int, degree: int, odd: bool):
    """A monomial m of degree n has sum_v v dm/dv = n m, and does not change with a variable that it lacks."""
    monomials, points = Monomials(variables, degree, odd=odd).double(), torch.randn(1, 7, variables).double()
    slopes = monomials.slopes(points, torch.eye(monomials.count).double()[None])
    degrees = torch.tensor([len(term) for term in monomials.terms])
    assert_close((slopes * points[:, :, None]).sum(-1), degrees * monomials.values(points), atol=1e-13, rtol=1e-13)
    lacking = [[v not in term for v in range(variables)] for term in monomials.terms]
    assert not slopes[:, :, lacking].any()


def test_driving_along_an_orbit_equals_responding_to_each_observation():
    model = NextGenerationReservoir(delays=3, stride=2).build(2, (0, 1)).double()
    state = torch.randn(2, 3, model.state_size, dtype=torch.float64)
    orbit = torch.randn(2, 3, 9, 2, dtype=torch.float64)
    expected = []
    last = state
    for observation in orbit.unbind(2):
        last, features = model.respond(last, observation)
        expected.append(features)
    found, driven = model.drive_along(state, orbit)
    assert torch.equal(found, last)
    assert torch.equal(driven, torch.stack(expected, dim=2))


def test_the_features_are_those_of_reservoirpy():
    nodes = pytest.importorskip("reservoirpy.nodes", reason="reservoirpy is not installed")
    orbit = torch.randn(12, 2, dtype=torch.float64)
    expected = nodes.NVAR(delay=3, order=2, strides=2).run(orbit.numpy())
    model = NextGenerationReservoir(delays=3, stride=2).build(2, (0,)).double()
    _, found = model.drive_along(torch.zeros(1, 1, model.state_size, dtype=torch.float64), orbit[None, None])
    # The order of monomials of the second degree is not the same.
    assert_close(found[0, 0, :, :6].numpy(), np.asarray(expected)[:, :6])
    assert_close(found[0, 0].sort(dim=1).values.numpy(), np.sort(np.asarray(expected), axis=1))


def test_the_henon_map_of_one_observable_is_found_exactly_from_two_delays():
    """x_(t+1) = 1 - 1.4 x_t² + 0.3 x_(t-1) has degree 2; |det J| = 0.3 everywhere, so the exponents sum to ln 0.3."""
    data = simulate(Henon(), SHORT.replaced(observed=(0,))).to("cpu", torch.float64)
    model = fitted(NextGenerationReservoir(), Ridge(regularisation=1e-14, noise=0.0), data)
    mean, deviation = data.mean.double(), data.deviation.double()
    x = torch.tensor([[[0.1, -0.7]]], dtype=torch.float64)
    following = model.step((x - mean) / deviation) * deviation + mean
    assert_close(following, torch.tensor([[[1 - 1.4 * 0.01 - 0.3 * 0.7, 0.1]]], dtype=torch.float64), atol=1e-7, rtol=0)
    spectrum = lyapunov_spectrum(model, model.initial_state(data.train[None, :, :3]), steps=500)
    assert_close(spectrum.sum(dim=-1), torch.full((1, 4), log(0.3), dtype=torch.float64), atol=1e-5, rtol=0)


@cache
def published_orbit() -> Tensor:
    """Return Lorenz-63 as integrated by the authors' code: RK23 with its default tolerance, dt = 0.025, `(T, 3)`."""

    def field(_: float, y: np.ndarray) -> list[float]:
        return [10 * (y[1] - y[0]), y[0] * (28 - y[2]) - y[1], y[0] * y[1] - 8 / 3 * y[2]]

    times = np.arange(4_300) * 0.025
    start = [17.67715816276679, 12.931379185960404, 43.91404334248268]
    return torch.from_numpy(solve_ivp(field, (0, times[-1]), start, t_eval=times, method="RK23").y.T.copy())


def published_error(first: int, data: Dataset) -> tuple[float, float]:
    """Train on 400 points from `first` on; return the errors of one step, and of a forecast over a Lyapunov time."""
    orbit = published_orbit()
    train, truth = orbit[first - 1 : first + 400], orbit[first + 400 : first + 400 + 43]
    mean, deviation, variance = train.mean(dim=0), train.std(dim=0), float(orbit.var(unbiased=False))
    data = replace(data, train=((train - mean) / deviation)[None], mean=mean, deviation=deviation)
    model = fitted(NextGenerationReservoir(), Ridge(warm_up=1, noise=0.0), data)
    states = torch.cat([data.train[:, 1:-1], data.train[:, :-2]], dim=-1)[None, 0]
    one_step = (model.step(states)[..., :3] - data.train[:, 2:]) * deviation
    forecast, _ = model.predict(model.initial_state(data.train[None, :, -2:]), 43)
    error = forecast[0, 0] * deviation + mean - truth
    return float((one_step.square().mean() / variance).sqrt()), float((error.square().mean() / variance).sqrt())


def test_errors_on_lorenz_are_those_published():
    """Gauthier et al. 2021: the error of a forecast over one Lyapunov time is (2.40 +- 0.53) 1e-3 in units of the
    standard deviation, and that of one step in training (1.06 +- 0.01) 1e-4, over ten trainings of 400 points; the
    quoted uncertainty is the standard error of the mean. The penalty here is another, so one-step errors agree within
    a half only."""
    data = simulate(Lorenz63(), SHORT)
    errors = torch.tensor([published_error(first, data) for first in range(200, 4_000, 400)])
    one_step, forecast = errors.mean(dim=0).tolist()
    assert one_step == pytest.approx(1.06e-4, rel=0.5)
    assert abs(forecast - 2.40e-3) < 3 * (0.53e-3**2 + float(errors[:, 1].var()) / len(errors)) ** 0.5


def test_a_history_gives_the_delays():
    model = NextGenerationReservoir(delays=2, stride=2).build(1, (0,))
    history = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 1, 4, 1)
    assert model.initial_state(history).flatten().tolist() == [4.0, 3.0, 2.0]
    assert model.initial_state(history[:, :, :1]).flatten().tolist() == [1.0, 1.0, 1.0]


def test_the_readmes_suite_loads_where_the_package_is_installed(tmp_path: Path):
    from chaosbench import registry, suite

    if not [entry for entry in entry_points(group="chaosbench") if entry.name == "reservoir"]:
        pytest.skip("chaosbench-reservoir is not installed")
    (text,) = re.findall(r"^```toml\n(.*?)^```$", README.read_text(encoding="utf-8"), re.S | re.M)
    (tmp_path / "reservoirs.toml").write_text(text, encoding="utf-8")
    loaded = registry.load()
    assert loaded.origins["model", "next_generation_reservoir"].startswith("chaosbench-reservoir ")
    assert suite.load(str(tmp_path / "reservoirs.toml"), loaded)
