"""Draw the pictures of stored results and write them; matplotlib is imported only while drawing."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from chaosbench import figures
from chaosbench.errors import StoreError
from chaosbench.figures import tables
from chaosbench.figures.base import Arguments, BoardPicture, ExperimentPicture, PictureSpec
from chaosbench.files import write_whole
from chaosbench.leaderboard.board import Board, Ranking
from chaosbench.leaderboard.folder import Stored, forecast
from chaosbench.spec import Spec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PictureT = TypeVar("PictureT", bound=PictureSpec)

# Formats of pictures, and how they are saved: equal pictures give equal files, and the PNG is 3 % larger than need be,
# in two thirds of the time.
FORMATS: dict[str, dict[str, Any]] = {
    "png": {"pil_kwargs": {"compress_level": 1}},
    "pdf": {"metadata": {"CreationDate": None}},
}
SCREEN = ("png",)
_RESOLUTION = 150  # [dots per inch] of pixel graphics: the PNG, and dense lines in the PDF


@dataclass
class Drawn:
    """Files that were written, and the error of each picture that failed.

    Attributes:
        files: `.arrow` of each picture, and one in each format.
        failures: one line per picture that failed, by its kind.
    """

    files: list[Path] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


def available() -> bool:
    """Return True if matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw(stored: Stored, pictures: Iterable[type[Spec]], *, formats: Sequence[str] = SCREEN) -> Drawn:
    """Draw the pictures of a stored experiment into its folder.

    A picture is skipped if the folder lacks the arrays it needs. One that fails does not affect the others.

    Args:
        stored: the experiment.
        pictures: kinds of pictures, as in the registry; those of boards are ignored.
        formats: some of `FORMATS`.
    """
    drawn = Drawn()
    if not available():
        return drawn
    arrays = forecast(stored.folder)
    for kind in pictures:
        if issubclass(kind, ExperimentPicture) and kind.needs <= arrays.keys():
            _draw_guarded(kind, stored.folder, lambda picture: {"": picture.arguments(stored, arrays)}, drawn, formats)
    return drawn


def draw_missing(stored: Stored, pictures: Iterable[type[Spec]]) -> Drawn:
    """Draw those pictures of a stored experiment that are not in its folder, as after an interruption."""
    present = {path.stem for path in stored.folder.glob("*.png")}
    return draw(stored, [kind for kind in pictures if str(kind.model_fields["kind"].default) not in present])


def draw_boards(
    ranking: Ranking,
    experiments: Sequence[Stored],
    results: Path,
    pictures: Iterable[type[Spec]],
    *,
    formats: Sequence[str] = SCREEN,
) -> Drawn:
    """Draw the pictures of the boards of a ranking into the results directory.

    Args:
        ranking: the boards.
        experiments: the experiments that were ranked.
        results: the results directory.
        pictures: kinds of pictures, as in the registry; those of experiments are ignored.
        formats: some of `FORMATS`.
    """
    drawn = Drawn()
    members = [(board, _members(board, experiments)) for board in ranking.boards]
    for kind in pictures if available() else ():
        if issubclass(kind, BoardPicture):
            _draw_guarded(kind, results, lambda picture: _board_arguments(picture, members), drawn, formats)
    return drawn


def save(
    picture: PictureSpec, folder: Path, arguments: Arguments, *, name: str = "", formats: Sequence[str] = SCREEN
) -> list[Path]:
    """Write the numbers of a picture as `.arrow`, and the picture in each format; each file is complete or absent.

    Args:
        picture: draws the figure.
        folder: an existing folder.
        arguments: arguments of the figure.
        name: name of the files; default: the kind of the picture.
        formats: some of `FORMATS`.
    """
    path = folder / (name or picture.kind)
    table, figure = tables.to_table(picture.kind, picture.layout, arguments), picture.figure(arguments)
    return [tables.write(path.with_name(f"{path.name}.arrow"), table), *_save_figure(figure, path, formats)]


def redraw(path: Path, pictures: Iterable[type[Spec]] = ()) -> "Figure":
    """Draw the picture whose data are in an `.arrow` file, from that file alone.

    Args:
        path: the `.arrow` file.
        pictures: kinds of pictures beside those that come with chaosbench, as in the registry.

    Raises:
        StoreError: if the file holds no data of a picture, or its kind is unknown.
    """
    table = tables.read(path)
    shipped = (getattr(figures, name) for name in figures.__all__)
    kinds = {
        str(kind.model_fields["kind"].default): kind
        for kind in (*shipped, *pictures)
        if isinstance(kind, type) and issubclass(kind, PictureSpec) and not kind.__abstractmethods__
    }
    name = tables.picture_of(table)
    if name not in kinds:
        known = ", ".join(sorted(kinds))
        raise StoreError(f"{str(path)!r} holds a picture of kind {name!r}, which is not installed. Known: {known}")
    picture = kinds[name].model_validate({})
    return picture.figure(tables.to_arguments(picture.layout, table))


def _draw_guarded(
    kind: type[PictureT],
    folder: Path,
    arguments: Callable[[PictureT], Mapping[str, Arguments | None]],
    drawn: Drawn,
    formats: Sequence[str],
) -> None:
    """Draw a picture once for each name and arguments; record its error, whatever a plug-in raises."""
    name = str(kind.model_fields["kind"].default)
    try:
        picture = kind.model_validate({})
        for file_name, values in arguments(picture).items():
            if values is not None:
                drawn.files += save(picture, folder, values, name=file_name, formats=formats)
    except Exception as error:
        drawn.failures[name] = " ".join(f"{type(error).__name__}: {error}".split())


def _board_arguments(
    picture: BoardPicture, members: Sequence[tuple[Board, list[Stored]]]
) -> dict[str, Arguments | None]:
    """Return the arguments of each board's picture by file name, which is numbered where there are several boards."""
    arguments = [(board, picture.arguments(board, experiments)) for board, experiments in members]
    shown = [(board, values) for board, values in arguments if values is not None]
    if len(shown) == 1:
        return {picture.kind: shown[0][1]}
    return {f"{picture.kind}-{n}-{_slug(board.system)}": values for n, (board, values) in enumerate(shown, start=1)}


def _members(board: Board, experiments: Iterable[Stored]) -> list[Stored]:
    """Return the experiments of a board."""
    key = (board.system, board.data, board.evaluation, board.digest)
    return [stored for stored in experiments if stored.board == key]


def _slug(label: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "", label.partition("(")[0].lower())


def _save_figure(figure: "Figure", path: Path, formats: Sequence[str]) -> list[Path]:
    for axes in figure.axes:  # the place of a title is not searched for: no picture has ticks above its panels
        axes.set_title(axes.get_title(), fontsize=axes.title.get_fontsize(), y=1.0)
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)  # once instead of once per file
    figure.set_layout_engine(None)  # with "none", each file would be drawn twice
    saved = []
    for ending in formats:
        write = partial(figure.savefig, dpi=_RESOLUTION, **FORMATS[ending])
        saved.append(write_whole(path.with_name(f"{path.name}.{ending}"), write))
    return saved
