"""The pictures of the page on speed: slopes with size, and the phases of the quickstart."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.lines import Line, Stored
from chaosbench.figures.panels import CURVES, new_figure

PHASES = ("data", "diagnosis before", "training", "diagnosis after", "forecasts", "scores", "pictures")
_AXES = {"K": "seeds K", "T": "steps T", "M": "hidden units", "experiments": "experiments side by side"}


def draw_slopes(stored: Sequence[Stored], path: Path) -> None:
    """Write the picture of slopes, if any were measured."""
    figure = slopes(stored)
    if figure is not None:
        figure.savefig(path)


def slopes(stored: Sequence[Stored]) -> Figure | None:
    """Draw the time of an update of all seeds against each size, with the range over rounds, on the latest machine."""
    own = [one for one in stored if one.line.benchmark == "slopes"]
    if not own:
        return None
    machine = max(own, key=lambda one: one.where.date).where.machine
    lines = [one.line for one in own if one.where.machine == machine]
    where = machine.partition(",")[0]
    figure = new_figure(10.0, 2.9, f"one thread of {where}; K = 8, T = 200 and 40 hidden units unless varied")
    for position, (name, label) in enumerate(_AXES.items(), 1):
        axes = figure.add_subplot(1, len(_AXES), position)
        for curve, (what, series) in zip(CURVES, _series(lines, name).items(), strict=False):
            sizes = [getattr(line, name) for line in series]
            values = [[1e3 * (getattr(line, part) or 0.0) for line in series] for part in ("value", "least", "most")]
            errors = [[m - low for m, low in zip(values[0], values[1], strict=True)],
                      [high - m for m, high in zip(values[0], values[2], strict=True)]]  # fmt: skip
            kind = what.removeprefix("update of ").partition(" ")[0]
            axes.errorbar(sizes, values[0], errors, **{**curve, "markersize": 3}, label=kind)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xlabel(label)
        axes.set_xticks(sizes, [str(size) for size in sizes], minor=False)
        axes.xaxis.minorticks_off()
        if position == 1:
            axes.set_ylabel("time of an update [ms]")
            axes.legend()
    return figure


def draw_phases(stored: Sequence[Stored], path: Path) -> None:
    """Draw the time of all experiments by phase, a bar for each device, version and clock."""
    totals: dict[str, dict[str, float]] = {}
    for one in stored:
        if one.line.benchmark == "phases":
            device = one.where.machine.partition(",")[0] if one.where.device == "cpu" else one.where.device
            bar = totals.setdefault(f"{one.line.what.rpartition(', ')[2]}, {device}", {})
            bar[one.line.phase] = bar.get(one.line.phase, 0.0) + (one.line.value or 0.0)
    if not totals:
        return
    figure = new_figure(8.0, 1.2 + 0.5 * len(totals), "")
    axes: Any = figure.add_subplot()
    left = dict.fromkeys(totals, 0.0)
    for index, phase in enumerate(PHASES):
        widths = [bar.get(phase, 0.0) for bar in totals.values()]
        axes.barh(list(totals), widths, left=list(left.values()), label=phase, color=f"C{index}")
        left = {name: start + width for (name, start), width in zip(left.items(), widths, strict=True)}
    for name, total in left.items():
        axes.annotate(f" {total:.0f} s", (total, name), va="center")
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set_xlabel("CPU time of the suite quickstart [s]")
    figure.legend(ncols=4, loc="outside upper center", frameon=False)
    figure.savefig(path)


def _series(lines: Sequence[Line], name: str) -> dict[str, list[Line]]:
    """Return the lines along one size, by what was timed; the other sizes are those that most lines have."""
    base = {"K": 8, "T": 200, "M": 40}
    if name == "experiments":
        fitting = [line for line in lines if line.experiments]
    else:
        others = {other: size for other, size in base.items() if other != name}
        fitting = [x for x in lines if not x.experiments and all(getattr(x, o) == size for o, size in others.items())]
    groups: dict[str, list[Line]] = {}
    for line in sorted(fitting, key=lambda line: getattr(line, name)):
        groups.setdefault(line.what, []).append(line)
    return groups
