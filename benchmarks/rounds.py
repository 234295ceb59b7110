"""Rivals that take turns in one process, so that load affects them alike."""

import importlib
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from math import ceil, inf
from statistics import median
from time import process_time

from benchmarks.lines import Line

ROUNDS = 7
_LEAST = 0.02  # [s] of a measurement; shorter calls are repeated
_SLOW = 1.0  # [s] of a first call; after a longer one, calls are not repeated
_VERY_SLOW = 20.0  # [s] of a rival's first call; after a longer one, the rival takes fewer turns


@dataclass(frozen=True)
class Way:
    """A way to do something.

    Attributes:
        call: does it; or the reason why it cannot be measured here.
        models: how many models it advances in one call.
    """

    call: Callable[[], object] | str
    models: int = 1


def needing(package: str, make: Callable[[], Way]) -> Way:
    """Return a way that needs an optional package, or the reason why it is not there."""
    try:
        importlib.import_module(package)
    except ModuleNotFoundError as error:
        return Way(f"{error.name} is not installed")
    except Exception as error:  # a package may be broken in any way
        return Way(f"{package} cannot be imported: {type(error).__name__}: {error}")
    return make()


def compared(
    case: Line,
    ours: Way,
    rivals: Mapping[str, Way],
    *,
    rounds: int = ROUNDS,
    longest: float = inf,
    clock: Callable[[], float] = process_time,
) -> list[Line]:
    """Time a way against its rivals in interleaved rounds, and return a line for each rival.

    Without any rival the result is a single line. Times are divided by the number of models. If our first call takes
    more than `longest` seconds, nothing is measured. A rival whose first call takes more than 20 s takes three turns:
    in the first round, for which that call counts, in the middle one and in the last.
    """
    if longest < inf and not isinstance(ours.call, str) and _time(ours, 1, clock) > longest:
        return [_line(case, name, Way(f"takes more than {longest:g} s"), {}, {}) for name in rivals]
    ways = {"": ours, **rivals}
    present = {name: way for name, way in ways.items() if not isinstance(way.call, str)}
    turns = {name: _turns(way, rounds, clock, often=not name) for name, way in present.items()}
    for number in range(rounds):
        for name, way in present.items():
            if number in turns[name].rounds:
                turns[name].times[number] = _time(way, turns[name].calls, clock) / way.models
    own = turns[""].times
    line = replace(case, value=median(own.values()), least=min(own.values()), most=max(own.values()), rounds=rounds)
    return [_line(line, name, way, own, turns) for name, way in rivals.items()] or [line]


@dataclass(frozen=True)
class _Turns:
    """When a way takes turns, how often it is called in each, and the times it took."""

    rounds: Container[int]
    calls: int
    times: dict[int, float]


def _turns(way: Way, rounds: int, clock: Callable[[], float], *, often: bool) -> _Turns:
    """Plan the turns of a way after a call that allocates or compiles."""
    first = _time(way, 1, clock)
    if first > _VERY_SLOW and not often:
        return _Turns({rounds // 2, rounds - 1}, 1, {0: first / way.models})
    calls = 1 if first > _SLOW else max(1, ceil(_LEAST / max(_time(way, 1, clock), 1e-6)))
    return _Turns(range(rounds), calls, {})


def _line(line: Line, name: str, way: Way, own: Mapping[int, float], turns: Mapping[str, _Turns]) -> Line:
    """Add a rival to a line, or the reason why it was not measured."""
    if isinstance(way.call, str):
        return replace(line, rival=name, reason=way.call)
    theirs = turns[name].times
    ratios = [time / own[number] for number, time in theirs.items()]
    spread = {"ratio": median(ratios), "ratio_least": min(ratios), "ratio_most": max(ratios)}
    return replace(line, rival=name, rival_value=median(theirs.values()), rounds=len(theirs), **spread)


def _time(way: Way, calls: int, clock: Callable[[], float]) -> float:
    assert not isinstance(way.call, str)
    began = clock()
    for _ in range(calls):
        way.call()
    return (clock() - began) / calls
