"""A campaign on one screen: what is done, what each worker does, and how loss and gradient norm go."""

import math
from collections.abc import Iterator, Sequence

from rich.text import Text

from chaosbench.formats import counted, duration, number, roughly
from chaosbench.monitor.state import DRAWING, Running, State, shortened
from chaosbench.terminal.grid import fold

PHASES = {
    "": "starting",
    "data": "preparing the data",
    "search": "searching",
    "training": "training",
    "diagnosis": "measuring exponents and gradients",
    "forecasts": "computing forecasts and free runs",
    "scores": "computing scores",
    DRAWING: "drawing pictures",
}

_BAR = 30  # [characters] of the bar of the campaign, at most
_CURVE, _SHORTEST = 16, 4  # [characters] of a sparkline, at most and at least
_LEVELS, _PLAIN_LEVELS = "▁▂▃▄▅▆▇█", "_.-=+*%#"
_COLOURS = {"ok": "green", "diverged": "yellow", "running": "", "drawing": "", "waiting": "dim"}  # all others are red


def render(state: State, *, width: int, height: int, now: float, plain: bool = False, stopped: bool = False) -> Text:
    """Draw the state of a campaign in lines that fit the width and are at most as many as the height.

    Args:
        state: of the campaign.
        width, height: of the terminal [characters].
        now: time, by the clock of the state [s].
        plain: draw with letters that every terminal has.
        stopped: whether the campaign does not run any more, so that no time is left.
    """
    text = Text(no_wrap=True, overflow="ignore", end="")
    left = "" if stopped else _time_left(state, now)
    times = f"{duration(max(0.0, now - state.began))} so far{left}"
    lines = [*_summary(state, width, times, plain=plain)]
    blocks = [_running(run, width, plain=plain) for run in state.running.values()]
    if not state.running and not state.ended and not stopped:
        lines.append(Text("starting worker processes"))
    room = max(height - 1 - len(lines), 3)
    for index, block in enumerate(blocks):
        more = len(blocks) - index
        if len(block) + (more > 1) > room:
            lines.append(Text(f"and {more} more running", style="dim"))
            break
        lines += block
        room -= len(block)
    return text.append(Text("\n").join(lines))


def summary(state: State, now: float) -> str:
    """Return the state of a campaign in one line: how many experiments are done, and the time left."""
    ended = len(state.ended)
    counts = [f"{count} {name}" for name, count in state.counts.items() if name != "drawing"]
    return f"{ended} of {counted(state.total, 'experiment')} done ({', '.join(counts)}){_time_left(state, now)}"


def sparkline(values: Sequence[float | None], width: int, *, plain: bool = False) -> str:
    """Draw a course in one line, on a logarithmic scale where all values are positive; a gap where one is missing."""
    levels = _PLAIN_LEVELS if plain else _LEVELS
    shown = [None if x is None or not math.isfinite(x) else x for x in shortened(values, width)]
    positive = all(x > 0 for x in shown if x is not None)
    heights = [None if x is None else math.log(x) if positive else x for x in shown]
    finite = [x for x in heights if x is not None]
    low, step = min(finite, default=0.0), (max(finite, default=0.0) - min(finite, default=0.0)) / (len(levels) - 1)
    return "".join(" " if x is None else levels[round((x - low) / step) if step > 0 else 0] for x in heights)


def _summary(state: State, width: int, times: str, *, plain: bool) -> Iterator[Text]:
    """Yield the bar of the campaign, and what has become of its experiments."""
    ended, total = len(state.ended), state.total
    count = f" {ended} of {counted(total, 'experiment')}"
    size = max(0, min(_BAR, width - len(count)))
    full = round(size * ended / total) if total else size
    bar = Text(("#" if plain else "━") * full, style="green").append(
        ("-" if plain else "─") * (size - full), style="dim"
    )
    yield bar.append(count, style="default")
    counts = Text(", ").join(
        Text(f"{count} {name}", style=_COLOURS.get(name, "bold red")) for name, count in state.counts.items()
    )
    yield from [counts] if len(counts) <= width else map(Text, fold(counts.plain, width))
    yield from map(Text, fold(times, width))


def _time_left(state: State, now: float) -> str:
    """Return the expected time until the end; empty where nothing is known, or nothing left."""
    left = state.seconds_left(now)
    if left is None or left[0] <= 0:
        return ""
    seconds, spread = left
    low, high = (roughly(seconds * math.exp(factor * spread)) for factor in (-1.28, 1.28))  # 80 % lie between them
    span = f" ({low} to {high})" if spread > 0.2 and low != high else ""
    return f", about {roughly(seconds)} left{span}"


def _running(run: Running, width: int, *, plain: bool) -> list[Text]:
    """Return two lines about an experiment that runs: its title, and what it does."""
    first, *rest = fold(run.title, width - 4)
    title = first + (" ..." if rest else "")
    does = _doing(run, width - 2, plain=plain)
    return [Text(title[:width], style="bold"), Text("  ").append(does)]


def _doing(run: Running, width: int, *, plain: bool) -> Text:
    """Return what an experiment does; numbers are whole, and what does not fit is left out."""
    if run.batch is not None and run.phase == "":
        (line, *_) = fold(f"in one batch with {run.batch}", width)
        return Text(line)
    if run.phase == "search":
        return Text(f"searching, trial {run.update} of {run.updates}"[:width])
    if run.phase != "training" or not run.updates:
        return Text(PHASES.get(run.phase, run.phase)[:width])
    pace = f"{number(run.speed)}/s" if run.speed else ""
    left = f"{roughly((run.updates - run.update) / run.speed)} left" if run.speed and run.update < run.updates else ""
    curves = {"loss": run.losses, "gradient": run.norms}
    last = {name: course[-1] for name, course in curves.items() if course and course[-1] is not None}
    parts = {"count": f"training {run.update}/{run.updates}", "pace": pace, "left": left}
    parts = {name: part for name, part in parts.items() if part}
    parts |= {name: f"{name} {number(value)}" for name, value in last.items()}
    for name in ("left", "pace", "gradient", "count"):  # what is left out first where the line is short
        if len("  ".join(parts.values())) > width:
            parts.pop(name, None)
    shown = [name for name in curves if name in parts]
    room = width - len("  ".join(parts.values())) - len(shown)
    size = min(_CURVE, room // max(len(shown), 1))
    text = Text()
    for name, part in parts.items():
        text.append(f"  {part}" if text else part)
        if name in shown and size >= _SHORTEST:
            text.append(" ").append(sparkline(curves[name], size, plain=plain), style="cyan")
    return text
