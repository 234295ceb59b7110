"""A stored experiment on the Hénon map that runs in a second."""

from chaosbench.data import DataSpec
from chaosbench.experiment import EvaluationSpec, Experiment
from chaosbench.metrics import PredictionError, StateSpaceDivergence, ValidPredictionTime
from chaosbench.models import ShallowPLRNN
from chaosbench.systems import Henon
from chaosbench.trainers import SparseTeacherForcing


def small(model=None, trainer=None, **data) -> Experiment:
    """Return an experiment with seeds 3 and 1, in double precision."""
    return Experiment(
        suite="small",
        system=Henon(),
        data=DataSpec(
            train_orbits=2, train_length=300, validation_orbits=1, validation_length=100, test_orbits=4,
            test_length=300, dtype="float64", **data,
        ),
        model=model or ShallowPLRNN(hidden=6),
        trainer=trainer or SparseTeacherForcing(updates=3, batch=4, sequence_length=20, interval=5),
        metrics=(StateSpaceDivergence(), ValidPredictionTime(), PredictionError(steps=5)),
        evaluation=EvaluationSpec(
            context=20, free_runs=2, free_run_steps=100, free_run_transient=0, conditions=4, horizon=20,
            exponent_conditions=2, exponent_steps=20, exponent_transient=5,
        ),
        seeds=(3, 1),
    )  # fmt: skip
