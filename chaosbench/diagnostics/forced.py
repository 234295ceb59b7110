"""Growth and exponents of the products of Jacobians that training's gradients pass, under forcing and cuts."""

from collections.abc import Callable

import torch
from torch import Tensor

from chaosbench.diagnostics.growth import Growth
from chaosbench.dynamics import log_spaced, rescaled, spectral_norm, starting_tangents, tangent_step_by_jvp
from chaosbench.models.base import Forecaster
from chaosbench.trainers.gradient_path import GradientPath

_LONGEST = 1_024  # [steps]


@torch.no_grad()
def forced_growth(model: Forecaster, windows: Tensor, path: GradientPath, *, directions: int | None = None) -> Growth:
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
    chain = min(path.chain, steps)
    horizons = tuple(sorted({*log_spaced(steps), chain, min(chain + 1, steps)}))
    state = model.initial_state(windows[:, :, 0])
    product = starting_tangents(state, directions)
    scale = windows.new_zeros(windows.shape[:2], dtype=torch.float64)
    norms = []
    for time in range(steps):
        state, product = _held(model, state, product, windows[:, :, time], time, path)
        state, product = model.tangent_step(state, product)
        product, scale = rescaled(product, scale)
        if time + 1 in horizons:
            norms.append(scale + spectral_norm(product).double().log())
    return Growth(horizons, torch.stack(norms, dim=-1))


@torch.no_grad()
def forced_exponents(model: Forecaster, windows: Tensor, path: GradientPath, *, exponents: int) -> Tensor:
    """Finite-time Lyapunov exponents along windows of data under forcing, `(K, C, exponents)` [1 / step].

    Where a forcing or a cut ends every product, tangents begin anew: the exponents are then those of the stretches
    between. Under generalised forcing tangents are multiplied by (1 - alpha) J at each step.

    Args:
        windows: `(K, C, T + 1, D)`.

    Source:
        Hess et al. 2023, ICML (2306.04406), section 3.3.
    """
    steps, state = windows.shape[2] - 1, model.initial_state(windows[:, :, 0])
    fresh = starting_tangents(state, exponents)
    tangents, growth = fresh, windows.new_zeros(*windows.shape[:2], exponents, dtype=torch.float64)
    for time in range(steps):
        state, moved = _held(model, state, tangents, windows[:, :, time], time, path)
        tangents = fresh if time and _ends(path, time) and ends_whole(model, path) else moved
        state, tangents = model.tangent_step(state, tangents)
        tangents, triangle = torch.linalg.qr(tangents)
        growth = growth + triangle.diagonal(dim1=-2, dim2=-1).abs().double().log()
    return growth / steps


def windows_along(data: Tensor, path: GradientPath, *, count: int, seeds: int) -> Tensor:
    """Stretches of the training orbits `(N, T, D)` from which the forced regime is measured, `(K, count, L + 1, D)`."""
    length = min(path.length, _LONGEST, data.shape[1] - 1)
    starts = data.shape[1] - length
    places = torch.linspace(0, data.shape[0] * starts - 1, count, dtype=torch.float64).long()
    stretches = data.unfold(1, length + 1, 1)[(places // starts).to(data.device), (places % starts).to(data.device)]
    return stretches.mT.expand(seeds, -1, -1, -1).contiguous()


def _held(
    model: Forecaster, state: Tensor, tangents: Tensor, observation: Tensor, time: int, path: GradientPath
) -> tuple[Tensor, Tensor]:
    """State and tangents before the step at that time, after what training does to them there."""
    if not time:
        return state, tangents
    if _ends(path, time):
        if not path.forced:
            return state, torch.zeros_like(tangents)
        state, tangents = _forced(model, state, tangents, observation)
    if path.share is not None:
        alpha = path.share.to(state)[:, None, None]
        forced, carried = _forced(model, state, tangents, observation)
        state, tangents = torch.lerp(state, forced, alpha), torch.lerp(tangents, carried, alpha[..., None])
    return state, tangents


def _forced(model: Forecaster, state: Tensor, tangents: Tensor, observation: Tensor) -> tuple[Tensor, Tensor]:
    """The forced state and the derivative of forcing along tangents: of the part of the state that it keeps."""
    if model.resets:
        return model.force(state, observation), torch.zeros_like(tangents)
    repeated = observation.repeat_interleave(tangents.shape[-1], dim=-2)
    force: Callable[[Tensor], Tensor] = lambda points: model.force(points, repeated)  # noqa: E731  # a closure
    return tangent_step_by_jvp(force, state, tangents)


def _ends(path: GradientPath, time: int) -> bool:
    return path.interval is not None and time % path.interval == 0


def ends_whole(model: Forecaster, path: GradientPath) -> bool:
    """Whether nothing of a product is left after a forcing or a cut."""
    return path.interval is not None and (not path.forced or model.resets)
