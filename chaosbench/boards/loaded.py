"""A published board in memory, for notebooks and scripts: its ranking, its runs as a data frame, and a table."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaosbench.boards import lock, publish
from chaosbench.boards.table import rows_of, units_of
from chaosbench.errors import SpecError, unknown_name
from chaosbench.formats import counted
from chaosbench.leaderboard import exports, layouts, printed, wide
from chaosbench.leaderboard.board import Ranking
from chaosbench.leaderboard.overall import Overall, overall
from chaosbench.leaderboard.submissions import Submission

if TYPE_CHECKING:
    import pandas
    import polars

BOARDS = Path("leaderboards")  # where boards are looked for by name


def load_board(name: str | Path) -> "PublishedBoard":
    """Read a published board and check its log.

    Args:
        name: of a folder in `leaderboards/` of the working directory, or the path of a board.

    Raises:
        StoreError: where the board cannot be read, or differs from its log.
        UnknownNameError: where there is no such board.
    """
    folder = _found(name)
    board = PublishedBoard(folder)
    publish.check_log(folder, board.submissions)
    return board


class PublishedBoard:
    """A published board; its files are read once.

    Args:
        folder: of the board.

    Attributes:
        folder: of the board.
        lock: what it demands of submissions.
        submissions: in the order of their folders.
        levels: how far each has been checked, by its folder's name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = lock.read(folder)
        self.submissions: tuple[Submission, ...] = tuple(publish.all_of(folder))
        self.levels = publish.levels(folder, self.submissions)

    def rank(self) -> Ranking:
        """Rank the submissions that have code and that no verification has refuted, one board per system and data."""
        return self._ranking

    def overall(self, metric: str | None = None) -> Overall | None:
        """Rank the methods over systems, with the ranks that remain open.

        Args:
            metric: compare in this metric alone; None: in all.

        Returns:
            None where fewer than two systems have the same methods.

        Raises:
            UnknownNameError: where no system has that metric.
        """
        known = {measure.name for board in self._ranking.boards for measure in board.measures}
        if metric is not None and metric not in known:
            raise unknown_name("metric of this board", metric, known)
        return overall(self._ranking, metric)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per run of every submission, with a column per metric, as in `board.parquet`."""
        return rows_of(self.submissions, self.levels, self.lock)

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the rows as a pandas data frame.

        Raises:
            SpecError: where pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise SpecError("pandas is not installed; pip install pandas, or read board.csv") from error
        frame: pandas.DataFrame = self._table().to_pandas()
        return frame

    def to_polars(self) -> "polars.DataFrame":
        """Return the rows as a polars data frame.

        Raises:
            SpecError: where polars is not installed.
        """
        try:
            import polars
        except ImportError as error:
            raise SpecError("polars is not installed; pip install polars, or read board.csv") from error
        frame = polars.from_arrow(self._table())
        assert isinstance(frame, polars.DataFrame), "a table becomes a frame"
        return frame

    def __repr__(self) -> str:
        return f"PublishedBoard({str(self.folder)!r}: {self._summary()})"

    def _repr_html_(self) -> str:
        """Return the submissions and the ranking over systems, or that of each system where there is none, as HTML."""
        found = overall(self._ranking)
        tables = submissions_table(self.submissions, self.levels, title=f"{self.lock.suite}: {self._summary()}")
        ranked = [printed.overall_table(found)] if found is not None else exports.tables_of(self._ranking.rows())
        return layouts.to_html([*ranked, tables])

    @cached_property
    def _ranking(self) -> Ranking:
        return publish.ranked(self.submissions, self.levels)

    def _summary(self) -> str:
        return f"{counted(len(self.lock.boards), 'system')}, {counted(len(self.submissions), 'submission')}"

    def _table(self) -> Any:
        units = units_of(self.submissions, self.lock)
        return wide.arrow_table(self.rows(), wide.schema(self.lock.suite, units))


def submissions_table(submissions: tuple[Submission, ...], levels: dict[str, str], *, title: str) -> layouts.Printed:
    """Return the submissions of a board as a table."""
    body = [
        [one.folder.name, levels[one.folder.name], ", ".join(one.manifest.authors), one.manifest.code]
        for one in submissions
    ]
    return layouts.Printed(title, ["submission", "level", "authors", "code"], body, words=frozenset(range(4)))


def _found(name: str | Path) -> Path:
    """Return the folder of a board by its name or path."""
    path = Path(name)
    candidates = [BOARDS / path, path] if len(path.parts) == 1 and not path.is_absolute() else [path]
    for candidate in candidates:
        if (candidate / lock.FILE).is_file():
            return candidate
    if path.is_dir():
        lock.read(path)  # says what it lacks
    raise unknown_name("board", str(name), _known(), place=str(BOARDS))


def _known() -> list[str]:
    return [path.parent.name for path in BOARDS.glob(f"*/{lock.FILE}")]
