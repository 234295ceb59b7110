"""Does any way of training beat sparse forcing at equal cost?"""

from collections.abc import Sequence
from functools import partial

from chaosbench.leaderboard.board import Ranking
from docs.generate.findings.duels import HEADER, Comparison, compared, draw, kind, methods_of, rows_of
from docs.generate.findings.finding import Finding

_REFERENCE = "sparse_teacher_forcing"


def forcing(core: Ranking, board: str) -> Finding:
    """Compare every trainer with sparse forcing on the same network of the suite `core`."""
    found: list[Comparison] = []
    for network in ("shallow_plrnn", "lstm"):
        own = {kind(trainer): (model, trainer) for model, trainer in methods_of(core) if kind(model) == network}
        reference = own.pop(_REFERENCE)
        found += compared(core, {f"{trainer} on {network}": one for trainer, one in own.items()}, reference)
    found.sort(key=lambda one: -one.against.probability)
    return Finding(
        name="findings-forcing",
        question="Does any way of training beat sparse forcing at equal cost?",
        answer=_answer(found),
        control=(
            "All trainers have the same network, seeds, data, windows, observations, optimiser and clipping, so that "
            "rows differ in the method alone; only sofo makes fewer updates. Runs are compared pair by pair in all "
            "metrics together, in which no metric alone can be gamed; a run that diverged or failed loses every pair."
        ),
        header=HEADER,
        rows=rows_of(found),
        command=f'chaosbench compare {board} "{found[0].name}" "{_REFERENCE} on {_network(found)}"',
        caption="Probability to beat sparse forcing, a grey dot per board, the mean with its 95 % interval over boards",
        draw=partial(draw, found, "sparse forcing on the same network"),
    )


def _answer(found: Sequence[Comparison]) -> str:
    better, worse = ([one for one in found if getattr(one, word)] for word in ("better", "worse"))
    boards = max(len(one.against.duels) for one in found)
    names = ", ".join(f"{one.name} ({one.tally.won} boards won, {one.tally.lost} lost)" for one in better)
    first = f"Yes: {names}" if better else "None is found to"
    rest = len(found) - len(better) - len(worse)
    return (
        f"**{first}.** Of {len(found)} ways to train, on {boards} boards, {len(better)} beat sparse forcing on these "
        f"systems, {len(worse)} lose against it, and {rest} are not told apart (5 %, with Holm's correction)."
    )


def _network(found: Sequence[Comparison]) -> str:
    return found[0].name.partition(" on ")[2]
