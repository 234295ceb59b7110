"""Store what `benchmarks.on_gpu` measured on a GPU: `python -m benchmarks.gpu FILE ...`."""

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.lines import Line, Where
from benchmarks.results import RESULTS, append

Row = dict[str, Any]
ON_CARD, ON_CPU = "the published loop on the same card", "the published loop on a core of its CPU"
JAX, TORCH_GRAPH = "JAX", "the same graph in plain torch"
RIVALS = (ON_CARD, ON_CPU, JAX, TORCH_GRAPH)
OUTSIDE, CORE = "outside training, 64 seeds", "a core of its CPU"
ERROR, TESTS = "largest relative error of kernels", "tests that use CUDA"


def adopt(file: Path, folder: Path = RESULTS) -> None:
    """Append the lines of a file, of which each start of the program has a device and a date of its own."""
    rows = [json.loads(text) for text in file.read_text(encoding="utf-8").splitlines()]
    starts = [index for index, row in enumerate(rows) if row["part"] == "start"]
    for begin, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        head, command = rows[begin], "python -m benchmarks.on_gpu"
        where = Where(head["device"], head["device"], head["torch"], command, datetime.fromisoformat(head["date"]))
        append(measured(rows[begin + 1 : end]), where, folder)


def measured(rows: list[Row]) -> Iterator[Line]:
    """Return the lines of a start: times as they are, and one for all checks of kernels and one for all tests."""
    for row in rows:
        if "benchmark" in row:
            line = Line(**{name: value for name, value in row.items() if name != "part"})
            if line.value is not None:
                yield line
    checks = [row for row in rows if "check" in row]
    errors, failed = [row["error"] for row in checks if row["ok"]], [row["check"] for row in checks if not row["ok"]]
    if errors:
        largest, reason = max(errors), ", ".join(sorted(set(failed)))
        yield Line("gpu", ERROR, "1", largest, min(errors), largest, rounds=len(errors), reason=reason)
    for row in rows:
        if "tests" in row:
            passed, run = float(row["passed"]), row["tests"] - row["skipped"]
            yield Line("gpu", TESTS, "tests", passed, passed, passed, rounds=run, reason=", ".join(row["failed"]))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        adopt(Path(name))
