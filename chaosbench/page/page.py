"""Write a board as one self-contained HTML file: ranking, filters, costs, runs; its numbers are inside as Parquet."""

import base64
import dataclasses
import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chaosbench.boards import lock as locks
from chaosbench.boards import publish
from chaosbench.errors import StoreError
from chaosbench.files import write_whole
from chaosbench.labels import shared, shortened
from chaosbench.leaderboard import legend
from chaosbench.leaderboard.overall import overall
from chaosbench.leaderboard.submissions import Submission
from chaosbench.leaderboard.wide import plain_parquet
from chaosbench.page.curves import Picture, pictures

_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def write_page(board: Path, output: Path) -> Path:
    """Write the page of a board.

    The file loads nothing: styles, programs and numbers are inside, and its security policy allows no request.

    Args:
        board: the folder of a board.
        output: the HTML file.

    Raises:
        StoreError: where the board cannot be read, or the file cannot be written.
    """
    lock, submissions = locks.read(board), publish.all_of(board)
    levels = publish.levels(board, submissions)
    publish.check_log(board, submissions)
    content = {**_content(lock, submissions, levels), "state": state_of(board)}
    with TemporaryDirectory() as temporary:
        publish.build(board, Path(temporary))
        text = page_text(content, plain_parquet(Path(temporary) / publish.PARQUET), pictures(submissions))
    try:
        return write_whole(output, lambda path: path.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise StoreError(f"cannot write {str(output)!r}: {error.strerror or error}") from error


def shipped_text(name: str) -> str:
    """Return a file of the page that comes with the package."""
    return files("chaosbench.page").joinpath(name).read_text(encoding="utf-8")


def policy_of(*, style: str, program: str | None = None) -> str:
    """Return the security policy of a page, which admits its style and its program and no request.

    Args:
        style: the only style.
        program: the only program; None: there is none.
    """
    parts = [
        "default-src 'none'",
        *([f"script-src 'sha256-{_hash(program)}'"] if program is not None else []),
        f"style-src 'sha256-{_hash(style)}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(parts)


def _by_settings(common: Mapping[str, str]) -> list[str]:
    """Return a line for each set of settings, with the kinds that share it."""
    kinds: dict[str, list[str]] = {}
    for kind, settings in common.items():
        kinds.setdefault(settings, []).append(kind)
    return [f"{', '.join(sorted(names))}: {settings}" for settings, names in kinds.items()]


def state_of(board: Path) -> str:
    """Return the time of a board's last change as text."""
    when = publish.last_change(board)
    return when.strftime("%Y-%m-%d %H:%M UTC") if when is not None else "unknown"


def _content(lock: locks.Lock, submissions: Sequence[Submission], levels: Mapping[str, str]) -> dict[str, Any]:
    """Return what the page shows beside the runs."""
    found = overall(publish.ranked(submissions, levels))
    runs = [run for one in submissions for stored in one.experiments for run in stored.runs]
    models, trainers = ({run[noun] for run in runs} for noun in ("model", "trainer"))
    common = {**shared(models), **shared(trainers)}
    scales = _scales(submissions)
    return {
        "suite": lock.suite,
        "labels": {**shortened(sorted(models)), **shortened(sorted(trainers))},
        "shared": _by_settings(common),
        "legend": legend.over_systems(enough=found is None or found.enough),
        "intervals": _intervals(submissions),
        "metrics": list(dict.fromkeys(name for demand in lock.boards for name in demand.metrics)),
        "better": {name: better for name, (better, _) in scales.items()},
        "units": {name: unit for name, (_, unit) in scales.items()},
        "systems": [
            {"system": demand.system, "data": demand.data, "exponents": demand.exponents} for demand in lock.boards
        ],
        "submissions": [
            {
                "folder": one.folder.name,
                "level": levels[one.folder.name],
                "authors": one.manifest.authors,
                "code": one.manifest.code,
                "saw": one.manifest.saw,
                "digest": one.digest,
            }
            for one in submissions
        ],
        "overall": None if found is None else dataclasses.asdict(found),
    }


def _intervals(submissions: Sequence[Submission]) -> dict[str, float]:
    """Return the forcing interval of each trainer that gives it in predictability times, by its label."""
    found = {}
    for stored in (stored for one in submissions for stored in one.experiments):
        number, unit, rest = str(stored.experiment["trainer"].get("interval", "")).partition("tau_pred")
        if unit and not rest and _NUMBER.fullmatch(number.strip() or "1"):
            found[stored.runs[0]["trainer"]] = float(number.strip() or 1)
    return found


def _scales(submissions: Sequence[Submission]) -> dict[str, tuple[str, str]]:
    """Return direction and unit of each metric, whichever experiment has a score of it."""
    found: dict[str, tuple[str, str]] = {}
    for stored in (stored for one in submissions for stored in one.experiments):
        for row in stored.records:
            if row["update"] is None and row["better"]:
                found.setdefault(row["name"], (row["better"], row["unit"]))
    return found


def page_text(content: Mapping[str, Any], parquet: bytes, drawn: Mapping[str, Picture]) -> str:
    """Return the page; numbers and names stand in blocks of data, never in markup or programs.

    Args:
        content: what it shows beside the runs.
        parquet: the table of runs.
        drawn: the pictures of single runs.
    """
    parts = {name: shipped_text(name) for name in ("board.css", "board.html")}
    program = "\n".join(shipped_text(name) for name in ("hyparquet.min.js", "pictures.js", "board.js"))
    data, images = (_block(one) for one in (content, drawn))
    values = {
        "policy": policy_of(style=parts["board.css"], program=program),
        "title": escape(f"{content['suite']}: chaosbench leaderboard"),
        "style": parts["board.css"],
        "content": data,
        "pictures": images,
        "parquet": base64.b64encode(parquet).decode("ascii"),
        "program": program,
    }
    text = io.StringIO()
    for piece in parts["board.html"].split("{{"):
        name, closed, rest = piece.partition("}}")
        text.write(values[name] + rest if closed else piece)
    return text.getvalue()


def _block(content: Mapping[str, Any]) -> str:
    """Return JSON that no name in it can end."""
    return json.dumps(content, default=str, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _hash(text: str) -> str:
    """Return the hash by which a security policy admits an inline program or style."""
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
