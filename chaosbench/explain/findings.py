"""What a stored run was found to be: its numbers by name, and the verdict that follows from them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.schema import Row
from chaosbench.theory.verdict import Evidence, Verdict, verdict

_PREFIX = "diagnosis."


@dataclass(frozen=True)
class Findings:
    """One seed of a stored experiment.

    Attributes:
        seed, status, message: as in its run.
        numbers: of the diagnosis of the finished model, by name; a number that is not finite is missing.
        initial: the same before training.
        truth: of the data's own system, by the same names.
        scores: the rows of its metrics.
        trainer: the trainer's fields.
        dt: [system time] per step of the data.
    """

    seed: int
    status: str
    message: str
    numbers: Mapping[str, float]
    initial: Mapping[str, float]
    truth: Mapping[str, float]
    scores: tuple[Row, ...]
    trainer: Mapping[str, Any]
    dt: float
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def data_exponent(self) -> float | None:
        """The largest exponent of the data's system, as far as it is known [1 / system time]."""
        return self.truth.get("lyapunov_exponent_1")

    @property
    def chaotic_data(self) -> bool:
        """Whether that exponent is positive beyond its own interval."""
        width = self.truth.get("lyapunov_exponent_1_interval", 0.0)
        return self.data_exponent is not None and self.data_exponent > width + 1e-6

    @property
    def window(self) -> int | None:
        """Longest stretch of data that gradients may pass, at the end of training [steps]; None: none through time."""
        length = self.numbers.get("path_length")
        return None if length is None else int(length)

    @property
    def reach(self) -> float | None:
        """Steps over which gradients can tell that orbits part: the window, or what cuts leave of it.

        None where the method is not meant to: one of single steps, one that forces the whole state before orbits have
        parted, or one that joins what it cuts by learned states.
        """
        numbers, window = self.numbers, self.window
        joined = (numbers.get("chain_forced") and numbers.get("chain_ends")) or numbers.get("chain_learned")
        if window is None or window == 1 or joined or numbers.get("forcing_share") == 1:
            return None
        return numbers["chain_length"] if numbers.get("chain_cut") else window

    def lyapunov_times(self, steps: float) -> float | None:
        """A number of steps in Lyapunov times of the data; None where these are not chaotic."""
        return steps * self.dt * self.data_exponent if self.chaotic_data and self.data_exponent else None

    def verdict(self) -> Verdict:
        """What theory says of this run, and whether it is so."""
        return verdict(self.evidence())

    def initial_verdict(self) -> Verdict | None:
        """The same of the model before training."""
        return verdict(self._evidence(self.initial)) if "period" in self.initial else None

    def evidence(self) -> Evidence:
        """What the verdict is reached from; a rate that is not stored is -inf or NaN again."""
        return self._evidence(self.numbers)

    def _evidence(self, numbers: Mapping[str, float]) -> Evidence:
        bounded = numbers.get("bounded_share", 0.0)
        # A rate that is not finite is not stored. The exponent is a mean over bounded runs: it is that of tangents that
        # vanish. Gradients are followed further than these, on orbits that may blow up: vanish do they with tangents.
        exponent = numbers.get("lyapunov_exponent_1", -math.inf if bounded else math.nan)
        vanishing = exponent == -math.inf or (bounded == 1 and exponent < 0)
        return Evidence(
            gamma=numbers.get("gradient_growth", -math.inf if vanishing else math.nan),
            gamma_interval=numbers.get("gradient_growth_interval", math.nan),
            exponent=exponent,
            exponent_interval=numbers.get("lyapunov_exponent_1_interval", math.nan),
            resolution=numbers.get("lyapunov_resolution", 0.0),
            period=int(numbers.get("period", 0)),
            returning=numbers.get("returning_share", 0.0),
            bounded=bounded,
            loss_gamma=numbers.get("loss_gradient_growth"),
            loss_gamma_interval=numbers.get("loss_gradient_growth_interval"),
            data_exponent=self.data_exponent if self.chaotic_data else (None if self.data_exponent is None else 0.0),
            window=None if self.reach is None else self.lyapunov_times(self.reach),
        )


def findings(stored: Stored) -> list[Findings]:
    """Every seed of an experiment, in order."""
    trainer, system = stored.experiment["trainer"], stored.experiment["system"]
    dt = float(system.get("dt", 1.0)) * int(stored.experiment["data"].get("stride", 1))
    return [
        Findings(
            seed=run["seed"],
            status=run["status"],
            message=run["message"],
            numbers=_named(stored, run["seed"], update=None),
            initial=_named(stored, run["seed"], update=0),
            truth=_named(stored, run["seed"], update=None, column="floor"),
            scores=tuple(row for row in stored.records if row["seed"] == run["seed"] and row["better"]),
            trainer=trainer,
            dt=dt,
            labels={noun: run[noun] for noun in ("system", "data", "model", "trainer")},
        )
        for run in stored.runs
    ]


def _named(stored: Stored, seed: int, *, update: int | None, column: str = "value") -> dict[str, float]:
    return {
        row["name"].removeprefix(_PREFIX): row[column]
        for row in stored.records
        if row["seed"] == seed
        and row["update"] == update
        and row["name"].startswith(_PREFIX)
        and row[column] is not None
    }
