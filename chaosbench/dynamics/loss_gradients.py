"""How the loss gradient of the parameters grows: the norm of dL_T/dtheta against T, in one sweep back through time."""

from collections.abc import Callable, Sequence
from copy import deepcopy
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
    *lead, size = states.shape
    if not stacked:  # no axis of seeds: member by member, since one parameter serves them all
        flat = states.reshape(-1, size)
        each = [_grown(module, one.view(1, 1, size), horizons, loss) for one in flat]
        return torch.cat(each).view(*lead, len(horizons))
    members = states.shape[1]
    group = _repeated(
        module, states.shape[0], members
    )  # every member a seed of its own, whose gradient comes out alone
    grown = _grown(group, states.reshape(-1, 1, size), horizons, loss, members=members)
    return grown.view(*lead, len(horizons))


def _grown(module: nn.Module, start: Tensor, horizons: Sequence[int], loss: Loss, *, members: int = 1) -> Tensor:
    """The growth for G members with parameters of their own, `(G, 1, S) -> (G, H)`."""
    stepped, parameters = _stepped(module), [one for one in module.parameters() if one.requires_grad]
    stretch = _STRETCH.get(start.dtype, 1)
    seams = sorted({0, *horizons, *range(stretch, horizons[-1], stretch)})
    path = _path(stepped, start, seams)  # (G, seams, S)
    adjoints = list(_endpoints(path[:, [seams.index(horizon) for horizon in horizons]], loss, members).unbind(1))
    sums = [_Sum(parameters, len(start)) for _ in horizons]
    for place in range(len(seams) - 1, 0, -1):
        begin, end = seams[place - 1], seams[place]
        with torch.enable_grad():
            leaf = path[:, place - 1 : place].detach().requires_grad_()
            reached = stepped(leaf, end - begin)
        for index in range(len(horizons)):
            if horizons[index] >= end:
                unit = sums[index].unit(adjoints[index])
                adjoints[index] = sums[index].add(reached, leaf, unit)
    norms = torch.stack([one.log_norm() for one in sums], dim=-1)
    ends = path[:, [seams.index(horizon) for horizon in horizons]].isfinite().all(-1)
    return torch.where(ends, norms, torch.nan).to(start.dtype)


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


def _endpoints(ends: Tensor, loss: Loss, members: int) -> Tensor:
    """dL_T/dz_T at every horizon, `(G, H, S)`; the loss sees the members of a seed together."""
    together = ends.detach().unflatten(0, (-1, members)).requires_grad_()
    with torch.enable_grad():
        gradient: Tensor = torch.autograd.grad(loss(together).sum(), together)[0]
    return gradient.flatten(0, 1)


def _repeated(module: nn.Module, seeds: int, members: int) -> nn.Module:
    """The module with each seed as often as it has members, so that the leading axis is seeds times members."""
    copy = deepcopy(module)
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.data = parameter.detach().repeat_interleave(members, dim=0)
            parameter.grad = None
        for buffer in copy.buffers():
            if buffer.dim() and buffer.shape[0] == seeds > 1:  # else it is one for all
                buffer.data = buffer.repeat_interleave(members, dim=0)
    if hasattr(copy, "seeds"):
        copy.seeds = seeds * members  # type: ignore[assignment]  # nn.Module types every attribute as Tensor | Module
    return copy
