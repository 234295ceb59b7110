"""Divide trials into training, validation and test, and cut stretches of unequal length into orbits."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from chaosbench.series.reading import pieces
from chaosbench.series.table import Array

Split = Literal["auto", "time", "trial"]

_MANY_TRIALS = 10  # from which on whole trials are tested
_KEPT = 0.9  # share of the rows in stretches at least as long as the orbits that all are cut into


@dataclass(frozen=True)
class Splits:
    """Stretches without gaps, `(T, D)` float64 each, for training, validation and test."""

    train: tuple[Array, ...]
    validation: tuple[Array, ...]
    test: tuple[Array, ...]


def split_trials(
    trials: Sequence[Array], *, split: Split, train_share: float, validation_share: float, gap: int
) -> Splits:
    """Divide trials, whole or each in the order of time, and then cut them at their gaps.

    Args:
        trials: `(T, D)` with rows of NaN in gaps.
        split: "trial": the first trials train, the last ones test; "time": the first rows of each trial train, the last
            ones test; "auto": by trial if there are at least ten.
        train_share, validation_share: of the trials or of the rows; the rest is for testing.
        gap: rows left out between two splits of a trial.
    """
    ends = (train_share, train_share + validation_share)
    if split == "trial" or (split == "auto" and len(trials) >= _MANY_TRIALS):
        first, second = (round(end * len(trials)) for end in ends)
        groups = (trials[:first], trials[first:second], trials[second:])
    else:
        cut = [_in_time(trial, ends, gap) for trial in trials]
        train, validation, test = ([parts[which] for parts in cut] for which in range(3))
        groups = (train, validation, test)
    return Splits(*(tuple(piece for trial in group for piece in pieces(trial)) for group in groups))


def _in_time(trial: Array, ends: tuple[float, float], gap: int) -> tuple[Array, Array, Array]:
    first, second = (round(end * len(trial)) for end in ends)
    has_validation = ends[1] > ends[0]
    last = (second if has_validation else first) + gap
    return trial[:first], trial[first + gap : second] if has_validation else trial[:0], trial[last:]


def equal_pieces(stretches: Sequence[Array], length: int | None = None) -> Tensor:
    """Cut stretches into orbits of equal length, which overlap where that is needed to use every row, `(N, T, D)`.

    Shorter stretches are left out.

    Args:
        stretches: `(T_i, D)`, at least one.
        length: of the orbits; None: the greatest for which stretches as long hold 90 % of the rows.
    """
    length = common_length([len(stretch) for stretch in stretches]) if length is None else length
    orbits = []
    for stretch in stretches:
        if len(stretch) >= length:
            count = ceil(len(stretch) / length)
            starts = np.rint(np.linspace(0, len(stretch) - length, count)).astype(int)
            orbits += [stretch[start : start + length] for start in starts]
    return torch.from_numpy(np.stack(orbits))


def common_length(lengths: Sequence[int]) -> int:
    """Return the greatest length such that stretches at least as long hold 90 % of all rows."""
    ordered = sorted(lengths, reverse=True)
    enough = next(i for i, rows in enumerate(accumulate(ordered)) if rows >= _KEPT * sum(ordered))
    return ordered[enough]


def disjoint_pieces(stretches: Sequence[Array], length: int) -> list[Tensor]:
    """Cut stretches into orbits of `length` rows that do not overlap; what remains of a stretch is left out."""
    return [
        torch.from_numpy(stretch[start : start + length].copy())
        for stretch in stretches
        for start in range(0, len(stretch) - length + 1, length)
    ]
