"""The time of an update against the number of seeds, steps, units and experiments."""

import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter
from typing import Any

import torch

from benchmarks.lines import Line
from benchmarks.rounds import ROUNDS, Way, compared
from benchmarks.training import LENGTH, Case, lorenz, ours
from chaosbench.models import LSTM, ShallowPLRNN

SEEDS, STEPS, UNITS = (1, 2, 4, 8, 16, 32, 64), (50, 100, 200, 400, 800), (10, 20, 40, 80, 160)
MORE_SEEDS = (128, 256)
EXPERIMENTS = (1, 2, 4)
_UPDATES = 20  # of each experiment beside others


def lines(*, long: bool) -> Iterator[Line]:
    """Time updates of an LSTM and a shallow PLRNN; M counts hidden units. `long` adds more seeds."""
    data = lorenz()
    for kind, interval in ((LSTM, 30), (ShallowPLRNN, 16)):
        line = Line("slopes", f"update of {kind().kind}", K=8, T=LENGTH, M=40)
        seeds = (*SEEDS, *(MORE_SEEDS if long else ()))
        cases = [replace(line, K=count) for count in seeds] + [replace(line, T=steps) for steps in STEPS]
        cases += [replace(line, M=units) for units in UNITS]
        for case in dict.fromkeys(cases):
            model = Case(kind(hidden=case.M), interval)
            (timed,) = compared(case, Way(ours(model, data, case.K or 1, case.T or LENGTH)), {})
            yield timed
    yield from side_by_side()


def side_by_side() -> Iterator[Line]:
    """Wall time per update of n experiments, each in a process of its own, as a campaign runs them."""
    context = multiprocessing.get_context("spawn")
    for count in EXPERIMENTS:
        barrier = context.Barrier(count)
        times = context.Queue()
        children = [context.Process(target=_train, args=(barrier, times)) for _ in range(count)]
        for child in children:
            child.start()
        rounds = [times.get() for _ in range(count * ROUNDS)]
        for child in children:
            child.join()
        rounds.sort()
        case = Line("slopes", "update of lstm beside others, wall time", K=8, T=LENGTH, M=40, experiments=count)
        yield replace(case, value=rounds[len(rounds) // 2], least=rounds[0], most=rounds[-1], rounds=len(rounds))


def _train(barrier: Any, times: Any) -> None:
    torch.set_num_threads(1)
    update = ours(Case(LSTM(hidden=40), 30), lorenz(), 8)
    update()
    for _ in range(ROUNDS):
        barrier.wait()
        began = perf_counter()
        for _ in range(_UPDATES):
            update()
        times.put((perf_counter() - began) / _UPDATES)
