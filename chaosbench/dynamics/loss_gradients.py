"""How the loss gradient of the parameters grows: the norm of dL_T/dtheta against T, in one sweep back through time."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from chaosbench.dynamics.step_maps import as_function

Loss = Callable[[Tensor], Tensor]  # of the states at each horizon, (..., H, S) -> (..., H)

_STRETCH = {torch.float32: 32, torch.float64: 64}  # [steps]; e^2.7 or e^11 per step would leave the range in one


def half_square(states: Tensor) -> Tensor:
    """|z|² / 2, `(..., S) -> (...)`: a loss for those who have no data at hand; its gradient is z."""
    return states.square().sum(-1) / 2


def loss_gradient_growth(
    module: nn.Module, states: Tensor, *, horizons: Sequence[int], loss: Loss = half_square, stacked: bool = False
) -> Tensor:
    """Logarithm of ||dL_T/dtheta|| for each horizon T, where L_T judges the T-th state alone.

    dL_T/dtheta = sum_r (dL_T/dz_T) (dz_T/dz_r) (d+z_r/dtheta). Of each horizon the adjoint dL_T/dz_r is carried back in
    time, from stretch to stretch with its scale as a separate logarithm, all horizons in one sweep, so that nothing
    overflows. The first state and the read-out are held fixed: theta are the parameters that the step depends on.

    Args:
        module: its `step`, or itself, is the step map, `(..., B, S) -> (..., B, S)`.
        states: z_0, `(..., B, S)`.
        horizons: T, ascending [steps].
        loss: L_T from the states at the horizons, `(..., B, H, S) -> (..., B, H)`.
        stacked: the leading axis of states and of every parameter is one of independent seeds, as in a `Forecaster`.

    Returns:
        `(..., B, H)` [nats]; -inf where the gradient is zero, NaN where an orbit blew up before T.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, Advances in Neural Information Processing Systems 35, equations 5 and 6.
    """
    stepped, parameters = _stepped(module), [one for one in module.parameters() if one.requires_grad]
    stretch = _STRETCH.get(states.dtype, 1)
    seams = sorted({0, *horizons, *range(stretch, horizons[-1], stretch)})
    places = [seams.index(horizon) for horizon in horizons]
    # Member by member, since one parameter serves them all; of seeds each has its own, and they go side by side.
    starts = states if stacked else states.reshape(1, -1, states.shape[-1])  # (G, N, S)
    paths = [_path(stepped, start, seams) for start in starts.split(1, dim=1)]  # N of (G, seams, S)
    ends = torch.stack([path[:, places] for path in paths], dim=1)  # (G, N, H, S)
    adjoints = _endpoints(ends.view(*states.shape[:-1], *ends.shape[-2:]), loss).view(ends.shape)
    swept = [
        _swept(stepped, parameters, path, seams, horizons, adjoint)
        for path, adjoint in zip(paths, adjoints.unbind(1), strict=True)
    ]
    norms = torch.where(ends.isfinite().all(-1), torch.stack(swept, dim=1), torch.nan)
    return norms.view(*states.shape[:-1], len(horizons)).to(states.dtype)


def _swept(
    stepped: Callable[[Tensor, int], Tensor],
    parameters: Sequence[Tensor],
    path: Tensor,
    seams: Sequence[int],
    horizons: Sequence[int],
    ends: Tensor,
) -> Tensor:
    """Log norms of the gradients of one member, from its path and the adjoints at its ends, `(G, H, S) -> (G, H)`."""
    adjoints, sums = list(ends.unbind(1)), [_Sum(parameters, len(path)) for _ in horizons]
    for place in range(len(seams) - 1, 0, -1):
        begin, end = seams[place - 1], seams[place]
        with torch.enable_grad():
            leaf = path[:, place - 1 : place].detach().requires_grad_()
            reached = stepped(leaf, end - begin)
        for index, horizon in enumerate(horizons):
            if horizon >= end:
                adjoints[index] = sums[index].add(reached, leaf, sums[index].unit(adjoints[index]))
    return torch.stack([one.log_norm() for one in sums], dim=-1)


class _Sum:
    """The parameter gradient of one horizon, and how large its adjoint is, both with their scales as logarithms."""

    def __init__(self, parameters: Sequence[Tensor], members: int) -> None:
        self.parameters = parameters
        self.gradients = [torch.zeros_like(one) for one in parameters]
        self.adjoint_scale = self.scale = parameters[0].new_full((members,), -torch.inf, dtype=torch.float64)
        self.begun = False

    def unit(self, adjoint: Tensor) -> Tensor:
        """The adjoint `(G, S)` with its largest entry at one; what it was divided by is kept."""
        largest = adjoint.abs().amax(-1)
        factor = torch.where(largest > 0, largest, 1.0)
        before = self.adjoint_scale if self.begun else torch.zeros_like(self.adjoint_scale)
        self.adjoint_scale, self.begun = before + factor.double().log(), True
        return adjoint / factor[:, None]

    def add(self, reached: Tensor, leaf: Tensor, adjoint: Tensor) -> Tensor:
        """Pull the unit adjoint back to the leaf, `(G, S)`, and add what the steps in between owe to the parameters."""
        back, *new = torch.autograd.grad(
            reached, [leaf, *self.parameters], adjoint[:, None], retain_graph=True, materialize_grads=True
        )
        scale = torch.maximum(self.scale, self.adjoint_scale)
        shrunk, factor = (_along((one - scale).exp()) for one in (self.scale, self.adjoint_scale))
        self.gradients = [shrunk(old) + factor(one) for old, one in zip(self.gradients, new, strict=True)]
        self.scale = scale
        return back[:, 0]

    def log_norm(self) -> Tensor:
        """`(G,)` [nats]; parameters without an axis of members have but one."""
        squares = [one.double().square().reshape(len(self.scale), -1).sum(-1) for one in self.gradients]
        return torch.stack(squares).sum(0).log() / 2 + self.scale


def _along(factor: Tensor) -> Callable[[Tensor], Tensor]:
    """Multiplication along the leading axis, or of all where there is one member."""

    def scaled(value: Tensor) -> Tensor:
        shape = (-1, *[1] * (value.dim() - 1)) if len(factor) > 1 else [1] * value.dim()
        return value * factor.to(value).reshape(shape)

    return scaled


def _stepped(module: nn.Module) -> Callable[[Tensor, int], Tensor]:
    """The state so many steps on, `(G, 1, S)`; by a model's own `predict`, which may be faster than a loop."""
    if callable(predict := getattr(module, "predict", None)):
        return lambda state, steps: cast("Tensor", predict(state, steps)[1])
    step = as_function(module)

    def looped(state: Tensor, steps: int) -> Tensor:
        for _ in range(steps):
            state = step(state)
        return state

    return looped


@torch.no_grad()
def _path(stepped: Callable[[Tensor, int], Tensor], state: Tensor, seams: Sequence[int]) -> Tensor:
    """The states at these times, ascending from 0, `(G, 1, S) -> (G, seams, S)`."""
    states = [state]
    for begin, end in pairwise(seams):
        states.append(stepped(states[-1], end - begin))
    return torch.cat(states, dim=1)


def _endpoints(ends: Tensor, loss: Loss) -> Tensor:
    """dL_T/dz_T at every horizon, `(..., H, S)`."""
    leaf = ends.detach().requires_grad_()
    with torch.enable_grad():
        gradient: Tensor = torch.autograd.grad(loss(leaf).sum(), leaf)[0]
    return gradient
