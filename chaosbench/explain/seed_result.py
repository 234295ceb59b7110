"""One seed of a stored experiment: its diagnosis, its scores, and the verdict that follows from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.rank import details_of
from chaosbench.leaderboard.schema import Row
from chaosbench.theory.run_diagnosis import RunDiagnosis
from chaosbench.theory.verdict import Verdict

_POSITIVE = 1e-6  # [1 / system time]; a smaller exponent without an interval counts as zero


@dataclass(frozen=True)
class SeedResult:
    """One seed of a stored experiment.

    Attributes:
        seed, status, message: as stored with the run.
        diagnosis: diagnosis of the trained model.
        initial: diagnosis of the untrained model.
        truth: exponents of the data's own system.
        scores: rows of the metrics.
        details: for each score, the rows of the shares stored with it, by name.
        trainer: fields of the trainer.
        dt: [system time] per step of the data.
        labels: labels of system, data, model and trainer.
    """

    seed: int
    status: str
    message: str
    diagnosis: RunDiagnosis
    initial: RunDiagnosis
    truth: RunDiagnosis
    scores: tuple[Row, ...]
    trainer: Mapping[str, Any]
    dt: float
    labels: Mapping[str, str]
    details: Mapping[str, Mapping[str, Row]] = field(default_factory=dict)

    @property
    def data_exponent(self) -> float | None:
        """Largest exponent of the data's system [1 / system time]; None: unknown."""
        exponent = self.truth.largest_exponent
        return None if exponent is None else exponent.value

    @property
    def chaotic_data(self) -> bool:
        """True if the largest exponent of the data's system exceeds its own interval."""
        exponent = self.truth.largest_exponent
        return exponent is not None and exponent.value > (exponent.interval or 0.0) + _POSITIVE

    @property
    def gradient_horizon(self) -> float | None:
        """Longest time over which gradients can show that neighbouring orbits separate [steps].

        This is the training window, or the segment between cuts. None for methods that do not rely on such gradients:
        those that train on single steps, that force the whole state before orbits separate, or that join segments
        by learned states.
        """
        diagnosis = self.diagnosis
        window = diagnosis.path_length
        joined = (diagnosis.chain_forced and diagnosis.chain_ends) or diagnosis.chain_learned
        if window is None or window == 1 or joined or diagnosis.forcing_share == 1:
            return None
        return diagnosis.chain_length if diagnosis.chain_cut else window

    def lyapunov_times(self, steps: float) -> float | None:
        """Convert steps to Lyapunov times of the data; None if the data are not chaotic."""
        return steps * self.dt * self.data_exponent if self.chaotic_data and self.data_exponent else None

    @cached_property
    def verdict(self) -> Verdict:
        """Comparison of the trained model with theory."""
        return self._verdict(self.diagnosis)

    @cached_property
    def initial_verdict(self) -> Verdict | None:
        """Comparison of the untrained model with theory; None where it was not diagnosed."""
        return None if self.initial.period is None else self._verdict(self.initial)

    def _verdict(self, diagnosis: RunDiagnosis) -> Verdict:
        exponent, horizon = self.data_exponent, self.gradient_horizon
        return diagnosis.verdict(
            data_exponent=exponent if self.chaotic_data or exponent is None else 0.0,
            window=None if horizon is None else self.lyapunov_times(horizon),
        )


def seed_results(stored: Stored) -> list[SeedResult]:
    """Return every seed of an experiment, in order."""
    trainer, system = stored.experiment["trainer"], stored.experiment["system"]
    dt = float(system.get("dt", 1.0)) * int(stored.experiment["data"].get("stride", 1))
    return [
        SeedResult(
            seed=run["seed"],
            status=run["status"],
            message=run["message"],
            diagnosis=RunDiagnosis.from_records(stored.records, seed=run["seed"]),
            initial=RunDiagnosis.from_records(stored.records, seed=run["seed"], update=0),
            truth=RunDiagnosis.from_records(stored.records, seed=run["seed"], column="floor"),
            scores=tuple(row for row in stored.records if row["seed"] == run["seed"] and row["better"]),
            trainer=trainer,
            dt=dt,
            labels={noun: run[noun] for noun in ("system", "data", "model", "trainer")},
            details=_details([row for row in stored.records if row["seed"] == run["seed"]]),
        )
        for run in stored.runs
    ]


def _details(records: Sequence[Row]) -> dict[str, dict[str, Row]]:
    """Return the shares stored with each score of a seed."""
    return {row["name"]: details_of(row["name"], records) for row in records if row["better"]}
