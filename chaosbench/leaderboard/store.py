"""The results directory: one folder per experiment, published as a whole and never changed afterwards."""

import logging
import re
import shutil
import time
import uuid
import warnings
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaosbench.errors import StoreError
from chaosbench.files import flush
from chaosbench.leaderboard.folder import FINISHED, MANIFEST, Stored, fill, foreign, hashes, read, verify
from chaosbench.leaderboard.submissions import is_board, read_submission, submissions

if TYPE_CHECKING:  # at run time the ranking must do without torch
    from chaosbench.experiment import Experiment, Result

_LOGGER = logging.getLogger(__name__)
_UNFINISHED = ".tmp-"  # begins the name of a folder that is being written or removed
STALE = 3600.0  # [s] after which the unfinished folder of a killed writer is removed


def write(result: "Result", results: Path, events: Path | None = None) -> Path:
    """Publish a result as a folder of its own and return that folder.

    An existing folder of the same experiment is replaced if none of its seeds has a result. Otherwise it is kept, and a
    warning is given if its numbers differ.

    Args:
        result: what to publish.
        results: the results directory.
        events: a file of events, of which the folder gets a copy; None, or a file that cannot be read: it gets none.

    Raises:
        StoreError: where the folder cannot be written.
    """
    prepare(results)
    target = results / folder_name(result.experiment)
    beside = unfinished(results)
    try:
        beside.mkdir()
        fill(beside, result, events)
        _publish(beside, target)
    except OSError as error:
        raise StoreError(f"cannot write {str(target)!r}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target


def folders(results: Path) -> list[Path]:
    """Return the folders of the published experiments, sorted by name; at least one.

    Raises:
        StoreError: where there is none.
    """
    found = published(results)
    if not found:
        why = f"expected folders that hold a {MANIFEST}" if results.exists() else "it does not exist"
        raise StoreError(f"there are no results in {str(results)!r}: {why}; run a suite first")
    return found


def read_all(results: Path, *, may_be_empty: bool = False, every_file: bool = False) -> list[Stored]:
    """Read every published experiment of a results directory, in the order of `folders`.

    Args:
        results: a results directory, or the folder of a published board, whose submissions are read.
        may_be_empty: return an empty list where nothing is published, instead of raising an error.
        every_file: check the files that are not read as well, those of weights and forecasts.

    A damaged folder is left out with a warning.

    Raises:
        StoreError: where nothing is published, or every folder is damaged.
    """
    if is_board(results):
        return [stored for path in submissions(results) for stored in read_submission(path).experiments]
    readable, damaged = list[Stored](), list[StoreError]()
    for folder in published(results) if may_be_empty else folders(results):
        try:
            stored = read(folder)
            if every_file:
                verify(folder)
            readable.append(stored)
        except StoreError as error:
            damaged.append(error)
    if damaged and not readable and not may_be_empty:
        raise damaged[0]
    for one in damaged:
        _LOGGER.warning("%s; it is left out", one)
    return readable


def merge(earlier: Iterable[Stored], later: Iterable[Stored]) -> list[Stored]:
    """Combine two readings of one results directory; a folder in both is taken from the later one."""
    by_folder = {stored.folder.name: stored for stored in (*earlier, *later)}
    return [by_folder[name] for name in sorted(by_folder)]


def done_seeds(experiments: Iterable[Stored], rerun: Collection[str] | None = None) -> dict[str, set[int]]:
    """Map the identity of each experiment to its seeds with status ok or diverged.

    Args:
        rerun: other statuses that do not count as done, when all the others do; None: all of them do not.
    """
    done: dict[str, set[int]] = {}
    for stored in experiments:
        kept = {run["seed"] for run in stored.runs if rerun is not None and run["status"] not in rerun}
        seeds = {run["seed"] for run in stored.runs if run["status"] in FINISHED}
        done.setdefault(stored.identity, set()).update(seeds | kept)
    return done


def prepare(results: Path) -> None:
    """Create the results directory, check that it can be written, and remove what killed writers left.

    Raises:
        StoreError: where it cannot be written.
    """
    try:
        results.mkdir(parents=True, exist_ok=True)
        for left in results.glob(_UNFINISHED + 32 * "[0-9a-f]"):  # only names that `unfinished` makes
            with suppress(FileNotFoundError):  # its writer may be publishing it
                if time.time() - left.stat().st_mtime > STALE:
                    shutil.rmtree(left, ignore_errors=True)
        probe = unfinished(results)
        probe.mkdir()
        probe.rmdir()
    except (FileExistsError, NotADirectoryError) as error:
        raise StoreError(f"cannot keep results in {str(results)!r}: there is a file; name a directory") from error
    except OSError as error:
        raise StoreError(f"cannot keep results in {str(results)!r}: {error.strerror or error}") from error


def folder_name(experiment: "Experiment") -> str:
    """Return a readable, unique name: model, trainer, system and the beginning of the digest."""
    labels = (experiment.model.label, experiment.trainer.label, experiment.system.label)
    return "-".join([*filter(None, map(_slug, labels)), experiment.digest()[:12]])


def _slug(label: str) -> str:
    """Return a label in characters that are safe in paths; a long one is cut to its kind, never within a setting."""
    words = "-".join(re.findall(r"[a-z0-9._]+", label.lower()))
    return (words if len(words) <= 32 else label.lower().partition("(")[0][:32]).strip("._-")


def _publish(beside: Path, target: Path) -> None:
    """Rename a finished folder into place; where several writers compete, the first one wins."""
    while True:
        try:
            beside.rename(target)
        except OSError:
            if not target.exists():
                raise
            if not _cleared(target):
                _warn_if_different(beside, target)
                return
        else:
            flush(target.parent)
            return


def _cleared(target: Path) -> bool:
    """Move an existing folder away if it is unfinished or has no result; return True if the path is free."""
    aside = unfinished(target.parent)
    try:
        if (target / MANIFEST).exists() and not _read_twice(target).retryable:
            verify(target)  # files that nobody has read so far, those of weights and forecasts
            return False
    except StoreError:
        return _set_aside(target)
    try:
        target.rename(aside)
    except FileNotFoundError:
        return not target.exists()
    if (aside / MANIFEST).exists() and not read(aside).retryable:  # another writer published it meanwhile
        with suppress(OSError):
            aside.rename(target)
    shutil.rmtree(aside, ignore_errors=True)
    return True


def _read_twice(target: Path) -> Stored:
    """Read a folder, again where the first reading fails, because another writer may have replaced it meanwhile."""
    with suppress(StoreError):
        return read(target)
    return read(target)


def _set_aside(damaged: Path) -> bool:
    """Rename a damaged folder, so that nothing of it is lost and its experiment can be published; return True."""
    kept = damaged.with_name(f".damaged-{damaged.name}-{uuid.uuid4().hex[:8]}")
    with suppress(FileNotFoundError):
        damaged.rename(kept)
        _LOGGER.warning("%r was damaged and is kept as %r", str(damaged), kept.name)
    return True


def _warn_if_different(beside: Path, target: Path) -> None:
    """Warn if the published folder has other numbers; times, memory and machines may differ."""
    from chaosbench.diagnostics.health import COSTS  # imports torch, which whoever writes a result has loaded

    def numbers(folder: Path) -> tuple[Any, ...]:
        stored = read(folder)
        statuses = [(run["seed"], run["status"]) for run in stored.runs]
        costs = COSTS | {"seconds"}  # of a search
        records = [record for record in stored.records if record["name"].rpartition(".")[2] not in costs]
        return statuses, records, hashes(folder)["weights.safetensors"]

    if numbers(beside) != numbers(target):
        text = f"{str(target)!r} is kept; running the same experiment again gave other numbers, which are dropped"
        warnings.warn(text, RuntimeWarning, stacklevel=4)


def published(results: Path) -> list[Path]:
    """Return the finished folders, sorted by name; an empty list where the directory does not exist."""
    try:
        if results.exists() and not results.is_dir():
            raise StoreError(f"there are no results in {str(results)!r}: it is a file; name a results directory")
    except OSError as error:  # the name is too long
        raise StoreError(f"there are no results in {str(results)!r}: {error.strerror or error}") from error
    return sorted(path.parent for path in results.glob(f"[!.]*/{MANIFEST}") if path.is_file() and not foreign(path))


def unfinished(results: Path) -> Path:
    """Return a new path for a folder that is being written; what killed writers leave there is removed in time."""
    return results / f"{_UNFINISHED}{uuid.uuid4().hex}"
