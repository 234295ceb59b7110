"""How gradients grow: the norm of dz_t/dz_0 for every horizon t, in one pass."""

import torch
from torch import Tensor

from chaosbench.dynamics.step_maps import Step, as_step_map

_CHUNK = 64  # horizons whose norms are found together; bounds the memory, saves calls


@torch.no_grad()
def jacobian_growth(step: Step, states: Tensor, *, steps: int) -> Tensor:
    """Logarithm of the spectral norm of dz_t/dz_0 for t = 1 .. steps.

    The product of Jacobians is carried with its scale as a separate logarithm, so that neither an explosion nor a
    vanishing leaves the range of float32, whatever the horizon.

    Args:
        step: a step map; a bare function, or an object without `tangent_step`, is differentiated in forward mode.
        states: z_0, `(..., S)`.
        steps: the longest horizon [steps].

    Returns:
        `(..., steps)` [nats]; -inf where the product is zero, NaN from where an orbit blew up.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, Advances in Neural Information Processing Systems 35, equations 4 to 6.
    """
    step_map = as_step_map(step)
    size = states.shape[-1]
    product = torch.eye(size, dtype=states.dtype, device=states.device).expand(*states.shape, size).clone()
    # In single precision the sum of thousands of logarithms would lose what each is good to.
    scale = states.new_zeros(states.shape[:-1], dtype=torch.float64)
    growth: list[Tensor] = []
    for begin in range(0, steps, _CHUNK):
        products, scales = [], []
        for _ in range(begin, min(begin + _CHUNK, steps)):
            states, product = step_map.tangent_step(states, product)
            largest = product.abs().amax((-2, -1))
            # A product of zeros stays zero: its norm, not its scale, tells.
            factor = torch.where(largest > 0, largest, 1.0)
            product = product / factor[..., None, None]
            scale = torch.where(torch.isfinite(states).all(-1), scale + factor.double().log(), torch.nan)
            products.append(product)
            scales.append(scale)
        growth.append(torch.stack(scales, dim=-1) + _log_norm(torch.stack(products, dim=-3)))
    return torch.cat(growth, dim=-1).to(states.dtype)


def _log_norm(matrices: Tensor) -> Tensor:
    """Logarithm of the spectral norm, `(..., S, S)` to `(...)`, of matrices whose largest entry is 0 or near 1."""
    gram = matrices @ matrices.mT
    # Eigenvalue routines raise on NaN, and one member must not stop the others.
    sound = torch.isfinite(gram).all(-1).all(-1)
    largest = torch.linalg.eigvalsh(torch.where(sound[..., None, None], gram, 0.0))[..., -1]
    return torch.where(sound, largest.clamp(min=0).log() / 2, torch.nan)
