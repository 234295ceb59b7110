"""Sparse teacher forcing: the state is set from data every tau steps."""

from collections.abc import Hashable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.models.forecaster import Forecaster
from chaosbench.seeds import seed_generator
from chaosbench.trainers.forcing import forced_error
from chaosbench.trainers.forcing_interval import Interval, IntervalTrainer, interval_in_steps
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.gradient_trainer import RATES
from chaosbench.trainers.mixed_forcing import mixed_error, mixed_weights
from chaosbench.trainers.training_state import TrainingState


class SparseTeacherForcing(IntervalTrainer):
    """Backpropagation through time with the state set to B⁺ x every `interval` steps, which stops gradient growth.

    The paper sets the interval to the predictability time ln 2 / lambda_max, `"tau_pred"`. The default has the best
    mean rank in the suite `forcing-interval`, which does not distinguish it from 0.4 and 0.7 times tau_pred. The
    read-out determines whether forcing sets the whole state or a part of it. With a `spread`, one tau is drawn per
    update for all seeds, so that they remain one batch.

    Source:
        Mikhaeil, Monfared and Durstewitz 2022, NeurIPS (2110.07238), section 4.1, without clipping, as in the paper.
        Forcing of a part of the state, and tau from the autocorrelation: Brenner et al. 2022, ICML (2207.02542).
    """

    kind: Literal["sparse_teacher_forcing"] = "sparse_teacher_forcing"
    interval: Interval = "0.2 tau_pred"  # tau [steps], a multiple of ln 2 / lambda_max, or "autocorrelation"
    spread: int = Field(0, ge=0)  # tau is drawn uniformly from interval +- spread, and is at least 1 [steps]
    anneal: bool = False  # tau grows from 1 to the interval: floor((interval - 1) update / updates) + 1

    def interval_at(self, training: TrainingState) -> int:
        """Return this update's tau [steps]."""
        interval = self._central_interval(training)
        if self.spread:
            generator = seed_generator(training.update, "forcing interval")
            shift = torch.randint(-self.spread, self.spread + 1, (), generator=generator)
            interval = max(1, interval + int(shift))
        return interval

    @override
    def may_differ(self, model: Forecaster | None = None) -> frozenset[str]:
        """Leave out the interval where it changes, and for models that no compiled kernel forces inside an unroll.

        Their segments are folded into the batch if all have the same length; otherwise they must follow each other.
        """
        compiled = model is None or model.compiled_network() is not None
        return RATES if self.spread or self.anneal or not compiled else RATES | {"interval"}

    @override
    def join(self, training: TrainingState) -> None:
        super().join(training)
        if training.differ("interval"):
            steps = {one.interval: interval_in_steps(one.interval, training.data) for one in training.trainers}
            intervals = torch.tensor([steps[one.interval] for one in training.trainers])
            weights = mixed_weights(intervals, self.sequence_length).to(training.data.train)
            training.extra_state |= {"intervals": intervals, "forcing": weights}

    @override
    def plan(self, training: TrainingState) -> Hashable:
        return super().plan(training), self.interval_at(training)

    @override
    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        if training.differ("interval"):
            intervals, weights = training.extra_state["intervals"].tolist(), training.extra_state["forcing"]
            return mixed_error(model, windows, intervals, weights, warm_up=self.warm_up)
        interval = training.fixed(lambda: self.interval_at(training))
        return forced_error(model, windows, interval, warm_up=self.warm_up)

    @override
    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        """Return the mean interval where it is random, since the last draw is not typical of the training."""
        central = self._central_interval(training)
        intervals = [max(1, central + shift) for shift in range(-self.spread, self.spread + 1)]
        mean = round(sum(intervals) / len(intervals))
        return ForcingScheme(self.sequence_length, mean, warm_up=self.warm_up)

    def _central_interval(self, training: TrainingState) -> int:
        """Return this update's tau before a random shift [steps]."""
        of_seeds = training.extra_state.get("intervals")  # where they differ
        interval = int(training.extra_state["interval"] if of_seeds is None else of_seeds[0])
        return (interval - 1) * training.update // training.updates + 1 if self.anneal else interval
