"""The page on speed and memory, from `benchmarks/results`: `python -m docs.generate.performance > docs/performance.md`.

With an argument the program draws the pictures of the page into that folder instead.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu import OUTSIDE
from benchmarks.lines import Line, Stored
from benchmarks.results import latest, read
from docs.generate.markdown import table
from docs.generate.performance_formats import as_ratio, as_seconds, machine_of, spread
from docs.generate.performance_gpu import CHANGED, gpu_section
from docs.generate.performance_pictures import draw_phases, draw_slopes

NOT_MEASURED = "not measured"
_INTRODUCTION = """\
# Speed and memory

Each number is the median over at least seven rounds, with the least and the most in parentheses, unless its table says
otherwise. In a round all rivals take turns in one process, so that load affects them alike; a ratio is the rival's time
divided by ours in the same round. Times on a CPU are CPU times of one thread. Times of training are per model: eight
seeds train together in K = 8. Where a rival could not run, or no such hardware was at hand, the table says so. The page
is generated from the files in `benchmarks/results`, to which `make bench` and `make bench-long` append, and shows the
latest measurement of each quantity."""
_UPDATES = """\
Data, forward, backward, clipping and Adam at T = 200, B = 16, D = 3, in single precision. A published loop trains one
model. From the same weights all rivals have the same loss, and the published loop has the same gradients."""
_MEMORY = """\
Peak growth of the resident memory [MiB] over four updates, the first two and the last two, of K = 8 seeds at once at
T = 200, B = 16, D = 3, in single precision, beyond libraries, data and model. Each case runs once, in its own
process."""
_SIZE = """\
Beside others: experiments with an LSTM run in as many processes, and the time is wall time.

![The time of an update against seeds, steps, units and experiments](pictures/performance-slopes.png)"""
_PHASES = """\
The CPU time of the eight experiments of the suite `quickstart`, one after another on one thread, measured once.
*Before* is the version of commit b8309cf.

![The time of the quickstart by phase, before and after](pictures/performance-phases.png)"""


@dataclass(frozen=True)
class Target:
    """A quantity, what it should be, and where it is measured.

    Attributes:
        text: what is measured.
        least, aim: bounds, as text.
        what, rival: of the lines that measure it.
        K: of those lines; None for any.
        device: the beginning of the name of the device.
        value: whether the quantity is the time itself, and not a ratio.
    """

    text: str
    least: str
    aim: str
    what: str
    rival: str = ""
    K: int | None = None
    device: str = "cpu"
    value: bool = False


def _updates() -> list[Target]:
    bounds = {
        "shallow_plrnn": ("M = 3, L = 50, tau = 16", 60, 100),
        "plrnn": ("M = 30, tau = 30", 30, 60),
        "rnn": ("M = 30, tau = 30", 30, 60),
        "lstm": ("M = 30, tau = 30", 20, 40),
        "almost_linear_rnn": ("M = 20, P = 2, partly forced, tau = 16", 25, 50),
    }
    return [
        Target(f"update of `{kind}`, {size}, K = 8, against the published loop", str(least), str(aim),
               f"update of {kind}", "published loop", K=8)
        for kind, (size, least, aim) in bounds.items()
    ]  # fmt: skip


def _growth() -> list[Target]:
    text = "gradient growth of `{}`, T = 1,000, against a backward call per horizon"
    rival = "a backward call per horizon"
    return [
        Target(text.format(kind), "100", "150", f"gradient growth of {kind}", rival)
        for kind in ("rnn", "lstm", "gru", "plrnn")
    ]


def _gpu() -> list[Target]:
    rows = (("shallow_plrnn", 64, "0.3 ms", "0.2 ms"), ("lstm", 64, "1.0 ms", "0.7 ms"))
    rows += tuple(
        (kind, 1, "0.5 ms", "0.2 ms") for kind in ("shallow_plrnn", "plrnn", "rnn", "almost_linear_rnn", "lstm", "gru")
    )
    return [
        Target(f"update of `{kind}` on a GPU, K = {count}", least, aim, f"update of {kind}", K=count,
               device="NVIDIA", value=True)
        for kind, count, least, aim in rows
    ]  # fmt: skip


SPECTRUM = "spectrum of rnn"
TARGETS = (
    *_updates(),
    Target("spectrum of `rnn`, M = 30, against Jacobians by autograd", "90", "180", SPECTRUM, "Jacobians by autograd"),
    Target("the same, against a loop with analytic Jacobians", "5", "10", SPECTRUM, "loop with analytic Jacobians"),
    *_growth(),
    Target("100,000 points of `lorenz63`, one orbit", "", "0.1 s", "100,000 points of lorenz63, one orbit", value=True),
    Target("free run of 100,000 steps of `shallow_plrnn`", "", "20 ms",
           "free run of 100,000 steps of shallow_plrnn", value=True),
    Target("the suite `quickstart` on two cores, wall time", "60 s", "40 s", "quickstart on 2 cores", value=True),
    *_gpu(),
    Target("everything outside training of an experiment with 64 seeds on a GPU", "5 s", "2 s",
           OUTSIDE, device="NVIDIA", value=True),
    Target("peak memory of the largest trainer, K = 8", "600 MiB", "", "", value=True),
)  # fmt: skip


def page(lines: Sequence[Stored]) -> str:
    """Return the page about the latest lines."""
    parts = [
        _INTRODUCTION,
        _machines(lines),
        "## What we aim at\n\n" + targets_table(lines),
        "## Updates\n\n" + _UPDATES + "\n\n" + _ratios(lines, "training"),
        "## Diagnosis\n\nIn double precision, with 16 initial conditions for gradients and 10 for spectra.\n"
        "We decompose tangents every five steps, the rivals at each. A rival whose call takes more than 20 s\n"
        "takes turns in three of the seven rounds.\n\n" + _ratios(lines, "diagnostics"),
        "## Orbits, free runs and estimates\n\n" + _ratios(lines, "systems"),
        "## Size\n\n" + _picture(lines, "slopes", _SIZE),
        "## Where the time of the quickstart goes\n\n" + _picture(lines, "phases", _PHASES),
        "## Memory\n\n" + _MEMORY + "\n\n" + _memory(lines),
        gpu_section(lines),
    ]
    return "\n\n".join(parts)


def targets_table(lines: Sequence[Stored]) -> str:
    """Return the table of what we aim at, with what was measured."""
    rows = [(target.text, target.least, target.aim, *_measured(target, lines)) for target in TARGETS]
    return table(("quantity", "at least (at most)", "aim", "measured", "on"), rows)


def _measured(target: Target, lines: Sequence[Stored]) -> tuple[str, str]:
    """Return what was measured last, and on which machine."""
    if not target.what:
        peaks = [one for one in lines if one.line.benchmark == "memory" and one.line.value is not None]
        if not peaks:
            return NOT_MEASURED, ""
        largest = max(peaks, key=lambda one: one.line.value or 0.0)
        return f"{largest.line.value:.0f} MiB ({largest.line.what})", machine_of(largest)
    found = [one for one in lines if _answers(target, one)]
    if not found:
        return NOT_MEASURED, ""
    line, older = found[-1].line, target.device != "cpu" and found[-1].where.date < CHANGED
    if target.value:
        value = spread(as_seconds, line.value, line.least, line.most)
        return f"{value}, with older kernels" if older else value, machine_of(found[-1])
    return spread(as_ratio, line.ratio, line.ratio_least, line.ratio_most), machine_of(found[-1])


def _answers(target: Target, one: Stored) -> bool:
    line, number = one.line, one.line.value if target.value else one.line.ratio
    same = line.what == target.what and (target.value or line.rival == target.rival)
    return same and number is not None and target.K in (None, line.K) and one.where.device.startswith(target.device)


def _ratios(lines: Sequence[Stored], benchmark: str) -> str:
    """Return a row per quantity and rival of a benchmark."""
    rows = []
    for one in (one for one in lines if one.line.benchmark == benchmark):
        line = one.line
        size = ", ".join(f"{name} = {value:,}" for name in ("K", "T", "M") if (value := getattr(line, name)))
        ours = NOT_MEASURED if line.value is None else spread(as_seconds, line.value, line.least, line.most)
        ratio = spread(as_ratio, line.ratio, line.ratio_least, line.ratio_most) if line.ratio else line.reason
        rival = "" if not line.rival else NOT_MEASURED if line.reason else as_seconds(line.rival_value)
        rows.append((line.what, size, ours, line.rival, rival, ratio, machine_of(one)))
    header = ("quantity", "size", "ours", "rival", "the rival's", "ratio", "on")
    return table(header, rows) if rows else NOT_MEASURED.capitalize() + "."


def _memory(lines: Sequence[Stored]) -> str:
    """Return peaks by trainer and model, a table for each machine."""
    measured = [one for one in lines if one.line.benchmark == "memory"]
    machines = dict.fromkeys(machine_of(one) for one in measured)
    parts = [f"On {name}:\n\n{_peaks([o.line for o in measured if machine_of(o) == name])}" for name in machines]
    return "\n\n".join(parts) or NOT_MEASURED.capitalize() + "."


def _peaks(lines: Sequence[Line]) -> str:
    peaks = {line.what: line.value for line in lines}
    pairs = [what.split(" on ") for what in peaks]
    trainers, models = (tuple(dict.fromkeys(names)) for names in zip(*pairs, strict=True))
    rows = [
        (trainer, *("" if (peak := peaks.get(f"{trainer} on {model}")) is None else f"{peak:.0f}" for model in models))
        for trainer in trainers
    ]
    return table(("trainer", *models), rows)


def _picture(lines: Sequence[Stored], benchmark: str, text: str) -> str:
    """Return the text with a picture, or the remark that there is none."""
    return text if any(one.line.benchmark == benchmark for one in lines) else NOT_MEASURED.capitalize() + "."


def _machines(lines: Sequence[Stored]) -> str:
    """Return what each short name of a machine stands for."""
    seen = {one.where.machine: one for one in lines}
    rows = []
    for machine in seen:
        own = [one.where for one in lines if one.where.machine == machine]
        days = sorted({f"{where.date:%Y-%m-%d}" for where in own})
        dates = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
        rows.append((machine_of(seen[machine]), machine, ", ".join(sorted({where.torch for where in own})), dates))
    return table(("name", "machine", "torch", "measured"), rows)


def main() -> None:
    """Print the page, or draw its pictures into a folder."""
    if len(sys.argv) > 1:
        stored, folder = latest(read()), Path(sys.argv[1])
        draw_slopes(stored, folder / "performance-slopes.png")
        draw_phases(stored, folder / "performance-phases.png")
    else:
        print(page(latest(read())))


if __name__ == "__main__":
    main()
