"""Copy the tables of a results directory, without weights and forecasts.

Usage: `python -m chaosbench.leaderboard.tables FROM TO`. The copy is small, can be ranked, and is enough to generate
every page of numbers.
"""

import json
import shutil
import sys
from pathlib import Path

from chaosbench.errors import StoreError
from chaosbench.leaderboard.folder import MANIFEST, hashes
from chaosbench.leaderboard.schema import VERSION
from chaosbench.leaderboard.store import read_all

_COPIED = ("records.parquet", "runs.parquet", "spec.json")


def keep_tables(results: Path, target: Path, *, suite: str | None = None) -> list[Path]:
    """Copy the tables of every experiment of `results` into folders of the same names.

    Args:
        results: a results directory.
        target: another directory; a folder of the same name there is replaced.
        suite: copy only the experiments of this suite.

    Returns:
        The folders written.

    Raises:
        StoreError: where there is no experiment to copy, or a file is damaged.
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
        for name in _COPIED:
            shutil.copyfile(folder / name, beside / name)
        digests = hashes(folder)
        manifest = {"schema": VERSION, "files": {name: digests[name] for name in _COPIED}}
        text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
        (beside / MANIFEST).write_text(text, encoding="utf-8")
        written.append(beside)
    if not written:
        raise StoreError(f"{str(results)!r} has no experiment of the suite {suite!r}")
    return written


if __name__ == "__main__":
    for path in keep_tables(Path(sys.argv[1]), Path(sys.argv[2])):
        print(path)
