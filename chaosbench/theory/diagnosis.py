"""The diagnosis of a trained model, or of anything that steps: gradient growth, Lyapunov exponents, regime."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chaosbench.dynamics import (
    JacobianSizes,
    Motion,
    Step,
    entropy_bound,
    half_square,
    jacobian_growth,
    jacobian_sizes,
    kaplan_yorke_dimension,
    log_spaced,
    loss_gradient_growth,
    motion,
    nan_half_width,
    orbit,
)
from chaosbench.dynamics.loss_gradients import Loss
from chaosbench.models.forecaster import Forecaster
from chaosbench.theory.adapters import as_tensors
from chaosbench.theory.growth import Growth, tangents_followed
from chaosbench.theory.run_diagnosis import Exponent, RunDiagnosis
from chaosbench.theory.training_regime import TrainingRegime
from chaosbench.theory.verdict import Verdict

_SAMPLED = 32  # states of each seed at which single Jacobians are computed; a quarter of that for large states


@dataclass(frozen=True)
class Diagnosis:
    """The diagnosis of K seeds, each from C initial conditions; tensors are `(K, C, ...)`, times are in steps.

    Attributes:
        dt: [system time] per step.
        observables: number of leading exponents that can be the system's own; None: unknown.
        state_size: S.
        growth: log norms of dz_T/dz_0 in free running.
        loss_growth: log norms of dL_T/dtheta in free running; None for a step without parameters.
        motion: exponents, periods and bounds of the free runs, from more initial conditions than the growth.
        sizes: singular values of single Jacobians along the free run, `(K, n)`.
        training_regime: products of Jacobians as in training; None where the trainer's forcing scheme is unknown.
        seconds: wall time of the diagnosis [s].
    """

    dt: float
    observables: int | None
    state_size: int
    growth: Growth
    loss_growth: Growth | None
    motion: Motion
    sizes: JacobianSizes
    training_regime: TrainingRegime | None
    seconds: float

    @cached_property
    def spectrum(self) -> Tensor:
        """Lyapunov exponents, mean over bounded initial conditions, descending, `(K, M)` [1 / step]."""
        return self._mean.sort(dim=-1, descending=True).values

    @cached_property
    def intervals(self) -> Tensor:
        """Half widths of the spectrum's 95 % intervals, `(K, M)` [1 / step]; NaN for a single initial condition."""
        order = self._mean.sort(dim=-1, descending=True).indices
        return nan_half_width(self._each_run, dim=1).gather(-1, order)

    @property
    def periods(self) -> Tensor:
        """Median period over the free runs of each seed, `(K,)` [steps]; 0: most free runs do not return."""
        return self.motion.periods.median(dim=1).values

    def runs(self) -> list[RunDiagnosis]:
        """Return the record of each seed, rates in [1 / system time]."""
        return RunDiagnosis.from_columns(self.columns())

    def columns(self) -> dict[str, list[Any]]:
        """Return the fields of `RunDiagnosis` by name, each a list with one entry per seed."""
        seeds = len(self.spectrum)
        columns = self._growth_columns("gradient_growth", self.growth)
        if self.loss_growth is not None:
            columns |= self._growth_columns("loss_gradient_growth", self.loss_growth)
            columns |= self._power_columns(self.loss_growth)
        columns |= self._jacobian_columns() | self._exponent_columns()
        columns["period"] = self.periods.tolist()
        columns["returning_share"] = (self.motion.periods > 0).double().mean(1).tolist()
        columns["bounded_share"] = self.motion.bounded.double().mean(1).tolist()
        if self.training_regime is not None:
            columns |= self.training_regime.columns(self.spectrum[:, 0], dt=self.dt)
        columns["diagnosis_seconds"] = [self.seconds / seeds] * seeds
        return columns

    def verdicts(self, *, data_exponent: float | None = None, window: float | None = None) -> list[Verdict]:
        """Compare each seed with theory.

        Args:
            data_exponent: largest exponent of the data's system [1 / system time]; None: unknown.
            window: length of the training sequences, in Lyapunov times of the data.
        """
        return [run.verdict(data_exponent=data_exponent, window=window) for run in self.runs()]

    @cached_property
    def _mean(self) -> Tensor:
        return self._each_run.nanmean(1)  # (K, M), in the order of the tangent vectors

    @cached_property
    def _each_run(self) -> Tensor:
        """Exponents of each free run, `(K, C, M)`; NaN for a run that escapes, even while its numbers are finite."""
        return torch.where(self.motion.bounded[..., None], self.motion.blocks.double().mean(-2), torch.nan)

    def _growth_columns(self, name: str, growth: Growth) -> dict[str, list[Any]]:
        rate = growth.rate()
        return {
            name: (rate.slope / self.dt).tolist(),
            f"{name}_interval": (rate.interval / self.dt).tolist(),
            f"{name}_fit": rate.fit.tolist(),
        }

    def _power_columns(self, growth: Growth) -> dict[str, list[Any]]:
        law = growth.power_law()
        return {
            "loss_gradient_power": law.power.tolist(),
            "loss_gradient_power_interval": law.power_interval.tolist(),
            "loss_gradient_excess": (law.excess / self.dt).tolist(),
            "loss_gradient_excess_interval": (law.excess_interval / self.dt).tolist(),
        }

    def _jacobian_columns(self) -> dict[str, list[Any]]:
        largest, smallest = self.sizes.largest, self.sizes.smallest
        return {
            "jacobian_norm": largest.log().mean(1).exp().tolist(),
            "jacobian_smallest_singular_value": smallest.median(dim=1).values.tolist(),
            "jacobian_condition": (largest / smallest).median(dim=1).values.tolist(),
        }

    def _exponent_columns(self) -> dict[str, list[Any]]:
        """Return exponents and quantities derived from them; NaN where these depend on exponents not computed."""
        seeds, computed = self.spectrum.shape
        values, widths = (self.spectrum / self.dt).tolist(), (self.intervals / self.dt).tolist()
        # Further exponents do not matter once the sum of the leading ones is negative.
        complete = torch.ones_like(self.spectrum[:, 0], dtype=torch.bool)
        enough = complete if computed == self.state_size else self.spectrum.sum(-1) < 0
        dimension = torch.where(enough, kaplan_yorke_dimension(self.spectrum), torch.nan)
        entropy = torch.where(enough, entropy_bound(self.spectrum) / self.dt, torch.nan)
        columns: dict[str, list[Any]] = {
            "lyapunov_exponents": [tuple(map(Exponent, *seed)) for seed in zip(values, widths, strict=True)],
            "lyapunov_resolution": [self.motion.resolution / self.dt] * seeds,
            "kaplan_yorke_dimension": dimension.tolist(),
            "entropy_bound": entropy.tolist(),
        }
        if self.observables is not None and computed > self.observables:
            gap = self.spectrum[:, self.observables - 1] - self.spectrum[:, self.observables]
            columns["spectral_gap"] = (gap / self.dt).tolist()
        return columns


def diagnose(
    step: Any,
    states: Tensor | NDArray[Any] | Sequence[Any],
    *,
    dt: float = 1.0,
    observables: int | None = None,
    horizon: int = 4_096,
    loss_horizon: int | None = None,
    conditions: int = 4,
    steps: int = 2_000,
    transient: int = 500,
    exponents: int | None = None,
    loss: Loss | None = half_square,
) -> Diagnosis:
    """Diagnose anything that steps: a model, a system, a function of the state.

    Args:
        step: a step map: a function of the state, a module that is called on it, or an object with `step`. It may be
            written for one state, for rows `(B, S)` or columns `(S, B)`, and for tensors or numpy arrays.
        states: initial conditions `(C, S)` or a single one, tensor, numpy array or lists; `(K, C, S)` for the K seeds
            of a `Forecaster`.
        dt: time per step [system time].
        observables: number of leading exponents that can be the system's own; None: unknown.
        horizon: longest horizon of the gradients dz_T/dz_0 [steps].
        loss_horizon: longest horizon of the gradients dL_T/dtheta [steps]; None: `horizon`.
        conditions: number of initial conditions from which dz_T/dz_0 is followed. dL_T/dtheta is followed from half as
            many, at least three; exponents are computed from all of `states`.
        steps: steps over which exponents are averaged [steps].
        transient: preceding steps that are dropped [steps].
        exponents: number of leading exponents; None: all.
        loss: L_T as a function of the states at the horizons 1, 2, 4 .. `loss_horizon`, `(K, C, H, S) -> (K, C, H)` for
            the first C initial conditions; None: dL_T/dtheta is left out.

    Returns:
        The diagnosis of K seeds, K = 1 for states `(C, S)`. Its `training_regime` is None.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, NeurIPS (2110.07238), Theorems 1 to 3.
    """
    began = perf_counter()
    step, states = as_tensors(step, states)
    starts = states if states.dim() == 3 else states[None] if states.dim() == 2 else states[None, None]
    followed = starts[:, :conditions]
    horizons, tangents = log_spaced(horizon), tangents_followed(starts.shape[-1])
    growth = jacobian_growth(step, followed, steps=horizon, horizons=horizons, directions=tangents)
    fewer = followed[:, : max(3, conditions // 2)]
    loss_growth = None if loss is None else _loss_growth(step, fewer, loss_horizon or horizon, loss)
    free_runs = motion(step, starts, steps=steps, transient=transient, exponents=exponents)
    sampled = _SAMPLED if tangents is None else _SAMPLED // 4
    visited = orbit(step, starts[:, :1], steps=sampled, every=max(1, steps // (4 * _SAMPLED)))[:, 0]  # (K, n, S)
    return Diagnosis(
        dt=dt,
        observables=observables,
        state_size=starts.shape[-1],
        growth=Growth(horizons, growth),
        loss_growth=loss_growth,
        motion=free_runs,
        sizes=jacobian_sizes(step, visited),
        training_regime=None,
        seconds=perf_counter() - began,
    )


def _loss_growth(step: Step, states: Tensor, horizon: int, loss: Loss) -> Growth | None:
    if not isinstance(step, nn.Module) or not any(parameter.requires_grad for parameter in step.parameters()):
        return None
    horizons = log_spaced(horizon, each_octave=1)
    stacked = isinstance(step, Forecaster)
    return Growth(horizons, loss_gradient_growth(step, states, horizons=horizons, loss=loss, stacked=stacked))
