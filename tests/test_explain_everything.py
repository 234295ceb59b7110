"""Explanations of real runs, for every trainer and every kind of data: no slips, no contradictions."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chaosbench import builtin
from chaosbench.data import DataSpec
from chaosbench.dynamics import orbit
from chaosbench.experiment import EvaluationSpec, Experiment
from chaosbench.explain.explanation import brief, explain
from chaosbench.explain.seed_result import seed_results
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import read
from chaosbench.metrics import PredictionError, StateSpaceDivergence
from chaosbench.models import (
    GRU,
    LSTM,
    RNN,
    AlmostLinearRNN,
    ContextParroting,
    EchoStateNetwork,
    ModelSpec,
    ShallowPLRNN,
)
from chaosbench.run import run_experiment
from chaosbench.series import TimeSeries
from chaosbench.systems import Henon, Lorenz63, MackeyGlass, Torus
from chaosbench.trainers import (
    BPTT,
    SOFO,
    DySLIM,
    GeneralizedTeacherForcing,
    GradientFlossing,
    HorizonCurriculum,
    InvariantMeasure,
    JacobianMatching,
    Memorise,
    MultipleShooting,
    Ridge,
    ScheduledSampling,
    SparseTeacherForcing,
    TrainerSpec,
    TruncatedBPTT,
    WindowedBPTT,
)

SMALL: dict[str, Any] = {"updates": 6, "batch": 4, "sequence_length": 24}
DATA = DataSpec(train_orbits=2, train_length=200, validation_orbits=0, test_orbits=4, test_length=400)
EVALUATION = EvaluationSpec(
    free_runs=2, free_run_steps=200, free_run_transient=20, conditions=4, horizon=30, exponent_conditions=3,
    exponent_steps=60, exponent_transient=10,
)  # fmt: skip
NETWORK = ShallowPLRNN(hidden=5, clipped=True)
# Every kind of trainer with a model that suits it.
KINDS: list[tuple[TrainerSpec, ModelSpec]] = [
    (BPTT(**SMALL), LSTM(hidden=4)),
    (TruncatedBPTT(truncation=6, **SMALL), RNN(hidden=5)),
    (WindowedBPTT(window=6, **SMALL), RNN(hidden=5)),
    (SparseTeacherForcing(interval=5, spread=2, **SMALL), NETWORK),
    (GeneralizedTeacherForcing(**SMALL), NETWORK),
    (ScheduledSampling(final_probability=0.2, **SMALL), NETWORK),
    (MultipleShooting(interval=7, **SMALL), NETWORK),
    (HorizonCurriculum(first=3, **SMALL), NETWORK),
    (GradientFlossing(pretraining=2, every=1, episode=1, episodes=1, **SMALL), NETWORK),
    (DySLIM(growth=3, **SMALL), NETWORK),
    (InvariantMeasure(iterations=5, onset=0.5, interval=6, **SMALL), NETWORK),
    (JacobianMatching(updates=6, batch=8), NETWORK),
    (SOFO(directions=4, **SMALL), NETWORK),
    (Ridge(warm_up=20), EchoStateNetwork(hidden=20)),
    (Memorise(), ContextParroting()),
]
# Settings that change the explanation.
SETTINGS: list[tuple[TrainerSpec, ModelSpec]] = [
    (TruncatedBPTT(truncation=6, clip_norm=None, **SMALL), NETWORK),
    (WindowedBPTT(window=6, clip_value=0.01, **SMALL), GRU(hidden=4)),
    (BPTT(learning_rate=1e3, clip_norm=None, **SMALL), ShallowPLRNN(hidden=5)),
    (WindowedBPTT(window=24, **SMALL), RNN(hidden=5)),
    (SparseTeacherForcing(interval=1, spread=3, **SMALL), NETWORK),
    (SparseTeacherForcing(interval=60, **SMALL), NETWORK),
    (SparseTeacherForcing(interval=5, anneal=True, **SMALL), AlmostLinearRNN(hidden=5, rectified=2)),
    (GeneralizedTeacherForcing(alpha=1.0, **SMALL), NETWORK),
    (ScheduledSampling(final_probability=0.2, **SMALL), LSTM(hidden=4)),
    (ScheduledSampling(final_probability=1.0, **SMALL), NETWORK),
    (ScheduledSampling(probability=0.0, **SMALL), NETWORK),
    (DySLIM(growth=3, pushforward=True, **SMALL), NETWORK),
    (BPTT(**(SMALL | {"updates": 1, "sequence_length": 1})), RNN(hidden=1)),
]
# A text that matches the first pattern must not match the second.
CONTRADICTIONS = [
    ("through a single step", "training window|gradients pass through [\\d.]+ Lyapunov|is forced|is cut"),
    ("The state is forced", "gradient is cut|at no step"),
    ("which ends every product", "products of Jacobians continue|gradients pass through [\\d.]+ Lyapunov"),
    ("no gradients through time", "e\\^-?\\d|gradients pass through [\\d.]+ Lyapunov|gradient norm|clipped"),
    ("trained network is chaotic", "Theorem [13]|instead of chaos|not chaotic either|zero within its error"),
    ("trained network is quasi-periodic", "Theorem [12]"),
    ("trained network is (on|at|converging)", "Theorem [23]|zero within its error"),
    ("trained network is divergent", "Theorem|lambda_1 =|agree|measured growth|measured factor"),
    ("agree within", "DISAGREE|is undecided, because|could not be measured"),
    ("the data are chaotic, with", "the data are not|chaos that the data do not have"),
    ("the data are not", "instead of chaos|Lyapunov times"),
]
# Slips of the pen: numbers that are not finite, doubled punctuation, plurals of one.
SLIPS = (
    r"\b[Nn]a[Nn]\b|\bNone\b|(?<!lambda_1 = -)\binf\b|\d \.|\.\.|  | ,|(?<![\d.])1 (steps|updates|spikes|seeds)\b|±\s*$"
)


def explanations(results: Path, **fields: Any) -> list[str]:
    """Run an experiment, store it, read it again, and return the explanation of each seed."""
    content = {
        "suite": "everything",
        "system": Lorenz63(),
        "data": DATA,
        "model": NETWORK,
        "trainer": SparseTeacherForcing(interval=5, **SMALL),
        "metrics": (StateSpaceDivergence(bins=5), PredictionError()),
        "evaluation": EVALUATION,
        "seeds": (0, 1),
    }
    stored = read(store.write(run_experiment(Experiment.model_validate({**content, **fields})), results))
    texts = []
    for result in seed_results(stored):
        explanation = explain(stored, result.seed)
        json.dumps(explanation.figures, allow_nan=False)
        texts.append("\n".join([explanation.title, *(text for _, text in explanation.paragraphs), brief(result)]))
    return texts


def check(text: str, trainer: TrainerSpec) -> None:
    """Check that a text has no slips, does not contradict itself, and fits the trainer."""
    sentences = text.partition("\n")[2]  # below the title
    slip = re.search(SLIPS, sentences)
    assert slip is None, sentences[max(0, slip.start() - 60) : slip.end() + 20]
    for statement, excluded in CONTRADICTIONS:
        assert not (re.search(statement, text) and re.search(excluded, text)), f"{statement} and {excluded}: {text}"
    clips = any(getattr(trainer, name, None) is not None for name in ("clip_norm", "clip_value"))
    assert "before clipping" not in text or clips
    window = re.search(r"training window has (\d+) step", text)
    for chain in re.findall(r"every ([\d.]+)(?: ± \d+)? steps", text):
        assert window is not None
        assert float(chain) <= float(window[1])


@pytest.mark.parametrize(
    ("trainer", "model"),
    [*KINDS, *(pytest.param(*one, marks=pytest.mark.slow) for one in SETTINGS)],
    ids=[trainer.label for trainer, _ in (*KINDS, *SETTINGS)],
)
def test_every_trainer_is_explained_without_a_slip(trainer, model, tmp_path):
    for text in explanations(tmp_path, trainer=trainer, model=model):
        check(text, trainer)


def test_no_trainer_is_left_out():
    assert {type(trainer) for trainer, _ in KINDS} == set(builtin.chaosbench_trainers())


ONE = EVALUATION.model_copy(update={"exponent_conditions": 1})
VARIATIONS: dict[str, dict[str, Any]] = {
    "embedding": {"data": DATA.model_copy(update={"observed": (0,), "embedding": 3, "lag": 2})},
    "stride": {"data": DATA.model_copy(update={"stride": 2})},
    "noise": {"data": DATA.model_copy(update={"noise": 0.1})},
    "one seed": {"seeds": (3,)},
    "one exponent": {"evaluation": EVALUATION.model_copy(update={"exponents": 1})},
    "one condition": {"evaluation": ONE},
    "map": {"system": Henon()},
    "delay": {"system": MackeyGlass()},
    "torus": {"system": Torus()},
    "one condition, torus": {"system": Torus(), "evaluation": ONE},
}


@pytest.mark.parametrize("fields", VARIATIONS.values(), ids=VARIATIONS)
def test_every_kind_of_data_is_explained_without_a_slip(fields, tmp_path):
    for text in explanations(tmp_path, **fields):
        check(text, SparseTeacherForcing())
        data = fields.get("data", DATA).label
        assert data in text.splitlines()[0]


@pytest.mark.parametrize("exponent", [None, 0.42])
def test_a_recorded_series_is_explained_without_a_slip(exponent, tmp_path):
    """1,600 steps of the Hénon map, whose exponent of 0.42 is not in the file."""
    states = Henon().initial_state(1, torch.Generator().manual_seed(0))
    np.save(tmp_path / "series.npy", orbit(Henon(), states, steps=1_600)[0].numpy())
    published = {} if exponent is None else {"exponent": exponent, "exponent_source": "Sprott 2003"}
    system = TimeSeries(path=str(tmp_path / "series.npy"), **published)
    data = DataSpec(test_orbits=2, test_length=150)
    evaluation = EVALUATION.model_copy(update={"free_runs": 1, "free_run_steps": 150, "context": 20})
    for text in explanations(tmp_path / "results", system=system, data=data, evaluation=evaluation):
        check(text, SparseTeacherForcing())
