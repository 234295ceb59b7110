"""The words that explain rankings: written once, for the terminal, pages, exports and the documentation."""

from chaosbench.leaderboard.statistics import LEVEL
from chaosbench.leaderboard.superiority import EQUAL

_SURE = f"{100 * (1 - LEVEL):.0f} %"

WINS = (
    "Wins: how often a run beats a run of another method, the mean over systems, metrics and the other methods; scores "
    f"within {100 * EQUAL:.0f} % of each other are equal, and a run that diverged or failed loses against any that did "
    "not."
)
RANKS = (
    f"Ranks are those that remain open, with {_SURE} confidence, after all comparisons that hold together (Holm): on "
    "these systems, where seeds vary, and on systems like these, where systems vary as well. The order is that of "
    "wins; a method that loses direct comparisons with methods of fewer wins may stand outside its open ranks."
)
TIERS = (
    "A tier begins with the first method that is found to be worse, on these systems and among all pairs, than the "
    "first of the tier above."
)
FEW = "There are too few systems for any claim about systems like these."
SCORES = f"Median over seeds with {_SURE} interval in brackets."


def over_systems(*, enough: bool) -> str:
    """Return what the table over systems shows, and whether there are enough systems for claims about others."""
    return " ".join((WINS, RANKS, TIERS, *(() if enough else (FEW,))))
