"""The demands of a board on every submission, fixed when the board is made: systems, data, seeds, metrics."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chaosbench.errors import StoreError
from chaosbench.files import read_bounded, write_whole

FILE = "suite.lock.json"
FORMAT = 1


@dataclass(frozen=True)
class Demand:
    """The demands on the runs on one system with one kind of data.

    Attributes:
        system, data: labels.
        sources: digests of system and data.
        evaluation: the content of `EvaluationSpec` as JSON.
        metrics: labels, in order; the first ranks a board alone.
        seeds: every method runs exactly these.
        exponents: certified Lyapunov exponents of the system, largest first [1 / system time]; None: there are none.
        dimension: number of exponents of the system.
        dt: time per step of the data [system time].
    """

    system: str
    data: str
    sources: str
    evaluation: str
    metrics: tuple[str, ...]
    seeds: tuple[int, ...]
    exponents: tuple[float, ...] | None
    dimension: int | None
    dt: float


@dataclass(frozen=True)
class Lock:
    """The demands of a board.

    Attributes:
        suite: its name.
        chaosbench: version that made the lock.
        boards: one demand per system and data.
    """

    suite: str
    chaosbench: str
    boards: tuple[Demand, ...]

    def find(self, sources: str, evaluation: str) -> Demand | None:
        """Return the demand for digests of system and data, and an evaluation as JSON; None: the board has none."""
        return next((one for one in self.boards if (one.sources, one.evaluation) == (sources, evaluation)), None)


def write(lock: Lock, board: Path) -> Path:
    """Write the demands into the folder of a board."""
    content = {"format": FORMAT, **asdict(lock)}
    text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"
    return write_whole(board / FILE, lambda path: path.write_text(text, encoding="utf-8"))


def read(board: Path) -> Lock:
    """Read the demands of a board.

    Raises:
        StoreError: where there are none, or they cannot be read.
    """
    path = board / FILE
    try:
        content = json.loads(read_bounded(path))
        if (version := content.pop("format")) != FORMAT:
            raise StoreError(f"{str(path)!r} has format {version!r}; this chaosbench reads {FORMAT}; update chaosbench")
        demands = tuple(_of_json(one) for one in content.pop("boards"))
        return Lock(boards=demands, **content)
    except FileNotFoundError:
        raise StoreError(
            f"{str(board)!r} is no board: it has no {FILE}; make one with `chaosbench leaderboard new SUITE {board}`"
        ) from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StoreError(f"{str(path)!r} cannot be read: {error}") from error


def _of_json(content: dict[str, Any]) -> Demand:
    listed: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
    }
    return Demand(**listed)
