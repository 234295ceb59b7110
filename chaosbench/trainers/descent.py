"""Gradient descent for K seeds at once: optimisers, learning rates and clipping."""

from collections.abc import Iterable, Sequence
from math import cos, pi
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim.adam import adam

from chaosbench.models.forecaster import Forecaster

OptimizerKind = Literal["adam", "adamw", "radam"]
Schedule = Literal["exponential", "multi_step", "cosine"]


def build_optimizer(
    kind: OptimizerKind, tensors: Iterable[Tensor], *, learning_rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Return an optimiser over the tensors.

    Args:
        weight_decay: used by `"adamw"` only.

    Source:
        Adam: Kingma and Ba 2015, ICLR; AdamW: Loshchilov and Hutter 2019, ICLR; RAdam: Liu et al. 2020, ICLR.
    """
    parameters = list(tensors)
    capturable = parameters[0].is_cuda  # counts updates on the device, so that CUDA graphs can replay them
    if kind == "radam":
        return torch.optim.RAdam(parameters, learning_rate, capturable=capturable)
    if kind == "adamw":
        return torch.optim.AdamW(
            parameters, learning_rate, weight_decay=weight_decay, fused=True, capturable=capturable
        )
    return torch.optim.Adam(parameters, learning_rate, fused=True, capturable=capturable)


@torch.no_grad()
def descend(optimizer: torch.optim.Optimizer, rate: float | Tensor) -> None:
    """Take a step at a learning rate, which may be a tensor `()`, or `(K,)` with one rate per seed."""
    groups = optimizer.param_groups
    read = optimizer.defaults.get("fused") and isinstance(rate, Tensor) and rate.dtype == torch.float32
    if isinstance(rate, Tensor) and (rate.dim() or not read):
        # No optimiser has a rate per seed, fused ones read a rate in single precision only, and others wait for the
        # device to read it. All steps are linear in the rate.
        tensors = [tensor for group in groups for tensor in group["params"]]
        before = [tensor.clone() for tensor in tensors]
        descend(optimizer, 1.0)
        for tensor, old in zip(tensors, before, strict=True):
            tensor.copy_(torch.lerp(old, tensor, rate.view(-1, *[1] * (tensor.dim() - 1)) if rate.dim() else rate))
        return
    for group in groups:
        group["lr"] = rate
    if type(optimizer) is torch.optim.Adam and len(groups) == 1 and _step_of_adam(optimizer, groups[0]):
        return
    optimizer.step()


def _step_of_adam(optimizer: torch.optim.Adam, group: dict[str, Any]) -> bool:
    """Take a step as `optimizer.step()` does, without its hooks, which take as long; return False at the first step."""
    trained = [one for one in group["params"] if one.grad is not None]
    if any(one.is_cuda or "exp_avg" not in optimizer.state[one] for one in trained):
        return False
    first, second, steps = (
        [optimizer.state[one][name] for one in trained] for name in ("exp_avg", "exp_avg_sq", "step")
    )
    beta1, beta2 = group["betas"]
    settings = {name: group[name] for name in ("fused", "amsgrad", "lr", "weight_decay", "eps", "maximize")}
    gradients = [one.grad for one in trained]
    adam(trained, gradients, first, second, [], steps, beta1=beta1, beta2=beta2, **settings)
    return True


def forget_gradients(optimizer: torch.optim.Optimizer) -> None:
    """Remove the gradients of all tensors that the optimiser changes."""
    for group in optimizer.param_groups:
        for tensor in group["params"]:
            tensor.grad = None


def scheduled_rate(
    schedule: Schedule, progress: float, *, start: float, end: float, milestones: Sequence[float]
) -> float:
    """Return the learning rate of a schedule that leads from `start` to `end`.

    Args:
        progress: share of the updates already done.
        milestones: shares of the updates at which `"multi_step"` multiplies the rate by equal factors.

    Source:
        Cosine: Loshchilov and Hutter 2017, ICLR, equation 5, without restarts.
    """
    if schedule == "cosine":
        return end + (start - end) * (1 + cos(pi * progress)) / 2
    if schedule == "multi_step":
        passed = sum(progress >= milestone for milestone in milestones)
        return start * float((end / start) ** (passed / len(milestones)))
    return start * float((end / start) ** progress)


def gradient_norms(model: Forecaster, largest: float | None = None) -> Tensor:
    """Return the Euclidean norm of each seed's gradient, `(K,)`; parameters without a gradient count as zero.

    Args:
        largest: limit to which entries are clipped first; None: no limit.
    """
    gradients = _gradients(model)
    if largest is not None:
        gradients = [gradient.clamp(-largest, largest) for gradient in gradients]
    if not gradients:
        return _zeros(model)
    norms: Tensor = torch.linalg.vector_norm(torch.cat([gradient.flatten(1) for gradient in gradients], dim=1), dim=1)
    return norms


def largest_entries(model: Forecaster) -> Tensor:
    """Return the largest magnitude of an entry of each seed's gradient, `(K,)`."""
    entries = [gradient.flatten(1).abs().amax(dim=1) for gradient in _gradients(model)]
    return torch.stack(entries).amax(dim=0) if entries else _zeros(model)


def clip_gradients(model: Forecaster, limit: float | Tensor, *, norms: Tensor | None = None) -> None:
    """Scale each seed's gradient down to the norm `limit` if it is longer.

    Args:
        limit: one number, or one per seed, `(K,)`, where infinity leaves any gradient unchanged.
        norms: the present norms of the gradients, `(K,)`; None: computed here.

    Source:
        Pascanu, Mikolov and Bengio 2013, ICML, algorithm 1.
    """
    scale = (limit / (gradient_norms(model) if norms is None else norms)).clamp(max=1.0)
    if isinstance(limit, Tensor):
        scale = torch.where(limit.isinf(), 1.0, scale)  # even where the norm is infinite
    gradients = _gradients(model)
    torch._foreach_mul_(gradients, [scale.view(-1, *[1] * (gradient.dim() - 1)) for gradient in gradients])


def clip_values(model: Forecaster, limit: float) -> None:
    """Clip every entry of the gradient to +-`limit`.

    Source:
        Mikolov 2012, dissertation, Brno University of Technology.
    """
    for gradient in _gradients(model):
        gradient.clamp_(-limit, limit)


def _gradients(model: Forecaster) -> list[Tensor]:
    """Return the gradients of all parameters that have one."""
    return [parameter.grad for parameter in model.parameters() if parameter.grad is not None]


def _zeros(model: Forecaster) -> Tensor:
    parameter = next(model.parameters(), None)
    return torch.zeros(model.seeds, device=None if parameter is None else parameter.device)
