"""Limits of what a suite may ask for, so that a mistyped number is refused before any work begins."""

import os
from collections.abc import Sequence
from typing import Any

from chaosbench.errors import SpecError

LARGEST_SEED = 2**63 - 1  # the largest whole number of a column of a results file
MOST_SEEDS = 10_000  # of an experiment
MOST_EXPERIMENTS = 10_000  # of a suite


def valid_seeds(seeds: Any) -> tuple[int, ...]:
    """Return seeds after a check that they are different whole numbers which a results file can hold.

    Raises:
        SpecError: where they are not, or where there are too many.
    """
    if isinstance(seeds, Sequence) and len(seeds) > MOST_SEEDS:
        raise SpecError(f"{len(seeds):,} seeds are more than the {MOST_SEEDS:,} that an experiment may have")
    valid = isinstance(seeds, list | tuple | range) and all(type(seed) is int for seed in seeds)
    if not valid or not seeds or len(set(seeds)) < len(seeds) or not 0 <= min(seeds) <= max(seeds) <= LARGEST_SEED:
        raise SpecError(
            f"seeds must be a list of different whole numbers from 0 to 2^63 - 1, such as [0, 1, 2]; got {seeds!r:.200}"
        )
    return tuple(seeds)


def require_few(count: int, place: str) -> None:
    """Refuse a grid of more experiments than a suite may have.

    Args:
        count: number of combinations.
        place: of the grid in the suite file.

    Raises:
        SpecError: with both numbers.
    """
    if count > MOST_EXPERIMENTS:
        raise SpecError(
            f"{place}: {count:,} combinations are more than the {MOST_EXPERIMENTS:,} experiments that a suite may "
            "have; shorten the lists of a grid"
        )


def physical_memory() -> int | None:
    """Return the size of the machine's memory [bytes]; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None
