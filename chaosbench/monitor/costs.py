"""The time that experiments take: a model that is fitted to those which have ended, from the first one on.

The logarithms of the time per update and of the time outside training are linear in the logarithms of what an
experiment consists of, with an offset for each class of model, trainer and pair of both. Every coefficient has a prior
(Bayesian linear regression), so that an estimate exists before anything was measured, with an uncertainty that says
so, and so that one measurement already sets the scale for everything else.
"""

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chaosbench.leaderboard.folder import FINISHED, Stored

_NOISE, _SAMPLE = 0.5, 3.0  # standard deviation of the logarithm of a time at equal work, known as from 3 experiments
_MODEL, _TRAINER, _PAIR, _SYSTEM = 0.8, 0.4, 0.4, 0.3  # standard deviations of the offsets of classes and pairs


@dataclass(frozen=True)
class Work:
    """The quantities that the time of an experiment depends on.

    Attributes:
        system, model, trainer: kinds.
        updates: of the training, those of a search included; 1 for a fit in closed form.
        seeds: how many train as one batch.
        window: observations in an update of one seed.
        width: units of the model's largest layer.
        evaluation: steps of free runs and forecasts of one seed.
        exponents: steps for the Lyapunov spectrum of one seed.
    """

    system: str
    model: str
    trainer: str
    updates: float
    seeds: int
    window: float = 1.0
    width: float = 1.0
    evaluation: float = 1.0
    exponents: float = 1.0

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Work":
        """Return the work of an experiment from its content as JSON."""
        model, trainer, evaluation = content["model"], content["trainer"], content["evaluation"]
        seeds = len(content["seeds"])
        updates, search = float(trainer.get("updates") or 1), content.get("search")
        if search:
            updates += search["trials"] * float(search.get("updates") or updates) / seeds
        widths = [size for name in ("hidden", "units") for size in _numbers(model.get(name))]
        horizon = _number(evaluation.get("horizon"), content["data"].get("test_length"))
        return cls(
            system=content["system"]["kind"],
            model=model["kind"],
            trainer=trainer["kind"],
            updates=updates,
            seeds=seeds,
            window=_number(trainer.get("batch"), 1) * _number(trainer.get("sequence_length"), 1),
            width=max(widths, default=1.0),
            evaluation=_number(evaluation.get("free_runs"), 1) * _number(evaluation.get("free_run_steps"), 1)
            + _number(evaluation.get("conditions"), 1) * horizon,
            exponents=_number(evaluation.get("exponent_conditions"), 1) * _number(evaluation.get("exponent_steps"), 1),
        )

    def as_json(self) -> dict[str, Any]:
        """Return the fields."""
        return asdict(self)


@dataclass(frozen=True)
class Observation:
    """The times of an experiment that has ended.

    Attributes:
        update: of one update of all seeds [s]; None: it had no updates.
        rest: everything outside training [s].
    """

    work: Work
    update: float | None
    rest: float


@dataclass(frozen=True)
class Estimate:
    """The expected time of an experiment.

    Attributes:
        training, rest: expected time of the training and of everything else [s].
        spread: standard deviation of the logarithm of their sum.
    """

    training: float
    rest: float
    spread: float

    @property
    def seconds(self) -> float:
        """Expected time of the whole [s]."""
        return self.training + self.rest


class Costs:
    """Estimates the times of experiments on one device, from those of others that have ended there.

    Args:
        observations: what is known at the beginning.
    """

    def __init__(self, observations: Iterable[Observation] = ()) -> None:
        self._observations = list(observations)
        self._fits: tuple[_Fit, _Fit] | None = None

    def __len__(self) -> int:
        """Return the number of observations."""
        return len(self._observations)

    def add(self, observation: Observation) -> None:
        """Take another experiment that has ended into account."""
        self._observations.append(observation)
        self._fits = None

    def estimate(self, work: Work) -> Estimate:
        """Return the expected time of an experiment."""
        if self._fits is None:
            updates = [(one.work, one.update) for one in self._observations if one.update]
            rests = [(one.work, one.rest) for one in self._observations if one.rest > 0]
            self._fits = _Fit(updates, _TRAINING), _Fit(rests, _REST)
        (update, spread), (rest, other) = (fit.expected(work) for fit in self._fits)
        training = update * work.updates
        whole = math.hypot(training * spread, rest * other) / (training + rest)
        return Estimate(training, rest, whole)


def observed(stored: Stored, *, device: str | None = None, host: str | None = None) -> Observation | None:
    """Return the times of a stored experiment; None if it has no result, or was run elsewhere.

    Args:
        stored: an experiment.
        device: "cpu", or a CUDA device; results of the other kind do not count. None: all count.
        host: the hash of this machine; results of others do not count. None: all count.
    """
    runs = [run for run in stored.runs if run["status"] in FINISHED]
    if not runs or (device is not None and runs[0]["device"].startswith("cpu") != (device == "cpu")):
        return None
    if host is not None and runs[0]["provenance"].get("host", host) != host:
        return None
    times = [(run["train_seconds"], run["total_seconds"]) for run in runs]
    if any(train is None or total is None for train, total in times):
        return None
    training, whole = sum(train for train, _ in times), sum(total for _, total in times)
    updates, _ = stored.training_of(runs[0])
    try:
        work = Work.of({**stored.experiment, "seeds": [run["seed"] for run in runs]})
    except (KeyError, TypeError, AttributeError):  # of an earlier version
        return None
    return Observation(work, training / runs[0]["updates"] if updates else None, max(whole - training, 0.0))


def makespan(times: Iterable[float], workers: int, busy: Sequence[float] = ()) -> float:
    """Return the time until all experiments have ended that start in this order whenever a worker is free [s].

    Args:
        times: expected time of each [s].
        workers: number of workers.
        busy: for each worker that is at work, the time until it is free [s].
    """
    free = [*busy, *[0.0] * (max(workers, 1) - len(busy))]
    heapq.heapify(free)
    for seconds in times:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


@dataclass(frozen=True)
class _Prior:
    """Mean and standard deviation of the intercept, and those of the slope of each quantity with its typical value."""

    intercept: tuple[float, float]
    slopes: Mapping[str, tuple[float, float, float]]  # typical value, mean, standard deviation


# Means from the published boards, on one core: an update takes some milliseconds, everything else half a minute.
_TRAINING = _Prior(
    (math.log(0.008), 0.8), {"seeds": (3, 0.7, 0.3), "window": (3_000, 0.7, 0.3), "width": (30, 0.4, 0.4)}
)
_REST = _Prior(
    (math.log(15.0), 0.8),
    {
        "seeds": (3, 0.6, 0.3),
        "width": (30, 0.3, 0.3),
        "evaluation": (200_000, 0.6, 0.3),
        "exponents": (20_000, 0.2, 0.2),
    },
)


class _Fit:
    """The posterior of the coefficients for one kind of time."""

    def __init__(self, observations: Sequence[tuple[Work, float]], prior: _Prior) -> None:
        self._prior = prior
        self._names: dict[str, float] = {}  # offset -> standard deviation of its prior
        for work, _ in observations:
            self._names |= dict(_offsets(work))
        slopes = prior.slopes.values()
        means = np.array([prior.intercept[0], *(mean for _, mean, _ in slopes), *[0.0] * len(self._names)])
        deviations = np.array([prior.intercept[1], *(spread for _, _, spread in slopes), *self._names.values()])
        rows = np.array([self._row(work) for work, _ in observations]).reshape(len(observations), len(means))
        logs = np.log([seconds for _, seconds in observations])
        self._variance = _NOISE**2
        for _ in range(2):  # the second time with the variance of what the first leaves unexplained
            precision = np.diag(deviations**-2.0) + rows.T @ rows / self._variance
            self._covariance = np.linalg.inv(precision)
            self._means = means + self._covariance @ rows.T @ (logs - rows @ means) / self._variance
            left = float(np.square(logs - rows @ self._means).sum())
            self._variance = (_SAMPLE * _NOISE**2 + left) / (_SAMPLE + len(observations))

    def expected(self, work: Work) -> tuple[float, float]:
        """Return the expected time [s] and the standard deviation of its logarithm."""
        row = self._row(work)
        unseen = sum(spread**2 for name, spread in _offsets(work) if name not in self._names)
        variance = float(row @ self._covariance @ row) + unseen + self._variance
        return math.exp(float(row @ self._means) + min(variance, 1.0) / 2), math.sqrt(variance)

    def _row(self, work: Work) -> Any:
        slopes = (
            math.log(max(getattr(work, name), 1) / typical) for name, (typical, _, _) in self._prior.slopes.items()
        )
        own = dict(_offsets(work))
        return np.array([1.0, *slopes, *(float(name in own) for name in self._names)])


def _offsets(work: Work) -> Iterator[tuple[str, float]]:
    """Yield the offsets that an experiment has, with the standard deviations of their priors."""
    yield from ((f"model {work.model}", _MODEL), (f"trainer {work.trainer}", _TRAINER))
    yield f"system {work.system}", _SYSTEM
    yield f"{work.trainer} on {work.model}", _PAIR


def _number(value: Any, otherwise: Any) -> float:
    """Return a positive number, or another one where the value is none."""
    for one in (value, otherwise):
        if isinstance(one, int | float) and one > 0:
            return float(one)
    return 1.0


def _numbers(value: Any) -> list[float]:
    return [float(one) for one in (value if isinstance(value, list) else [value]) if isinstance(one, int | float)]
