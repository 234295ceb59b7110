"""Lines from files that `kernels_gpu.py` and `training_gpu.py` wrote on a GPU: `python -m benchmarks.gpu FILE`."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.lines import Line, Where
from benchmarks.results import RESULTS, append
from benchmarks.rounds import ROUNDS
from benchmarks.training import LENGTH

Row = dict[str, Any]
_UNITS = {"shallow": 3, "almost_linear": 20}
_KINDS = {"shallow": "shallow_plrnn", "almost_linear": "almost_linear_rnn"}
TORCH_GRAPH = "the same graph in plain torch"
LOOPS = {"the published loop on the same card": "cuda", "the published loop on a core of its CPU": "cpu"}


def adopt(file: Path, folder: Path = RESULTS) -> None:
    """Append the timings of a file, dated by the file itself where it holds no date."""
    text = file.read_text()
    if file.suffix == ".jsonl":
        head, *rows = map(json.loads, text.splitlines())
        found, command = trained(rows), "python -m benchmarks.training_gpu"
    else:
        head = json.loads(text)
        found, command = kernels(head["lines"]), head["command"]
    written = head.get("date")
    date = datetime.fromisoformat(written) if written else datetime.fromtimestamp(file.stat().st_mtime, UTC)
    where = Where(head["device"], head["device"], head["torch"], command, date.astimezone(UTC).replace(microsecond=0))
    append(found, where, folder)


def kernels(rows: list[Row]) -> Iterator[Line]:
    """Return the largest error of the kernels, and the time of whole updates, against torch where both were timed."""
    errors = [row["error"] for row in rows if row.get("ok") and "check" in row]
    if errors:
        largest = max(errors)
        yield Line("gpu", "largest relative error of kernels", "1", largest, min(errors), largest, rounds=len(errors))
    cells = {(row["family"], row["K"], row["way"]): row for row in rows if "ms" in row}
    for (family, count, way), row in cells.items():
        if way != "torch":
            rival = cells.get((family, count, "torch"))
            what = f"kernels alone, {_KINDS.get(family, family)}"
            yield _line(what, count, row, **({} if rival is None else _ratio(TORCH_GRAPH, rival, row, 1)))


def trained(rows: list[Row]) -> Iterator[Line]:
    """Return the time of updates through `fit`, against the published loop on the card and on a core of its CPU."""
    loops = {(row["model"], row["published_on"]): row for row in rows if "published_on" in row}
    for row in rows:
        if "seeds" not in row or "ms" not in row:
            continue
        what, count = f"update of {row['model']}", row["seeds"]
        present = {name: loops.get((row["model"], place)) for name, place in LOOPS.items()}
        ratios = [_ratio(name, loop, row, count) for name, loop in present.items() if loop is not None]
        yield from (_line(what, count, row, **ratio) for ratio in ratios or [{}])


def _line(what: str, count: int, row: Row, **ratio: Any) -> Line:
    seconds = (row[name] / 1e3 for name in ("ms", "least", "most"))
    units = next((size for name, size in _UNITS.items() if name in what), 30)
    return Line("gpu", what, "s", *seconds, K=count, T=LENGTH, M=units, rounds=ROUNDS, **ratio)


def _ratio(name: str, rival: Row, ours: Row, models: int) -> Row:
    """Return the ratio of medians per model, bounded by the extremes of both, since the two did not take turns."""
    return {
        "rival": name,
        "rival_value": rival["ms"] / 1e3,
        "ratio": models * rival["ms"] / ours["ms"],
        "ratio_least": models * rival["least"] / ours["most"],
        "ratio_most": models * rival["most"] / ours["least"],
    }


if __name__ == "__main__":
    for name in sys.argv[1:]:
        adopt(Path(name))
