"""Small experiments on the Hénon map: what the check of a picture draws, and a short training of a plug-in."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from chaosbench.data import DataSpec
from chaosbench.experiment import EvaluationSpec, Experiment
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import Stored, read
from chaosbench.metrics import PredictionError, StateSpaceDivergence, ValidPredictionTime
from chaosbench.models import ModelSpec, ShallowPLRNN
from chaosbench.run import run_experiment
from chaosbench.systems import Henon
from chaosbench.trainers import SparseTeacherForcing, TrainerSpec

_INTERVALS = (5, 10, 15)  # [steps] of forcing, one experiment each
_TOO_FAST = 1e30  # learning rate with which every seed diverges at the first update


@cache
def sound_experiments() -> Sequence[Stored]:
    """Return stored experiments that differ in the forcing interval alone, each with two seeds."""
    return [_stored(SparseTeacherForcing(**_SHORT, interval=interval)) for interval in _INTERVALS]


@cache
def diverged_experiment() -> Stored:
    """Return a stored experiment all seeds of which diverge at the first update."""
    return _stored(SparseTeacherForcing(**_SHORT, interval=5, learning_rate=_TOO_FAST, clip_norm=None))


def _stored(trainer: SparseTeacherForcing) -> Stored:
    return read(store.write(run_experiment(small_experiment(trainer)), Path(mkdtemp(prefix="chaosbench-"))))


def small_experiment(trainer: TrainerSpec, model: ModelSpec | None = None) -> Experiment:
    """Return an experiment on the Hénon map that runs in a second; by default with a small shallow PLRNN."""
    lengths = {"train_orbits": 2, "train_length": 300, "validation_orbits": 1, "validation_length": 100}
    return Experiment(
        suite="check",
        system=Henon(),
        data=DataSpec(**lengths, test_orbits=4, test_length=300),
        model=model or ShallowPLRNN(hidden=6),
        trainer=trainer,
        metrics=(StateSpaceDivergence(), ValidPredictionTime(), PredictionError(steps=5)),
        evaluation=EvaluationSpec(
            context=20,
            free_runs=2,
            free_run_steps=150,
            free_run_transient=0,
            conditions=4,
            horizon=30,
            exponent_conditions=2,
            exponent_steps=50,
            exponent_transient=5,
        ),
        seeds=(0, 1),
    )


_SHORT = {"updates": 3, "batch": 4, "sequence_length": 20}
