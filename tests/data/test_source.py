"""A source of a plug-in that has no equation: recordings of its own reach training, scores and pictures."""

from dataclasses import replace
from typing import ClassVar, Literal

import pluggy
import pytest
import torch
from torch.testing import assert_close

from chaosbench import DataError, Dataset, Source, hookimpl, registry
from chaosbench.data import DataSpec, simulate
from chaosbench.experiment import EvaluationSpec, Experiment
from chaosbench.metrics import PredictionError, Skill, StateSpaceDivergence
from chaosbench.models import ShallowPLRNN
from chaosbench.run import run_experiment
from chaosbench.seeds import seed_generator
from chaosbench.source import Recordings
from chaosbench.systems import Henon, SystemSpec
from chaosbench.testing import check_source
from chaosbench.trainers import JacobianMatching, SparseTeacherForcing

SMALL = DataSpec(train_orbits=2, train_length=120, test_orbits=2, test_length=150, validation_length=60)


class Pendulum(Source):
    """Readings of an instrument: two observables of a noisy rotation, three orbits for training."""

    dimension: ClassVar[int] = 2

    kind: Literal["pendulum"] = "pendulum"
    dt: float = 0.1  # [system time]

    def recordings(self, spec: DataSpec) -> Recordings:
        if spec.stride > 1:
            raise DataError(f"{self.label} has one sampling rate; set data.stride = 1")
        train, validation, test = (
            self._readings(3, count, length, spec)
            for count, length in enumerate((spec.train_length, spec.validation_length, spec.test_length))
        )
        return Recordings(train, validation, test, largest_exponent=0.3)

    def _readings(self, orbits: int, part: int, length: int, spec: DataSpec) -> torch.Tensor:
        phases = torch.arange(spec.history + length, dtype=torch.float64) * self.dt
        phases = phases + torch.arange(orbits, dtype=torch.float64)[:, None]
        angles = torch.stack([phases.sin(), phases.cos()], dim=-1)
        generator = seed_generator(part, "readings")
        return angles + 0.01 * torch.randn(angles.shape, dtype=torch.float64, generator=generator)


class Instruments:
    """The hook through which a plug-in brings its source."""

    @hookimpl
    def chaosbench_systems(self):
        return [Pendulum]


def test_recordings_become_a_data_set():
    data: Dataset = simulate(Pendulum(), SMALL)
    assert (data.train.shape, data.test.shape, data.dt) == ((3, 120, 2), (3, 150, 2), 0.1)
    assert data.largest_exponent == 0.3
    assert data.equation is None
    assert data.twins(*data.conditions(4, 20), 20, 1e-3) is None
    assert_close(data.train.flatten(0, 1).std(0), torch.ones(2, dtype=torch.float64))


def test_observables_and_delay_coordinates_are_chosen_afterwards():
    spec = SMALL.replaced(observed=(1,), embedding=2, lag=5, standardise="none")
    data = simulate(Pendulum(), spec)
    whole = Pendulum().recordings(spec).train[..., 1]
    assert_close(data.train, torch.stack([whole[:, 5:], whole[:, :-5]], dim=-1))


def test_a_source_without_an_equation_is_trained_on_and_scored():
    """Metrics that need the true system have no value; every other number is finite."""
    experiment = Experiment(
        suite="own data",
        system=Pendulum(),
        data=SMALL.replaced(test_orbits=2),
        model=ShallowPLRNN(hidden=4),
        trainer=SparseTeacherForcing(interval=5, updates=3, batch=4, sequence_length=20),
        metrics=(StateSpaceDivergence(), PredictionError(), Skill()),
        evaluation=EvaluationSpec(
            context=20, free_runs=1, free_run_steps=150, free_run_transient=10, conditions=5, horizon=30,
            exponent_conditions=2, exponent_steps=50, exponent_transient=10,
        ),
        seeds=(0,),
    )  # fmt: skip
    result = run_experiment(experiment)
    values = {record.name: record.value for record in result.records if record.floor is not None}
    assert values["prediction_error"] is not None
    assert result.arrays["valid_times"].shape[0] == 1
    assert "divergence" not in result.arrays


def test_a_source_enters_through_the_hook_of_systems(monkeypatch: pytest.MonkeyPatch):
    hooks = pluggy.PluginManager("chaosbench")
    hooks.add_hookspecs(registry.hookspecs)
    kinds = registry.Registry(hooks)
    registry._admit(kinds, Instruments(), registry.Plugin("instruments", "chaosbench-instruments", "1"))
    assert kinds.find("system", "pendulum") is Pendulum


def test_trainers_that_need_an_equation_refuse_other_sources():
    reason = JacobianMatching().incompatibility(Pendulum(), SMALL, ShallowPLRNN())
    assert reason is not None
    assert "no equation" in reason


def test_the_conformance_check_accepts_sources_with_and_without_an_equation():
    check_source(Pendulum())
    check_source(Henon())


class Broken(Pendulum):
    kind: Literal["broken"] = "broken"
    fault: str = ""

    def recordings(self, spec: DataSpec) -> Recordings:
        recordings = super().recordings(spec)
        test = recordings.test
        return {
            "single orbit": replace(recordings, test=test[:1]),
            "short": replace(recordings, test=test[:, 1:]),
            "float32": replace(recordings, train=recordings.train.float()),
            "not finite": replace(recordings, train=recordings.train.log()),
            "constant": replace(recordings, train=torch.ones_like(recordings.train)),
            "observable": replace(recordings, validation=recordings.validation[..., :1]),
            "states": replace(recordings, states=test),
            "exponent": replace(recordings, largest_exponent=float("nan")),
            "random": replace(recordings, train=recordings.train + torch.rand(())),
        }[self.fault]


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("single orbit", "at least 2"),
        ("short", "100 steps"),
        ("float32", "float64"),
        ("not finite", "finite"),
        ("constant", "vary"),
        ("observable", r"\(N, T, 2\)"),
        ("states", "every 25 steps"),
        ("exponent", "exponent"),
        ("random", "depend"),
    ],
)
def test_the_conformance_check_names_what_is_broken(fault: str, word: str):
    with pytest.raises(AssertionError, match=word):
        check_source(Broken(fault=fault))


def test_every_shipped_equation_is_a_source():
    kinds = registry.load().kinds["system"]
    assert all(issubclass(kind, Source) for kind in kinds.values())
    assert [name for name, kind in kinds.items() if not issubclass(kind, SystemSpec)] == ["timeseries"]
