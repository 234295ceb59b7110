"""Forcing intervals: in steps, as a multiple of the predictability time, or from the autocorrelation."""

import re
from typing import Annotated

import torch
from pydantic import AfterValidator, Field
from torch import Tensor
from typing_extensions import override

from chaosbench.data import Dataset
from chaosbench.dynamics import decorrelation_time
from chaosbench.errors import DataError
from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.gradient_trainer import GradientTrainer
from chaosbench.trainers.training_state import TrainingState

_MULTIPLE = re.compile(r"(?:(?P<factor>\d+(?:\.\d*)?|\.\d+)\s*\*?\s*)?tau_pred")
_AUTOCORRELATION = "autocorrelation"


def interval_in_steps(interval: int | str, data: Dataset) -> int:
    """Return a forcing interval in steps.

    Args:
        interval: steps, a multiple of tau_pred = ln 2 / lambda_max such as `"0.4 tau_pred"`, or `"autocorrelation"`.

    Raises:
        DataError: if a multiple of tau_pred is given and the data are not chaotic, or if they stay correlated.
    """
    if isinstance(interval, int):
        return interval
    if interval.strip() == _AUTOCORRELATION:
        return autocorrelation_time(data.train)
    return max(1, round(tau_pred_factor(interval) * data.predictability_time))


def tau_pred_factor(interval: str) -> float:
    """Return the factor in `"0.4 tau_pred"`; 1 for `"tau_pred"`.

    Raises:
        ValueError: if the text is anything else.
    """
    match = _MULTIPLE.fullmatch(interval.strip())
    if match is None or float(match["factor"] or 1) == 0:
        raise ValueError(
            f"{interval!r} is no forcing interval; give steps, 'tau_pred', a multiple like '0.4 tau_pred', "
            f"or {_AUTOCORRELATION!r}"
        )
    return float(match["factor"] or 1)


def autocorrelation_time(orbits: Tensor) -> int:
    """Return the first lag at which the autocorrelation is below 1/e, the median over observables [steps].

    Args:
        orbits: `(N, T, D)`.

    Raises:
        DataError: if an observable stays correlated for the whole length of the orbits.

    Source:
        Brenner et al. 2022, ICML (2207.02542), as one of the ways to choose tau from data.
    """
    times = decorrelation_time(orbits)
    if not bool(times.all()):
        raise DataError(
            f"the autocorrelation of an observable stays above 1/e for all {orbits.shape[1]} steps of the training "
            "orbits; give the interval in steps"
        )
    return int(times.median())


def _readable(interval: str) -> str:
    if interval.strip() != _AUTOCORRELATION:
        tau_pred_factor(interval)
    return interval


Interval = Annotated[int, Field(ge=1)] | Annotated[str, AfterValidator(_readable)]


class IntervalTrainer(GradientTrainer):
    """A gradient trainer that forces the state from data at intervals."""

    interval: Interval = 1  # tau [steps], a multiple such as "0.4 tau_pred", or "autocorrelation"

    @override
    def extra_state(self, model: Forecaster, data: Dataset) -> dict[str, Tensor]:
        return {"interval": torch.tensor(interval_in_steps(self.interval, data))}

    @override
    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        return ForcingScheme(self.sequence_length, int(training.extra_state["interval"]))

    @override
    def check(self, data: Dataset) -> None:
        super().check(data)
        interval_in_steps(self.interval, data)
