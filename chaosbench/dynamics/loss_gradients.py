"""Growth of the loss gradient of the parameters: the norm of dL_T/dtheta against T, in one backward sweep."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from chaosbench.dynamics.step_maps import as_function

Loss = Callable[[Tensor], Tensor]  # of the state at each horizon, (..., H, S) -> (..., H)

_SEGMENT = {torch.float32: 32, torch.float64: 64}  # [steps] per backward call; e^2.7 or e^11 per step would overflow


def half_square(states: Tensor) -> Tensor:
    """Return |z|² / 2, `(..., S) -> (...)`, a loss that needs no data; its gradient is z."""
    return states.square().sum(-1) / 2


def loss_gradient_growth(
    module: nn.Module, states: Tensor, *, horizons: Sequence[int], loss: Loss = half_square, stacked: bool = False
) -> Tensor:
    """Return the logarithm of ||dL_T/dtheta|| for each horizon T, where L_T is a loss of the T-th state alone.

    dL_T/dtheta = sum_r (dL_T/dz_T) (dz_T/dz_r) (d+z_r/dtheta). One sweep carries the adjoints dL_T/dz_r of all horizons
    backwards in time, segment by segment, with their scales as separate logarithms, so that nothing overflows. The
    first state and the read-out are held fixed: theta are the parameters that the step depends on.

    Args:
        module: a module with a method `step`, or a callable module, that maps `(..., B, S) -> (..., B, S)`.
        states: z_0, `(..., B, S)`.
        horizons: T, ascending [steps].
        loss: L_T as a function of the states at the horizons, `(..., B, H, S) -> (..., B, H)`.
        stacked: True if the leading axis of states and parameters enumerates independent seeds, as in a `Forecaster`.

    Returns:
        `(..., B, H)` [nats]; -inf where the gradient is zero, NaN where an orbit blew up before T.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, Advances in Neural Information Processing Systems 35, equations 5 and 6.
    """
    stepped, parameters = _stepped(module), [p for p in module.parameters() if p.requires_grad]
    segment = _SEGMENT.get(states.dtype, 1)
    seams = sorted({0, *horizons, *range(segment, horizons[-1], segment)})
    indices = [seams.index(horizon) for horizon in horizons]
    # Members share parameters and are swept one by one; seeds have their own parameters and are swept together.
    starts = states if stacked else states.reshape(1, -1, states.shape[-1])  # (G, N, S)
    paths = [_path(stepped, start, seams) for start in starts.split(1, dim=1)]  # N of (G, seams, S)
    ends = torch.stack([path[:, indices] for path in paths], dim=1)  # (G, N, H, S)
    adjoints = _endpoints(ends.view(*states.shape[:-1], *ends.shape[-2:]), loss).view(ends.shape)
    log_norms = [
        _log_norms(stepped, parameters, path, seams, horizons, adjoint)
        for path, adjoint in zip(paths, adjoints.unbind(1), strict=True)
    ]
    norms = torch.where(ends.isfinite().all(-1), torch.stack(log_norms, dim=1), torch.nan)
    return norms.view(*states.shape[:-1], len(horizons)).to(states.dtype)


def _log_norms(
    stepped: Callable[[Tensor, int], Tensor],
    parameters: Sequence[Tensor],
    path: Tensor,
    seams: Sequence[int],
    horizons: Sequence[int],
    ends: Tensor,
) -> Tensor:
    """Return the log norms of one member's gradients, from its path and the adjoints at its ends, `(G, H)`."""
    adjoints, sums = list(ends.unbind(1)), [_Sum(parameters, len(path)) for _ in horizons]
    for seam in range(len(seams) - 1, 0, -1):
        begin, end = seams[seam - 1], seams[seam]
        with torch.enable_grad():
            leaf = path[:, seam - 1 : seam].detach().requires_grad_()
            reached = stepped(leaf, end - begin)
        for index, horizon in enumerate(horizons):
            if horizon >= end:
                adjoints[index] = sums[index].add(reached, leaf, sums[index].unit(adjoints[index]))
    return torch.stack([gradient.log_norm() for gradient in sums], dim=-1)


class _Sum:
    """The parameter gradient and the adjoint of one horizon, each with its scale as a logarithm."""

    def __init__(self, parameters: Sequence[Tensor], members: int) -> None:
        self.parameters = parameters
        self.gradients = [torch.zeros_like(parameter) for parameter in parameters]
        self.adjoint_scale = self.scale = parameters[0].new_full((members,), -torch.inf, dtype=torch.float64)
        self.begun = False

    def unit(self, adjoint: Tensor) -> Tensor:
        """Divide the adjoint `(G, S)` by its largest entry, and add the logarithm of that entry to its scale."""
        largest = adjoint.abs().amax(-1)
        factor = torch.where(largest > 0, largest, 1.0)
        before = self.adjoint_scale if self.begun else torch.zeros_like(self.adjoint_scale)
        self.adjoint_scale, self.begun = before + factor.double().log(), True
        return adjoint / factor[:, None]

    def add(self, reached: Tensor, leaf: Tensor, adjoint: Tensor) -> Tensor:
        """Return the unit adjoint at the leaf, `(G, S)`, and add the gradient of the steps in between."""
        back, *new = torch.autograd.grad(
            reached, [leaf, *self.parameters], adjoint[:, None], retain_graph=True, materialize_grads=True
        )
        scale = torch.maximum(self.scale, self.adjoint_scale)
        rescale, weight = (_along((term - scale).exp()) for term in (self.scale, self.adjoint_scale))
        self.gradients = [rescale(old) + weight(part) for old, part in zip(self.gradients, new, strict=True)]
        self.scale = scale
        return back[:, 0]

    def log_norm(self) -> Tensor:
        """Return the log norm over all parameters, `(G,)` [nats]."""
        squares = [part.double().square().reshape(len(self.scale), -1).sum(-1) for part in self.gradients]
        return torch.stack(squares).sum(0).log() / 2 + self.scale


def _along(factor: Tensor) -> Callable[[Tensor], Tensor]:
    """Return a function that multiplies by `factor`: one number for each leading index, or a single number for all."""

    def scaled(value: Tensor) -> Tensor:
        shape = (-1, *[1] * (value.dim() - 1)) if len(factor) > 1 else [1] * value.dim()
        return value * factor.to(value).reshape(shape)

    return scaled


def _stepped(module: nn.Module) -> Callable[[Tensor, int], Tensor]:
    """Return a function of a state `(G, 1, S)` and a number of steps; a model's `predict` may be faster than a loop."""
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
    """Return the states at the times `seams`, which ascend from 0, `(G, 1, S) -> (G, seams, S)`."""
    states = [state]
    for begin, end in pairwise(seams):
        states.append(stepped(states[-1], end - begin))
    return torch.cat(states, dim=1)


def _endpoints(ends: Tensor, loss: Loss) -> Tensor:
    """Return dL_T/dz_T at every horizon, `(..., H, S)`."""
    leaf = ends.detach().requires_grad_()
    with torch.enable_grad():
        gradient: Tensor = torch.autograd.grad(loss(leaf).sum(), leaf)[0]
    return gradient
