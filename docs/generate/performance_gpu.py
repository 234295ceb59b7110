"""The part of the page on speed about GPUs."""

from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks.gpu import CORE, ERROR, RIVALS, TESTS
from benchmarks.lines import Line, Stored
from chaosbench.formats import rounded
from docs.generate.markdown import table
from docs.generate.performance_formats import as_milliseconds, as_ratio, as_seconds, spread

CHANGED = datetime(2026, 11, 28, tzinfo=UTC)  # errors of small networks have kernels of their own since
_UPDATES = """\
An update at T = 200, B = 16, D = 3, in single precision [ms], of all K models together, replayed as a CUDA graph:
windows drawn, unrolled, loss and gradients, clipping of each seed, and Adam. Updates are those of an experiment, which
records losses and norms; kernels alone leave that out. Ratios are per network."""
_OLDER = """\
These times are older than the kernels that now compute errors of networks of up to 32 units, and their gradients, on a
GPU, and than the number of warps for networks of 33 to 64. Those have been run by Triton's interpreter and compiled for
such a card, but not been timed on one."""
_PHASES = """\
Wall times of the phases of experiments with 64 seeds, each run once with few updates."""


def gpu_section(lines: Sequence[Stored]) -> str:
    """Return times of updates and phases on GPUs, and how well kernels agree with double precision."""
    found = [one for one in lines if one.line.benchmark == "gpu"]
    updates = [one for one in found if one.line.unit == "s" and not one.line.phase]
    if not updates:
        return f"## On a GPU\n\n{_UPDATES}\n\nNot measured."
    older = max(one.where.date for one in updates) < CHANGED
    parts = ["## On a GPU", _UPDATES, *([_OLDER] if older else []), _updates(updates)]
    phases = [one for one in found if one.line.phase]
    if phases:
        parts += [_PHASES, _phase_table(phases)]
    return "\n\n".join([*parts, *map(_agreement, (one for one in found if one.line.what in (ERROR, TESTS)))])


def _updates(found: Sequence[Stored]) -> str:
    """Return a row per quantity and number of seeds, with the ratios to those rivals that were timed."""
    groups: dict[tuple[str, str, int | None], list[Line]] = {}
    for one in found:
        groups.setdefault((one.where.device, one.line.what, one.line.K), []).append(one.line)
    rivals = [rival for rival in RIVALS if any(one.line.rival == rival for one in found)]
    rows = []
    for (device, what, count), group in groups.items():
        time = spread(as_milliseconds, group[0].value, group[0].least, group[0].most)
        ratios = {line.rival: as_ratio(line.ratio) for line in group}
        rows.append((what, f"{count:,}", time, *(ratios.get(rival, "") for rival in rivals), device))
    return table(("quantity", "K", "time [ms]", *(f"ratio to {rival}" for rival in rivals), "on"), rows)


def _phase_table(found: Sequence[Stored]) -> str:
    """Return a row per experiment and phase, with the time on a core of the same machine's CPU."""
    cells: dict[tuple[str, str, str], dict[str, float | None]] = {}
    for one in found:
        times = cells.setdefault((one.line.what, one.line.phase, one.where.device), {})
        times["gpu"] = one.line.value
        if one.line.rival == CORE:
            times["cpu"] = one.line.rival_value
    rows = [
        (what, phase, as_seconds(times["gpu"]), as_seconds(times.get("cpu")), device)
        for (what, phase, device), times in cells.items()
    ]
    return table(("experiment", "phase", "on the GPU", f"on {CORE}", "GPU"), rows)


def _agreement(one: Stored) -> str:
    """Return a sentence on the kernels beside float64, or on the tests that use CUDA."""
    line = one.line
    if line.what == TESTS:
        failed = f" These failed: {line.reason}." if line.reason else ""
        return f"On an {one.where.device}, {line.value:.0f} of {line.rounds} tests that use CUDA passed.{failed}"
    failed = f" These do not: {line.reason}." if line.reason else ""
    return (
        f"On an {one.where.device}, {line.rounds} cases of loss and gradients agree with float64 autograd; the "
        f"largest relative error is {rounded(line.value or 0.0, 2)}.{failed}"
    )
