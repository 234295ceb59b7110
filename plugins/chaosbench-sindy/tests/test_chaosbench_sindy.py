"""SINDy recovers published equations, and model and trainer pass the conformance kit."""

import re
import subprocess
import sys
from math import log
from pathlib import Path

import numpy as np
import pysindy
import pytest
import torch
from chaosbench_sindy import STLSQ, EnsembleSTLSQ, Polynomial, SINDy, WeakSTLSQ, library, monomials, regression, terms
from chaosbench_sindy.weak import weak_rows
from torch import Tensor
from torch.testing import assert_close

from chaosbench import lyapunov_spectrum, registry, suite
from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.errors import DataError
from chaosbench.models import LSTM, EchoStateNetwork
from chaosbench.systems import Henon, Lorenz63, SystemSpec
from chaosbench.testing import check_model, check_trainer
from chaosbench.trainers import BPTT, Ridge

SEEDS = (2, 5)


def short_data(system: SystemSpec, **settings) -> Dataset:
    short = {
        "train_orbits": 8,
        "train_length": 500,
        "validation_orbits": 2,
        "validation_length": 200,
        "test_length": 50,
    }
    return simulate(system, DataSpec.model_validate(short | settings))


def fitted(spec: SINDy, trainer: STLSQ, data: Dataset) -> Polynomial:
    model = spec.build(data.dimension, SEEDS).double()
    (step,) = trainer.fit(model, data, SEEDS)
    assert step.update == step.updates == 1
    return model


@pytest.mark.parametrize(
    ("spec", "dimension"),
    [(SINDy(), 1), (SINDy(), 3), (SINDy(form="map"), 3), (SINDy(degree=3, substeps=2), 1)],
    ids=lambda value: value.label if isinstance(value, SINDy) else str(value),
)
def test_the_model_fulfils_its_contract(spec: SINDy, dimension: int):
    check_model(spec, dimension, trainer=STLSQ(thresholds=(0.1,)))


@pytest.mark.parametrize(
    "trainer",
    [
        STLSQ(),
        STLSQ(thresholds=(0.1,), smoothing=9),
        WeakSTLSQ(),
        EnsembleSTLSQ(thresholds=(0.0, 0.1), members=3, rows_seen=100, dropped_terms=1, inclusion=0.0),
        EnsembleSTLSQ(thresholds=(0.1,), members=3, rows_seen=100, half_width=25),
    ],
    ids=lambda trainer: trainer.label,
)
def test_the_trainer_fulfils_its_contract(trainer: STLSQ):
    check_trainer(trainer, model=SINDy())


@pytest.mark.parametrize(("dimension", "degree"), [(1, 4), (3, 2), (4, 3)])
def test_the_library_equals_pysindys(dimension: int, degree: int):
    points = torch.randn(20, dimension, dtype=torch.float64)
    expected = pysindy.PolynomialLibrary(degree=degree).fit_transform(points.numpy())
    assert_close(library(points, terms(dimension, degree)).numpy(), np.asarray(expected), atol=1e-13, rtol=1e-13)


def lorenz_coefficients(model: Polynomial) -> Tensor:
    """Return the coefficients of Lorenz-63, `(terms, 3)` [1 / system time]."""
    expected = torch.zeros(len(model.terms), 3, dtype=torch.float64)
    for term, equation, value in (
        ((0,), 0, -10.0), ((1,), 0, 10.0), ((0,), 1, 28.0), ((1,), 1, -1.0), ((0, 2), 1, -1.0), ((0, 1), 2, 1.0),
        ((2,), 2, -8 / 3),
    ):  # fmt: skip
        expected[model.terms.index(term), equation] = value
    return expected


def test_the_lorenz_equations_are_recovered():
    """sigma = 10, rho = 28, beta = 8 / 3. The error of fourth-order differences is dt⁴ x⁽⁵⁾ / 30 with x⁽⁵⁾ up to 1e8 on
    this attractor: 0.03 in derivatives of order 100, hence as much or less in coefficients."""
    model = fitted(SINDy(), STLSQ(), short_data(Lorenz63()))
    expected = lorenz_coefficients(model)
    coefficients = model.coefficients / 0.01
    assert ((coefficients != 0) == (expected != 0)).all()
    assert_close(coefficients, expected.expand(2, -1, -1), atol=0.05, rtol=0)


@pytest.mark.parametrize(
    "trainer",
    [WeakSTLSQ(thresholds=(0.5,)), EnsembleSTLSQ(thresholds=(0.5,), half_width=25, dropped_terms=1)],
    ids=lambda trainer: trainer.kind,
)
def test_with_noise_the_weak_form_finds_the_terms_that_differences_do_not(trainer: STLSQ):
    """Noise of 5 % of a standard deviation, and thresholds of half the smallest coefficient of Lorenz-63. The noise is
    0.4 per coordinate, 40 per unit of time in a difference over dt = 0.01: as large as the terms that are sought."""
    data = short_data(Lorenz63(), train_orbits=32, train_length=1_000, noise=0.05)
    model = fitted(SINDy(), trainer, data)
    expected = lorenz_coefficients(model)
    assert ((model.coefficients != 0) == (expected != 0)).all()
    assert_close(model.coefficients / 0.01, expected.expand(2, -1, -1), atol=0.1, rtol=0.1)
    differences = fitted(SINDy(), STLSQ(thresholds=(0.5,)), data)
    assert ((differences.coefficients != 0) != (expected != 0)).any()


def test_weak_rows_hold_for_an_exact_solution():
    """x = exp(a t) fulfils - int phi' x dt = a int phi x dt; the sum is exact up to the smoothness of phi."""
    rate, dt = -0.7, 0.05
    orbit = torch.exp(rate * dt * torch.arange(200, dtype=torch.float64)).view(1, -1, 1)
    features, targets = weak_rows(SINDy(degree=1).build(1, (0,)), orbit, dt, 20, 8)
    assert_close(features[:, 0], torch.ones(len(features), dtype=torch.float64))
    assert_close(targets, rate * features[:, 1:], atol=1e-9, rtol=1e-9)


def test_an_ensemble_counts_how_often_a_term_is_found():
    """y = 2 a exactly, so all regressions find a, and those that lack no term drop b, which is unrelated."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 400, dtype=torch.float64, generator=generator).numpy()
    features, targets = np.stack([a, b], axis=1), 2 * a[:, None]
    for lacking in (0, 1):
        trainer = EnsembleSTLSQ(members=30, dropped_terms=lacking, regularisation=0.0)
        coefficients, inclusion = trainer.regress(features, targets, 0.1, SEEDS)
        assert inclusion[:, 0].tolist() == [[1.0], [1.0]]
        assert_close(coefficients[:, 0], torch.full((2, 1), 2.0, dtype=torch.float64))
        assert lacking or not inclusion[:, 1].any()


@pytest.mark.parametrize(("threshold", "regularisation"), [(0.01, 0.0), (0.05, 0.05), (0.2, 0.05)])
def test_a_condensed_regression_has_the_solution_of_all_rows(threshold: float, regularisation: float, monkeypatch):
    """Normal equations of any columns are the same up to rounding, so that the same terms fall below the threshold."""
    monkeypatch.setattr(monomials, "_CHUNK", 1_000)
    data, trainer = short_data(Henon()), STLSQ(regularisation=regularisation)
    model = SINDy(form="map", degree=4).build(data.dimension, SEEDS)
    whole = trainer.rows(model, data.train.double(), 1.0)
    monkeypatch.setattr(regression, "_LARGEST", 0)
    few = trainer.rows(model, data.train.double(), 1.0)
    assert few[0].shape == (len(model.terms) + 2, len(model.terms))
    found, expected = (trainer.solution(*(part.numpy() for part in rows), threshold) for rows in (few, whole))
    assert_close(found, expected, atol=1e-9, rtol=1e-9)
    assert torch.equal(found != 0, expected != 0)
    assert EnsembleSTLSQ().rows(model, data.train.double(), 1.0)[0].shape == whole[0].shape


def test_the_henon_map_is_recovered_exactly_with_its_exponents():
    """x' = 1 - 1.4 x² + y, y' = 0.3 x is in the library, so without a ridge only rounding is left. Published exponent:
    0.41922 (Sprott 2003); the sum is ln 0.3."""
    data = short_data(Henon(), observed=(0, 1))
    model = fitted(SINDy(form="map"), STLSQ(regularisation=0.0), data)
    expected = {(): (1.0, 0.0), (0,): (0.0, 0.3), (1,): (1.0, 0.0), (0, 0): (-1.4, 0.0)}
    for term, coefficient in zip(model.terms, model.coefficients[0].tolist(), strict=True):
        assert coefficient == pytest.approx(expected.get(term, (0.0, 0.0)), abs=1e-9), term
    spectra = lyapunov_spectrum(model, model.initial_state(data.train[:, :1].expand(2, -1, -1, -1)), steps=2_000)
    assert float(spectra[..., 0].mean()) == pytest.approx(0.41922, abs=0.02)
    assert_close(spectra.sum(dim=-1), torch.full((2, 8), log(0.3), dtype=torch.float64), atol=1e-6, rtol=0)


def test_a_step_is_the_flow_of_the_polynomial_to_fourth_order():
    """dx/dt = x - x³ has x(t) = x0 / sqrt(x0² + (1 - x0²) e^-2t); doubling the substeps divides the error by 16."""
    start = torch.tensor([[[0.3], [-1.5]]], dtype=torch.float64)
    expected = start / (start**2 + (1 - start**2) * torch.exp(torch.tensor(-0.4, dtype=torch.float64))).sqrt()
    errors = []
    for substeps in (2, 4):
        model = SINDy(degree=3, substeps=substeps).build(1, (0,)).double()
        model.coefficients[0, :, 0] = 0.2 * torch.tensor([0.0, 1.0, 0.0, -1.0], dtype=torch.float64)
        errors.append((model.step(start) - expected).abs().max())
    assert errors[0] < 1e-4
    assert 12 < errors[0] / errors[1] < 24


def test_validation_forecasts_choose_the_threshold():
    """One of two thresholds drops every term; their order does not matter."""
    data = short_data(Lorenz63())
    alone, *chosen = (
        fitted(SINDy(), STLSQ(thresholds=thresholds), data).coefficients
        for thresholds in ((0.3,), (0.3, 1e3), (1e3, 0.3))
    )
    assert all(torch.equal(coefficients, alone) for coefficients in chosen)
    assert not fitted(SINDy(), STLSQ(thresholds=(1e3,)), data).coefficients.any()


def test_smoothing_reduces_the_noise_of_derivatives():
    """A sine of 100 steps with noise e: central differences err by e / sqrt(2) per step, a cubic over 15 steps by at
    most a third of that."""
    times = np.arange(1_000) * 2 * np.pi / 100
    slope = np.cos(times) * 2 * np.pi / 100
    series = np.sin(times) + 0.01 * torch.randn(1_000, dtype=torch.float64).numpy()
    orbit = torch.from_numpy(series).view(1, -1, 1)
    errors = [
        np.std(STLSQ(order=2, smoothing=smoothing).derivatives(orbit, 1.0).numpy().ravel() - slope)
        for smoothing in (None, 15)
    ]
    assert errors[0] == pytest.approx(0.01 / 2**0.5, rel=0.1)
    assert errors[1] < errors[0] / 3


def test_incompatible_specs_are_rejected_with_a_reason():
    system, data = Lorenz63(), DataSpec()
    assert "no derivatives" in (STLSQ().incompatibility(Henon(), data, SINDy()) or "")
    assert STLSQ().incompatibility(Henon(), data, SINDy(form="map")) is None
    assert STLSQ().incompatibility(system, data, SINDy()) is None
    assert "lstm learns by gradients" in (STLSQ().incompatibility(system, data, LSTM()) or "")
    assert "learns by regression" in (STLSQ().incompatibility(system, data, EchoStateNetwork()) or "")
    for trainer in (BPTT(), Ridge()):
        assert "sindy learns by sparse regression" in (trainer.incompatibility(system, data, SINDy()) or "")


def test_a_choice_without_validation_orbits_is_rejected():
    data = short_data(Lorenz63(), validation_orbits=0)
    with pytest.raises(DataError, match=r"6 thresholds .*validation orbits"):
        STLSQ().check(data)
    STLSQ(thresholds=(0.1,)).check(data)
    with pytest.raises(DataError, match="too short"):
        STLSQ().check(short_data(Lorenz63(), train_length=5))


def test_the_entry_point_offers_both_kinds_and_the_readmes_suite_loads(tmp_path: Path):
    (text,) = re.findall(
        r"^```toml\n(.*?)^```$", Path(__file__).parents[1].joinpath("README.md").read_text(), re.S | re.M
    )
    (tmp_path / "equations.toml").write_text(text)
    loaded = registry.load()
    assert loaded.origins["model", "sindy"].startswith("chaosbench-sindy ")
    assert loaded.origins["trainer", "stlsq"].startswith("chaosbench-sindy ")
    assert len(suite.load(str(tmp_path / "equations.toml"), loaded)) == 3


def test_pysindy_is_imported_only_to_train():
    code = "import sys, chaosbench_sindy; sys.exit('pysindy' in sys.modules or 'sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_weights_stored_before_there_were_ensembles_load():
    """They hold no `inclusion`, which is 1 for the terms of the equations and 0 for the others."""
    model = SINDy(form="map").build(2, SEEDS)
    with torch.no_grad():
        model.coefficients[:, 1, 0] = 0.7
    older = {name: values for name, values in model.state_dict().items() if name != "inclusion"}
    loaded = SINDy(form="map").build(2, SEEDS)
    loaded.load_state_dict(older)
    assert torch.equal(loaded.inclusion, (model.coefficients != 0).to(loaded.inclusion))
    assert torch.equal(loaded.coefficients, model.coefficients)
