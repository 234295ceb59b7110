"""Training health: what the loss and the gradient norm of every update show.

It belongs to the diagnostics because it watches the training in the same way, one update at a time. It is always on,
sees every update and is stored in the diagnosis of a run, so that the hook does not offer it and no suite selects it.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chaosbench.trainers.base import TrainerSpec, TrainingStep
from chaosbench.trainers.descent import gradient_norms, largest_entries

_BEFORE, _SPIKE = 100, 3.0  # a spike is a loss above three times the median of the hundred updates before
_DRAWN = 2_000  # updates stored for pictures

# Names of numbers that depend on the machine's load; all others are reproducible on one machine.
COSTS = frozenset({"diagnosis_seconds", "cost_share", "updates_per_second", "peak_memory", "peak_device_memory"})


class TrainingHealth:
    """Record loss and gradient norm of every update, on the device of the model.

    Args:
        trainer: its fields `clip_norm` and `clip_value`, where it has them, decide which updates count as clipped.
    """

    def __init__(self, trainer: TrainerSpec) -> None:
        self.clip_norm: float | None = getattr(trainer, "clip_norm", None)
        self.clip_value: float | None = getattr(trainer, "clip_value", None)
        self._losses: list[Tensor] = []
        self._norms: list[Tensor] = []
        self._largest_entries: list[Tensor] = []  # only where entries are clipped
        self._norms_after_entries: list[Tensor] = []  # norms after entries are clipped, where norms are clipped as well

    def see(self, step: TrainingStep) -> None:
        """Record an update without waiting for the device."""
        self._losses.append(step.loss.detach().clone())
        self._norms.append(step.gradient_norms())
        if self.clip_value is not None:
            self._largest_entries.append(largest_entries(step.model))
            if self.clip_norm is not None:
                self._norms_after_entries.append(gradient_norms(step.model, largest=self.clip_value))

    def split(self, trainers: Sequence[TrainerSpec], counts: Sequence[int]) -> "list[TrainingHealth]":
        """Return the health of each of several trainings whose seeds were trained as one batch.

        Args:
            trainers: one per training.
            counts: their numbers of seeds, in the order of the batch.
        """
        parts = [TrainingHealth(trainer) for trainer in trainers]
        for name, values in self.state().items():
            for part, piece in zip(parts, values.split(list(counts), dim=1), strict=True):
                part._recorded()[name][:] = list(piece)
        return parts

    def state(self) -> dict[str, Tensor]:
        """Return everything recorded so far, `(U, K)` each, for a checkpoint."""
        return {name: torch.stack(values) for name, values in self._recorded().items() if values}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Set the records to those of a checkpoint."""
        for name, values in self._recorded().items():
            values[:] = list(state.get(name, ()))

    def _recorded(self) -> dict[str, list[Tensor]]:
        names = ("losses", "norms", "largest_entries", "norms_after_entries")
        return {name: getattr(self, f"_{name}") for name in names}

    @property
    def median_norm(self) -> float | None:
        """Median of the last gradient norms over seeds, before clipping; None where no seed has one."""
        median = float(self._norms[-1].nanmedian()) if self._norms else math.nan
        return None if math.isnan(median) else median

    @property
    def losses(self) -> Tensor:
        """Losses, `(K, U)`."""
        return torch.stack(self._losses, dim=-1).double().cpu()

    @property
    def norms(self) -> Tensor:
        """Gradient norms before clipping, `(K, U)`."""
        return torch.stack(self._norms, dim=-1).double().cpu()

    def columns(self, train_seconds: float, device: str) -> dict[str, list[Any]]:
        """Return the fields of `RunDiagnosis` about training, one entry per seed; empty without updates.

        Args:
            train_seconds: wall time of the training, without diagnostics [s].
            device: where it ran; a CUDA device has a memory of its own.
        """
        if not self._losses:
            return {}
        losses = self.losses
        seeds, updates = losses.shape
        columns = self._norm_columns()
        columns["loss_first"] = losses[:, 0].tolist()
        columns["loss_last"] = losses[:, -max(1, updates // 100) :].median(dim=1).values.tolist()
        columns["loss_spikes"] = loss_spikes(losses).long().tolist()
        columns["updates_per_second"] = [updates / train_seconds] * seeds
        columns["peak_memory"] = [_peak_memory()] * seeds
        if device.startswith("cuda"):
            columns["peak_device_memory"] = [torch.cuda.max_memory_allocated(device) / 2**20] * seeds
        return columns

    def _norm_columns(self) -> dict[str, list[Any]]:
        """Quantiles of the gradient norm, and the shares of updates that were clipped or not finite."""
        losses, norms = self.losses, self.norms
        sound = losses.isfinite() & norms.isfinite()
        finite = torch.where(sound, norms, torch.nan)
        columns = {
            f"gradient_norm_{name}": finite.nanquantile(level, dim=1).tolist()
            for name, level in (("q05", 0.05), ("median", 0.5), ("q95", 0.95))
        }
        if self.clip_norm is not None:
            stacked = self._norms_after_entries if self.clip_value is not None else self._norms
            after_entries = torch.stack(stacked, dim=-1).double().cpu()
            columns["clipped_share"] = _share(after_entries > self.clip_norm, sound).tolist()
        if self.clip_value is not None:
            entries = torch.stack(self._largest_entries, dim=-1).double().cpu()
            columns["clipped_entries_share"] = _share(entries > self.clip_value, sound).tolist()
        columns["nonfinite_share"] = (~sound).double().mean(1).tolist()
        return columns

    def curves(self) -> dict[str, np.ndarray]:
        """Return loss and gradient norm over training, thinned for pictures: `training_updates`, `_loss`, `_norm`."""
        if not self._losses:
            return {}
        losses, norms = self.losses, self.norms
        indices = torch.linspace(0, losses.shape[1] - 1, min(_DRAWN, losses.shape[1]), dtype=torch.float64).long()
        return {
            "training_updates": (indices + 1).numpy(),
            "training_loss": losses[:, indices].float().numpy(),
            "training_norm": norms[:, indices].float().numpy(),
        }


def _share(above: Tensor, sound: Tensor) -> Tensor:
    """Share of the finite updates that are `above`, `(K,)`; clipping an infinite gradient leaves no direction."""
    return torch.where(sound, above.double(), torch.nan).nanmean(1)


def loss_spikes(losses: Tensor) -> Tensor:
    """Count how often the loss `(K, U)` jumps above three times the median of the hundred updates before, `(K,)`.

    A spike over several updates counts once.
    """
    if losses.shape[1] <= _BEFORE:
        return torch.zeros(len(losses), dtype=torch.float64)
    before = losses.unfold(1, _BEFORE, 1)[:, :-1].nanmedian(dim=-1).values
    high = losses[:, _BEFORE:] > _SPIKE * before
    starts = high & ~torch.cat([torch.zeros_like(high[:, :1]), high[:, :-1]], dim=1)
    return starts.double().sum(1)


def _peak_memory() -> float:
    """Peak memory of this process [MiB], since its start or since a worker began its experiment; NaN on Windows."""
    try:
        import resource
    except ImportError:
        return float("nan")

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # macOS reports bytes, other systems KiB
