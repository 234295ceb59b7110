"""Lyapunov exponents from tangent dynamics, and what follows from them."""

import torch
from torch import Tensor

from chaosbench.dynamics.step_maps import Step, StepMap, as_step_map


def lyapunov_spectrum(
    step: Step,
    states: Tensor,
    *,
    steps: int,
    transient: int = 0,
    every: int = 1,
    exponents: int | None = None,
    dt: float = 1.0,
) -> Tensor:
    """Lyapunov exponents of each orbit, by repeated QR decomposition of its tangent vectors.

    Args:
        step: a step map; a bare function, or an object without `tangent_step`, is differentiated in forward mode.
        states: `(..., S)`, best on the attractor already.
        steps: steps that count [steps].
        transient: steps before these, of states and tangents alike, so that the tangents align [steps].
        every: steps between two decompositions; 1 is safest, 5 or 10 faster where contraction is mild [steps].
        exponents: M, how many, leading ones first; None is all S.
        dt: time per step [system time].

    Returns:
        `(..., M)`, descending [1 / system time]; NaN for each member whose orbit blew up, and for it alone.

    Source:
        Benettin, Galgani, Giorgilli & Strelcyn 1980, Meccanica 15, 9; QR form: Eckmann & Ruelle 1985,
        Reviews of Modern Physics 57, 617, section V.
    """
    measured = finite_time_exponents(
        step, states, steps=steps, transient=transient, every=every, exponents=exponents, dt=dt
    )
    return measured.sort(dim=-1, descending=True).values


@torch.no_grad()
def finite_time_exponents(
    step: Step,
    states: Tensor,
    *,
    steps: int,
    transient: int = 0,
    every: int = 1,
    exponents: int | None = None,
    dt: float = 1.0,
) -> Tensor:
    """As `lyapunov_spectrum`, unsorted: in the order of the tangent vectors, hence right to average over members."""
    return exponents_in_blocks(
        step, states, steps=steps, transient=transient, every=every, exponents=exponents, blocks=1, dt=dt
    ).squeeze(-2)


@torch.no_grad()
def exponents_in_blocks(
    step: Step,
    states: Tensor,
    *,
    steps: int,
    blocks: int,
    transient: int = 0,
    every: int = 1,
    exponents: int | None = None,
    dt: float = 1.0,
) -> Tensor:
    """As `finite_time_exponents`, for each of `blocks` equal stretches of the orbit in turn.

    Their running means show how the exponents converge, their spread how well they are known.

    Returns:
        `(..., blocks, M)`, in the order of the tangent vectors [1 / system time]; NaN from where an orbit blew up.
    """
    assert steps >= blocks > 0, f"{steps} steps in {blocks} blocks; expected at least one step in each"
    step_map, length = as_step_map(step), steps // blocks
    tangents = _orthonormal_tangents(states, states.shape[-1] if exponents is None else exponents)
    states, tangents, _ = _stretch(step_map, states, tangents, steps=transient, every=every)
    rates = []
    for _ in range(blocks):
        states, tangents, growth = _stretch(step_map, states, tangents, steps=length, every=every)
        # A piecewise linear map may diverge while its tangents stay finite: the orbit decides.
        bounded = torch.isfinite(states).all(-1, keepdim=True)
        rates.append(torch.where(bounded, growth / (length * dt), torch.nan))
    return torch.stack(rates, dim=-2).to(states.dtype)


def kaplan_yorke_dimension(spectrum: Tensor) -> Tensor:
    """Kaplan-Yorke dimension j + (lambda_1 + ... + lambda_j) / |lambda_(j+1)|, j the last partial sum not negative.

    Args:
        spectrum: `(..., M)`, descending.

    Returns:
        `(...)`; 0 where lambda_1 < 0, M where the total never falls below zero.

    Source:
        Kaplan & Yorke 1979, Lecture Notes in Mathematics 730, 204.
    """
    totals = spectrum.cumsum(-1)
    # Partial sums of a descending spectrum rise, then fall: those not negative come first.
    count = (totals >= 0).sum(-1, keepdim=True)
    total = torch.where(count > 0, totals.gather(-1, (count - 1).clamp(min=0)), 0.0)
    beyond = spectrum.gather(-1, count.clamp(max=spectrum.shape[-1] - 1)).abs()
    fraction = torch.where((count > 0) & (count < spectrum.shape[-1]), total / beyond, 0.0)
    dimension = (count + fraction).squeeze(-1)
    return torch.where(spectrum.isnan().any(-1), torch.nan, dimension)


def entropy_bound(spectrum: Tensor) -> Tensor:
    """Sum of the positive exponents, which bounds the metric entropy, `(..., M)` to `(...)` [nats per unit of time].

    Source:
        Ruelle 1978, Boletim da Sociedade Brasileira de Matematica 9, 83; equality: Pesin 1977.
    """
    return spectrum.clamp(min=0).sum(-1)


def _orthonormal_tangents(states: Tensor, count: int) -> Tensor:
    """The same random orthonormal tangent vectors for every member, `(..., S, M)`."""
    size = states.shape[-1]
    assert 0 < count <= size, f"{count} exponents of a state of size {size}; expected 1 to {size}"
    # A generator of its own: no result depends on what was drawn before. Axes instead of random directions could lie
    # in an invariant subspace and miss the leading exponent for ever.
    random = torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    directions: Tensor = torch.linalg.qr(random[:, :count]).Q
    return directions.to(states).expand(*states.shape[:-1], size, count).clone()


def _stretch(
    step_map: StepMap, states: Tensor, tangents: Tensor, *, steps: int, every: int
) -> tuple[Tensor, Tensor, Tensor]:
    """States and tangents after `steps`, and the logarithm of what each direction grew by, `(..., M)`."""
    # In single precision the sum of thousands of logarithms would lose what each is good to.
    growth = tangents.new_zeros(tangents.shape[:-2] + tangents.shape[-1:], dtype=torch.float64)
    for index in range(1, steps + 1):
        states, tangents = step_map.tangent_step(states, tangents)
        if index % every == 0 or index == steps:
            tangents, triangle = torch.linalg.qr(tangents)
            growth = growth + triangle.diagonal(dim1=-2, dim2=-1).abs().double().log()
    return states, tangents, growth
