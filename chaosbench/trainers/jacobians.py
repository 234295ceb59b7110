"""Estimates of how large a model's Jacobians are at states forced from data."""

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
    """Estimate the factor by which a step multiplies gradients, `(K, B, T + 1, D) -> (K,)`.

    `"jacobian_upper_bound"` is max |A| + ||W1|| max |phi'| ||W2||, a bound for all states. The other estimators use the
    Jacobians J_t at the states forced from data and return the largest value over sequences: of max_t ||J_t||
    (`"batch_maximum"`), of the geometric mean of ||J_t|| (`"product_upper_bound"`), of ||mean_t J_t||
    (`"arithmetic_mean"`), and of ||exp(mean_t log J_t)|| (`"explog_approximation"`).

    Source:
        Hess et al. 2023, ICML (2306.04406), section 3.3 and appendix.
    """
    if estimator == "jacobian_upper_bound":
        assert isinstance(model, PiecewiseLinearNetwork)
        c = model.coefficients()
        inward = 1.0 if c.inward is None else spectral_norm(c.inward)
        slope = 1.0 if c.mixture is None else c.mixture.abs().sum(dim=(-2, -1))  # steepest possible slope of phi
        return c.diagonal.abs().amax(dim=(-2, -1)) + spectral_norm(c.outward) * slope * inward
    # One sequence after the other, so that only T Jacobians of each seed are in memory.
    sequences = [_sequence_size(jacobians(model, window), estimator) for window in windows[:, :, :-1].unbind(1)]
    return torch.stack(sequences).amax(dim=0)


def jacobians(model: Forecaster, observations: Tensor) -> Tensor:
    """Return the Jacobians of the step at the states forced from these observations, `(K, T, D) -> (K, T, S, S)`."""
    states = model.initial_state(observations.contiguous().unsqueeze(2))
    size = states.shape[-1]
    identity = torch.eye(size, dtype=states.dtype, device=states.device)
    return model.tangent_step(states, identity.expand(*states.shape, size).contiguous())[1]


def _sequence_size(sequence: Tensor, estimator: Estimator) -> Tensor:
    """Estimate the size for one sequence of Jacobians, `(K, T, S, S) -> (K,)`."""
    if estimator == "batch_maximum":
        return spectral_norm(sequence).amax(dim=1)
    if estimator == "product_upper_bound":
        return spectral_norm(sequence).log().mean(dim=1).exp()
    if estimator == "arithmetic_mean":
        return spectral_norm(sequence.mean(dim=1))
    return spectral_norm(torch.linalg.matrix_exp(_logarithm(sequence).mean(dim=1))).to(sequence.dtype)


def _logarithm(matrices: Tensor) -> Tensor:
    """Return principal logarithms, complex, in double precision; eigenvalues near zero are replaced by 1e-12."""
    sound = matrices.isfinite().all(dim=-1).all(dim=-1)[..., None, None]
    identity = torch.eye(matrices.shape[-1], dtype=torch.float64, device=matrices.device)
    values, vectors = torch.linalg.eig(torch.where(sound, matrices.double(), identity))
    floor = torch.where(values.abs() > 1e-12, values, torch.full_like(values, 1e-12))
    logarithm = torch.linalg.solve(vectors, vectors * floor.log().unsqueeze(-2), left=False)
    return torch.where(sound, logarithm, torch.nan)
