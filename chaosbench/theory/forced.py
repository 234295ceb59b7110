"""Growth and exponents of the products of Jacobians that training's gradients pass, under forcing and cuts."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from chaosbench.dynamics import log_spaced, rescaled, spectral_norm, starting_tangents, tangent_step_by_jvp
from chaosbench.models.forecaster import Forecaster
from chaosbench.seeds import seed_generator
from chaosbench.theory.growth import Growth
from chaosbench.trainers.forcing_scheme import ForcingScheme

_LONGEST = 1_024  # [steps]


@torch.no_grad()
def forced_growth(model: Forecaster, windows: Tensor, path: ForcingScheme, *, directions: int | None = None) -> Growth:
    """Logarithm of the norm of dz_T/dz_0 along windows of data, with the state forced and gradients cut as in training.

    Args:
        windows: `(K, C, T + 1, D)`.
        directions: how many tangents are followed, as in `jacobian_growth`.

    Returns:
        At log-spaced horizons up to the windows' length, the last one before the first forcing or cut among them;
        -inf from where a product is cut to zero.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, NeurIPS, section 4.1; Hess et al. 2023, ICML, equation 10.
    """
    steps = windows.shape[2] - 1
    chain = min(path.product_length, steps)
    horizons = tuple(sorted({*log_spaced(steps), chain, min(chain + 1, steps)}))
    due = restarts(path, windows.shape[1], steps)
    state = _start(model, windows, path)
    product = starting_tangents(state, directions)
    scale = windows.new_zeros(windows.shape[:2], dtype=torch.float64)
    norms = []
    for time in range(steps):
        if time:
            state, product = _held(model, state, product, windows[:, :, time], due[time], path)
        state, product = model.tangent_step(state, product)
        product, scale = rescaled(product, scale)
        if time + 1 in horizons:
            norms.append(scale + spectral_norm(product).double().log())
    return Growth(horizons, torch.stack(norms, dim=-1))


@torch.no_grad()
def forced_exponents(model: Forecaster, windows: Tensor, path: ForcingScheme, *, exponents: int) -> Tensor:
    """Finite-time Lyapunov exponents along windows of data under forcing, `(K, C, exponents)` [1 / step].

    Where a forcing or a cut ends every product, tangents begin anew: the exponents are then those of the stretches
    between. Under generalised forcing tangents are multiplied by (1 - alpha) J at each step.

    Args:
        windows: `(K, C, T + 1, D)`.

    Source:
        Hess et al. 2023, ICML (2306.04406), section 3.3.
    """
    steps, state = windows.shape[2] - 1, _start(model, windows, path)
    due = restarts(path, windows.shape[1], steps)
    fresh = starting_tangents(state, exponents)
    tangents, growth = fresh, windows.new_zeros(*windows.shape[:2], exponents, dtype=torch.float64)
    for time in range(steps):
        if time:
            state, tangents = _held(model, state, tangents, windows[:, :, time], due[time], path)
        if ends_whole(model, path):
            tangents = torch.where(_over(due[time], tangents), fresh, tangents)
        state, tangents = model.tangent_step(state, tangents)
        tangents, triangle = torch.linalg.qr(tangents)
        growth = growth + triangle.diagonal(dim1=-2, dim2=-1).abs().double().log()
    return growth / steps


class Stretches(NamedTuple):
    """Products of Jacobians from one toss that forces to the next, or to the end of a window.

    Attributes:
        length, longest: mean and longest [steps].
        growth: mean log norm of the whole of each, `(K,)` [nats].
    """

    length: float
    longest: int
    growth: Tensor


@torch.no_grad()
def stretches(model: Forecaster, windows: Tensor, path: ForcingScheme, *, directions: int | None = None) -> Stretches:
    """What products of Jacobians come to where tosses of a coin decide how long they are.

    Args:
        windows: `(K, C, T + 1, D)`.
        directions: how many tangents are followed, as in `jacobian_growth`.
    """
    steps, state = windows.shape[2] - 1, _start(model, windows, path)
    due = torch.cat([restarts(path, windows.shape[1], steps), torch.ones(1, windows.shape[1], dtype=torch.bool)])
    fresh = starting_tangents(state, directions)
    product, scale = fresh, windows.new_zeros(windows.shape[:2], dtype=torch.float64)
    total, longest = windows.new_zeros(windows.shape[:2], dtype=torch.float64), 0
    began = torch.zeros(windows.shape[1], dtype=torch.long)
    for time in range(steps + 1):
        if due[time].any():
            norms = scale + spectral_norm(product).double().log()
            total = total + torch.where(_over(due[time], norms), norms, 0.0)
            longest = max(longest, int((time - began)[due[time]].max()))
            began[due[time]] = time
            product = torch.where(_over(due[time], product), fresh, product)
            scale = torch.where(_over(due[time], scale), 0.0, scale)
        if time < steps:
            if time:
                state, _ = _held(model, state, product, windows[:, :, time], due[time], path)
            state, product = model.tangent_step(state, product)
            product, scale = rescaled(product, scale)
    count = due.sum(0).to(total.device)
    bounded = (count * ~total.isnan()).sum(1)  # of windows that blew up nothing is known
    return Stretches(steps * windows.shape[1] / float(count.sum()), longest, total.nansum(1) / bounded)


def windows_along(data: Tensor, path: ForcingScheme, *, count: int, seeds: int) -> Tensor:
    """Stretches of the training orbits `(N, T, D)` from which the forced regime is measured, `(K, count, L + 1, D)`."""
    length = min(path.window, _LONGEST, data.shape[1] - 1)
    starts = data.shape[1] - length
    places = torch.linspace(0, data.shape[0] * starts - 1, count, dtype=torch.float64).long()
    stretches = data.unfold(1, length + 1, 1)[(places // starts).to(data.device), (places % starts).to(data.device)]
    return stretches.mT.expand(seeds, -1, -1, -1).contiguous()


def restarts(path: ForcingScheme, conditions: int, steps: int) -> Tensor:
    """Before which steps the state is forced, or the gradient cut, in each window, `(T, C)` on the CPU.

    Tosses are drawn as in training, anew for each window, but from a generator of their own: the same for all seeds.
    """
    if path.probability is not None:
        generator = seed_generator(0, "tosses of a diagnosis")
        due = (torch.rand(conditions, steps, generator=generator) < path.probability).T.clone()
    else:
        ends = torch.arange(steps) % (path.interval or steps) == 0
        due = ends[:, None].repeat(1, conditions)
    due[:1] = False
    return due


def ends_whole(model: Forecaster, path: ForcingScheme) -> bool:
    """Whether nothing of a product is left after a forcing or a cut."""
    return (path.interval is not None or path.probability is not None) and (not path.forced or model.resets)


def _start(model: Forecaster, windows: Tensor, path: ForcingScheme) -> Tensor:
    """The states from which training lets the windows begin, `(K, C, S)`."""
    state = model.initial_state(windows[:, :, 0])
    return torch.zeros_like(state) if path.restart == "zero" else state


def _held(
    model: Forecaster, state: Tensor, tangents: Tensor, observation: Tensor, due: Tensor, path: ForcingScheme
) -> tuple[Tensor, Tensor]:
    """State and tangents before a step but the first, after what training does to them in the windows `due` `(C,)`."""
    if due.any():
        renewed, carried = _restarted(model, state, tangents, observation, path)
        state = torch.where(_over(due, state), renewed, state)
        tangents = torch.where(_over(due, tangents), carried, tangents)
    if path.alpha is not None:
        alpha = path.alpha.to(state)[:, None, None]
        forced, carried = _forced(model, state, tangents, observation)
        state, tangents = torch.lerp(state, forced, alpha), torch.lerp(tangents, carried, alpha[..., None])
    return state, tangents


def _restarted(
    model: Forecaster, state: Tensor, tangents: Tensor, observation: Tensor, path: ForcingScheme
) -> tuple[Tensor, Tensor]:
    """State and tangents where a forcing or a cut has come."""
    if path.forced:
        return _forced(model, state, tangents, observation)
    if path.restart == "zero":
        state = torch.zeros_like(state)
    elif path.restart == "learned":
        state = model.initial_state(observation)
    return state, torch.zeros_like(tangents)


def _forced(model: Forecaster, state: Tensor, tangents: Tensor, observation: Tensor) -> tuple[Tensor, Tensor]:
    """The forced state and the derivative of forcing along tangents: of the part of the state that it keeps."""
    if model.resets:
        return model.force(state, observation), torch.zeros_like(tangents)
    repeated = observation.repeat_interleave(tangents.shape[-1], dim=-2)
    force: Callable[[Tensor], Tensor] = lambda points: model.force(points, repeated)  # noqa: E731  # a closure
    return tangent_step_by_jvp(force, state, tangents)


def _over(due: Tensor, like: Tensor) -> Tensor:
    """Of each window whether, `(C,)`, beside a tensor `(K, C, ...)`."""
    return due.to(like.device).view(-1, *[1] * (like.dim() - 2))
