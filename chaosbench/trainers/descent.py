"""Gradient descent of K seeds: optimizers, learning rates and clipping."""

from collections.abc import Iterable, Sequence
from math import cos, pi
from typing import Literal

import torch
from torch import Tensor

from chaosbench.models.forecaster import Forecaster

OptimizerKind = Literal["adam", "adamw", "radam"]
Schedule = Literal["exponential", "multi_step", "cosine"]


def optimizer_of(kind: OptimizerKind, tensors: Iterable[Tensor], *, rate: float, decay: float) -> torch.optim.Optimizer:
    """The optimizer over these tensors.

    Args:
        rate: learning rate.
        decay: of the weights, where the kind is `"adamw"`.

    Source:
        Adam: Kingma and Ba 2015, ICLR; AdamW: Loshchilov and Hutter 2019, ICLR; RAdam: Liu et al. 2020, ICLR.
    """
    trained = list(tensors)
    if kind == "radam":
        return torch.optim.RAdam(trained, rate)
    if kind == "adamw":
        return torch.optim.AdamW(trained, rate, weight_decay=decay, fused=True)
    return torch.optim.Adam(trained, rate, fused=True)


def scheduled(schedule: Schedule, progress: float, *, start: float, end: float, milestones: Sequence[float]) -> float:
    """A learning rate on its way from `start` to `end`.

    Args:
        progress: share of the updates already done.
        milestones: shares at which `"multi_step"` takes its equal factors.

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
    """Euclidean norm of each seed's gradient, `(K,)`; parameters without a gradient count as zero.

    Args:
        largest: what larger entries count as; None: as what they are.
    """
    gradients = _gradients(model)
    if largest is not None:
        gradients = [one.clamp(-largest, largest) for one in gradients]
    squares = [one.flatten(1).square().sum(dim=1) for one in gradients]
    return torch.stack(squares).sum(dim=0).sqrt() if squares else torch.zeros(model.seeds)


def largest_entries(model: Forecaster) -> Tensor:
    """Largest magnitude among the entries of each seed's gradient, `(K,)`."""
    entries = [one.flatten(1).abs().amax(dim=1) for one in _gradients(model)]
    return torch.stack(entries).amax(dim=0) if entries else torch.zeros(model.seeds)


def clip_gradients(model: Forecaster, limit: float) -> None:
    """Scale each seed's gradient down to the norm `limit` where it is longer.

    Source:
        Pascanu, Mikolov and Bengio 2013, ICML, algorithm 1.
    """
    scale = (limit / gradient_norms(model)).clamp(max=1.0)
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad.mul_(scale.view(-1, *[1] * (parameter.grad.dim() - 1)))


def clip_values(model: Forecaster, limit: float) -> None:
    """Bring every entry of the gradient into +-`limit`.

    Source:
        Mikolov 2012, dissertation, Brno University of Technology.
    """
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad.clamp_(-limit, limit)


def _gradients(model: Forecaster) -> list[Tensor]:
    """Of every parameter that has one."""
    return [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
