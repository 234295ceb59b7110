"""Steps of small systems as machine code: equal to torch's, with the same derivative, or not used at all."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

pytest.importorskip("numba")
from traced_steps import agree, compiled_of, generator, normal

from chaosbench import systems
from chaosbench.dynamics import finite_time_exponents, lyapunov_spectrum, orbit, runge_kutta_step, tangent_step_by_jvp
from chaosbench.kernels import compiled_growth, compiled_orbits, compiling, for_exponents, plain_torch
from chaosbench.kernels.tensor_trace import UntraceableError, trace
from chaosbench.source import DataSpec
from chaosbench.systems import (
    Henon,
    HenonHeiles,
    HyperRossler,
    KuramotoSivashinsky,
    Lorenz63,
    Lorenz96,
    PoincareMap,
    StroboscopicMap,
    SystemSpec,
)

_OFFERED = [getattr(systems, name) for name in systems.__all__]
KINDS = [one for one in _OFFERED if isinstance(one, type) and "kind" in one.model_fields]
EQUATIONS = [kind for kind in KINDS if isinstance(kind.model_fields["kind"].default, str)]
MAPS_OF_FLOWS = (PoincareMap, StroboscopicMap)
SYSTEMS = [*(kind() for kind in EQUATIONS if kind not in MAPS_OF_FLOWS), HenonHeiles(method="dop853")]
COMPILED = [
    system
    for system in SYSTEMS
    if system.compilable and getattr(system, "scheme", None) is None and not isinstance(system, KuramotoSivashinsky)
]
LONG = (HyperRossler(), Lorenz96())  # a second or more to compile, so that single states are compiled in slow tests
WIDTHS = [
    pytest.param(
        system, width, marks=[pytest.mark.slow] if width == 1 and system in LONG else [], id=f"{system.kind}-{width}"
    )
    for system in COMPILED
    for width in (1, 8)
]


@pytest.mark.parametrize(("system", "width"), WIDTHS)
def test_step_and_tangents_of_every_system_equal_those_of_torch(system: SystemSpec, width: int):
    states = system.random_starts(100, generator())
    compiled, tangents = compiled_of(system.step, states), normal(100, system.state_size, 2)
    stepped, carried = compiled.tangent_step(states, tangents, width=width)
    expected = system.tangent_step(states, tangents)
    agree(stepped, expected[0])
    agree(carried, expected[1])
    if compiled.prescribed:
        assert torch.equal(stepped, expected[0])


def test_a_fourier_transform_is_left_to_torch():
    system = KuramotoSivashinsky(size=8)
    with pytest.raises(UntraceableError, match="fft"):
        trace(system.step, system.random_starts(1, generator()))


def test_steps_that_are_chosen_by_values_of_the_state_are_not_frozen():
    """Watching a single call would freeze the lengths of steps, or the number of iterations, of that call."""
    for method in ("radau", "gauss", "adaptive"):
        with pytest.raises(UntraceableError):
            trace(Lorenz63(method=method).step, normal(1, 3))
    section = PoincareMap(flow=Lorenz63(), coordinate=2, level=27.0)
    with for_exponents():
        assert compiled_orbits(section, section.step, normal(3, 2), steps=10**6) is None


def of_one_state(state):
    x, y, z = state
    return torch.stack([x + 0.01 * 10 * (y - x), y + 0.01 * (x * (28 - z) - y), z + 0.01 * (x * y - 8 / 3 * z)])


def of_rows(states):
    return torch.stack([of_one_state(state) for state in states])


@pytest.mark.parametrize(
    ("step", "shape"), [(of_one_state, ()), (of_one_state, (3,)), (of_rows, (3,))], ids=["one", "each", "rows"]
)
def test_functions_for_one_state_or_for_rows_are_compiled_as_they_are_meant(step, shape):
    """Three states of three entries would unpack along the wrong axis without an error."""
    states = 1 + 0.1 * normal(*shape, 3)
    with for_exponents():
        path, spectrum = orbit(step, states, steps=20), lyapunov_spectrum(step, states, steps=20)
    with plain_torch():
        assert_close(path, orbit(step, states, steps=20), rtol=1e-9, atol=1e-9)
        assert_close(spectrum, lyapunov_spectrum(step, states, steps=20), rtol=1e-9, atol=1e-9)


def double_pendulum(state):
    """Equations for two equal masses and rods, as they are usually written."""
    a, b, v, w = state.unbind(-1)
    d = b - a
    below = 2 - torch.cos(d) ** 2
    first = (v**2 * torch.sin(d) * torch.cos(d) + 9.81 * torch.sin(b) * torch.cos(d) + w**2 * torch.sin(d)) / below
    second = -(w**2) * torch.sin(d) * torch.cos(d) + 2 * (9.81 * torch.sin(a) * torch.cos(d) - v**2 * torch.sin(d))
    return torch.stack([v, w, first - 2 * 9.81 * torch.sin(a) / below, (second - 2 * 9.81 * torch.sin(b)) / below], -1)


def products(state):
    x, y, z = state[..., 0], state[..., 1], state[..., 2]
    return torch.stack([-(y**2) - z**2 - 0.25 * (x - 8), x * y - 4 * x * z - y + 1, 2 * x * y * 2 + x * z - z], dim=-1)


def flow(field, dt):
    return lambda state: runge_kutta_step(field, state, dt)


@pytest.mark.parametrize(("field", "size", "shape"), [(double_pendulum, 4, ()), (products, 3, (5,))])
def test_exponents_of_a_users_flow_equal_those_of_torch(field, size, shape):
    """Rounding errors grow e-fold per Lyapunov time, of which twenty steps are a fraction."""
    step, states = flow(field, 0.01), 0.5 + 0.1 * normal(*shape, size)
    sizes = {"steps": 14, "transient": 5, "every": 3, "blocks": 2, "dt": 0.01}
    with for_exponents():
        found = finite_time_exponents(step, states, **sizes)
    with plain_torch():
        assert_close(found, finite_time_exponents(step, states, **sizes), rtol=1e-9, atol=1e-9)
    assert found.shape == (*shape, 2, size)


def compiled_spectrum(step, states, **sizes):
    tangent_step = getattr(step, "tangent_step", None) or (lambda x, u: tangent_step_by_jvp(step, x, u))
    function = getattr(step, "step", step)
    with for_exponents():
        assert compiled_growth(step, function, tangent_step, states, steps=sizes["steps"]) is not None
        return lyapunov_spectrum(step, states, **sizes)


@pytest.mark.parametrize("orbits", [1, 20])
def test_compiled_henon_exponents_sum_to_log_b(orbits):
    """|det J| = b everywhere; 2,000 logarithms of rounded lengths have errors of 1e-16 each."""
    spectrum = compiled_spectrum(Henon(), Henon().initial_state(orbits, generator()), steps=2000)
    assert_close(spectrum.sum(-1), torch.full((orbits,), math.log(0.3), dtype=torch.float64), rtol=1e-12, atol=1e-12)


def test_compiled_exponents_of_the_cat_map_are_logarithms_of_its_eigenvalues():
    """The Jacobian is [[2, 1], [1, 1]] everywhere."""

    def cat(state):
        x, y = state.unbind(-1)
        return torch.stack([2 * x + y, x + y], dim=-1).remainder(1.0)

    spectrum = compiled_spectrum(cat, normal(3, 2).remainder(1.0), steps=200, transient=50)
    assert_close(spectrum[0], math.log((3 + 5**0.5) / 2) * torch.tensor([1.0, -1.0], dtype=torch.float64))


def test_compiled_lorenz_exponents_sum_to_the_trace():
    """The field's Jacobian has the trace -(sigma + 1 + beta); the step's error is 1e-10 per unit of time."""
    system = Lorenz63()
    spectrum = compiled_spectrum(system, system.initial_state(9, generator()), steps=500, every=3, dt=system.dt)
    assert_close(spectrum.sum(-1), torch.full((9,), -(10 + 1 + 8 / 3), dtype=torch.float64), rtol=1e-7, atol=0)


def test_single_precision_has_the_same_exponents_within_its_rounding():
    states = Lorenz63().initial_state(20, generator())
    sizes = {"steps": 100, "transient": 20, "every": 2, "dt": 0.01}
    found = compiled_spectrum(Lorenz63(), states.float(), **sizes)
    assert found.dtype == torch.float32
    assert_close(found.double(), compiled_spectrum(Lorenz63(), states, **sizes), rtol=1e-3, atol=1e-3)


def test_orbits_with_kernels_have_the_bits_of_orbits_without(monkeypatch):
    """Data of a published suite do not depend on whether numba is installed."""
    monkeypatch.setattr(compiling, "FEWEST_CALLS", 0)  # short orbits are compiled, too
    monkeypatch.setattr(Lorenz63, "transient", 10.0)
    lengths = {"train_length": 300, "validation_length": 200, "test_length": 250}
    spec = DataSpec(train_orbits=1, validation_orbits=1, test_orbits=9, **lengths)
    system = Lorenz63(dt=0.05)
    recordings = system.recordings(spec)
    with plain_torch():
        expected = system.recordings(spec)
    for part in ("train", "validation", "test", "states"):
        assert torch.equal(getattr(recordings, part), getattr(expected, part))


def sigmoidal(state):
    return 3 * state.sigmoid() - 1.5


def test_data_come_from_torch_where_functions_of_libraries_round_differently():
    states = normal(3, 2)
    assert compiled_orbits(sigmoidal, sigmoidal, states, steps=10**6) is None
    with for_exponents():
        assert compiled_orbits(sigmoidal, sigmoidal, states, steps=10**6) is not None


def branching(state):
    return 0.5 * state if float(state.sum()) > 0 else -state


def by_numpy(state):
    return torch.from_numpy(3.9 * state.numpy() * (1 - state.numpy()))


def noisy(state):
    return 0.5 * state + torch.rand_like(state)


def drifting(state, clock=itertools.count()):  # noqa: B008  # a state of its own is what this is about
    return 0.5 * state + next(clock)


@pytest.mark.parametrize("step", [branching, by_numpy, noisy, drifting])
def test_a_step_that_is_no_fixed_sequence_of_operations_is_left_to_torch(step):
    with for_exponents():
        assert compiled_orbits(step, step, normal(4, 2), steps=10**6) is None


def test_a_step_whose_branch_depends_on_values_has_the_orbit_of_torch():
    path = orbit(branching, torch.tensor([1.0], dtype=torch.float64), steps=1000)
    assert_close(path[:50, 0], 0.5 ** torch.arange(1.0, 51.0, dtype=torch.float64))


def test_a_learned_step_is_not_compiled_while_gradients_are_recorded():
    weight = normal(2, 2).requires_grad_()
    with for_exponents():
        assert compiled_orbits(None, lambda s: s @ weight, normal(3, 2), steps=10**6) is None


def test_without_numba_torch_computes_the_same(monkeypatch):
    states = Henon().initial_state(3, generator())
    with for_exponents():
        expected = lyapunov_spectrum(Henon(), states, steps=100)
        monkeypatch.setattr(compiling, "compiles_for_cpu", lambda: False)
        assert compiled_orbits(Henon(), Henon().step, states, steps=10**6) is None
        assert_close(lyapunov_spectrum(Henon(), states, steps=100), expected, rtol=1e-12, atol=1e-12)


def test_short_work_is_not_compiled():
    states = Henon().initial_state(3, generator())
    assert compiled_orbits(Henon(), Henon().step, states, steps=50) is None
    assert compiled_orbits(Henon(), Henon().step, states, steps=10**6) is not None


def test_an_orbit_that_escapes_is_nan_and_leaves_its_neighbours_alone():
    states = torch.tensor([[0.1, 0.1], [5.0, 5.0], [0.2, 0.1]], dtype=torch.float64)
    exponents = compiled_spectrum(Henon(), states, steps=100)
    assert bool(exponents[1].isnan().all())
    assert_close(exponents[::2].sum(-1), torch.full((2,), math.log(0.3), dtype=torch.float64), rtol=1e-12, atol=0)


def test_a_direction_that_vanishes_has_the_exponent_minus_infinity():
    def collapsing(state):
        x, _ = state.unbind(-1)
        return torch.stack([3.9 * x * (1 - x), torch.zeros_like(x)], dim=-1)

    spectrum = compiled_spectrum(collapsing, torch.tensor([[0.3, 0.2]], dtype=torch.float64), steps=200)
    assert np.isneginf(float(spectrum[0, 1]))
    assert float(spectrum[0, 0]) > 0
