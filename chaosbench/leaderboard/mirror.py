"""Local mirrors of remote stores: commands read and write a mirror, and what it gains is pushed."""

import hashlib
import logging
import os
import re
import time
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

from chaosbench.errors import SpecError
from chaosbench.files import write_whole
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.remote import Remote, Unreachable
from chaosbench.leaderboard.store import published

Item = TypeVar("Item")

AGAIN = 60.0  # [s] after which a store that was not reached is tried again during a campaign
_MARKER = ".remote"  # file of a mirror that holds the URL
_LOGGER = logging.getLogger(__name__)


def opened(text: str) -> Path:
    """Return a results directory: the path itself or, of a URL, its mirror after an update from the store.

    Where the store is not reached, a warning is given, and the mirror is as it was.

    Raises:
        SpecError: where the text is empty.
        StoreError: where a package is missing that the URL needs.
    """
    if not text:
        raise SpecError("the path of the results is empty; name a directory, such as results")
    if "://" not in text:
        return Path(text)
    remote = Remote(text)
    mirror = _mirror(remote)
    try:
        remote.pull(mirror)
    except Unreachable as error:
        _LOGGER.warning("%s; what is in %r is used", error, str(mirror))
    return mirror


def remote_of(results: Path) -> Remote | None:
    """Return the store that a results directory mirrors; None if it mirrors none."""
    try:
        return Remote((results / _MARKER).read_text(encoding="utf-8").strip())
    except OSError:
        return None


def pushed(events: Generator[Item, None, None], results: Path) -> Generator[Item, None, None]:
    """Pass on the events of a campaign, and push what it publishes where the results directory is a mirror.

    While the store is not reached, folders stay in the mirror. All that the mirror holds, of earlier campaigns too, is
    pushed at the end if the store is reached then.
    """
    remote = remote_of(results)
    if remote is None:
        yield from events
        return
    refused = float("-inf")
    try:
        for event in events:
            stored = getattr(event, "stored", None)
            if isinstance(stored, Stored) and time.monotonic() - refused > AGAIN:
                try:
                    remote.push_all([stored.folder])
                except Unreachable as error:
                    refused = time.monotonic()
                    _LOGGER.warning("%s; results are kept in %r", error, str(results))
            yield event
    finally:
        events.close()
    _push_rest(remote, results)  # not after an interruption, which must end at once


def _push_rest(remote: Remote, results: Path) -> None:
    try:
        remote.push_all(published(results))
    except Unreachable as error:
        _LOGGER.warning("%s; push the results later: chaosbench push %s", error, remote.url)


def _mirror(remote: Remote) -> Path:
    """Return the folder of a store's mirror, and create it."""
    shared = os.environ.get("XDG_DATA_HOME")
    home = Path(shared) if shared else Path.home() / ".local/share"
    base = Path(os.environ.get("CHAOSBENCH_MIRRORS") or home / "chaosbench/mirrors")
    slug = "-".join(re.findall(r"[a-z0-9._]+", remote.url.lower()))[-40:].strip("._-")
    mirror = base / f"{slug}-{hashlib.sha256(remote.url.encode()).hexdigest()[:12]}"
    mirror.mkdir(parents=True, exist_ok=True)
    write_whole(mirror / _MARKER, lambda path: path.write_text(f"{remote.url}\n", encoding="utf-8"))
    return mirror
