"""An examination of every plug-in in a process of its own, so that hangs, exits and crashes are found as well."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from chaosbench.plugin_choice import Choice, installed
from chaosbench.plugin_listing import Row, foreign_owners

PATIENCE = 30.0  # time after which an import that cannot be interrupted is ended [s]
_START = 120.0  # time for a process to import torch [s]


@dataclass(frozen=True)
class Examination:
    """Every plug-in, and what is wrong with the installation.

    Attributes:
        rows: of each plug-in as in a `Listing`, with `problems`, a list of sentences.
        problems: of the installation as a whole.
    """

    rows: list[Row]
    problems: list[str]

    @property
    def sound(self) -> bool:
        """True if nothing is wrong."""
        return not self.problems and not any(row["problems"] for row in self.rows)


def examine() -> Examination:
    """Import every plug-in in a process of its own, a few at a time, and compare what they offer."""
    choice = Choice.from_environment()
    files = [(Choice((), (path,)), Path(path).stem, Path(path).name, "") for path in choice.files]
    points = [(Choice((point.name,)), point.name, *_origin(point)) for point in installed(choice)]
    processes = _context()
    with ThreadPoolExecutor(max(1, os.cpu_count() or 1)) as pool:
        rows = list(pool.map(lambda one: _examined(processes, *one), [*files, *points]))
    _compare(rows)
    return Examination(rows, foreign_owners())


def _origin(point: EntryPoint) -> tuple[str, str]:
    return ("?", "?") if point.dist is None else (point.dist.name, point.dist.version)


def _examined(processes: BaseContext, choice: Choice, name: str, package: str, version: str) -> Row:
    """Return the row of one plug-in, with its problems."""
    receiver, sender = processes.Pipe(duplex=False)
    process = processes.Process(target=_import, args=(sender, choice, package), daemon=True)  # type: ignore[attr-defined]  # missing in typeshed
    process.start()
    sender.close()
    row: Row | None = None
    problem = f"its import takes longer than {PATIENCE:g} s"
    with suppress(EOFError, OSError):
        if receiver.poll(_START) and receiver.recv() == "ready" and receiver.poll(PATIENCE):
            row = receiver.recv()
    process.join(1.0 if row is None else 5.0)
    if row is None and process.exitcode is not None:
        problem = f"its import {_death(process.exitcode)}"
    process.kill()
    process.join()
    if row is None:
        row = {"name": name, "package": package, "version": version, "status": "broken", "error": problem, "offers": [],
               "hooks": [], "import_seconds": None, "heavy": [], "printed": ""}  # fmt: skip
    return row | {"problems": list(_problems(row))}


def _problems(row: Row) -> Iterator[str]:
    if row["error"]:
        yield row["error"]
    elif not row["hooks"]:
        yield "it implements no hook; mark its functions with @hookimpl"
    if printed := " ".join(row["printed"].split()):
        yield f"it prints when it is imported: {printed[:100]}"


def _compare(rows: list[Row]) -> None:
    """Add a problem to each plug-in that offers what an earlier one offers."""
    first: dict[str, Row] = {}
    for row in rows:
        for offer in row["offers"]:
            other = first.setdefault(offer, row)
            if other is not row:
                row["problems"].append(f"the {offer} is offered by {other['name']} ({other['package']}) as well")
                row["status"] = "broken"


def _context() -> BaseContext:
    """Return a start method that imports torch once, where there is one."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["chaosbench.registry"])
    return context


def _import(pipe: Connection, choice: Choice, package: str) -> None:
    """Import one plug-in, and send "ready" before and its row after."""
    from chaosbench import registry
    from chaosbench.plugin_listing import rows_of

    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    choice.export()
    pipe.send("ready")
    rows: list[dict[str, Any]] = [row for row in rows_of(registry.load(choice)) if row["package"] == package]
    pipe.send(rows[0])
    pipe.close()
    sys.stdout.flush()
    os._exit(0)  # threads that the plug-in has started do not keep the process


def _death(exitcode: int) -> str:
    if exitcode < 0 and -exitcode in set(signal.Signals):
        return f"ended the process by {signal.Signals(-exitcode).name}"
    return f"ended the process with exit code {exitcode}"
