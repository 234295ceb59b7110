"""Orbits, free runs and estimates against scipy, dysts, nolds, pysindy and reservoirpy."""

from collections.abc import Callable, Iterator
from math import inf

import numpy as np
import torch
from scipy.integrate import solve_ivp

from benchmarks.lines import Line
from benchmarks.rounds import Way, compared, needing
from benchmarks.training import lorenz
from chaosbench.data import DataSpec, simulate
from chaosbench.dynamics import orbit
from chaosbench.evaluation import free_run
from chaosbench.models import EchoStateNetwork, ShallowPLRNN
from chaosbench.series.rosenstein import separation_curve
from chaosbench.systems import Lorenz63
from chaosbench.trainers import Ridge

POINTS = 100_000
SERIES = 10_000  # points of an estimate from data
RESERVOIR = 300  # M
_LONGEST = 5.0  # [s] of one of our orbits; `long` waits for longer ones
STEPPED = 1_000  # steps of a sparse model
DT = 0.01  # [system time]


def lines(*, long: bool) -> Iterator[Line]:
    """Time orbits, free runs and estimates; `long` adds dysts."""
    yield from orbits(long=long)
    yield from free_runs()
    yield from exponent()
    yield from reservoir()
    yield from sparse_model()


def orbits(*, long: bool) -> list[Line]:
    """Time 100,000 points of Lorenz-63: one orbit against adaptive integrators, and 1,000 orbits side by side."""
    system = Lorenz63(dt=DT)
    starts = system.initial_state(1000, torch.Generator().manual_seed(0))
    check_error(system, starts)
    rivals = {"scipy DOP853, rtol 1e-10, one orbit": Way(lambda: adaptive(starts[0].numpy()))}
    if long:
        rivals["dysts, DOP853, one orbit"] = needing("dysts.flows", lambda: Way(by_dysts()))
    ensemble = Line("systems", f"{POINTS:,} points of lorenz63, 1,000 orbits", K=1000, T=POINTS // 1000)
    single = Line("systems", f"{POINTS:,} points of lorenz63, one orbit", K=1, T=POINTS)
    return [
        *compared(single, Way(lambda: orbit_of(system, starts[:1], POINTS)), rivals, longest=inf if long else _LONGEST),
        *compared(ensemble, Way(lambda: orbit_of(system, starts, POINTS // 1000)), {}),
    ]


def orbit_of(system: Lorenz63, starts: torch.Tensor, steps: int) -> torch.Tensor:
    with torch.no_grad():
        return orbit(system, starts, steps=steps)


def adaptive(start: np.ndarray, points: int = POINTS, tolerance: float = 1e-10) -> np.ndarray:
    times = DT * np.arange(1, points + 1)
    span = (0.0, times[-1])
    return solve_ivp(field, span, start, method="DOP853", rtol=tolerance, atol=tolerance, t_eval=times).y.T


def field(_: float, state: np.ndarray) -> list[float]:
    x, y, z = state
    return [10.0 * (y - x), x * (28.0 - z) - y, x * y - 8 / 3 * z]


def by_dysts() -> Callable[[], object]:
    from dysts.flows import Lorenz

    return lambda: Lorenz().make_trajectory(POINTS, dt=DT, method="DOP853")


def check_error(system: Lorenz63, starts: torch.Tensor) -> None:
    """Assert that our orbits are within 1e-8 of accurate ones after 100 steps."""
    ours = orbit_of(system, starts[:5], 100).numpy()
    for mine, start in zip(ours, starts, strict=False):
        np.testing.assert_allclose(mine, adaptive(start.numpy(), 100, 1e-13), atol=1e-8)


def free_runs() -> list[Line]:
    """Time 100,000 steps of one free run, one after another, against the same steps in plain torch."""
    data = lorenz()
    model = ShallowPLRNN(hidden=50).build(data.dimension, (0,))
    with torch.no_grad():
        start = model.initial_state(data.train[None, :1, :1])

    @torch.no_grad()
    def plain() -> None:
        state = start
        for _ in range(POINTS):
            state = model.step(state)

    ours = torch.no_grad()(lambda: free_run(model, start, POINTS))
    line = Line("systems", f"free run of {POINTS:,} steps of shallow_plrnn", K=1, T=POINTS, M=3)
    return compared(line, Way(ours), {"a torch step at a time": Way(plain)})


def exponent() -> list[Line]:
    """Time the largest exponent from 10,000 points of x of Lorenz-63, embedded in three dimensions."""
    system = Lorenz63(dt=DT)
    start = system.initial_state(1, torch.Generator().manual_seed(1))
    x = orbit_of(system, start, SERIES)[0, :, 0]
    delays = torch.stack([x[20:], x[10:-10], x[:-20]], dim=1)

    def rival() -> Way:
        import nolds

        return Way(lambda: nolds.lyap_r(x.numpy(), emb_dim=3, lag=10, min_tsep=75, tau=DT, trajectory_len=300))

    line = Line("systems", f"largest exponent from {SERIES:,} points", K=1, T=SERIES)
    ours = Way(lambda: separation_curve(delays, dt=DT, theiler=75, steps=300))
    return compared(line, ours, {"nolds": needing("nolds", rival)})


def reservoir() -> list[Line]:
    """Time fitting and 2,000 steps of a free run of a reservoir of 300 units, on 10,000 points of Lorenz-63."""
    spec = DataSpec(train_orbits=1, train_length=SERIES, validation_orbits=0, test_orbits=2, test_length=2)
    data = simulate(Lorenz63(), spec).to("cpu", torch.float64)
    train = data.train[0].numpy()

    def ours() -> None:
        model = EchoStateNetwork(hidden=RESERVOIR).build(3, (0,)).double()
        list(Ridge().fit(model, data, (0,)))
        with torch.no_grad():
            free_run(model, model.initial_state(data.train[None, :, -200:]), 2_000)

    def rival() -> Way:
        from reservoirpy.nodes import Reservoir
        from reservoirpy.nodes import Ridge as Regression

        def fit() -> None:
            network = Reservoir(RESERVOIR, sr=0.6, lr=1.0, rc_connectivity=10 / RESERVOIR) >> Regression(ridge=1e-8)
            network.fit(train[:-1], train[1:], warmup=100)
            point = network.run(train[-200:])[-1]
            for _ in range(2_000):
                point = network(point)

        return Way(fit)

    line = Line("systems", "fit and free run of a reservoir", K=1, T=SERIES, M=RESERVOIR)
    return compared(line, Way(ours), {"reservoirpy": needing("reservoirpy.nodes", rival)})


def sparse_model() -> list[Line]:
    """Time 1,000 steps of a fitted sparse model; ours comes with the plug-in chaosbench-sindy."""
    data = lorenz()

    def stepped() -> Way:
        from chaosbench_sindy import STLSQ, SINDy

        model = SINDy().build(3, (0,)).to(data.train.dtype)
        list(STLSQ().fit(model, data, (0,)))
        start = model.initial_state(data.train[None, :1, :1])
        return Way(torch.no_grad()(lambda: free_run(model, start, STEPPED)))

    def rival() -> Way:
        import pysindy

        train, dt = data.train.double().numpy(), data.dt
        model = pysindy.SINDy(feature_library=pysindy.PolynomialLibrary(2))
        model.fit(list(train), t=dt)
        return Way(lambda: model.simulate(train[0, 0], dt * np.arange(STEPPED)))

    line = Line("systems", f"{STEPPED:,} steps of a sparse model", K=1, T=STEPPED)
    ours = needing("chaosbench_sindy", lambda: needing("pysindy", stepped))
    if isinstance(ours.call, str):
        return [Line(line.benchmark, line.what, rival="pysindy", reason=ours.call, K=1, T=STEPPED)]
    return compared(line, ours, {"pysindy": needing("pysindy", rival)})
