"""How large a model's Jacobians are where the data put it."""

from typing import Literal

import torch
from torch import Tensor

from chaosbench.dynamics import spectral_norm
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.piecewise_linear import PiecewiseLinearNetwork

Estimator = Literal[
    "jacobian_upper_bound", "batch_maximum", "product_upper_bound", "arithmetic_mean", "explog_approximation"
]


@torch.no_grad()
def jacobian_size(model: Forecaster, windows: Tensor, estimator: Estimator) -> Tensor:
    """An estimate of what a step multiplies gradients by, `(K, B, T + 1, D) -> (K,)`.

    `"jacobian_upper_bound"` is max |A| + ||W1|| max |phi'| ||W2||, whatever the state. The others take the Jacobians
    J_t at the states that show the data and the largest over sequences: of max_t ||J_t||, of the geometric mean of
    ||J_t||, of ||mean_t J_t||, and of ||exp(mean_t log J_t)||.

    Source:
        Hess et al. 2023, ICML (2306.04406), section 3.3 and appendix.
    """
    if estimator == "jacobian_upper_bound":
        assert isinstance(model, PiecewiseLinearNetwork)
        c = model.coefficients()
        inward = 1.0 if c.inward is None else spectral_norm(c.inward)
        slope = 1.0 if c.mixture is None else c.mixture.abs().sum(dim=(-2, -1))  # the steepest that phi can be
        return c.diagonal.abs().amax(dim=(-2, -1)) + spectral_norm(c.outward) * slope * inward
    # Sequence by sequence, so that no more than T Jacobians of each seed are in memory.
    sequences = [_sequence_size(jacobians(model, window), estimator) for window in windows[:, :, :-1].unbind(1)]
    return torch.stack(sequences).amax(dim=0)


def jacobians(model: Forecaster, observations: Tensor) -> Tensor:
    """Jacobians of the step at the states that show these observations, `(K, T, D) -> (K, T, S, S)`."""
    states = model.initial_state(observations.contiguous())
    size = states.shape[-1]
    identity = torch.eye(size, dtype=states.dtype, device=states.device)
    return model.tangent_step(states, identity.expand(*states.shape, size).contiguous())[1]


def _sequence_size(sequence: Tensor, estimator: Estimator) -> Tensor:
    """Of one sequence of Jacobians, `(K, T, S, S) -> (K,)`."""
    if estimator == "batch_maximum":
        return spectral_norm(sequence).amax(dim=1)
    if estimator == "product_upper_bound":
        return spectral_norm(sequence).log().mean(dim=1).exp()
    if estimator == "arithmetic_mean":
        return spectral_norm(sequence.mean(dim=1))
    return spectral_norm(torch.linalg.matrix_exp(_logarithm(sequence).mean(dim=1))).to(sequence.dtype)


def _logarithm(matrices: Tensor) -> Tensor:
    """Principal logarithms, complex, in double precision; of singular matrices that of the nearest sound size."""
    sound = matrices.isfinite().all(dim=-1).all(dim=-1)[..., None, None]
    identity = torch.eye(matrices.shape[-1], dtype=torch.float64, device=matrices.device)
    values, vectors = torch.linalg.eig(torch.where(sound, matrices.double(), identity))
    floor = torch.where(values.abs() > 1e-12, values, torch.full_like(values, 1e-12))
    logarithm = torch.linalg.solve(vectors, vectors * floor.log().unsqueeze(-2), left=False)
    return torch.where(sound, logarithm, torch.nan)
