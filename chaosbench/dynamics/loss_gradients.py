"""How the loss gradient of the parameters grows: the norm of dL_T/dtheta against T, in one sweep back through time."""

from collections.abc import Callable, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from chaosbench.dynamics.step_maps import as_function

Loss = Callable[[Tensor], Tensor]  # of the states at each horizon, (..., H, S) -> (..., H)

_CHUNK = 64  # steps whose parameter gradients are taken together


def half_square(states: Tensor) -> Tensor:
    """|z|² / 2, `(..., S) -> (...)`: a loss for those who have no data at hand; its gradient is z."""
    return states.square().sum(-1) / 2


def loss_gradient_growth(
    module: nn.Module, states: Tensor, *, horizons: Sequence[int], loss: Loss = half_square, stacked: bool = False
) -> Tensor:
    """Logarithm of ||dL_T/dtheta|| for each horizon T, where L_T judges the T-th state alone.

    dL_T/dtheta = sum_r (dL_T/dz_T) (dz_T/dz_r) (d+z_r/dtheta). Of each horizon the adjoint dL_T/dz_r is carried back in
    time with its scale as a separate logarithm, all horizons in one sweep, so that nothing overflows. The first state
    and the read-out are held fixed: theta are the parameters through which the step depends on them.

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
        each = [_grown(module, one.view(1, 1, size), horizons, loss, as_group=False) for one in flat]
        return torch.cat(each).view(*lead, len(horizons))
    members = states.shape[1]
    group = _repeated(
        module, states.shape[0], members
    )  # every member a seed of its own, whose gradient comes out alone
    grown = _grown(group, states.reshape(-1, 1, size), horizons, loss, as_group=True, members=members)
    return grown.view(*lead, len(horizons))


def _grown(
    module: nn.Module, start: Tensor, horizons: Sequence[int], loss: Loss, *, as_group: bool, members: int = 1
) -> Tensor:
    """The growth for G members with parameters of their own, `(G, 1, S) -> (G, H)`."""
    step, parameters = as_function(module), [one for one in module.parameters() if one.requires_grad]
    path = _path(step, start, horizons[-1])  # (G, T + 1, S)
    adjoint = _endpoints(path, horizons, loss, members)  # (G, H, S)
    scale = adjoint.new_zeros(adjoint.shape[:-1], dtype=torch.float64)  # (G, H)
    total = _Sum(parameters, len(horizons), as_group=as_group)
    for end in range(horizons[-1], 0, -_CHUNK):
        begin = max(0, end - _CHUNK)
        first = next(index for index, horizon in enumerate(horizons) if horizon > begin)  # horizons seen here
        seen, scales = [], []
        for time in range(end, begin, -1):
            live = torch.tensor([horizon >= time for horizon in horizons[first:]], device=start.device)
            cotangent, scale = _unit(adjoint, scale)
            seen.append(torch.where(live[:, None], cotangent[:, first:], 0.0))
            scales.append(torch.where(live, scale[:, first:], -torch.inf))
            back = _pulled_back(step, path[:, time - 1], cotangent[:, first:])
            moved = torch.where(live[:, None], back, cotangent[:, first:])
            adjoint = torch.cat([cotangent[:, :first], moved], dim=1)
        weights, cotangents = torch.stack(scales, dim=-1), torch.stack(seen, dim=-2)  # (G, h, n), (G, h, n, S)
        total.add(step, path[:, begin:end].flip(1), weights, cotangents, first)
    norms = total.log_norms()
    broken = ~path.isfinite().all(-1).cummin(-1).values[:, list(horizons)]
    return torch.where(broken, torch.nan, norms).to(start.dtype)


class _Sum:
    """Parameter gradients of every horizon, each with its scale as a logarithm."""

    def __init__(self, parameters: Sequence[Tensor], horizons: int, *, as_group: bool) -> None:
        self.parameters, self.as_group = parameters, as_group
        self.sums: list[list[Tensor] | None] = [None] * horizons
        self.scales: list[Tensor | None] = [None] * horizons

    def add(
        self, step: Callable[[Tensor], Tensor], points: Tensor, scales: Tensor, cotangents: Tensor, first: int
    ) -> None:
        """What the steps from `points` `(G, n, S)` add, given adjoints `(G, h, n, S)` times exp(scales)."""
        with torch.enable_grad():
            stepped = step(points)
        for place in range(scales.shape[1]):
            index, weight = first + place, scales[:, place]
            highest = weight.amax(-1)
            before = self.scales[index]
            scale = highest if before is None else torch.maximum(before, highest)
            factor = torch.where(weight > -torch.inf, (weight - scale[:, None]).exp(), 0.0).to(points)
            new = torch.autograd.grad(
                stepped,
                self.parameters,
                cotangents[:, place] * factor[..., None],
                retain_graph=place + 1 < scales.shape[1],
                allow_unused=True,
            )
            added = [torch.zeros_like(p) if one is None else one for one, p in zip(new, self.parameters, strict=True)]
            old = self.sums[index]
            if old is not None and before is not None:
                shrunk = self._along((before - scale).exp().to(points))
                added = [one + shrunk(earlier) for one, earlier in zip(added, old, strict=True)]
            self.sums[index], self.scales[index] = added, scale

    def log_norms(self) -> Tensor:
        """`(G, H)` [nats]."""
        norms = []
        for sums, scale in zip(self.sums, self.scales, strict=True):
            assert sums is not None
            assert scale is not None
            squares = [one.double().square().flatten(1 if self.as_group else 0).sum(-1) for one in sums]
            norms.append(torch.stack(squares).sum(0).log() / 2 + scale)
        return torch.stack(norms, dim=-1)

    def _along(self, factor: Tensor) -> Callable[[Tensor], Tensor]:
        def scaled(value: Tensor) -> Tensor:
            shape = (-1, *[1] * (value.dim() - 1)) if self.as_group else ()
            return value * factor.reshape(shape)

        return scaled


@torch.no_grad()
def _path(step: Callable[[Tensor], Tensor], start: Tensor, steps: int) -> Tensor:
    states = [start]
    for _ in range(steps):
        states.append(step(states[-1]))
    return torch.cat(states, dim=1)


def _endpoints(path: Tensor, horizons: Sequence[int], loss: Loss, members: int) -> Tensor:
    """dL_T/dz_T at every horizon, `(G, H, S)`; the loss sees the members of a seed together."""
    ends = path[:, list(horizons)].detach().unflatten(0, (-1, members)).requires_grad_()
    with torch.enable_grad():
        gradient: Tensor = torch.autograd.grad(loss(ends).sum(), ends)[0]
    return gradient.flatten(0, 1)


def _unit(adjoint: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """The adjoint with its largest entry at one, and what it was divided by, as a logarithm, added to the scale."""
    largest = adjoint.abs().amax(-1)
    factor = torch.where(largest > 0, largest, 1.0)
    return adjoint / factor[..., None], scale + factor.double().log()


def _pulled_back(step: Callable[[Tensor], Tensor], point: Tensor, cotangents: Tensor) -> Tensor:
    """cotangentᵀ J at a point `(G, S)` for every horizon's cotangent, `(G, h, S)`."""
    with torch.enable_grad():
        points = point[:, None].expand_as(cotangents).contiguous().requires_grad_()
        stepped = step(points)
        if not stepped.requires_grad:  # a step that ignores its state
            return torch.zeros_like(cotangents)
        back: Tensor | None = torch.autograd.grad(stepped, points, cotangents, allow_unused=True)[0]
    return torch.zeros_like(cotangents) if back is None else back


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
