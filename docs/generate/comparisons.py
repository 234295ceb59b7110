"""Write false-alarm rates, power and coverage of comparisons into docs/results.md.

Usage: `python -m docs.generate.comparisons` simulates boards with a fixed seed, prints the tables and replaces them on
the page. Every comparison is made by the functions with which `chaosbench rank` makes its own.
"""

import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill

import numpy as np

from docs.generate.markdown import replace_section, table
from docs.generate.simulated_boards import (
    Generator,
    Rates,
    Scores,
    coverage,
    equal_boards,
    new_test,
    old_test,
    orbit_boards,
    orbits_alone,
    unequal_boards,
)

PAGE = Path(__file__).parents[1] / "results.md"
NAME = "simulated comparisons"
SEED = 1
SEEDS, ENTRIES, LOST = (3, 5, 10), (2, 8), (0.0, 0.2, 0.4)
TENFOLD = math.log(10)

NORMAL = Scores("normal")
LOGNORMAL = Scores("lognormal", deviation=1.5, floor=1e-2)
NEAR_FLOOR = Scores("lognormal, a third below the floor", deviation=1.5, floor=0.5)


def section(*, boards: int = 2_000, samples: int = 10_000) -> str:
    """Return the tables in Markdown, from so many boards per row and so many intervals per row."""
    generator = np.random.default_rng(SEED)
    parts = [
        f"From {boards:,} boards per row; the simulation error of a rate of 5 % is "
        f"{100 * math.sqrt(0.05 * 0.95 / boards):.1f} %.",
        "**False alarms** [%]. All entries are equally good. *old*, *new*: how often one entry, chosen before, is "
        "marked as behind. *any*: how often at least one of these equal entries is, by the new test.",
        _false_alarms(generator, boards),
        "**Power** [%]. One entry is worse than all others, which are equal. *old*, *new*: how often it is marked as "
        "behind. *no test*: how often the new test says that there are too few seeds.",
        _power(generator, boards),
        "**Entries that do not depend on the seed** [%], lognormal; the other entry has 5 seeds. A test orbit adds a "
        "deviation of 0.5 to the logarithms of all scores, and of another 0.5 to each.",
        _fixed(generator, boards),
        f"**Coverage** of 95 % intervals [%], from {samples:,} samples per row.",
        _coverage(generator, samples),
    ]
    return "\n\n".join(part if part.startswith("|") else fill(part, 120) for part in parts)


def _false_alarms(generator: Generator, boards: int) -> str:
    cases = [(scores.name, scores, lost, 1.0) for scores in (NORMAL, LOGNORMAL, NEAR_FLOOR) for lost in LOST]
    for scores in (NORMAL, LOGNORMAL):
        cases += [
            (f"{scores.name}, its deviation three times that of the others", scores, 0.0, 3.0),
            (f"{scores.name}, its deviation a third of that of the others", scores, 0.0, 1 / 3),
        ]
    rows = []
    for name, scores, lost, spread in cases:
        for entries in ENTRIES:
            rates = []
            for seeds in SEEDS:
                drawn = equal_boards(
                    scores, generator, boards=boards, seeds=seeds, entries=entries, lost=lost, spread=spread
                )
                rates.append([Rates.of(drawn, test, scores.scale) for test in (old_test, new_test)])
            old, new = zip(*rates, strict=True)
            cells = [*(rate.first for rate in old), *(rate.first for rate in new), *(rate.some for rate in new)]
            rows.append((name, _percent(lost), str(entries), *map(_number, cells)))
    return table(("scores", "diverge", "entries", *_headers("old", "new", "any")), rows)


def _power(generator: Generator, boards: int) -> str:
    kinds = [("normal, by 1 deviation", NORMAL, 1.0), ("normal, by 2 deviations", NORMAL, 2.0)]
    kinds += [("lognormal, tenfold", LOGNORMAL, TENFOLD)]
    cases = [(name, scores, shift, lost, lost) for name, scores, shift in kinds for lost in LOST]
    cases += [
        (f"{name}; others do not diverge", scores, shift, lost, 0.0)
        for name, scores, shift in kinds[2:]
        for lost in LOST[1:]
    ]
    rows = []
    for name, scores, shift, lost, others_lost in cases:
        for entries in ENTRIES:
            rates = []
            for seeds in SEEDS:
                drawn = unequal_boards(
                    scores,
                    generator,
                    boards=boards,
                    seeds=seeds,
                    entries=entries,
                    shift=shift,
                    lost=lost,
                    others_lost=others_lost,
                )
                rates.append([Rates.of(drawn, test, scores.scale) for test in (old_test, new_test)])
            old, new = zip(*rates, strict=True)
            cells = [*(r.first for r in old), *(r.first for r in new), *(r.untested for r in new)]
            rows.append((name, _percent(lost), str(entries), *map(_number, cells)))
    return table(("scores, worse", "diverge", "entries", *_headers("old", "new", "no test")), rows)


def _fixed(generator: Generator, boards: int) -> str:
    rows = []
    for name, seeds in (("both", (1, 1)), ("one of two", (5, 1)), ("one of two", (1, 5))):
        worse = "either" if seeds == (1, 1) else "the one without seeds" if seeds[0] == 1 else "the one with seeds"
        for orbits in (4, 8):
            equal, unequal = (
                orbit_boards(LOGNORMAL, generator, boards=boards, orbits=orbits, seeds=seeds, shift=shift)
                for shift in (0.0, TENFOLD)
            )
            tests = (orbits_alone, new_test)
            cells = [Rates.of(drawn, test, LOGNORMAL.scale).first for drawn in (equal, unequal) for test in tests]
            rows.append((name, worse, str(orbits), *map(_number, cells)))
    header = ("without seeds", "worse", "orbits", "false, orbits alone", "false", "tenfold, orbits alone", "tenfold")
    return table(header, rows)


def _coverage(generator: Generator, samples: int) -> str:
    rows = []
    for scores in (NORMAL, *(Scores(f"lognormal, log-sd {sd}", sd, floor=1e-2) for sd in (0.5, 1.0, 1.5))):
        kinds = (False,) if scores is NORMAL else (False, True)
        cells = [
            _number(coverage(scores, generator, samples=samples, seeds=seeds, logarithmic=logarithmic))
            for logarithmic in kinds
            for seeds in SEEDS
        ]
        rows.append((scores.name, *cells, *([""] * (6 - len(cells)))))
    return table(("scores", *_headers("mean", "geometric mean")), rows)


def _headers(*names: str) -> Iterator[str]:
    for name in names:
        for seeds in SEEDS:
            yield f"{name}, {seeds}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _number(share: float) -> str:
    return f"{100 * share:.1f}"


def main(arguments: Sequence[str]) -> None:
    """Print the tables, and replace them on the page unless `--print` is given."""
    text = section()
    print(text)
    if "--print" not in arguments:
        replace_section(PAGE, NAME, text)


if __name__ == "__main__":
    main(sys.argv[1:])
