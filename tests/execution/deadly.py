"""Parts of plug-ins that end their process; in a module of their own, because workers import them by name."""

import os
import signal
from typing import ClassVar, Literal

import torch

from chaosbench import hookimpl
from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.metrics import MetricSpec
from chaosbench.trainers import BPTT
from chaosbench.trainers.base import TrainerSpec, TrainingStep


class DeadlyMetric(MetricSpec):
    """A metric that ends its process."""

    kind: Literal["deadly_metric"] = "deadly_metric"
    unit: ClassVar[str] = "1"
    better: ClassVar = "lower"
    kill: bool = False

    def score(self, evaluation):
        if self.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(7)


class DeadlyDiagnostic(DiagnosticSpec):
    """A diagnostic that ends its process in the middle of the training."""

    kind: Literal["deadly_diagnostic"] = "deadly_diagnostic"
    unit: ClassVar[str] = "1"
    every: int = 5

    def measure(self, step):
        os._exit(7)


class Idle(TrainerSpec):
    """A trainer that makes no update."""

    kind: Literal["idle"] = "idle"

    def fit(self, model, data, seeds):
        yield from ()


class Blind(TrainerSpec):
    """A trainer whose loss is not a number for the second seed."""

    kind: Literal["blind"] = "blind"

    def fit(self, model, data, seeds):
        loss = torch.zeros(len(seeds))
        loss[1:] = torch.nan
        yield TrainingStep(1, 1, loss, model, data)


class Cheat(BPTT):
    """A trainer that writes into the test data."""

    kind: Literal["cheat"] = "cheat"

    def fit(self, model, data, seeds, **others):
        yield from super().fit(model, data, seeds, **others)
        data.test.mul_(0.5)


@hookimpl
def chaosbench_experiment_finished(experiment, result):
    os._exit(9)
