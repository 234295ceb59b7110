from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from chaosbench.experiment import Experiment, Record, Result, Run
from chaosbench.metrics import StateSpaceDivergence, ValidPredictionTime
from chaosbench.models import LSTM, RNN
from chaosbench.systems import Lorenz63
from chaosbench.trainers import BPTT

NOON = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)
METRICS = (("state_space_divergence", "nats", "lower"), ("valid_prediction_time", "Lyapunov times", "higher"))


@pytest.fixture
def make_result():
    """Make results without training: a divergence per seed (None: diverged), and a prediction time of 2 minus it."""

    def make(divergences, *, model="lstm", seeds=None, statuses=None, suite="toy", minutes=0, floor=0.01, weight=1.0):
        seeds = tuple(range(len(divergences))) if seeds is None else seeds
        statuses = statuses or ["diverged" if d is None else "ok" for d in divergences]
        experiment = Experiment(
            suite=suite,
            system=Lorenz63(),
            model={"lstm": LSTM(), "wide": LSTM(hidden=7), "rnn": RNN()}[model],
            trainer=BPTT(),
            metrics=(StateSpaceDivergence(), ValidPredictionTime()),
            seeds=seeds,
        )
        digest = experiment.digest()
        labels = (experiment.system.label, experiment.data.label, experiment.model.label, experiment.trainer.label)
        runs = tuple(
            Run(
                digest, suite, seed, *labels, status, "" if status == "ok" else f"it {status}", 10, 100, 2.0 + seed,
                3.0, "cpu", NOON + timedelta(minutes=minutes), {"torch": "2", "chaosbench": "0"},
            )
            for seed, status in zip(seeds, statuses, strict=True)
        )  # fmt: skip
        records = tuple(
            Record(digest, seed, name, None if d is None else d if k == 0 else 2 - d, floor, unit, better, None)
            for seed, d, status in zip(seeds, divergences, statuses, strict=True)
            if status in ("ok", "diverged")
            for k, (name, unit, better) in enumerate(METRICS)
        )
        arrays = {"truth": np.arange(6, dtype=np.float32).reshape(3, 2).T}
        return Result(experiment, runs, records, arrays, {"w": np.full((len(seeds), 3), weight)})

    return make
