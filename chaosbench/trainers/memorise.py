"""Training by being shown the data once."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import torch
from typing_extensions import override

from chaosbench.data import Dataset
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.replay import MemorisingForecaster
from chaosbench.seeds import seed_generator
from chaosbench.trainers.base import TrainerSpec, TrainingStep
from chaosbench.trainers.one_step import one_step_error

_PAIRS = 256  # of neighbouring observations, on which the loss is measured


class Memorise(TrainerSpec):
    """The model keeps of the training orbits what it needs. There is nothing to set, and the loss is not minimised.

    Source:
        Nearest neighbours as a forecast: Lorenz 1969, Journal of the Atmospheric Sciences 26, 636.
    """

    learning: ClassVar[str] = "memory"
    kind: Literal["memorise"] = "memorise"

    @torch.no_grad()
    @override
    def fit(self, model: Forecaster, data: Dataset, seeds: Sequence[int]) -> Iterator[TrainingStep]:
        """The loss is the error of one step from random training observations."""
        assert isinstance(model, MemorisingForecaster), f"{type(model).__name__} cannot remember"
        model.memorise(data.train, [seed_generator(seed, "memory") for seed in seeds])
        windows = data.windows(_PAIRS, 1, [seed_generator(seed, "windows") for seed in seeds])
        yield TrainingStep(1, 1, one_step_error(model, windows), model, data)

    def check(self, data: Dataset) -> None:
        """An observation must have one that follows."""
        data.windows(1, 1, [seed_generator(0, "check")])
