"""A line of a benchmark, and what ran it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Where:
    """The machine, device, versions and command that ran a benchmark."""

    machine: str
    device: str  # "cpu", or the name of a card
    torch: str
    command: str
    date: datetime  # UTC


@dataclass(frozen=True)
class Line:
    """One quantity, and its ratio to the same quantity of a rival where there is one.

    Attributes:
        benchmark, what: which quantity; equal for all times that it is measured.
        unit: of `value`, "s" or "MiB".
        value, least, most: median, minimum and maximum over rounds; of one model in `training`, of all K elsewhere.
        rival: whom the ratio refers to; empty without one.
        rival_value: the same quantity of the rival, the median over rounds.
        ratio, ratio_least, ratio_most: of the rival to ours, round by round.
        rounds: how many times both took turns.
        K, T, M, experiments: the size; None where it does not apply.
        phase: part of an experiment; empty elsewhere.
        reason: why the rival, or everything, was not measured.
    """

    benchmark: str
    what: str
    unit: str = "s"
    value: float | None = None
    least: float | None = None
    most: float | None = None
    rival: str = ""
    rival_value: float | None = None
    ratio: float | None = None
    ratio_least: float | None = None
    ratio_most: float | None = None
    rounds: int = 0
    K: int | None = None
    T: int | None = None
    M: int | None = None
    experiments: int | None = None
    phase: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Stored:
    """A line with what ran it."""

    line: Line
    where: Where
