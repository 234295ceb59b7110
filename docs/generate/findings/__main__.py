"""`python -m docs.generate.findings LEADERBOARDS` prints the page; a folder behind it gets the pictures instead."""

import sys
from collections.abc import Iterator
from pathlib import Path

from chaosbench.leaderboard.rank import rank
from chaosbench.leaderboard.store import read_all
from docs.generate.findings.baselines import baselines
from docs.generate.findings.finding import Finding
from docs.generate.findings.forcing import forcing
from docs.generate.findings.forecasts import forecasts
from docs.generate.findings.growth import growth
from docs.generate.findings.intervals import intervals
from docs.generate.findings.paper import paper

_INTRODUCTION = """\
# What the boards show

Six findings of the published boards, each with its picture, its uncertainty, what it controls for, and the command
that shows its numbers. All are about the suites as they are: short trainings on small systems. Runs are compared pair
by pair, in all metrics of a board together; [leaderboards.md](leaderboards.md) describes the tests. The page is
generated from the tables in `leaderboards/` by `python -m docs.generate.findings leaderboards`."""


def findings(boards: Path) -> Iterator[Finding]:
    """Yield the findings of the boards in this folder."""
    core, interval, theory, seed = (boards / name for name in ("core", "forcing-interval", "theory", "seed-paper"))
    stored = read_all(core)
    ranking = rank(stored)
    yield forcing(ranking, str(core))
    yield intervals(interval)
    yield paper(rank(read_all(seed)), str(seed))
    yield growth([*stored, *read_all(interval), *read_all(seed), *read_all(theory)], [str(theory)])
    yield baselines(ranking, str(core))
    yield forecasts(ranking, str(core))


def main(boards: Path, pictures: Path | None) -> None:
    """Print the page, or draw its pictures into a folder."""
    found = list(findings(boards))
    if pictures is not None:
        for one in found:
            one.draw(pictures / f"{one.name}.png")
        return
    texts = (one.text(number, "pictures") for number, one in enumerate(found, 1))
    sys.stdout.write("\n\n".join([_INTRODUCTION, *texts]) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
