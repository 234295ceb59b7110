"""Derivatives by central differences, for steps that automatic differentiation cannot follow."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import forward_ad

Function = Callable[[Tensor], Tensor]

# Cube root of the rounding error, the optimum of a central difference.
_DIFFERENCE = {torch.float32: 5e-3, torch.float64: 6e-6}
_WIDE = 1e-3  # a difference for steps that compute in single precision inside
_AGREEMENT = {torch.float32: 0.05, torch.float64: 1e-3}  # relative error that a difference may have


def central_differences(function: Function, state: Tensor, tangents: Tensor, *, offset: float | None = None) -> Tensor:
    """Return the Jacobian times the tangents by central differences, with an error of about 1e-10 times the state.

    Args:
        function: the step, `(..., S)` to `(..., S)` for any leading axes.
        state: `(..., S)`.
        tangents: `(..., S, M)`.
        offset: relative to the state, or to 1 for a smaller state; None: what suits the precision of the state.

    Returns:
        `(..., S, M)`.
    """
    if state.dim() == 1:
        return central_differences(function, state[None], tangents[None], offset=offset)[0]
    # Differences are taken along unit tangents, so that long and short tangents keep all digits.
    length: Tensor = tangents.norm(dim=-2, keepdim=True)
    smallest = torch.finfo(state.dtype).tiny
    size = (offset or _DIFFERENCE[state.dtype]) * state.abs().amax(-1)[..., None, None].clamp(min=1)
    offsets = size * tangents / length.clamp(min=smallest)
    # Tangents share the last batch axis, for steps that require the leading axes of the state.
    ahead, behind = (function((state[..., None] + sign * offsets).mT.flatten(-3, -2)) for sign in (1, -1))
    slopes: Tensor = torch.unflatten(ahead - behind, -2, (state.shape[-2], tangents.shape[-1])).mT / (2 * size)
    return slopes * length


def by_differences(function: Function, *, dtype: torch.dtype | None = None) -> Function:
    """Return the same function with a derivative by central differences, in forward and in reverse mode.

    Args:
        function: the step, `(..., S)` to `(..., S)` for any leading axes.
        dtype: precision of the differences; None: that of the state.
    """

    def call(state: Tensor) -> Tensor:
        stepped: Tensor = _ByDifferences.apply(state, function, dtype)  # type: ignore[no-untyped-call]  # of torch
        return stepped

    return call


class _ByDifferences(torch.autograd.Function):
    """A function of the state `(..., S)` whose derivative automatic differentiation cannot find."""

    @staticmethod
    def forward(ctx: Any, state: Tensor, function: Function, dtype: torch.dtype | None) -> Tensor:
        """Evaluate the function."""
        ctx.save_for_backward(state)
        ctx.save_for_forward(state)
        ctx.function, ctx.dtype = function, dtype or state.dtype
        return function(state.detach()).clone()

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        """Return the derivative along a tangent."""
        (state,) = ctx.saved_tensors
        point, direction = state.detach().to(ctx.dtype), tangent.to(ctx.dtype)[..., None]
        return central_differences(ctx.function, point, direction)[..., 0].to(state.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Return the transposed Jacobian times the gradient."""
        (state,), (gradient,) = ctx.saved_tensors, gradients
        point, size = state.detach().to(ctx.dtype), state.shape[-1]
        unit = torch.eye(size, dtype=point.dtype, device=point.device).expand(*point.shape, size)
        jacobian = central_differences(ctx.function, point, unit).to(state.dtype)
        return (jacobian.mT @ gradient[..., None])[..., 0], None, None


Derivative = Literal["exact", "missing", "wrong"]


@torch.no_grad()
def derivative_of(function: Function, states: Tensor) -> Derivative:
    """Compare automatic differentiation of a step with central differences.

    A truly zero derivative, such as that on a superstable cycle, is "exact". States at which either is not finite do
    not count, and a step is "wrong" only where no state agrees, because a single state may lie at a kink.

    Args:
        function: the step, `(..., S)` to `(..., S)`.
        states: `(B, S)`.
    """
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(states.shape[-1], dtype=torch.float64, generator=generator).to(states).expand_as(states)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(states.contiguous(), direction.contiguous())
        carried = forward_ad.unpack_dual(function(dual)).tangent
    exact = torch.zeros_like(states) if carried is None else carried
    finest = _DIFFERENCE.get(states.dtype, _WIDE)
    agreed = [_agree(function, states, direction, exact, offset) for offset in (finest, _WIDE)]
    if not bool((agreed[0] | agreed[1]).any()):
        return "wrong" if bool((exact.nan_to_num() != 0).any()) else "missing"
    return "exact"


def _agree(function: Function, states: Tensor, direction: Tensor, exact: Tensor, offset: float) -> Tensor:
    """Return where the derivative `exact`, `(B, S)`, agrees with a difference, or cannot be compared, `(B,)`."""
    measured = central_differences(function, states, direction[..., None], offset=offset)[..., 0]
    comparable = (measured.isfinite() & exact.isfinite()).all(-1)
    largest = torch.maximum(measured.abs().amax(-1), exact.abs().amax(-1))
    rounding = 16 * torch.finfo(states.dtype).eps / offset * function(states).abs().amax(-1)
    tolerance = _AGREEMENT.get(states.dtype, 0.05) * largest + rounding + 1e-8
    return ~comparable | ((measured - exact).abs().amax(-1) <= tolerance)
