"""What theory says of gradients, measured on a trained model, or on anything that steps."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any, NamedTuple

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
from chaosbench.theory.forced import Stretches, ends_whole, forced_exponents, forced_growth, stretches
from chaosbench.theory.growth import Growth, tangents_followed
from chaosbench.theory.verdict import Evidence, Verdict, verdict
from chaosbench.trainers.forcing_scheme import ForcingScheme

_SAMPLED = 32  # states of each seed at which a single Jacobian is looked at; of large states a quarter


class Number(NamedTuple):
    """A number of each seed, `(K,)`, under the name by which it is stored."""

    name: str
    unit: str
    values: Tensor
    truth: float | None = None  # the same of the data's own system


@dataclass(frozen=True)
class Forced:
    """The regime that training saw: products of Jacobians along data, forced and cut as by the trainer.

    Attributes:
        path: what the trainer does to the state and to gradients.
        growth: along windows of the training data.
        exponents: `(K, C, M)`, in that regime [1 / step].
        whole: whether a forcing or a cut leaves nothing of a product of Jacobians.
        resets: whether forcing sets the whole state.
        tossed: products between forcings by the toss of a coin; None: there are no tosses.
    """

    path: ForcingScheme
    growth: Growth
    exponents: Tensor
    whole: bool
    resets: bool
    tossed: Stretches | None = None


@dataclass(frozen=True)
class Diagnosis:
    """K seeds under examination, each from C initial conditions; tensors are `(K, C, ...)`, times in steps.

    Attributes:
        dt: [system time] per step.
        observables: how many leading exponents can be the system's own; None: not known.
        state_size: S, how many there are.
        growth: of dz_T/dz_0 in free running.
        loss_growth: of dL_T/dtheta in free running; None for what has no parameters.
        motion: exponents, periods and bounds of the free runs, from more conditions.
        sizes: single Jacobians along the free run, `(K, n)`.
        forced: the regime of training; None where it is not known.
        seconds: what the examination took [s].
    """

    dt: float
    observables: int | None
    state_size: int
    growth: Growth
    loss_growth: Growth | None
    motion: Motion
    sizes: JacobianSizes
    forced: Forced | None
    seconds: float

    @cached_property
    def spectrum(self) -> Tensor:
        """Mean over bounded initial conditions, descending, `(K, M)` [1 / step]."""
        return self._mean.sort(dim=-1, descending=True).values

    @cached_property
    def intervals(self) -> Tensor:
        """Half widths of its 95 % confidence, `(K, M)` [1 / step]; NaN for a single condition."""
        order = self._mean.sort(dim=-1, descending=True).indices
        return nan_half_width(self._each_run, dim=1).gather(-1, order)

    @property
    def periods(self) -> Tensor:
        """Of each seed's free runs the median period, `(K,)` [steps]; 0: most do not come back."""
        return self.motion.periods.median(dim=1).values

    def numbers(self) -> Iterator[Number]:
        """Everything that is stored of each seed, rates in [1 / system time]."""
        yield from self._growth_numbers("gradient_growth", self.growth)
        if self.loss_growth is not None:
            yield from self._growth_numbers("loss_gradient_growth", self.loss_growth)
        yield Number("jacobian_norm", "1", self.sizes.largest.log().mean(1).exp())
        yield Number("jacobian_smallest_singular_value", "1", self.sizes.smallest.median(dim=1).values)
        yield Number("jacobian_condition", "1", (self.sizes.largest / self.sizes.smallest).median(dim=1).values)
        rate = f"1 / {_TIME}"
        for place in range(self.spectrum.shape[-1]):
            yield Number(f"lyapunov_exponent_{place + 1}", rate, self.spectrum[:, place] / self.dt)
            yield Number(f"lyapunov_exponent_{place + 1}_interval", rate, self.intervals[:, place] / self.dt)
        yield Number("lyapunov_resolution", rate, self._each(self.motion.resolution / self.dt))
        # What is beyond the exponents measured may count, too, unless these already sum to less than nothing.
        whole = self.spectrum.shape[-1] == self.state_size
        enough = torch.ones_like(self.spectrum[:, 0], dtype=torch.bool) if whole else self.spectrum.sum(-1) < 0
        dimension = torch.where(enough, kaplan_yorke_dimension(self.spectrum), torch.nan)
        yield Number("kaplan_yorke_dimension", "1", dimension)
        positive = entropy_bound(self.spectrum) / self.dt
        yield Number("entropy_bound", f"nats / {_TIME}", torch.where(enough, positive, torch.nan))
        if self.observables is not None and self.spectrum.shape[-1] > self.observables:
            gap = self.spectrum[:, self.observables - 1] - self.spectrum[:, self.observables]
            yield Number("spectral_gap", rate, gap / self.dt)
        yield Number("period", "steps", self.periods.double())
        yield Number("returning_share", "1", (self.motion.periods > 0).double().mean(1))
        yield Number("bounded_share", "1", self.motion.bounded.double().mean(1))
        if self.forced is not None:
            yield from self._forced_numbers(self.forced)
        yield Number("diagnosis_seconds", "s", self._each(self.seconds / len(self.spectrum)))

    def verdicts(self, *, data_exponent: float | None = None, window: float | None = None) -> list[Verdict]:
        """What theory says of each seed, and whether it is so.

        Args:
            data_exponent: the largest one of the data's system [1 / system time]; None: not known.
            window: length of the training sequences, in Lyapunov times of the data.
        """
        named = {one.name: one.values.tolist() for one in self.numbers()}
        unknown = [None] * len(self.spectrum)
        return [
            verdict(
                Evidence(
                    gamma=named["gradient_growth"][k],
                    gamma_interval=named["gradient_growth_interval"][k],
                    exponent=named["lyapunov_exponent_1"][k],
                    exponent_interval=named["lyapunov_exponent_1_interval"][k],
                    resolution=named["lyapunov_resolution"][k],
                    period=int(named["period"][k]),
                    returning=named["returning_share"][k],
                    bounded=named["bounded_share"][k],
                    loss_gamma=named.get("loss_gradient_growth", unknown)[k],
                    loss_gamma_interval=named.get("loss_gradient_growth_interval", unknown)[k],
                    data_exponent=data_exponent,
                    window=window,
                )
            )
            for k in range(len(self.spectrum))
        ]

    @cached_property
    def _mean(self) -> Tensor:
        return self._each_run.nanmean(1)  # (K, M), in the order of the tangent vectors

    @cached_property
    def _each_run(self) -> Tensor:
        """Exponents of each free run, `(K, C, M)`; NaN of one that escapes, though its numbers may still be finite."""
        return torch.where(self.motion.bounded[..., None], self.motion.blocks.double().mean(-2), torch.nan)

    def _growth_numbers(self, name: str, growth: Growth) -> Iterator[Number]:
        rate = growth.rate()
        yield Number(name, f"1 / {_TIME}", rate.slope / self.dt)
        yield Number(f"{name}_interval", f"1 / {_TIME}", rate.interval / self.dt)
        yield Number(f"{name}_fit", "1", rate.fit)

    def _forced_numbers(self, forced: Forced) -> Iterator[Number]:
        path, longest = forced.path, forced.growth.horizons[-1]
        chain: float = min(path.product_length, longest)
        ends = path.interval is not None and path.interval < min(path.window, longest)  # within what was followed
        grown = forced.growth.at(min(path.product_length, longest)).nanmean(1)
        if (tossed := forced.tossed) is not None:
            chain, grown, ends = tossed.length, tossed.growth, tossed.length < longest
            yield Number("forcing_probability", "1", self._each(path.probability or 0.0))
            yield Number("chain_longest", "steps", self._each(tossed.longest))
        yield Number("path_length", "steps", self._each(path.window))
        yield Number("chain_length", "steps", self._each(chain))
        yield Number("chain_forced", "1", self._each(float(ends and path.forced)))
        yield Number("chain_cut", "1", self._each(float(ends and not path.forced)))
        yield Number("chain_blank", "1", self._each(float(path.restart == "zero")))
        yield Number("chain_learned", "1", self._each(float(ends and path.restart == "learned")))
        yield Number("chain_ends", "1", self._each(float(ends and forced.whole)))
        if not (ends and forced.whole):
            yield Number("window_length", "steps", self._each(longest))
            yield Number("window_growth", "nats", forced.growth.mean[:, -1])
        yield Number("chain_growth", "nats", grown)
        yield Number("chain_growth_bound", "nats", self.spectrum[:, 0] * chain)
        if path.alpha is not None:
            yield Number("forcing_share", "1", path.alpha.double())
            if forced.resets:  # else a part of the state is not drawn, and its products are not damped
                damped = self.spectrum[:, 0] + torch.log1p(-path.alpha.double().to(self.spectrum))
                yield Number("forced_exponent_expected", f"1 / {_TIME}", damped / self.dt)
        for place in range(forced.exponents.shape[-1]):
            values = forced.exponents[..., place].nanmean(1) / self.dt
            yield Number(f"forced_exponent_{place + 1}", f"1 / {_TIME}", values)

    def _each(self, value: float) -> Tensor:
        """The same number for every seed."""
        return torch.full((len(self.spectrum),), value, dtype=torch.float64)


_TIME = "system time"


def diagnose(
    step: Any,
    states: Tensor | NDArray[Any],
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
    """Examine anything that steps: a model, a system, a function of the state.

    Args:
        step: a step map; a function of the state, a module called on it, or an object with `step`. With states
            `(C, S)` it is asked for batches `(B, S)`, with arrays for the next array.
        states: `(C, S)`, initial conditions, tensor or numpy array; `(K, C, S)` of the K seeds of a `Forecaster`.
        dt: time per step [system time].
        observables: how many leading exponents can be the system's own; None: not known.
        horizon: longest one of the gradients [steps].
        loss_horizon: longest one of the gradients of the parameters [steps]; None: the same.
        conditions: how many of the initial conditions gradients are followed from, those of the parameters from half as
            many, and three at least; exponents take all.
        steps, transient: of the exponents [steps].
        exponents: how many, leading ones first; None: all.
        loss: L_T of the states at the octaves 1, 2, 4 .. `loss_horizon`, `(K, C, H, S) -> (K, C, H)` for the first C
            conditions, for the growth of dL_T/dtheta; None: that is left out.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, NeurIPS (2110.07238), Theorems 1 to 3.
    """
    began = perf_counter()
    step, states = as_tensors(step, states)
    starts = states if states.dim() == 3 else states[None]
    followed = starts[:, :conditions]
    horizons, tangents = log_spaced(horizon), tangents_followed(starts.shape[-1])
    grown = jacobian_growth(step, followed, steps=horizon, horizons=horizons, directions=tangents)
    judged = followed[:, : max(3, conditions // 2)]
    grown_loss = None if loss is None else _loss_growth(step, judged, loss_horizon or horizon, loss)
    moving = motion(step, starts, steps=steps, transient=transient, exponents=exponents)
    sampled = _SAMPLED if tangents is None else _SAMPLED // 4
    visited = orbit(step, starts[:, :1], steps=sampled, every=max(1, steps // (4 * _SAMPLED)))[:, 0]  # (K, n, S)
    return Diagnosis(
        dt=dt,
        observables=observables,
        state_size=starts.shape[-1],
        growth=Growth(horizons, grown),
        loss_growth=grown_loss,
        motion=moving,
        sizes=jacobian_sizes(step, visited),
        forced=None,
        seconds=perf_counter() - began,
    )


def examine_forcing(model: Forecaster, windows: Tensor, path: ForcingScheme, *, exponents: int) -> Forced:
    """The regime of training, along windows of data `(K, C, T + 1, D)`."""
    growth = forced_growth(model, windows, path, directions=tangents_followed(model.state_size))
    found = forced_exponents(model, windows, path, exponents=exponents)
    tossed = None
    if path.probability is not None:
        tossed = stretches(model, windows, path, directions=tangents_followed(model.state_size))
    return Forced(path, growth, found, ends_whole(model, path), model.resets, tossed)


def _loss_growth(step: Step, states: Tensor, horizon: int, loss: Loss) -> Growth | None:
    if not isinstance(step, nn.Module) or not any(one.requires_grad for one in step.parameters()):
        return None
    horizons = log_spaced(horizon, each_octave=1)
    stacked = isinstance(step, Forecaster)
    return Growth(horizons, loss_gradient_growth(step, states, horizons=horizons, loss=loss, stacked=stacked))
