"""Stored experiments without training, whose numbers are chosen so that their explanations are known."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from pathlib import Path

from chaosbench.data import DataSpec
from chaosbench.experiment import Experiment, Record, Result, Run
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import Stored, read
from chaosbench.metrics import StateSpaceDivergence
from chaosbench.models import LSTM
from chaosbench.systems import Lorenz63
from chaosbench.trainers import BPTT

LORENZ = {"lyapunov_exponent_1": 0.9, "lyapunov_exponent_2": 0.0, "lyapunov_exponent_3": -14.5}
CHAOS = {
    "gradient_growth": 0.88,
    "gradient_growth_interval": 0.03,
    "lyapunov_exponent_1": 0.87,
    "lyapunov_exponent_1_interval": 0.02,
    "lyapunov_resolution": 0.01,
    "period": 0.0,
    "returning_share": 0.0,
    "bounded_share": 1.0,
}
REST = CHAOS | {  # tangents vanish completely: the state does not depend on its past
    "gradient_growth": -inf,
    "lyapunov_exponent_1": -inf,
    "lyapunov_exponent_1_interval": inf,
    "period": 1.0,
    "returning_share": 1.0,
}
CYCLE = CHAOS | {"gradient_growth": -0.3, "lyapunov_exponent_1": -0.31, "period": 4.0, "returning_share": 1.0}
TORUS = CHAOS | {
    "gradient_growth": 0.002,
    "gradient_growth_interval": 0.001,
    "lyapunov_exponent_1": 0.003,
    "lyapunov_exponent_1_interval": 0.001,
}
BLOWN = {"bounded_share": 0.0, "period": 0.0, "returning_share": 0.0, "gradient_growth": -inf, "clipped_share": 0.63}
FREE = {  # a window of 200 steps without forcing or cuts
    "path_length": 200.0,
    "chain_length": 200.0,
    "chain_forced": 0.0,
    "chain_cut": 0.0,
    "chain_ends": 0.0,
    "chain_growth": 1.9,
    "chain_growth_expected": 1.74,
    "window_length": 200.0,
    "window_growth": 1.9,
}


@dataclass(frozen=True)
class StoredSeed:
    """One seed: the numbers of its diagnosis after training and before, its score and its status."""

    numbers: dict[str, float] = field(default_factory=lambda: CHAOS)
    initial: dict[str, float] = field(default_factory=dict)
    divergence: float | None = 0.5
    status: str = "ok"
    message: str = ""


def publish(
    results: Path, *seeds: StoredSeed, truth=LORENZ, model=None, trainer=None, system=None, data=None, updates=2_000
) -> Stored:
    """Write the folder of an experiment and read it again; by default BPTT on an LSTM for Lorenz-63."""
    experiment = Experiment(
        suite="toy",
        system=system or Lorenz63(),
        data=data or DataSpec(),
        model=model or LSTM(),
        trainer=trainer or BPTT(),
        metrics=(StateSpaceDivergence(),),
        seeds=tuple(range(len(seeds))),
    )
    digest = experiment.digest()
    labels = [getattr(experiment, noun).label for noun in ("system", "data", "model", "trainer")]
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    runs = [
        Run(digest, "toy", seed, *labels, content.status, content.message, 10, updates, 12.0, 15.0, "cpu", noon)
        for seed, content in enumerate(seeds)
    ]
    records = [
        Record(digest, seed, "state_space_divergence", content.divergence, 0.05, "nats", "lower", None)
        for seed, content in enumerate(seeds)
        if content.status in ("ok", "diverged")
    ]
    records += [
        Record(digest, seed, f"diagnosis.{name}", value, truth.get(name), "1", "", update)
        for seed, content in enumerate(seeds)
        for update, numbers in ((0, content.initial), (None, content.numbers))
        for name, value in numbers.items()
    ]
    return read(store.write(Result(experiment, tuple(runs), tuple(records)), results))
