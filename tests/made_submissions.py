"""Submissions without training: experiments on three maps whose scores are drawn, and every number of them fits."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

from chaosbench.boards import demands, lock, publish
from chaosbench.experiment import Experiment
from chaosbench.leaderboard.folder import Stored, content_digest, sha256
from chaosbench.leaderboard.submissions import write_submission
from chaosbench.metrics import LargestExponentError, PowerSpectrumDistance, StateSpaceDivergence
from chaosbench.models import RNN
from chaosbench.systems import Henon, Ikeda, Lozi
from chaosbench.trainers import BPTT

SEEDS = (0, 1, 2, 3, 4)
METRICS = (StateSpaceDivergence(), PowerSpectrumDistance(), LargestExponentError())
EXPERIMENTS = [
    Experiment(suite="maps", system=system, model=RNN(), trainer=BPTT(), metrics=METRICS, seeds=SEEDS)
    for system in (Henon(), Ikeda(), Lozi())
]
RUNS = EXPERIMENTS[0].evaluation.free_runs
LOCK = demands.make(EXPERIMENTS)


def claimed(*, seed: int = 0, seeds: Sequence[int] = SEEDS) -> list[Stored]:
    """Return the experiments with scores drawn by a generator."""
    generator = np.random.default_rng(seed)
    return [drawn(experiment.replaced(seeds=tuple(seeds)), generator) for experiment in EXPERIMENTS]


def drawn(experiment: Experiment, generator: np.random.Generator) -> Stored:
    """Return an experiment whose runs have scores drawn by a generator."""
    runs, records, digest = [], [], experiment.digest()
    truth = experiment.system.reference.exponents[0]
    for seed in experiment.seeds:
        runs.append(
            {
                "experiment": digest, "suite": experiment.suite, "seed": seed, **experiment.labels, "status": "ok",
                "message": "", "parameters": 10, "updates": 100, "train_seconds": 2.0, "total_seconds": 3.0,
                "device": "cpu", "started": datetime(2026, 1, 2, tzinfo=UTC), "provenance": {"chaosbench": "0.1.0"},
                "seeds_together": 5, "ended": None,
            }
        )  # fmt: skip
        numbers = {}
        for name in ("state_space_divergence", "power_spectrum_distance"):
            orbits = 0.3 * generator.uniform(0.2, 1.0) * np.exp(0.1 * generator.normal(size=RUNS))
            numbers |= {f"orbit.{n}.{name}": value for n, value in enumerate(orbits)} | {name: float(np.median(orbits))}
        exponent = truth * (1 + 0.1 * generator.normal())
        numbers["diagnosis.lyapunov_exponent_1"] = exponent
        numbers["largest_exponent_error"] = abs(exponent - truth) / truth
        floors = {"diagnosis.lyapunov_exponent_1": truth}
        for name, value in numbers.items():
            unit = {metric.kind: metric.unit for metric in METRICS}.get(name, "1")
            better = "lower" if name in {metric.kind for metric in METRICS} else ""
            records.append(
                {
                    "experiment": digest, "seed": seed, "name": name, "value": float(value), "unit": unit,
                    "floor": floors.get(name, 0.01 if better else None), "better": better, "update": None,
                }
            )  # fmt: skip
    content = experiment.model_dump(mode="json")
    sources = (experiment.system.digest(), experiment.data.digest())
    return Stored(Path(), experiment.identity, content, tuple(runs), tuple(records), sources)


def chosen(stored: Stored, seeds: Sequence[int], names: Sequence[int] = SEEDS) -> Stored:
    """Return some seeds of an experiment under the names of others, as if nothing else had been run."""
    renamed = dict(zip(seeds, names, strict=True))
    content = {**stored.experiment, "seeds": sorted(names)}
    digest = content_digest(content)

    def kept(rows: Sequence[dict]) -> tuple[dict, ...]:
        own = ({**row, "seed": renamed[row["seed"]], "experiment": digest} for row in rows if row["seed"] in renamed)
        return tuple(sorted(own, key=lambda row: row["seed"]))

    return replace(stored, experiment=content, runs=kept(stored.runs), records=kept(stored.records))


def best(stored: Stored) -> list[int]:
    """Return the five seeds with the lowest divergence."""
    own = {row["seed"]: row["value"] for row in stored.records if row["name"] == "state_space_divergence"}
    return sorted(sorted(own, key=own.__getitem__)[:5])


def written(target: Path, experiments: Sequence[Stored], *, name: str = "ours", code: str = "here") -> Path:
    """Write a submission and return its folder."""
    return write_submission(
        target, experiments, name=name, authors=["A. Uthor"], code=code, saw="nothing", version="0.1.0",
        day=date(2026, 11, 27),
    )  # fmt: skip


def empty_board(folder: Path) -> Path:
    """Make the folder of a board without submissions and return it."""
    (folder / "submissions").mkdir(parents=True)
    lock.write(LOCK, folder)
    publish.log(folder, "new", LOCK.suite, sha256(folder / lock.FILE))
    return folder


def board_with(target: Path, *others: Sequence[Stored]) -> Path:
    """Make a board in `target / "board"`, with a submission of the made runs and one for each of the others."""
    board = empty_board(target / "board")
    for number, experiments in enumerate([claimed(), *others]):
        publish.add(board, written(target / "packed", experiments, name=f"name{number}"))
    publish.build(board)
    return board


def method(stored: Stored, hidden: int) -> Stored:
    """Return the runs under the name of a network of another size, as another method."""
    content = {**stored.experiment, "model": {**stored.experiment["model"], "hidden": hidden}}
    digest = content_digest(content)
    runs = tuple({**run, "model": f"rnn(hidden={hidden})", "experiment": digest} for run in stored.runs)
    records = tuple({**row, "experiment": digest} for row in stored.records)
    return replace(stored, identity=f"{stored.identity}-{hidden}", experiment=content, runs=runs, records=records)


def foreign(stored: Stored, settings: str) -> Stored:
    """Return the runs under the name of a model of a plug-in that is not installed, which names itself."""
    content = {**stored.experiment, "model": {"kind": "stranger", "settings": settings}}
    digest = content_digest(content)
    runs = tuple({**run, "model": f"stranger({settings})", "experiment": digest} for run in stored.runs)
    records = tuple({**row, "experiment": digest} for row in stored.records)
    return replace(stored, identity=f"{stored.identity}-{digest}", experiment=content, runs=runs, records=records)
