"""A results directory on a remote store: mirrored in a local one, pushed by put-if-absent, verified by checksum.

A folder NAME of results is stored as `NAME/<SHA-256>`, an object per file, and `NAME/0001.json`, its manifest, put last
and only if absent: of several writers exactly one wins, and a reader sees all of a folder or nothing. A folder without
a result may be succeeded by `0002.json`, and so on; nothing is ever changed or removed.
"""

import hashlib
import logging
import re
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from chaosbench.errors import StoreError, one_line
from chaosbench.leaderboard.folder import MANIFEST, hashes, read, verify
from chaosbench.leaderboard.store import unfinished

Item = TypeVar("Item")
Outcome = Literal["pushed", "present", "other"]

_LOGGER = logging.getLogger(__name__)
_MANIFEST = re.compile(r"(\d{4})\.json")
_FOLDER = re.compile(r"[a-z0-9_][a-z0-9._-]*")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_INSTALL = "pip install 'chaosbench[remote]'"


class Unreachable(StoreError):  # noqa: N818  # reads as what has happened
    """The remote store does not answer, or refuses."""


class Remote:
    """A remote store of results.

    Args:
        url: of any protocol that fsspec knows, such as s3://bucket/prefix; credentials come from the environment.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        """The file system, and the path of the store in it."""
        import fsspec

        options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
        if self.url.startswith("s3://"):  # the defaults would wait for minutes
            options["config_kwargs"] = {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 1}}
        files, root = fsspec.core.url_to_fs(self.url, **options)
        if hasattr(files, "retries"):
            files.retries = 1
        return files, root

    def manifests(self) -> dict[str, bytes]:
        """Return the latest manifest of every folder.

        Raises:
            Unreachable: where the store does not answer.
        """
        latest: dict[str, str] = {}
        for path in self._listed(""):
            folder, _, name = path.rpartition("/")
            if _MANIFEST.fullmatch(name) and _FOLDER.fullmatch(folder):
                latest[folder] = max(latest.get(folder, ""), name)
        paths = {f"{folder}/{name}": folder for folder, name in latest.items()}
        return {paths[path]: content for path, content in self._contents(list(paths)).items()}

    def push(self, folder: Path) -> Outcome:
        """Publish a finished folder, unless it is there, or another result of the same experiment is.

        Raises:
            StoreError: where the folder is damaged.
            Unreachable: where the store does not answer.
        """
        verify(folder)
        manifest = (folder / MANIFEST).read_bytes()
        while True:
            names = [path.rpartition("/")[2] for path in self._listed(folder.name)]
            found = max(filter(_MANIFEST.fullmatch, names), default=None)
            if found is not None:
                content = self._contents([f"{folder.name}/{found}"])[f"{folder.name}/{found}"]
                if content == manifest:
                    return "present"
                if read(folder).retryable or not self._retryable(folder, content):
                    return "other"
            for name, digest in hashes(folder).items():
                if digest not in names:
                    with suppress(FileExistsError):
                        self._put(f"{folder.name}/{digest}", (folder / name).read_bytes())
            number = 1 if found is None else int(found.partition(".")[0]) + 1
            with suppress(FileExistsError):  # another writer was faster: look at what it has put
                self._put(f"{folder.name}/{number:04d}.json", manifest)
                return "pushed"

    def push_all(self, folders: Iterable[Path]) -> Counter[Outcome]:
        """Publish folders, with a warning for each that is damaged, and count the outcomes."""
        counts = Counter[Outcome]()
        for folder in folders:
            try:
                outcome = self.push(folder)
            except Unreachable:
                raise
            except StoreError as error:
                _LOGGER.warning("%s; it is not pushed", error)
                continue
            counts[outcome] += 1
            if outcome == "other":
                _LOGGER.warning("%r is not pushed: %r holds another result of this experiment", str(folder), self.url)
        return counts

    def pull(self, results: Path) -> None:
        """Bring a local results directory up to date; folders that are not on the store are left alone.

        What the store holds replaces a local folder of the same name, which is kept aside if it has a result.

        Raises:
            Unreachable: where the store does not answer.
        """
        for name, manifest in self.manifests().items():
            target = results / name
            known = target / MANIFEST
            if known.is_file() and known.read_bytes() == manifest:
                continue
            beside = unfinished(results)
            try:
                self._download(name, manifest, beside)
                if _succeeds(target, beside):  # and has not been pushed yet
                    continue
                with suppress(FileNotFoundError):
                    target.rename(results / f".kept-{name}-{uuid.uuid4().hex[:8]}")
                beside.rename(target)
            except Unreachable:
                raise
            except StoreError as error:
                _LOGGER.warning("%s; it is left out", error)
            finally:
                shutil.rmtree(beside, ignore_errors=True)

    def _retryable(self, folder: Path, manifest: bytes) -> bool:
        """Return whether what the store holds has no result."""
        beside = unfinished(folder.parent)
        try:
            self._download(folder.name, manifest, beside)
            return read(beside).retryable
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _download(self, name: str, manifest: bytes, beside: Path) -> None:
        """Fetch the files of a folder and verify them."""
        beside.mkdir(parents=True)
        (beside / MANIFEST).write_bytes(manifest)
        files = hashes(beside)
        wrong = [file for file, digest in files.items() if not _named_safely(file, digest)]
        if wrong:
            raise StoreError(f"{self.url}/{name} is damaged: its manifest names {wrong[0]!r}")
        contents = self._contents([f"{name}/{digest}" for digest in set(files.values())])
        for file, digest in files.items():
            content = contents[f"{name}/{digest}"]
            if hashlib.sha256(content).hexdigest() != digest:
                raise StoreError(f"{self.url}/{name} is damaged: the hash of {file} is not the one in its manifest")
            (beside / file).write_bytes(content)

    def _listed(self, folder: str) -> list[str]:
        """Return the paths of all objects in a folder, or in all, below the store."""

        def listed(files: Any, root: str) -> list[str]:
            below = f"{root}/{folder}".rstrip("/")
            try:
                return [path.removeprefix(root).strip("/") for path in files.find(below)]
            except FileNotFoundError:
                return []

        return self._ask(listed)

    def _contents(self, paths: list[str]) -> dict[str, bytes]:
        def contents(files: Any, root: str) -> dict[str, bytes]:
            found = files.cat([f"{root}/{path}" for path in paths]) if paths else {}
            return {path: found[f"{root}/{path}"] for path in paths}

        return self._ask(contents)

    def _put(self, path: str, content: bytes) -> None:
        """Store an object.

        Raises:
            FileExistsError: where there is one of this name.
        """

        def put(files: Any, root: str) -> None:
            files.makedirs(f"{root}/{path}".rpartition("/")[0], exist_ok=True)
            files.pipe_file(f"{root}/{path}", content, mode="create")

        self._ask(put)

    def _ask(self, question: Callable[[Any, str], Item]) -> Item:
        try:
            return question(*self._opened)
        except FileExistsError:
            raise
        except ImportError as error:
            raise StoreError(f"{self.url} needs a package that is not installed ({error}): {_INSTALL}") from error
        except Exception as error:  # every protocol has errors of its own
            raise Unreachable(f"the store {self.url} cannot be used: {one_line(error)}") from error


def _named_safely(file: str, digest: object) -> bool:
    """Return whether a manifest's entry names a file of the folder itself, and a hash."""
    hashed = isinstance(digest, str) and _SHA256.fullmatch(digest) is not None
    return hashed and _FILE.fullmatch(file) is not None and file != MANIFEST


def _succeeds(local: Path, remote: Path) -> bool:
    """Return whether a local folder has a result and what the store holds has none."""
    try:
        return not read(local).retryable and read(remote).retryable
    except StoreError:
        return False
