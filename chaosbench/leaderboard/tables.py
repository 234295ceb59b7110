"""The tables of a results directory without weights and forecasts: `python -m chaosbench.leaderboard.tables FROM TO`.

What is kept of each experiment is small, can be ranked, and is enough for every page of numbers.
"""

import json
import shutil
import sys
from pathlib import Path

from chaosbench.errors import StoreError
from chaosbench.leaderboard.folder import MANIFEST, hashes
from chaosbench.leaderboard.schema import VERSION
from chaosbench.leaderboard.store import read_all

_KEPT = ("records.parquet", "runs.parquet", "spec.json")


def keep_tables(results: Path, target: Path, *, suite: str | None = None) -> list[Path]:
    """Copy the tables of every experiment of `results` into folders of the same names.

    Args:
        results: a results directory.
        target: another; a folder of the same name there is replaced.
        suite: only what this suite asked for.

    Returns:
        The folders written.

    Raises:
        StoreError: where there is nothing to copy, or a file is damaged.
    """
    if target.resolve() == results.resolve():
        raise StoreError(f"{str(target)!r} would be copied onto itself; name another directory")
    written = []
    for stored in read_all(results):  # checks every byte that is copied
        folder = stored.folder
        if suite is not None and stored.runs[0]["suite"] != suite:
            continue
        beside = target / folder.name
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        for name in _KEPT:
            shutil.copyfile(folder / name, beside / name)
        known = hashes(folder)
        manifest = {"schema": VERSION, "files": {name: known[name] for name in _KEPT}}
        text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
        (beside / MANIFEST).write_text(text, encoding="utf-8")
        written.append(beside)
    if not written:
        raise StoreError(f"{str(results)!r} has no experiment of the suite {suite!r}")
    return written


if __name__ == "__main__":
    for path in keep_tables(Path(sys.argv[1]), Path(sys.argv[2])):
        print(path)
