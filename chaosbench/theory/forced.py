"""Growth and exponents of the products of Jacobians in training, with the state forced and gradients cut."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from chaosbench.dynamics import (
    Loop,
    Tensors,
    log_spaced,
    rescaled,
    spectral_norm,
    starting_tangents,
    tangent_step_by_jvp,
)
from chaosbench.kernels import CompiledTangents, TangentForcing, compiled_tangents, orthonormal_columns
from chaosbench.models.forecaster import Forecaster
from chaosbench.seeds import seed_generator
from chaosbench.theory.growth import Growth
from chaosbench.trainers.forcing_scheme import ForcingScheme

_LONGEST = 1_024  # [steps]


@torch.no_grad()
def forced_growth(
    model: Forecaster, windows: Tensor, scheme: ForcingScheme, *, directions: int | None = None
) -> Growth:
    """Return the log norm of dz_T/dz_0 along windows of data, with the state forced and gradients cut as in training.

    Args:
        windows: `(K, C, W + T + 1, D)`, with the warm-up W of the scheme.
        scheme: how training forces the state and cuts gradients.
        directions: number of tangents to follow, as in `jacobian_growth`.

    Returns:
        Values at log-spaced horizons up to the length of the windows, including the last horizon before the first
        forcing or cut; -inf once a product is zero.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, NeurIPS, section 4.1; Hess et al. 2023, ICML, equation 10.
    """
    state, windows = _begin(model, windows, scheme)
    steps = windows.shape[2] - 1
    chain = min(scheme.product_length, steps)
    horizons = tuple(sorted({*log_spaced(steps), chain, min(chain + 1, steps)}))
    product = starting_tangents(state, directions)
    carried: Tensors = (state, product, windows.new_zeros(windows.shape[:2], dtype=torch.float64))

    def body(carried: Tensors, moment: Tensors) -> tuple[Tensors, Tensors]:
        state, product, scale = carried
        state, product = model.tangent_step(*_apply_forcing(model, state, product, moment, scheme))
        return (state, *rescaled(product, scale)), ()

    moments = _moments(model, windows, scheme)
    if (found := _compiled(model, state, moments, scheme)) is not None:
        compiled, forcing = found
        _, products, scales = compiled.multiply(carried, list(horizons), every=1, forcing=forcing)
        return Growth(horizons, scales + spectral_norm(products).log())

    loop, kept = Loop(body), []
    for begin, end in pairwise((0, *horizons)):
        carried, _ = loop(carried, steps=end - begin, inputs=tuple(one[begin:end] for one in moments))
        kept.append(carried[1:])
    products, scales = (torch.stack(one, dim=2) for one in zip(*kept, strict=True))
    return Growth(horizons, scales + spectral_norm(products).double().log())


@torch.no_grad()
def forced_exponents(model: Forecaster, windows: Tensor, scheme: ForcingScheme, *, exponents: int) -> Tensor:
    """Return finite-time Lyapunov exponents along windows of data under forcing, `(K, C, exponents)` [1 / step].

    Where a forcing or a cut ends every product, tangents restart from the identity, so that the exponents are those of
    the segments in between. Under generalised teacher forcing of the whole state, tangents are multiplied by
    (1 - alpha) J at each step.

    Args:
        windows: `(K, C, W + T + 1, D)`, with the warm-up W of the scheme.
        scheme: how training forces the state and cuts gradients.
        exponents: number of leading exponents.

    Source:
        Hess et al. 2023, ICML (2306.04406), section 3.3.
    """
    state, windows = _begin(model, windows, scheme)
    steps, moments = windows.shape[2] - 1, _moments(model, windows, scheme)
    fresh, renewed = starting_tangents(state, exponents), cuts_products(model, scheme)
    if (found := _compiled(model, state, moments, scheme)) is not None:
        compiled, forcing = found[0], replace(found[1], renewed=renewed)
        return compiled.grow(state, fresh, steps=steps, every=1, forcing=forcing)[2] / steps

    def body(carried: Tensors, moment: Tensors) -> tuple[Tensors, Tensors]:
        state, tangents, growth = carried
        state, tangents = _apply_forcing(model, state, tangents, moment, scheme)
        if renewed:
            tangents = torch.where(_expand(moment[0], tangents), fresh, tangents)
        state, tangents = model.tangent_step(state, tangents)
        tangents, stretched = orthonormal_columns(tangents)
        return (state, tangents, growth + stretched.double().log()), ()

    start = state, fresh, windows.new_zeros(*windows.shape[:2], exponents, dtype=torch.float64)
    (_, _, growth), _ = Loop(body)(start, steps=steps, inputs=moments)
    return growth / steps


class Segments(NamedTuple):
    """Products of Jacobians from one random forcing to the next, or to the end of a window.

    Attributes:
        length, longest: mean and longest segment [steps].
        growth: log norm of the product over a segment, mean over segments, `(K,)` [nats].
    """

    length: float
    longest: int
    growth: Tensor


@torch.no_grad()
def segments(model: Forecaster, windows: Tensor, scheme: ForcingScheme, *, directions: int | None = None) -> Segments:
    """Return length and growth of the products of Jacobians where forcing is random.

    Args:
        windows: `(K, C, W + T + 1, D)`, with the warm-up W of the scheme.
        scheme: how training forces the state and cuts gradients.
        directions: number of tangents to follow, as in `jacobian_growth`.
    """
    state, windows = _begin(model, windows, scheme)
    steps = windows.shape[2] - 1
    due = torch.cat([restarts(scheme, windows.shape[1], steps), torch.ones(1, windows.shape[1], dtype=torch.bool)])
    moments = _moments(model, windows, scheme)
    fresh = starting_tangents(state, directions)
    product, scale = fresh, windows.new_zeros(windows.shape[:2], dtype=torch.float64)
    total, longest = windows.new_zeros(windows.shape[:2], dtype=torch.float64), 0
    began = torch.zeros(windows.shape[1], dtype=torch.long)
    for time in range(steps + 1):
        if due[time].any():
            norms = scale + spectral_norm(product).double().log()
            total = total + torch.where(_expand(due[time], norms), norms, 0.0)
            longest = max(longest, int((time - began)[due[time]].max()))
            began[due[time]] = time
            product = torch.where(_expand(due[time], product), fresh, product)
            scale = torch.where(_expand(due[time], scale), 0.0, scale)
        if time < steps:
            state, _ = _apply_forcing(model, state, product, tuple(one[time] for one in moments), scheme)
            state, product = model.tangent_step(state, product)
            product, scale = rescaled(product, scale)
    count = due.sum(0).to(total.device)
    bounded = (count * ~total.isnan()).sum(1)  # leaves out windows that blew up
    return Segments(steps * windows.shape[1] / float(count.sum()), longest, total.nansum(1) / bounded)


def windows_along(data: Tensor, scheme: ForcingScheme, *, count: int, seeds: int) -> Tensor:
    """Return windows of the training orbits `(N, T, D)`, evenly spread over them, `(K, count, W + L + 1, D)`."""
    length = scheme.warm_up + min(scheme.window, _LONGEST, data.shape[1] - 1 - scheme.warm_up)
    starts = data.shape[1] - length
    positions = torch.linspace(0, data.shape[0] * starts - 1, count, dtype=torch.float64).long()
    windows = data.unfold(1, length + 1, 1)[(positions // starts).to(data.device), (positions % starts).to(data.device)]
    return windows.mT.expand(seeds, -1, -1, -1).contiguous()


def restarts(scheme: ForcingScheme, windows: int, steps: int) -> Tensor:
    """Return a mask of the steps before which the state is forced or the gradient cut, `(T, C)` on the CPU.

    Random forcings are drawn independently for each window, as in training, but from their own generator: they are the
    same for all seeds.
    """
    if scheme.probability is not None:
        generator = seed_generator(0, "tosses of a diagnosis")
        due = (torch.rand(windows, steps, generator=generator) < scheme.probability).T.clone()
    else:
        ends = torch.arange(steps) % (scheme.interval or steps) == 0
        due = ends[:, None].repeat(1, windows)
    due[:1] = False
    return due


def cuts_products(model: Forecaster, scheme: ForcingScheme) -> bool:
    """Return True if a forcing or a cut sets the product of Jacobians to zero."""
    return (scheme.interval is not None or scheme.probability is not None) and (not scheme.forced or model.resets)


def _begin(model: Forecaster, windows: Tensor, scheme: ForcingScheme) -> tuple[Tensor, Tensor]:
    """Return the states after the warm-up, `(K, C, S)`, and the windows without it, `(K, C, T + 1, D)`."""
    state = model.initial_state(windows[:, :, : scheme.warm_up + 1])
    return torch.zeros_like(state) if scheme.restart == "zero" else state, windows[:, :, scheme.warm_up :]


def _moments(model: Forecaster, windows: Tensor, scheme: ForcingScheme) -> Tensors:
    """Return what forcing before each step of the windows `(K, C, T + 1, D)` depends on, stacked over the T steps.

    Returns:
        The masks of `restarts`, `(T, C)`; weights of blending, `(T, K)`; observations, `(T, K, C, D)`; and the states
        that restarts or blending set, `(T, K, C, S)`, `(T, 0)` if these depend on the state before.
    """
    seeds, count, steps = windows.shape[0], windows.shape[1], windows.shape[2] - 1
    due = restarts(scheme, count, steps).to(windows.device)
    alpha = torch.zeros(seeds) if scheme.alpha is None else scheme.alpha
    weights = alpha.to(windows).repeat(steps, 1)
    weights[:1] = 0  # the first state is set from data already
    observations = windows[:, :, :-1].movedim(2, 0).contiguous()
    flat = windows[:, :, :-1].flatten(1, 2)
    if model.resets:  # forced states then depend on the data only: compute all at once
        shown = model.force(flat.new_zeros(*flat.shape[:2], model.state_size), flat)
    elif scheme.restart == "learned":
        shown = model.initial_state(flat.unsqueeze(2))
    else:
        return due, weights, observations, windows.new_empty(steps, 0)
    return due, weights, observations, shown.unflatten(1, (count, steps)).movedim(2, 0).contiguous()


def _apply_forcing(
    model: Forecaster, state: Tensor, tangents: Tensor, moment: Tensors, scheme: ForcingScheme
) -> tuple[Tensor, Tensor]:
    """Return state and tangents as training changes them before a step; `moment` is that step's of `_moments`.

    Restarts are computed whether or not one is due: to ask would wait for a GPU at every step.
    """
    due, weight = moment[0], moment[1][:, None, None]
    if scheme.interval is not None or scheme.probability is not None:
        renewed, carried = _restart(model, state, tangents, moment, scheme)
        state = torch.where(_expand(due, state), renewed, state)
        tangents = torch.where(_expand(due, tangents), carried, tangents)
    if scheme.alpha is not None:
        forced, carried = _force(model, state, tangents, moment)
        state, tangents = torch.lerp(state, forced, weight), torch.lerp(tangents, carried, weight[..., None])
    return state, tangents


def _compiled(
    model: Forecaster, state: Tensor, moments: Tensors, scheme: ForcingScheme
) -> tuple[CompiledTangents, TangentForcing] | None:
    """Return compiled tangents, and what `_apply_forcing` does at all steps; None if plain torch must do it."""
    compiled = compiled_tangents(model, state)
    if compiled is None or (scheme.alpha is not None and not scheme.forced):
        return None
    due, weights, observations, shown = moments
    cut = due[:, None].expand(*observations.shape[:3]).to(observations)
    blended, drawn = weights[..., None], torch.zeros_like(cut) if scheme.restart == "kept" else cut
    first, signals = 0, shown
    if scheme.restart in ("zero", "kept"):
        signals = observations.new_zeros(1).expand(*cut.shape, model.state_size)
    elif scheme.forced and not model.resets:
        values = model.signals(observations.movedim(0, 2).flatten(1, 2))
        first, signals = model.first_forced, values.unflatten(1, (-1, len(cut))).movedim(2, 0)
    given = signals, 1 - (1 - drawn) * (1 - blended), (1 - cut) * (1 - blended)
    signals, weights, kept = (one.movedim(0, 2) for one in given)
    return compiled, TangentForcing(signals, weights, kept, first)


def _restart(
    model: Forecaster, state: Tensor, tangents: Tensor, moment: Tensors, scheme: ForcingScheme
) -> tuple[Tensor, Tensor]:
    """Return state and tangents after a forcing or a cut."""
    if scheme.forced:
        return _force(model, state, tangents, moment)
    if scheme.restart == "zero":
        state = torch.zeros_like(state)
    elif scheme.restart == "learned":
        state = moment[3]
    return state, torch.zeros_like(tangents)


def _force(model: Forecaster, state: Tensor, tangents: Tensor, moment: Tensors) -> tuple[Tensor, Tensor]:
    """Return the forced state and the tangents after forcing, which keep the part of the state that is not forced."""
    observation, shown = moment[2:]
    if model.resets:
        return shown, torch.zeros_like(tangents)
    repeated = observation.repeat_interleave(tangents.shape[-1], dim=-2)
    force: Callable[[Tensor], Tensor] = lambda points: model.force(points, repeated)  # noqa: E731  # a closure
    return tangent_step_by_jvp(force, state, tangents)


def _expand(due: Tensor, like: Tensor) -> Tensor:
    """Reshape the mask `(C,)` so that it broadcasts against `like`, `(K, C, ...)`."""
    return due.to(like.device).view(-1, *[1] * (like.dim() - 2))
