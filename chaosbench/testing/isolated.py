"""The checks of each plug-in in a process of its own, so that one that hangs or ends its process is an outcome too."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path

from chaosbench import processes
from chaosbench.errors import unknown_name
from chaosbench.plugin_choice import Choice, installed
from chaosbench.testing.checked import Checked

LIMIT = 300.0  # time for one check [s]
_START = 120.0  # time for a process to import torch and the plug-in [s]


@dataclass(frozen=True)
class _Target:
    """One plug-in, and the choice that loads it alone."""

    choice: Choice
    name: str
    package: str


def check_isolated(package: str | None = None, *, limit: float = LIMIT) -> Iterator[Checked]:
    """Check everything that plug-ins offer, as `check_plugins` does, each beside the built-ins alone.

    A check that takes too long, or ends its process, has failed; the kinds after it are checked in a new process.

    Args:
        package: name of a plug-in or of its distribution; None: all that are installed and chosen.
        limit: time for one check [s].

    Raises:
        UnknownNameError: where no plug-in has that name.
    """
    targets = list(_targets(Choice.from_environment()))
    chosen = [target for target in targets if package in (None, target.name, target.package)]
    if package is not None and not chosen:
        raise unknown_name("plug-in", package, {name for target in targets for name in (target.name, target.package)})
    for target in chosen:
        yield from _checked(target, limit)


def _targets(choice: Choice) -> Iterator[_Target]:
    for path in choice.files:
        yield _Target(Choice((), (path,)), Path(path).stem, Path(path).name)
    for point in installed(choice):
        yield _Target(Choice((point.name,)), point.name, "?" if point.dist is None else point.dist.name)


def _checked(target: _Target, limit: float) -> Iterator[Checked]:
    """Yield the outcomes of one plug-in; start anew after the check that a process did not survive."""
    done: list[Checked] = []
    while True:
        begun: Checked | None = None
        end = ""
        for message in _messages(target, done, limit):
            if isinstance(message, str):
                end = message
            elif message.begins:
                begun = message.outcome
            else:
                begun, done = None, [*done, message.outcome]
                yield message.outcome
        if not end:
            return
        failed = replace(begun or Checked(target.name, "", "", "import"), failure=end)
        yield failed
        if not failed.kind:
            return
        done.append(failed)


@dataclass(frozen=True)
class _Message:
    """A message of a process: a check begins, or has ended."""

    outcome: Checked
    begins: bool


def _messages(target: _Target, done: list[Checked], limit: float) -> Iterator[_Message | str]:
    """Yield what a process sends until it is finished, and a sentence at the end if it did not finish."""
    context = processes.context()
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_check, args=(sender, target, done), daemon=True)  # type: ignore[attr-defined]  # missing in typeshed
    process.start()
    sender.close()
    problem, patience = f"takes longer than {_START:g} s", _START
    try:
        while receiver.poll(patience):
            message = receiver.recv()
            if message is None:
                return
            patience = limit
            problem = f"takes longer than {limit:g} s"
            yield message
    except (EOFError, OSError):
        process.join(5.0)
        problem = _death(process.exitcode)
    finally:
        _end(process.pid)
        process.kill()  # where it has not become the first of its group yet
        process.join()
    yield problem


def _check(pipe: Connection, target: _Target, done: list[Checked]) -> None:
    """Check one plug-in but for the kinds that are done, and send a message before and after each check."""
    if hasattr(os, "setsid"):
        os.setsid()
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    os.dup2(2, 1)  # what a plug-in prints must not mix with the outcomes
    from chaosbench import registry  # heavy
    from chaosbench.testing.plugins import check_plugins

    target.choice.export()
    known = {(one.noun, one.kind) for one in done}

    def begins(outcome: Checked) -> None:
        pipe.send(_Message(outcome, begins=True))

    for outcome in check_plugins(registry.load(target.choice), target.name, begins=begins, skip=known):
        pipe.send(_Message(outcome, begins=False))
    pipe.send(None)
    sys.stderr.flush()
    os._exit(0)  # threads that a plug-in has started do not keep the process


def _leave_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _end(pid: int | None) -> None:
    """Kill a process and everything that it has started."""
    with suppress(ProcessLookupError, PermissionError):
        if pid is not None and hasattr(os, "killpg"):
            os.killpg(pid, signal.SIGKILL)
        elif pid is not None:
            os.kill(pid, signal.SIGTERM)


def _death(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0 and -exitcode in set(signal.Signals):
        return f"ends the process by {signal.Signals(-exitcode).name}"
    return f"ends the process with exit code {exitcode}"
