"""Random orthonormal tangent vectors to start tangent dynamics from."""

import torch
from torch import Tensor


def random_tangents(states: Tensor, count: int, *, draws: int | None = None) -> Tensor:
    """Return random orthonormal tangent vectors, the same at every state.

    Args:
        states: `(..., S)`.
        count: M, number of tangent vectors, 1 to S.
        draws: number of random columns to draw, of which the first `count` are orthonormalised; default: `count`. With
            fixed `draws`, the first vectors do not depend on `count`.

    Returns:
        `(..., S, M)` in the precision of `states`.
    """
    size = states.shape[-1]
    assert 0 < count <= size, f"{count} tangent vectors of a state of size {size}; expected 1 to {size}"
    # The generator is fixed, so that no result depends on earlier draws. Coordinate axes instead of random directions
    # could lie in an invariant subspace and would then never align with the leading exponent's direction.
    generator = torch.Generator().manual_seed(0)
    random = torch.randn(size, draws or count, dtype=torch.float64, generator=generator)
    directions: Tensor = torch.linalg.qr(random[:, :count]).Q
    return directions.to(states).expand(*states.shape[:-1], size, count).clone()
