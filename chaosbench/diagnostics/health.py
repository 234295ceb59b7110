"""How a training went, from the loss and the gradient norm of every update."""

import resource
import sys
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from chaosbench.theory.diagnosis import Number
from chaosbench.trainers.base import TrainerSpec, TrainingStep
from chaosbench.trainers.descent import gradient_norms, largest_entries

_BEFORE, _SPIKE = 100, 3.0  # a spike is a loss above so many times the median of so many updates before it
_DRAWN = 2_000  # updates kept for pictures

# Names of numbers that measure the machine and are never the same twice; all others repeat on one machine.
COSTS = frozenset({"diagnosis_seconds", "cost_share", "updates_per_second", "peak_memory", "peak_device_memory"})


class TrainingHealth:
    """Sees every update and keeps two numbers of each seed, on the device, until it is asked."""

    def __init__(self, trainer: TrainerSpec) -> None:
        self.clip_norm: float | None = getattr(trainer, "clip_norm", None)
        self.clip_value: float | None = getattr(trainer, "clip_value", None)
        self._losses: list[Tensor] = []
        self._norms: list[Tensor] = []
        self._largest: list[Tensor] = []  # entries, where these are clipped
        self._left: list[Tensor] = []  # norms when entries are clipped, where norms are clipped, too

    def see(self, step: TrainingStep) -> None:
        """Note this update; does not wait for the device."""
        self._losses.append(step.loss.detach().clone())
        self._norms.append(step.gradient_norms())
        if self.clip_value is not None:
            self._largest.append(largest_entries(step.model))
            if self.clip_norm is not None:
                self._left.append(gradient_norms(step.model, largest=self.clip_value))

    @property
    def losses(self) -> Tensor:
        """`(K, U)`."""
        return torch.stack(self._losses, dim=-1).double().cpu()

    @property
    def norms(self) -> Tensor:
        """Gradient norms before clipping, `(K, U)`."""
        return torch.stack(self._norms, dim=-1).double().cpu()

    def numbers(self, train_seconds: float, device: str) -> Iterator[Number]:
        """Quantiles, shares, spikes, speed and memory, for each seed."""
        if not self._losses:
            return
        losses, norms = self.losses, self.norms
        sound = losses.isfinite() & norms.isfinite()
        finite = torch.where(sound, norms, torch.nan)
        for name, level in (("q05", 0.05), ("median", 0.5), ("q95", 0.95)):
            yield Number(f"gradient_norm_{name}", "1", finite.nanquantile(level, dim=1))
        if self.clip_norm is not None:
            left = torch.stack(self._left, dim=-1).double().cpu() if self._left else norms
            yield Number("clipped_share", "1", _share(left > self.clip_norm, sound))
        if self.clip_value is not None:
            entries = torch.stack(self._largest, dim=-1).double().cpu()
            yield Number("clipped_entries_share", "1", _share(entries > self.clip_value, sound))
        yield Number("nonfinite_share", "1", (~sound).double().mean(1))
        yield Number("loss_first", "1", losses[:, 0])
        yield Number("loss_last", "1", losses[:, -max(1, losses.shape[1] // 100) :].median(dim=1).values)
        yield Number("loss_spikes", "1", loss_spikes(losses))
        count = torch.full((len(losses),), losses.shape[1] / train_seconds, dtype=torch.float64)
        yield Number("updates_per_second", "1 / s", count)
        yield Number("peak_memory", "MiB", torch.full_like(count, _peak_memory()))
        if device.startswith("cuda"):
            taken = torch.cuda.max_memory_allocated(device) / 2**20
            yield Number("peak_device_memory", "MiB", torch.full_like(count, taken))

    def curves(self) -> dict[str, np.ndarray]:
        """Loss and gradient norm over training, thinned for pictures: `training_updates`, `_loss`, `_norm`."""
        if not self._losses:
            return {}
        losses, norms = self.losses, self.norms
        places = torch.linspace(0, losses.shape[1] - 1, min(_DRAWN, losses.shape[1]), dtype=torch.float64).long()
        return {
            "training_updates": (places + 1).numpy(),
            "training_loss": losses[:, places].float().numpy(),
            "training_norm": norms[:, places].float().numpy(),
        }


def _share(above: Tensor, sound: Tensor) -> Tensor:
    """Of the finite updates, `(K,)`: an infinite gradient is clipped to nothing that could be called a direction."""
    return torch.where(sound, above.double(), torch.nan).nanmean(1)


def loss_spikes(losses: Tensor) -> Tensor:
    """How often the loss `(K, U)` jumps above three times the median of the hundred updates before, `(K,)`.

    A spike that lasts counts once.
    """
    if losses.shape[1] <= _BEFORE:
        return torch.zeros(len(losses), dtype=torch.float64)
    before = losses.unfold(1, _BEFORE, 1)[:, :-1].nanmedian(dim=-1).values
    high = losses[:, _BEFORE:] > _SPIKE * before
    begun = high & ~torch.cat([torch.zeros_like(high[:, :1]), high[:, :-1]], dim=1)
    return begun.double().sum(1)


def _peak_memory() -> float:
    """Of this process since it began [MiB]; a worker process runs one experiment."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # [bytes] there, [KiB] elsewhere
