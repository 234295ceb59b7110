"""Lines that say how a recorded series was read: columns, trials, gaps, step, and what is left out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from chaosbench.formats import counted, number
from chaosbench.series.formats import ignored
from chaosbench.series.reading import Recorded
from chaosbench.series.splits import Splits, common_length
from chaosbench.series.table import Array
from chaosbench.source import DataSpec, SeparationCurve

_NAMES = 8  # columns that a line names


class _Series(Protocol):
    @property
    def label(self) -> str: ...
    @property
    def paths(self) -> tuple[str, ...]: ...
    @property
    def dt(self) -> float: ...
    @property
    def time(self) -> int | str | None: ...
    @property
    def piece_length(self) -> int | None: ...


def description(series: _Series, recorded: Recorded, splits: Splits, spec: DataSpec) -> list[str]:
    """Return lines about the files of a series and the orbits that are made of them."""
    back = spec.history
    length = (series.piece_length or common_length([len(piece) for piece in splits.train]) - back) + back
    short = [len(piece) for piece in splits.train if len(piece) < length]
    lines = [
        f"{series.label} reads {_columns(recorded)} from {_files(series.paths)}",
        f"{_trials(recorded)}; {_step(series, recorded)}",
        f"training on {_lengths(splits.train)}, validation on {_lengths(splits.validation)}, test on "
        f"{_lengths(splits.test)} in pieces of {spec.test_length + back}",
    ]
    if short:
        lines.append(
            f"{counted(len(short), 'stretch')} of fewer than {length} steps ({sum(short)} in all) not trained on"
        )
    lines += [f"not learned: column {name!r}: {reason}" for name, reason in recorded.left_out.items()]
    lines += [f"not read: {name}" for path in series.paths for name in ignored(path)]
    return lines


def verdict(curve: SeparationCurve) -> str:
    """Return a line about the exponent of the training data, and what it is worth."""
    text = f"largest exponent of the training data: {number(curve.exponent)} ± {number(curve.interval)} per system time"
    if curve.detrended:
        removed = "trend" if curve.detrended == "linear" else "trend and season"
        text += f", {removed} removed"
    test = curve.surrogates
    if test is None:
        return f"{text}; {curve.verdict}"
    beside = "more predictable than" if test.rejected else "no more predictable than"
    said = {
        "chaotic": "chaotic",
        "not chaotic": "not chaotic",
        "cannot be told": "whether it is chaos cannot be told",
    }[curve.verdict]
    return f"{text}; {said} ({beside} {test.count} surrogates of the same spectrum, p = {test.p_value:.3f})"


def _columns(recorded: Recorded) -> str:
    names = [str(name) for name in recorded.observables]
    if len(names) == 1:
        return f"column {names[0]}"
    rest = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return f"columns {', '.join(names[:_NAMES])}{rest}"


def _files(paths: Sequence[str]) -> str:
    names = [Path(path).name for path in paths]
    return names[0] if len(names) == 1 else f"{len(names)} paths, {names[0]} to {names[-1]}"


def _trials(recorded: Recorded) -> str:
    text = f"{_lengths(recorded.trials)} in {counted(len(recorded.trials), 'trial')}"
    if recorded.gaps:
        empty = sum(map(len, recorded.trials)) - recorded.rows
        text += f", which {counted(recorded.gaps, 'gap')} of {counted(empty, 'row')} in all divide"
    return text


def _lengths(stretches: Sequence[Array]) -> str:
    if not stretches:
        return "nothing"
    lengths = sorted(map(len, stretches))
    if len(lengths) == 1:
        return counted(lengths[0], "step")
    spread = f"{lengths[0]}" if lengths[0] == lengths[-1] else f"{lengths[0]} to {lengths[-1]}"
    return f"{len(lengths)} stretches of {spread} steps"


def _step(series: _Series, recorded: Recorded) -> str:
    if series.time is None:
        return f"dt = {series.dt:g} (no column of times is named)"
    return f"dt = {series.dt:g} {recorded.time_unit or 'system time'} from column {series.time!r}"
