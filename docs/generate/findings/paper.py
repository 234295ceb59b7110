"""The paper's own claim on its own systems: is forcing at the predictability time better than training without it?"""

import re
from collections.abc import Mapping, Sequence
from functools import partial

from chaosbench.leaderboard.board import Ranking
from chaosbench.leaderboard.overall import Method
from docs.generate.findings.duels import Comparison, compared, draw, kind, methods_of
from docs.generate.findings.finding import Finding, chance, p_text

_REFERENCE = "forcing, tau_pred"


def paper(ranking: Ranking, board: str) -> Finding:
    """Compare every trainer with forcing at tau_pred on the same network, of the suite `seed-paper`."""
    networks = list(dict.fromkeys(kind(model) for model, _ in methods_of(ranking)))
    found = _against_reference(ranking, networks)
    names = sorted(dict.fromkeys(_trainer(one) for one in found), key=_order)
    return Finding(
        name="findings-paper",
        question="On the paper's own systems, is forcing at the predictability time better than training without?",
        answer=_answer(found, len(ranking.boards)),
        control=(
            "All trainers have the same network, seeds, data, updates, windows and optimiser. The reference is the "
            "paper's proposal, an interval of tau_pred = ln 2 / lambda_1, for each network by itself; longer and "
            "shorter intervals are the controls for the choice of the interval. Runs are compared pair by pair in all "
            "metrics together, with Holm's correction for all comparisons; a run that diverged or failed loses every "
            "pair. Trainings are shorter than the paper's: 38 million observations in place of 96."
        ),
        header=("trainer", *(f"{network}: probability to win" for network in networks), "boards won, lost"),
        rows=tuple(_row(name, found, networks) for name in names),
        command=f'chaosbench compare {board} "truncated lstm" "interval=tau_pred lstm"',
        caption=f"Probability to beat {_REFERENCE}, a grey dot per board, the mean with its 95 % interval over boards",
        draw=partial(draw, found, "forcing at tau_pred on the same network"),
    )


def trainer_name(label: str) -> str:
    """Return how the page calls a trainer: `forcing, 0.5 tau_pred`, `bptt`."""
    interval = re.search(r"interval=([\d.]* ?tau_pred)", label)
    return f"forcing, {interval[1].strip()}" if interval else kind(label)


def _against_reference(ranking: Ranking, networks: Sequence[str]) -> list[Comparison]:
    """Return the comparisons of all networks, corrected together."""
    methods: dict[str, Method] = {}
    references: dict[str, Method] = {}
    for method in methods_of(ranking):
        network, name = kind(method[0]), trainer_name(method[1])
        if name == _REFERENCE:
            references[network] = method
        else:
            methods[f"{name} on {network}"] = method
    opponents = {name: references[name.partition(" on ")[2]] for name in methods}
    found = {one.name: one for one in compared(ranking, methods, opponents)}
    names = sorted(methods, key=lambda name: (_order(_trainer(found[name])), networks.index(_network(found[name]))))
    return [found[name] for name in names]


def _trainer(one: Comparison) -> str:
    return one.name.partition(" on ")[0]


def _network(one: Comparison) -> str:
    return one.name.partition(" on ")[2]


def _order(name: str) -> tuple[float, str]:
    """Put intervals in their order, and trainings without forcing last."""
    number = re.search(r"forcing, ([\d.]*)", name)
    return (float(number[1] or 1), "") if number else (float("inf"), name)


def _row(name: str, found: Sequence[Comparison], networks: Sequence[str]) -> tuple[str, ...]:
    own: Mapping[str, Comparison] = {_network(one): one for one in found if _trainer(one) == name}
    won, lost = (sum(getattr(one.tally, word) for one in own.values()) for word in ("won", "lost"))
    return name, *(_cell(own[network]) for network in networks), f"{won}, {lost}"


def _cell(one: Comparison) -> str:
    verdict = "better, " if one.better else "worse, " if one.worse else ""
    return f"{chance(one.against.probability)} ({verdict}{p_text(one.against.on_these)})"


def _answer(found: Sequence[Comparison], boards: int) -> str:
    without = [one for one in found if not one.name.startswith("forcing")]
    worse = sum(one.worse for one in without)
    better = sum(one.better for one in without)
    forced = [one for one in found if one.name.startswith("forcing")]
    wins, loses = ([one for one in forced if getattr(one, word)] for word in ("better", "worse"))
    return (
        f"**In {worse} of {len(without)} comparisons training without forcing is worse, in {better} better,** on "
        f"{boards} boards, and in {len(without) - worse - better} the two are not told apart (5 %). Of the other "
        f"intervals, better than tau_pred: {_listed(wins)}; worse: {_listed(loses)}; in "
        f"{len(forced) - len(wins) - len(loses)} comparisons the two are not told apart."
    )


def _listed(found: Sequence[Comparison]) -> str:
    """Return trainers, and on how many networks each is found: "0.25 tau_pred (rnn, lstm)"."""
    names = list(dict.fromkeys(map(_trainer, found)))
    networks = {name: ", ".join(_network(one) for one in found if _trainer(one) == name) for name in names}
    return ", ".join(f"{name.removeprefix('forcing, ')} ({networks[name]})" for name in names) or "none"
