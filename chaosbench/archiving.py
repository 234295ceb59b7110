"""A published board as one archive that can be deposited and cited: the same board gives the same bytes."""

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from chaosbench import __version__
from chaosbench.boards import lock, publish
from chaosbench.boards.check import check
from chaosbench.errors import StoreError
from chaosbench.files import write_whole
from chaosbench.formats import counted
from chaosbench.leaderboard.layouts import markdown_escaped, to_markdown
from chaosbench.leaderboard.overall import overall
from chaosbench.leaderboard.printed import overall_table
from chaosbench.leaderboard.submissions import Submission
from chaosbench.page import write_page

SUMS = "SHA256SUMS"
_COPIED = ("suite.toml", lock.FILE, publish.LOG)


def write_archive(board: Path, output: Path) -> Path:
    """Write a board with its page, tables, citation and checksums as a compressed archive.

    The archive is a frozen version of the board, dated by the last line of its log, and has one folder of that name.

    Args:
        board: a board.
        output: the archive, `.tar.gz`.

    Raises:
        StoreError: where the board is not valid, with every finding, or the archive cannot be written.
    """
    findings = check(board, tables=False)
    when = None if findings else publish.last_change(board)
    if findings or when is None:
        why = publish.told(findings) or "its log is empty"
        raise StoreError(f"{str(board)!r} is not archived, because it is not valid: {why}")
    name = f"{lock.read(board).suite}-{when:%Y-%m-%d}"
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / name
        folder.mkdir()
        _fill(board, folder, when)
        content = _packed(folder, when)
    try:
        return write_whole(output, lambda path: path.write_bytes(content))
    except OSError as error:
        raise StoreError(f"cannot write {str(output)!r}: {error.strerror or error}") from error


def _fill(board: Path, folder: Path, when: datetime) -> None:
    """Write the files of an archive into a folder; the checksums come last."""
    for name in _COPIED:
        if (board / name).is_file():
            shutil.copyfile(board / name, folder / name)
    for name in ("submissions", publish.VERIFICATIONS):
        if (board / name).is_dir():
            shutil.copytree(board / name, folder / name, ignore=shutil.ignore_patterns(".*"))
    publish.build(board, folder)
    write_page(board, folder / "board.html")
    submissions = publish.all_of(board)
    levels = publish.levels(board, submissions)
    suite = lock.read(board).suite
    (folder / "CITATION.cff").write_text(_citation(suite, submissions, when), encoding="utf-8")
    (folder / "README.md").write_text(_readme(suite, submissions, levels, when), encoding="utf-8")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}" for path in files]
    (folder / SUMS).write_text("\n".join([*sums, ""]), encoding="utf-8")


def _packed(folder: Path, when: datetime) -> bytes:
    """Return a folder as a compressed archive, whose entries are sorted and have the same owner, mode and time."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=buffer, mode="wb", mtime=int(when.timestamp())) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in (folder, *sorted(folder.rglob("*"))):
            entry = tarfile.TarInfo(path.relative_to(folder.parent).as_posix())
            entry.mtime = int(when.timestamp())
            entry.mode, entry.type = (0o755, tarfile.DIRTYPE) if path.is_dir() else (0o644, tarfile.REGTYPE)
            content = b"" if path.is_dir() else path.read_bytes()
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _citation(suite: str, submissions: list[Submission], when: datetime) -> str:
    """Return the citation in the Citation File Format; its texts are JSON strings, which YAML reads as well."""
    authors = sorted({author for one in submissions for author in one.manifest.authors if author.strip()})
    lines = [
        "cff-version: 1.2.0",
        'message: "If you use these results, cite this version of the board."',
        f"title: {json.dumps(f'{suite}: a chaosbench leaderboard')}",
        "type: dataset",
        "authors:",
        *(f"  - name: {json.dumps(author)}" for author in authors or ["The authors of the submissions"]),
        f"version: {json.dumps(f'{when:%Y-%m-%d}')}",
        f"date-released: {when:%Y-%m-%d}",
        "identifiers:",
        *(
            line
            for one in submissions
            for line in ("  - type: other", f"    value: {json.dumps(f'sha256:{one.digest}')}")
        ),
    ]
    return "\n".join([*(lines if submissions else lines[:-1]), ""])


def _readme(suite: str, submissions: list[Submission], levels: dict[str, str], when: datetime) -> str:
    """Return what is in the archive, how to read it, and its ranking."""
    found = overall(publish.ranked(submissions, levels))
    listed = [f"* {markdown_escaped(one.folder.name)}: {levels[one.folder.name]}" for one in submissions]
    files = [
        "`board.html` opens in any browser and loads nothing. `board.parquet` and `board.csv` have a row per run.",
        f"`suite.toml` is what was run, `{lock.FILE}` what every submission had to meet, `submissions/` the results,",
        f"`{publish.VERIFICATIONS}/` what came out when parts were run again, and `{publish.LOG}` the history.",
        f"`sha256sum --check {SUMS}` checks every file.",
    ]
    parts = [
        f"# {markdown_escaped(suite)}, {when:%Y-%m-%d}",
        f"A chaosbench leaderboard with {counted(len(submissions), 'submission')}, frozen in its state of "
        f"{when:%Y-%m-%d %H:%M} UTC and packed by chaosbench {__version__}.",
        "\n".join(files),
        "## Submissions",
        "\n".join(listed) or "None so far.",
        *(["## Ranking", to_markdown([overall_table(found)])] if found is not None else []),
    ]
    return "\n\n".join(parts).rstrip() + "\n"
