"""Conformance check of a picture: drawn from stored results alone, equal each time, whatever is missing."""

import copy
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from chaosbench.figures import tables
from chaosbench.figures.base import Arguments, Array, BoardPicture, ExperimentPicture, Layout, PictureSpec
from chaosbench.leaderboard.folder import Stored, forecast
from chaosbench.leaderboard.rank import rank
from chaosbench.testing.assertions import check_spec_round_trip, global_random_state_unused, require
from chaosbench.testing.stored_runs import diverged_experiment, sound_experiments

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Collect = Callable[[], Arguments | None]
_RESOLUTION = 30  # [dots per inch] at which figures are compared


def check_picture(
    spec: PictureSpec, *, experiments: Sequence[Stored] = (), arrays: Mapping[str, Array] | None = None
) -> None:
    """Check a picture on small stored experiments on the Hénon map, and on one that diverged at the first update.

    Args:
        spec: the picture.
        experiments: stored experiments in which there is something to draw, for a picture that needs others.
        arrays: those of the first of these experiments; default: as stored in its folder.

    Raises:
        AssertionError: naming the broken promise, by how much it is broken, and how to keep it.
    """
    check_spec_round_trip(spec)
    _check_layout(spec)
    sound = experiments or sound_experiments()
    if isinstance(spec, ExperimentPicture):
        cases = _experiment_cases(spec, sound[0], forecast(sound[0].folder) if arrays is None else dict(arrays))
    elif isinstance(spec, BoardPicture):
        cases = _board_cases(spec, sound)
    else:
        raise AssertionError(f"{spec.label}: derive it from ExperimentPicture or BoardPicture")
    arguments = {name: _check_case(spec, name, collect, given) for name, (collect, given) in cases.items()}
    first = next(iter(cases))
    promise = f"{spec.label}: there must be something to draw for {first}"
    advice = "pass check_picture experiments that suit"
    require(arguments[first] is not None, f"{promise}; `arguments` returns None; {advice}")
    _check_repetition(spec, first, cases[first][0])


def _check_layout(spec: PictureSpec) -> None:
    layout = getattr(spec, "layout", None)
    require(isinstance(layout, Layout), f"{spec.label}: `layout` must be a chaosbench.figures.Layout, not {layout!r}")
    described = {"layout": spec.layout.description} | {n: q.description for n, q in spec.layout.quantities.items()}
    silent = [name for name, text in described.items() if not text.strip()]
    require(not silent, f"{spec.label}: whoever reads its table needs a description of {', '.join(silent)}")


def _experiment_cases(
    spec: ExperimentPicture, sound: Stored, arrays: dict[str, Array]
) -> dict[str, tuple[Collect, tuple[Any, ...]]]:
    """Return by name what collects the arguments, and what it collects them from."""
    unknown = sorted(spec.needs - arrays.keys())
    promise = f"{spec.label}: `needs` must name arrays that experiments store"
    require(not unknown, f"{promise}; {', '.join(unknown)} is not among {', '.join(sorted(arrays))}")
    lost = diverged_experiment()
    given = {
        "a sound experiment": (sound, arrays),
        "an experiment that diverged at the first update": (lost, forecast(lost.folder)),
        "one of which nothing but the arrays in `needs` is stored": (
            replace(sound, records=()),
            {name: arrays[name] for name in spec.needs},
        ),
    }

    def collect(stored: Stored, stored_arrays: Mapping[str, Array]) -> Arguments | None:
        return spec.arguments(stored, stored_arrays) if spec.needs <= stored_arrays.keys() else None

    return {name: (partial(collect, *one), one) for name, one in given.items()}


def _board_cases(spec: BoardPicture, sound: Sequence[Stored]) -> dict[str, tuple[Collect, tuple[Any, ...]]]:
    """Return by name what collects the arguments, and what it collects them from."""
    groups = {
        "a board of sound experiments": list(sound),
        "a board on which one experiment diverged": [*sound, diverged_experiment()],
        "a board on which every experiment diverged": [diverged_experiment()],
        "a board of one experiment": [sound[0]],
    }
    given = {name: (rank(group).boards[0], group) for name, group in groups.items()}
    return {name: (partial(spec.arguments, *one), one) for name, one in given.items()}


def _check_case(spec: PictureSpec, name: str, collect: Collect, given: tuple[Any, ...]) -> Arguments | None:
    """Check the picture of one case; return its arguments, or None if there is nothing to draw."""
    before = copy.deepcopy(given)
    with global_random_state_unused(spec.label):
        arguments = _guarded(spec, name, collect)
        if arguments is not None:
            _check_stored(spec, arguments)
            _pixels(spec, name, arguments)
    advice = "collect and draw copies of what is stored"
    require(
        _equal(before, given), f"{spec.label}: drawing {name} must not change what is stored, but it does; {advice}"
    )
    return arguments


def _check_repetition(spec: PictureSpec, name: str, collect: Collect) -> None:
    """Check that a picture is the same when it is drawn again, and when it is drawn from its table."""
    first, again = _guarded(spec, name, collect), _guarded(spec, name, collect)
    assert first is not None
    assert again is not None
    pixels = _pixels(spec, name, first)
    same = _pixels(spec, name, again) == pixels
    advice = "draw from the arguments alone: no clock, no random numbers, no state"
    require(same, f"{spec.label}: two pictures of {name} must be equal in every pixel; they differ; {advice}")
    restored = tables.to_arguments(spec.layout, tables.to_table(spec.kind, spec.layout, first))
    same = _pixels(spec, f"{name}, drawn from its table", restored) == pixels
    advice = "name every number and text that `figure` draws in the layout, and every axis with coordinates"
    require(same, f"{spec.label}: the picture of {name} must be the same from its table; it differs; {advice}")


def _guarded(spec: PictureSpec, name: str, collect: Collect) -> Arguments | None:
    try:
        return collect()
    except Exception as error:
        message = f"{spec.label}: the arguments of {name} must be a mapping, or None if there is nothing to draw"
        raise AssertionError(f"{message}; collecting them raises {type(error).__name__}: {error}") from error


def _check_stored(spec: PictureSpec, arguments: Arguments) -> None:
    """Check that the table stores every argument."""
    layout = spec.layout
    unknown = sorted(set(arguments) - set(layout.quantities) - set(layout.texts) - layout.coordinates)
    promise = f"{spec.label}: every argument must be in the layout, so that the table holds it"
    require(not unknown, f"{promise}; {', '.join(unknown)} is not; add it to the quantities, the texts or an axis")


def _pixels(spec: PictureSpec, name: str, arguments: Arguments) -> bytes:
    """Draw the picture and return it as pixels."""
    settings, open_figures = _settings(), _open_figures()
    try:
        figure = spec.figure(arguments)
        require(hasattr(figure, "savefig"), f"{spec.label}: figure must return a matplotlib figure, not {figure!r}")
        pixels = _rendered(figure)
    except AssertionError:
        raise
    except Exception as error:
        message = f"{spec.label}: there must be a picture of {name}, whatever is missing or not finite"
        raise AssertionError(f"{message}; drawing it raises {type(error).__name__}: {error}") from error
    advice = "set colours and sizes on the figure itself"
    same = _settings() == settings
    require(same, f"{spec.label}: matplotlib's global settings must not change, but they do; {advice}")
    opened = len(_open_figures()) - len(open_figures)
    advice = "begin with chaosbench.figures.new_figure, not with pyplot"
    require(opened <= 0, f"{spec.label}: no figure must stay open, or memory is lost; {opened} does; {advice}")
    return pixels


def _rendered(figure: "Figure") -> bytes:
    file = io.BytesIO()
    figure.set_layout_engine("none")  # it takes most of the time
    figure.savefig(file, format="rgba", dpi=_RESOLUTION)
    return file.getvalue()


def _settings() -> dict[str, Any]:
    import matplotlib as mpl

    return {name: repr(value) for name, value in mpl.rcParams.items()}


def _open_figures() -> list[int]:
    """Return the figures that pyplot keeps."""
    from matplotlib._pylab_helpers import Gcf

    return list(Gcf.figs)


def _equal(one: Any, other: Any) -> bool:
    """Compare stored content: arrays with NaN, mappings, sequences and records."""
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, Mapping):
        return isinstance(other, Mapping) and one.keys() == other.keys() and all(_equal(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return repr(one) == repr(other)
