"""How gradients grow: the norm of dz_T/dz_0 against the horizon T, in one pass that cannot overflow."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from chaosbench.dynamics.step_maps import Step, as_step_map

Norm = Literal["spectral", "infinity"]

_CHUNK = 64  # horizons whose norms are found together; bounds the memory, saves calls
_RESCALE = {torch.float32: 4, torch.float64: 16}  # [steps]; e^20 or e^40 per step would leave the range between two


@torch.no_grad()
def jacobian_growth(
    step: Step,
    states: Tensor,
    *,
    steps: int,
    horizons: Sequence[int] | None = None,
    norm: Norm = "spectral",
    directions: int | None = None,
) -> Tensor:
    """Logarithm of the norm of dz_T/dz_0 for every horizon T = 1 .. steps, or for the given ones.

    The product of Jacobians is carried with its scale as a separate logarithm, so that neither an explosion nor a
    vanishing leaves the range of float32, whatever the horizon.

    Args:
        step: a step map; a bare function, or an object without `tangent_step`, is differentiated in forward mode.
        states: z_0, `(..., S)`.
        steps: the longest horizon [steps].
        horizons: ascending [steps]; None: all. Norms cost more than the pass itself, so that few are much faster.
        norm: "spectral", the largest singular value; "infinity", the largest absolute row sum, subordinate as well
            and much faster where there are many horizons.
        directions: of large states, follow so many random orthonormal tangents in place of all S. The norm over them is
            smaller, in the mean by ln(S / directions) / 2 once the fastest direction has won; the slope is the same.

    Returns:
        `(..., horizons)` [nats]; -inf where the product is zero, NaN from where an orbit blew up.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, Advances in Neural Information Processing Systems 35, equations 4 to 6.
    """
    step_map = as_step_map(step)
    wanted = set(range(1, steps + 1) if horizons is None else horizons)
    assert wanted <= set(range(1, steps + 1)), f"horizons {sorted(wanted)} must lie within 1 and {steps} [steps]"
    product = starting_tangents(states, directions)
    # In single precision the sum of thousands of logarithms would lose what each is good to.
    scale = states.new_zeros(states.shape[:-1], dtype=torch.float64)
    growth, products, scales = list[Tensor](), list[Tensor](), list[Tensor]()
    pause = _RESCALE.get(states.dtype, 1)
    for horizon in range(1, steps + 1):
        states, product = step_map.tangent_step(states, product)
        if horizon % pause == 0:
            product, scale = rescaled(product, scale)
        if horizon in wanted:
            scale = torch.where(torch.isfinite(states).all(-1), scale, torch.nan)
            products.append(product)
            scales.append(scale)
        if len(products) == _CHUNK or (horizon == steps and products):
            growth.append(_log_norms(torch.stack(products, dim=-3), torch.stack(scales, dim=-1), norm))
            products, scales = [], []
    return torch.cat(growth, dim=-1).to(states.dtype)


def starting_tangents(states: Tensor, directions: int | None = None) -> Tensor:
    """The identity at each state, or so many random orthonormal tangents, the same at each, `(..., S, M)`."""
    size = states.shape[-1]
    count = size if directions is None else min(directions, size)
    if count == size:
        return torch.eye(size, dtype=states.dtype, device=states.device).expand(*states.shape, size).clone()
    # A generator of its own: no result depends on what was drawn before. Axes could lie in an invariant subspace.
    random = torch.randn(size, count, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    drawn: Tensor = torch.linalg.qr(random).Q.to(states)
    return drawn.expand(*states.shape, count).clone()


def log_spaced(steps: int, *, each_octave: int = 4) -> tuple[int, ...]:
    """Horizons from 1 to `steps`, evenly spaced in their logarithm and rounded to whole steps, each once [steps]."""
    octaves = torch.tensor(steps, dtype=torch.float64).log2()
    count = int(octaves * each_octave) + 1
    spaced = torch.exp2(torch.linspace(0, float(octaves), max(count, 2), dtype=torch.float64)).round().long()
    return tuple(sorted({1, steps, *spaced.tolist()}))


class JacobianSizes(NamedTuple):
    """Singular values of the Jacobian at each state, `(...)` each; the condition number is their quotient."""

    largest: Tensor
    smallest: Tensor


@torch.no_grad()
def jacobian_sizes(step: Step, states: Tensor) -> JacobianSizes:
    """Largest and smallest singular value of a step's Jacobian at the states `(..., S)`; NaN where it is not finite."""
    size = states.shape[-1]
    identity = torch.eye(size, dtype=states.dtype, device=states.device).expand(*states.shape, size).clone()
    jacobians = as_step_map(step).tangent_step(states, identity)[1].double()
    sound = jacobians.isfinite().all(-1).all(-1)
    values = torch.linalg.svdvals(torch.where(sound[..., None, None], jacobians, 0.0))
    values = torch.where(sound[..., None], values, torch.nan)
    return JacobianSizes(values[..., 0], values[..., -1])


def spectral_norm(matrices: Tensor) -> Tensor:
    """Largest singular values, `(..., m, n) -> (...)`; NaN for a matrix that is not finite, and for it alone."""
    gram = matrices.mH @ matrices
    sound = gram.isfinite().all(dim=-1).all(dim=-1)
    # LAPACK refuses a whole batch for one matrix with NaN.
    largest = torch.linalg.eigvalsh(torch.where(sound[..., None, None], gram, 0.0))[..., -1]
    return torch.where(sound, largest.clamp(min=0).sqrt(), torch.nan)


def rescaled(product: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Matrices `(..., m, n)` with the largest entry at one, and what they were divided by added to the log `(...)`."""
    largest = product.abs().amax((-2, -1))
    # A product of zeros stays zero: its norm, not its scale, tells.
    factor = torch.where(largest > 0, largest, 1.0)
    return product / factor[..., None, None], scale + factor.double().log()


def _log_norms(products: Tensor, scales: Tensor, norm: Norm) -> Tensor:
    """Logarithms of the norms of `(..., S, S)` times exp(scale), `(...)`, in double precision."""
    products, scales = rescaled(products, scales)  # so that squares stay within range
    found = spectral_norm(products) if norm == "spectral" else products.abs().sum(-1).amax(-1)
    return scales + found.double().log()
