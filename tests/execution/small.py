"""Experiments that take less than a second."""

from typing import Any

from chaosbench.data import DataSpec
from chaosbench.experiment import EvaluationSpec, Experiment
from chaosbench.metrics import StateSpaceDivergence
from chaosbench.models import RNN, ModelSpec
from chaosbench.systems import Henon
from chaosbench.trainers import SparseTeacherForcing


def experiment(model: ModelSpec | None = None, **changes: Any) -> Experiment:
    """Return an experiment of two seeds and ten updates on the Hénon map.

    Free runs of tanh networks are bounded, however little they have learned.
    """
    content = {
        "suite": "small",
        "system": Henon(),
        "data": DataSpec(train_orbits=2, train_length=100, validation_orbits=0, test_orbits=2, test_length=200),
        "model": model or RNN(hidden=5),
        "trainer": SparseTeacherForcing(interval=2, updates=10, batch=4, sequence_length=20),
        "metrics": (StateSpaceDivergence(),),
        "evaluation": EvaluationSpec(
            context=20,
            free_runs=1,
            free_run_steps=100,
            free_run_transient=10,
            conditions=5,
            horizon=20,
            exponent_conditions=2,
            exponent_steps=20,
            exponent_transient=5,
        ),
        "seeds": (0, 1),
    }
    return Experiment.model_validate({**content, **changes})
