"""Training by storing the data."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import torch
from typing_extensions import override

from chaosbench.data import Dataset
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.replay import MemorisingForecaster
from chaosbench.seeds import seed_generator
from chaosbench.trainers.base import TrainerSpec, TrainingStep, check_window
from chaosbench.trainers.one_step import random_pairs_error


class Memorise(TrainerSpec):
    """The model stores what it needs of the training orbits; no loss is minimised.

    Source:
        Nearest neighbours as a forecast: Lorenz 1969, Journal of the Atmospheric Sciences 26, 636.
    """

    learning: ClassVar[str] = "memory"
    kind: Literal["memorise"] = "memorise"

    @torch.no_grad()
    @override
    def fit(self, model: Forecaster, data: Dataset, seeds: Sequence[int]) -> Iterator[TrainingStep]:
        """Store the data, and yield once; the loss is the error of one step from random training observations."""
        assert isinstance(model, MemorisingForecaster), f"{type(model).__name__} stores no data"
        model.memorise(data.train, [seed_generator(seed, "memory") for seed in seeds])
        yield TrainingStep(1, 1, random_pairs_error(model, data, seeds), model, data)

    @override
    def check(self, data: Dataset) -> None:
        check_window(data, 1)
