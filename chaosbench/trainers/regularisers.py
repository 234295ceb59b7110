"""Penalties on weights that any gradient trainer may add to its loss."""

import math

import torch
from torch import Tensor

from chaosbench.models.forecaster import Forecaster
from chaosbench.models.piecewise_linear import PiecewiseLinearNetwork
from chaosbench.models.readouts import LinearReadout


def manifold_attractor_penalty(model: PiecewiseLinearNetwork, share: float) -> Tensor:
    """Return sum (1 - A)² + ||W1||² + ||h1||² over the last `share` of the states, `(K,)`.

    It makes these states slow and uncoupled. The first states are left out because an identity read-out shows them. If
    the share is 1, W2 and h2 count as well.

    Source:
        Schmidt et al. 2021, ICLR (1910.03471); for the shallow network, Hess et al. 2023, ICML.
    """
    c = model.coefficients()
    first = model.state_size - math.ceil(share * model.state_size)
    parts = [1 - c.diagonal[..., first:], c.outward[..., first:], c.bias[..., first:]]
    if first == 0:
        parts += [part for part in (c.inward, c.threshold) if part is not None]
    return torch.stack([part.flatten(1).square().sum(dim=1) for part in parts]).sum(dim=0)


def conditioning_penalty(readout: LinearReadout) -> Tensor:
    """Return (1 - sigma_max / sigma_min)² of the observation matrix, which keeps its pseudo-inverse small, `(K,)`.

    Source:
        Hess et al. 2023, ICML (2306.04406), appendix.
    """
    weight = readout.weight
    sound = weight.isfinite().flatten(1).all(dim=1)
    # LAPACK rejects a whole batch because of one matrix with NaN.
    filler = torch.eye(*weight.shape[-2:], dtype=weight.dtype, device=weight.device)
    values = torch.linalg.svdvals(torch.where(sound[:, None, None], weight, filler))
    return torch.where(sound, (1 - values[:, 0] / (values[:, -1] + 1e-8)).square(), torch.nan)


def linear_readout(model: Forecaster) -> LinearReadout | None:
    """Return the model's observation matrix, if it has one."""
    readout = getattr(model, "readout", None)
    return readout if isinstance(readout, LinearReadout) else None
