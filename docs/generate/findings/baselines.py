"""Cheap methods, which do not train by gradients, against networks on each board."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from chaosbench.figures.panels import CURVES, new_figure
from chaosbench.leaderboard.board import Board, Ranking
from chaosbench.leaderboard.overall import Method, key, metrics_of, runs_of, title
from docs.generate.findings.duels import kind
from docs.generate.findings.finding import Finding, chance, short

# Nothing is learned, or by regression in one step.
CHEAP = ("persistence", "climatology", "analogue", "context_parroting", "echo_state_network", "sampled_rnn",
         "next_generation_reservoir", "sindy")  # fmt: skip
_NAMED = ("context_parroting", "sindy")
_HEADER = (
    "board",
    "best network",
    "best cheap method",
    "probability that the network wins",
    *(f"against {name}" for name in _NAMED),
)


def baselines(core: Ranking, board: str) -> Finding:
    """Compare the best network of each board with the best cheap method and with context parroting and SINDy."""
    names = metrics_of(core, None)
    fields = [Field.of(one, names) for one in core.boards]
    return Finding(
        name="findings-baselines",
        question="What do cheap methods leave for networks to win?",
        answer=_answer(fields),
        control=(
            "Cheap methods learn nothing or fit by regression in one step; a network here is trained by gradients. "
            "The best of each group is the one with the most wins over the whole field of its board in all metrics "
            "together. There are more networks than cheap methods to choose the best from, which favours networks."
        ),
        header=_HEADER,
        rows=tuple(one.row() for one in fields),
        command=f"chaosbench leaderboard show {board}",
        caption="Probability that a run of the best network beats one of a cheap method, by board",
        draw=partial(draw, fields),
    )


class Field:
    """The methods of one board.

    Attributes:
        title: of the board.
        network, cheap: the best network and the best cheap method.
        chances: probability that a run of the best network beats one of the best cheap method, and of those named.
    """

    def __init__(self, name: str, network: Method, cheap: Method, chances: Mapping[str, float]) -> None:
        self.title, self.network, self.cheap, self.chances = name, network, cheap, chances

    @classmethod
    def of(cls, board: Board, names: Sequence[str]) -> "Field":
        """Find the best of each group on a board."""
        methods = [key(entry) for entry in board.entries]
        wins = {one: _wins(board, names, one, methods) for one in methods}
        groups = [[one for one in methods if (kind(one[0]) in CHEAP) == cheap] for cheap in (False, True)]
        network, best = (max(group, key=wins.__getitem__) for group in groups)
        named = {name: one for name in _NAMED for one in methods if kind(one[0]) == name}
        rivals = {"best": best} | named
        return cls(short(title(board)), network, best, {name: _beats(board, names, network, one)
                                                 for name, one in rivals.items()})  # fmt: skip

    def row(self) -> tuple[str, ...]:
        """Return the row of the table."""
        network = f"{kind(self.network[1])} on {kind(self.network[0])}"
        named = (chance(self.chances[name]) if name in self.chances else "not run" for name in _NAMED)
        return self.title, network, kind(self.cheap[0]), chance(self.chances["best"]), *named


def _wins(board: Board, names: Sequence[str], one: Method, methods: Sequence[Method]) -> float:
    return statistics.fmean(_beats(board, names, one, other) for other in methods if other != one)


def _beats(board: Board, names: Sequence[str], first: Method, second: Method) -> float:
    """Return the probability that a run of the first beats one of the second."""
    return runs_of(board, names, first, second).pairing.probability


def _answer(fields: Sequence[Field]) -> str:
    won = [one for one in fields if one.chances["best"] > 0.5]
    texts = []
    for name in _NAMED:
        against = [one.chances[name] for one in fields if name in one.chances]
        texts.append(f"against {name} on {sum(value > 0.5 for value in against)} of {len(against)}")
    best = ", ".join(
        f"{name} on {count}" for name, count in Counter(kind(one.cheap[0]) for one in fields).most_common()
    )
    return (
        f"**The best network beats the best cheap method on {len(won)} of {len(fields)} boards,** "
        f"{' and '.join(texts)}. The best cheap method is {best} boards. All networks here are trained "
        "shortly; suites of longer trainings are no answer to this question, because they lack these methods."
    )


def draw(fields: Sequence[Field], path: Path) -> None:
    """Draw the probabilities, a row per board."""
    figure = new_figure(8.0, 1.0 + 0.3 * len(fields), "")
    axes = figure.add_subplot()
    for style, (name, label) in zip(CURVES, (("best", "best cheap method"), *((n, n) for n in _NAMED)), strict=False):
        points = [(one.chances[name], height) for height, one in enumerate(reversed(fields)) if name in one.chances]
        axes.plot(*zip(*points, strict=True), color=style["color"], marker=style["marker"], linestyle="", label=label)
    axes.axvline(0.5, color="#000000", linewidth=1.0)
    axes.set_yticks(range(len(fields)), [one.title for one in reversed(fields)], fontsize=8)
    axes.set(xlim=(-0.03, 1.03), xlabel="probability that a run of the best network wins")
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    figure.savefig(path, dpi=150)
