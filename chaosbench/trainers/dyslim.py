"""Dynamics-stable learning by invariant measures."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.dynamics.distances import maximum_mean_discrepancy
from chaosbench.models.forecaster import Forecaster
from chaosbench.seeds import seed_generator
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.gradient_trainer import RATES, GradientTrainer
from chaosbench.trainers.training_state import TrainingState


class DySLIM(GradientTrainer):
    """Short free runs are compared with the data point by point, and as distributions.

    The loss is the mean over k of w_k (|x^_k - x_k|² / D + conditional D(x^_k, x_k) + unconditional D(x^_k, x*)). D is
    MMD² between the batches at step k, x* a batch of points of the attractor, and w_k = max(discount^(k - 1),
    least_weight). Runs have one step at first and one more after every `growth` updates. With `pushforward`, the length
    of the run is drawn uniformly from 1 to this number for every update, gradients pass through the last step only, and
    only this step counts.

    Source:
        Schiff et al. 2024, ICML (2402.04467), and its code, settings for Lorenz-63. There, the batch is 2,048 (the
        default here is smaller, since the kernel's memory grows with its square), 500,000 updates are made, `growth` is
        50,000 (a tenth of them, as here), and x* are the first points of the same windows; here they are drawn
        independently. All seeds of a batch share the drawn lengths.
    """

    kind: Literal["dyslim"] = "dyslim"
    conditional: float = Field(100.0, ge=0)  # weight of the distance to the batch's own future
    unconditional: float = Field(1.0, ge=0)  # weight of the distance to the attractor
    scales: tuple[float, ...] = Field((0.2, 0.5, 0.9, 1.3), min_length=1)  # length scales a of the kernels
    discount: float = Field(0.1, gt=0, le=1)  # factor of w_k from one step of a run to the next
    least_weight: float = Field(1e-7, ge=0)  # lower bound of w_k
    growth: int = Field(5_000, ge=1)  # [updates] until runs become one step longer
    pushforward: bool = False  # random lengths, and gradients through the last step of a run only
    batch: int = Field(256, ge=1)  # B, windows per update
    sequence_length: int = Field(10, ge=1)  # T, the longest run [steps]
    updates: int = Field(50_000, ge=1)  # steps of the optimiser, each with new windows
    learning_rate: float = Field(1e-4, gt=0)  # of the optimiser, at the start

    @override
    def may_differ(self, model: Forecaster | None = None) -> frozenset[str]:
        return RATES

    @override
    def window_length(self, training: TrainingState) -> int:
        longest = min(self.sequence_length, 1 + (training.update - 1) // self.growth)
        if not self.pushforward:
            return longest
        generator = seed_generator(training.update, "length of the run")
        return int(torch.randint(1, longest + 1, (), generator=generator))

    @override
    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        history, target = self.split(windows)
        steps = target.shape[2]
        predicted = self._run(model, history, steps)
        skipped = steps - predicted.shape[2]  # steps without a prediction that counts
        target = target[:, :, skipped:]
        powers = torch.arange(skipped, steps, device=windows.device)
        weights = torch.full_like(powers, self.discount, dtype=windows.dtype).pow(powers).clamp(min=self.least_weight)
        terms = (predicted - target).square().mean(dim=(1, 3))  # (K, steps)
        ours, theirs = predicted.transpose(1, 2), target.transpose(1, 2)  # (K, steps, B, D)
        if self.conditional:
            terms = terms + self.conditional * maximum_mean_discrepancy(ours, theirs, self.scales)
        if self.unconditional:
            attractor = self._attractor(training)[:, None]
            terms = terms + self.unconditional * maximum_mean_discrepancy(ours, attractor, self.scales)
        return (weights * terms).mean(dim=1)

    @override
    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        return ForcingScheme(1, warm_up=self.warm_up) if self.pushforward else super().forcing_scheme(training)

    def _attractor(self, training: TrainingState) -> Tensor:
        """Draw points of the training orbits, `(K, B, D)`."""
        count = training.data.window_count(1)
        draws = training.given(
            lambda: torch.stack([torch.randint(count, (self.batch,), generator=draw) for draw in training.draws])
        )
        return training.data.windows_at(draws, 1)[:, :, 0]

    def _run(self, model: Forecaster, history: Tensor, steps: int) -> Tensor:
        """Predict all steps, or with `pushforward` the last one only, `(K, B, steps or 1, D)`."""
        state = model.initial_state(history)
        if not self.pushforward or steps == 1:
            return model.predict(state, steps)[0]
        with torch.no_grad():
            state = model.predict(state, steps - 1)[1]
        return model.predict(state, 1)[0]
