"""Runs of Lorenz-63 that are spoiled on purpose, as the seeds of one evaluation, for the table of their scores."""

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from chaosbench.data import Dataset, simulate
from chaosbench.dynamics import lyapunov_spectrum, orbit
from chaosbench.metrics import Evaluation
from chaosbench.source import STATES_EVERY, DataSpec
from chaosbench.systems import Lorenz63

DESCRIPTIONS = {
    "true": "the system itself, from states with the rounding error of single precision",
    "escape": "true for half of each free run and for 100 steps of each forecast, then at 10^6",
    "scatter": "true in every 40th state, and otherwise thrown up to 10^3 standard deviations away",
    "three collapse": "true in one of four free runs and forecasts, and at a fixed point in the others",
    "collapse": "the system at rho = 20, where orbits end at a fixed point",
    "frozen": "the first state for ever",
    "one lobe": "true, but mirrored onto the wing with x > 0",
    "limit cycle": "the cycle of the system at rho = 160, moved and scaled to the mean and the deviation of the data",
    "other attractor": "the system at rho = 38",
    "scaled": "true, with deviations from the mean enlarged by half",
    "noise": "independent normal numbers with the mean and the deviation of the truth",
    "shuffle": "true states in random order",
    "too fast": "true, at double speed",
    "too slow": "true, at half speed",
}
_PARAMETERS = {  # rho and dt [system time] of the systems that the models are
    "true": (28.0, 0.01),
    "collapse": (20.0, 0.01),
    "limit cycle": (160.0, 0.01),
    "other attractor": (38.0, 0.01),
    "too fast": (28.0, 0.02),
    "too slow": (28.0, 0.005),
}
_ERROR = 1.2e-7  # of the initial states, in standard deviations
_FAR, _SCATTER = 1e6, 1e3  # [standard deviations]


@dataclass(frozen=True)
class _Runs:
    """Free runs `(R, T, D)`, forecasts `(C, H, D)` and exponents `(D,)` of one model."""

    free_run: Tensor
    forecast: Tensor
    exponents: Tensor


def spoiled_evaluation(
    *, runs: int = 4, steps: int = 10_000, transient: int = 2_500, conditions: int = 100, horizon: int = 2_700
) -> Evaluation:
    """Return an evaluation whose seeds are the models of `DESCRIPTIONS`; 2,700 steps are 24 Lyapunov times."""
    lengths = {"train_orbits": 8, "train_length": 3_000, "validation_orbits": 0, "test_orbits": 2 * runs}
    data = simulate(Lorenz63(), DataSpec(**lengths, test_length=max(steps, 2 * horizon), dtype="float64"))
    judge = _Judge(data, runs=runs, steps=steps, transient=transient, conditions=conditions, horizon=horizon)
    models = judge.models()
    kept = [models[name] for name in DESCRIPTIONS]
    orbits, times = data.conditions(conditions, horizon)
    reference = Lorenz63().reference
    assert reference is not None
    return Evaluation(
        free_run=torch.stack([model.free_run for model in kept]),
        truth=data.test[:runs, :steps],
        twin=data.test[runs:, :steps],
        forecast=torch.stack([model.forecast for model in kept]),
        future=data.test.unfold(1, horizon, 1)[orbits, times + 1].mT,
        twins=data.twins(orbits, times, horizon, _ERROR),
        scale=data.train.flatten(0, 1).std(0),
        dt=data.dt,
        exponents=torch.stack([model.exponents for model in kept]),
        twin_exponents=models["true"].exponents,
        largest_exponent=reference.exponents[0],
        reference_exponents=torch.tensor(reference.exponents, dtype=torch.float64),
        condition_orbits=orbits,
        resolution=0.08,  # ln(2500 / 500) / 20, of runs of 2,000 steps after 500
    )


@dataclass(frozen=True)
class _Lorenzes:
    """Lorenz systems side by side, by classical Runge-Kutta steps: `rho`, `dt` `(W, 1, 1)`; states `(W, B, 3)`."""

    rho: Tensor
    dt: Tensor

    def step(self, state: Tensor) -> Tensor:
        """Return the states one step later."""
        return self.tangent_step(state, state[..., None])[0]

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return states and tangents `(W, B, 3, M)` one step later."""
        joined, dt = torch.cat([state[..., None], tangents], dim=-1), self.dt[..., None]
        k1 = self._field(joined)
        k2 = self._field(joined + dt / 2 * k1)
        k3 = self._field(joined + dt / 2 * k2)
        k4 = self._field(joined + dt * k3)
        joined = joined + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return joined[..., 0], joined[..., 1:]

    def _field(self, joined: Tensor) -> Tensor:
        """Return the time derivative of states (column 0) and tangents."""
        x, y, z = joined[..., :1].unbind(-2)
        u, v, w = joined.unbind(-2)
        # The derivative of a product has two terms, which for the state itself are the product twice.
        weights = torch.ones_like(u)
        weights[..., 0] = 0.5
        xz, xy = weights * (x * w + u * z), weights * (x * v + u * y)
        return torch.stack([10 * (v - u), self.rho * u - xz - v, xy - 8 / 3 * w], dim=-2)


@dataclass(frozen=True)
class _Judge:
    """Runs models from the test states of a data set."""

    data: Dataset
    runs: int
    steps: int
    transient: int
    conditions: int
    horizon: int

    def models(self) -> dict[str, _Runs]:
        """Return every spoiled run by name."""
        systems = self._systems()
        # As the true system in double precision: the twins, which start with the same rounding error.
        orbits, times = self.data.conditions(self.conditions, self.horizon)
        twins = self.data.twins(orbits, times, self.horizon, _ERROR)
        assert twins is not None
        systems["true"] = replace(systems["true"], forecast=twins)
        cycle = systems["limit cycle"]
        mean, deviation = (getattr(cycle.free_run.flatten(0, 1), moment)(0) for moment in ("mean", "std"))
        systems["limit cycle"] = replace(
            cycle, free_run=(cycle.free_run - mean) / deviation, forecast=(cycle.forecast - mean) / deviation
        )
        return {**systems, **self._changed(systems["true"], systems["collapse"])}

    def _changed(self, true: _Runs, collapsed: _Runs) -> dict[str, _Runs]:
        """Return what is made of the true runs by changing their states; where it cannot step it has no exponents."""
        free, forecast = true.free_run, true.forecast
        start = self.data.test[: self.runs, :1].expand_as(free)
        orbits, times = self.data.conditions(self.conditions, self.horizon)
        unknown = torch.full_like(true.exponents, torch.nan)
        one_run = torch.cat([free[:1], collapsed.free_run[1:]])
        quarter = torch.arange(len(forecast)) % 4 == 0
        return {
            "escape": _Runs(_escaping(free, free.shape[1] // 2), _escaping(forecast, 100), unknown),
            "scatter": _Runs(_scattered(free), _scattered(forecast), unknown),
            "three collapse": _Runs(
                one_run,
                forecast.where(quarter[:, None, None], collapsed.forecast),
                (true.exponents + 3 * collapsed.exponents) / 4,
            ),
            "frozen": _Runs(
                start, self.data.test[orbits, times][:, None].expand_as(forecast), torch.zeros_like(unknown)
            ),
            "one lobe": _Runs(self._mirrored(free), self._mirrored(forecast), true.exponents),
            "scaled": _Runs(1.5 * free, 1.5 * forecast, true.exponents),
            "noise": _Runs(_normal(free), _normal(forecast), unknown),
            "shuffle": _Runs(_shuffled(free), _shuffled(forecast), unknown),
        }

    @torch.no_grad()
    def _systems(self) -> dict[str, _Runs]:
        """Run all systems of `_PARAMETERS` at once from the test states, perturbed by rounding."""
        states = self.data.states
        assert states is not None
        lorenz = _Lorenzes(*torch.tensor(list(_PARAMETERS.values()), dtype=torch.float64).T[..., None, None])
        orbits, times = self.data.conditions(self.conditions, self.horizon)
        starts, conditions = (
            (part + _ERROR * states.flatten(0, 1).std(0) * _normal(part)).expand(len(_PARAMETERS), -1, -1)
            for part in (states[: self.runs, 0], states[orbits, times // STATES_EVERY])
        )
        free = orbit(lorenz, starts, steps=self.steps, transient=self.transient)
        forecast = orbit(lorenz, conditions, steps=self.horizon)
        few = conditions[:, :: max(1, self.conditions // 10)]
        # Per step of the data, since a step is what a model replaces.
        rates = lyapunov_spectrum(lorenz, few, steps=2_000, transient=500, dt=self.data.dt).mean(1)
        return {
            name: _Runs(self.data.standardised(free[i]), self.data.standardised(forecast[i]), rates[i])
            for i, name in enumerate(_PARAMETERS)
        }

    def _mirrored(self, series: Tensor) -> Tensor:
        """Map each state onto the wing with x > 0 by the symmetry (x, y) -> (-x, -y)."""
        raw = series * self.data.deviation + self.data.mean
        sign = raw[..., :1].sign()
        return self.data.standardised(torch.cat([raw[..., :2] * sign, raw[..., 2:]], dim=-1))


def _normal(like: Tensor) -> Tensor:
    return torch.randn(like.shape, dtype=like.dtype, generator=Generator().manual_seed(0))


def _escaping(series: Tensor, after: int) -> Tensor:
    late = torch.arange(series.shape[1]) >= after
    return series.where(~late[:, None], _FAR)


def _scattered(series: Tensor) -> Tensor:
    kept = torch.arange(series.shape[1]) % 40 == 0
    return series.where(kept[:, None], _SCATTER * _normal(series))


def _shuffled(series: Tensor) -> Tensor:
    """Return the states of each series in random order."""
    return series[:, torch.randperm(series.shape[1], generator=Generator().manual_seed(0))]
