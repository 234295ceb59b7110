"""A step gives the right exponents however it is written."""

import logging
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from chaosbench import diagnose, jacobian_growth, lyapunov_spectrum, orbit
from chaosbench.dynamics import periods, prepared, runge_kutta_step
from chaosbench.errors import StepError

# The same equations in the ways in which people write them. `x` is the package whose functions they use.
WAYS: dict[str, Callable[[Callable[..., Any]], Callable[[Any], Any]]] = {
    "unpacked": lambda next_state: lambda state: torch.stack(next_state(*state)),
    "indexed": lambda next_state: lambda state: torch.stack(next_state(*(state[i] for i in range(len(state))))),
    "stacked": lambda next_state: lambda state: torch.stack(next_state(*state.unbind(-1)), dim=-1),
    "mapped": lambda next_state: lambda state: torch.func.vmap(lambda z: torch.stack(next_state(*z)))(state),
    "columns": lambda next_state: lambda state: torch.stack(next_state(*state.T)).T,
    "arrays": lambda next_state: lambda state: np.array(next_state(*np.asarray(state))),
    "tuple": lambda next_state: lambda state: next_state(*state),
}


def henon(x, y):
    return 1 - 1.4 * x * x + y, 0.3 * x


def cat(x, y):
    return (2 * x + y) % 1, (x + y) % 1


def logistic(x):
    return (4 * x * (1 - x),)


def lorenz(x, y, z):
    return 10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z


def heun(field: Callable[..., Any], dt: float) -> Callable[..., Any]:
    """Return a step of Heun's method, for numbers, arrays and tensors alike."""

    def step(*state):
        slopes = field(*state)
        ahead = field(*(entry + dt * slope for entry, slope in zip(state, slopes, strict=True)))
        return tuple(z + dt / 2 * (a + b) for z, a, b in zip(state, slopes, ahead, strict=True))

    return step


def start(size: int, batch: int) -> torch.Tensor:
    draws = torch.rand(batch, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return 0.1 + 0.1 * draws


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("batch", [1, 2])
def test_exponents_of_henon_sum_to_the_logarithm_of_b_however_the_map_is_written(way: str, batch: int):
    """|det J| = 0.3 everywhere; B = S = 2 hides an unpacked batch axis. Differences err by 1e-9."""
    spectrum = lyapunov_spectrum(WAYS[way](henon), start(2, batch), steps=60)
    assert_close(spectrum.sum(-1), torch.full((batch,), math.log(0.3), dtype=torch.float64), atol=1e-7, rtol=0)
    assert bool((spectrum[:, 0] > 0.2).all())


@pytest.mark.parametrize("way", [way for way in WAYS if way != "columns"])
def test_a_single_state_may_be_a_list(way: str):
    spectrum = lyapunov_spectrum(WAYS[way](henon) if way != "mapped" else WAYS["tuple"](henon), [0.1, 0.1], steps=50)
    assert float(spectrum.sum()) == pytest.approx(math.log(0.3), abs=1e-7)


@pytest.mark.parametrize("way", WAYS)
def test_exponents_of_the_cat_map_are_the_logarithms_of_the_golden_ratio_squared(way: str):
    """The Jacobian is constant: ((2, 1), (1, 1)) with eigenvalues (3 +- sqrt 5) / 2. Tangents align at once."""
    spectrum = lyapunov_spectrum(WAYS[way](cat), start(2, 2), steps=20, transient=20)
    expected = math.log((3 + math.sqrt(5)) / 2)
    assert_close(spectrum, torch.tensor([expected, -expected]).double().expand(2, 2), atol=1e-7, rtol=0)


@pytest.mark.parametrize("way", WAYS)
def test_the_exponent_of_the_logistic_map_is_the_logarithm_of_two(way: str):
    """Exact at r = 4; from x = sin(a)^2 the mean of ln |f'| over n steps is ln 2 + ln |sin 2^(n+1) a / sin 2 a| / n."""
    x = torch.tensor([[0.3]], dtype=torch.float64)
    spectrum = lyapunov_spectrum(WAYS[way](logistic), x, steps=20)
    angle = math.asin(math.sqrt(0.3))
    ends = math.log(abs(math.sin(2**21 * angle) / math.sin(2 * angle))) / 20
    assert float(spectrum) == pytest.approx(math.log(2) + ends, abs=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_lorenz_is_the_same_however_the_step_is_written(way: str):
    """All ways agree with the stacked one, which is differentiated exactly; B = S = 3 hides an unpacked batch axis."""
    step, states = heun(lorenz, 0.01), 10 * start(3, 3)
    expected = lyapunov_spectrum(WAYS["stacked"](step), states, steps=15)
    assert_close(lyapunov_spectrum(WAYS[way](step), states, steps=15), expected, atol=1e-6, rtol=0)
    assert_close(orbit(WAYS[way](step), states, steps=5), orbit(WAYS["stacked"](step), states, steps=5))


def test_the_exponents_of_lorenz_sum_to_the_trace_of_its_unpacked_field():
    """The trace is -(sigma + 1 + beta); the eighth-order step of 0.01 errs by less than 1e-7."""

    def field(state):
        x, y, z = state
        return torch.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])

    spectrum = lyapunov_spectrum(lambda z: runge_kutta_step(field, z, 0.01), [1.0, 2.0, 20.0], steps=40, dt=0.01)
    assert float(spectrum.sum()) == pytest.approx(-(10 + 1 + 8 / 3), abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("equation", "exponents", "steps", "tolerance"),
    [(henon, (0.41922, -1.62319), 2_000, 0.01), (heun(lorenz, 0.004), (0.9056, 0, -14.5723), 4_000, 0.15)],
    ids=["henon", "lorenz"],
)
def test_published_exponents_follow_however_the_step_is_written(way, equation, exponents, steps, tolerance):
    """Sprott 2003, appendix A. Eight orbits of this length scatter by a third of the tolerance, which Heun adds to."""
    size, dt = len(exponents), 1.0 if len(exponents) == 2 else 0.004
    states = start(size, 8) * (1 if size == 2 else 50)
    spectrum = lyapunov_spectrum(WAYS[way](equation), states, steps=steps, transient=500, dt=dt).mean(0)
    assert_close(spectrum, torch.tensor(exponents, dtype=torch.float64), atol=tolerance, rtol=0)


def test_growth_periods_and_diagnosis_take_an_unpacked_step_too():
    unpacked, stacked, states = WAYS["unpacked"](henon), WAYS["stacked"](henon), start(2, 2)
    assert_close(jacobian_growth(unpacked, states, steps=9), jacobian_growth(stacked, states, steps=9))
    assert torch.equal(periods(WAYS["unpacked"](lambda x, y: (-x, y)), states), torch.tensor([2, 2]))
    settings = {"horizon": 32, "steps": 50, "transient": 10}
    found, expected = (diagnose(step, states, **settings) for step in (unpacked, stacked))
    assert_close(found.spectrum, expected.spectrum)
    assert_close(found.sizes.largest, expected.sizes.largest)


def left_graph(state):
    x, y = state[0].item(), state[1].item()
    return torch.tensor([1 - 1.4 * x * x + y, 0.3 * x], dtype=torch.float64)


def sine_of_numpy(state):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.as_tensor(np.sin(2 * state.detach()))


def test_a_step_that_leaves_the_graph_gets_its_derivative_by_differences_and_says_so(caplog):
    with caplog.at_level(logging.WARNING):
        spectrum = lyapunov_spectrum(left_graph, start(2, 3), steps=50)
    assert_close(spectrum.sum(-1), torch.full((3,), math.log(0.3), dtype=torch.float64), atol=1e-7, rtol=0)
    assert "left_graph" in caplog.text
    fixed = lyapunov_spectrum(sine_of_numpy, torch.zeros(1, 1, dtype=torch.float64), steps=10)
    assert float(fixed) == pytest.approx(math.log(2), abs=1e-9)


def test_a_step_that_keeps_half_of_its_derivative_is_rejected():
    def half(state):
        x, y = state.unbind(-1)
        return torch.stack([1 - 1.4 * x.detach() * x + y, 0.3 * x], dim=-1)

    with pytest.raises(StepError, match="half"):
        lyapunov_spectrum(half, start(2, 3), steps=10)


def test_a_superstable_cycle_keeps_its_exponent_of_minus_infinity(caplog):
    """x' = 1 - x² has the cycle 0, 1 with derivatives 0 and -2: the derivative is truly zero."""
    with caplog.at_level(logging.WARNING):
        spectrum = lyapunov_spectrum(lambda x: 1 - x * x, torch.zeros(1, 1, dtype=torch.float64), steps=10)
    assert float(spectrum) == -math.inf
    assert not caplog.records


def test_a_step_with_branches_is_called_for_each_state():
    """The tent map of slope 1.9 stretches every tangent by 1.9."""

    def tent(state):
        return 1.9 * state if state[0] < 0.5 else 1.9 * (1 - state)

    spectrum = lyapunov_spectrum(tent, start(1, 5) * torch.arange(1, 6)[:, None], steps=20)
    assert_close(spectrum, torch.full((5, 1), math.log(1.9), dtype=torch.float64), atol=1e-12, rtol=0)


@pytest.mark.parametrize("states", [[1, 2], np.array([1, 2]), np.float32([1, 2]), torch.tensor([1, 2]), (1.0, 2.0)])
def test_whole_numbers_lists_and_arrays_are_states(states):
    spectrum = lyapunov_spectrum(lambda z: z / 2, states, steps=5)
    assert_close(spectrum, torch.full((2,), math.log(0.5), dtype=torch.float64))


def test_single_precision_stays_single_precision():
    spectrum = lyapunov_spectrum(WAYS["unpacked"](henon), start(2, 2).float(), steps=20)
    assert spectrum.dtype == torch.float32
    assert_close(spectrum.sum(-1), torch.full((2,), math.log(0.3)), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("step", "states", "words"),
    [
        (lambda state: state[..., :1], start(2, 3), "(1,)"),
        (lambda state: state.float(), start(2, 3), "float32"),
        (lambda state: state @ torch.ones(5, 5, dtype=torch.float64), start(2, 3), "2 entries"),
        (lambda state: state, "four", "str"),
        (lambda state: state, torch.ones(2) * 1j, "complex"),
        ("step", start(2, 3), "'step'"),
    ],
)
def test_what_cannot_be_stepped_is_named_in_one_line(step, states, words):
    with pytest.raises(StepError) as raised:
        lyapunov_spectrum(step, states, steps=3)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_prepared_step_is_left_alone():
    step, states = prepared(WAYS["unpacked"](henon), start(2, 3))
    assert prepared(step, states)[0].step == step.step
