"""Signals that end a command: Ctrl-C, SIGTERM, and SIGHUP of a terminal that is closed.

Most of a command can be left at once, because files are whole or absent; the import of a module might also swallow an
exception. Only a campaign ends in order, which it does between two events.
"""

import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, Self

_Handler = Callable[[int, FrameType | None], Any]
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_SHOW_CURSOR = "\x1b[?25h"


class Interrupted(BaseException):
    """A signal has asked this command to end.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Interrupts:
    """Notes signals while a campaign runs, instead of ending the process; a second one ends it at once.

    A context manager. Threads other than the main one, which get no signals, are left alone.
    """

    def __init__(self) -> None:
        self._number = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = _installed(self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _restore(self._before)

    def check(self) -> None:
        """Raise `Interrupted` if a signal has come."""
        if self._number:
            raise Interrupted(self._number)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._number:
            _leave(number)
        self._number = number
        if number != signal.SIGINT:
            _close_lost_terminal(number)


def leave_at_once() -> None:
    """Let this process end at once when a signal comes, with one line on standard error."""
    _installed(_leave)


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """Do the same for a while, for processes that run several commands."""
    before = _installed(_leave)
    try:
        yield
    finally:
        _restore(before)


@contextmanager
def held_back() -> Iterator[None]:
    """Hold signals back, also from processes started meanwhile, which end when this one lets them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def let_through() -> None:
    """Receive signals that the process from which this one was forked holds back."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def end_server() -> None:
    """End the server of processes at once, which holds the output open until it has loaded its modules."""
    module = sys.modules.get("multiprocessing.forkserver")
    pid = getattr(getattr(module, "_forkserver", None), "_forkserver_pid", None)
    if pid is not None:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def exit_code(number: int) -> int:
    """Return the exit code of a command that a signal has ended, as shells report it; 130 for Ctrl-C."""
    return 128 + number


def farewell(number: int, words: list[str]) -> str:
    """Return the line that says why a command ends; for a campaign, with the command that goes on.

    Args:
        number: of the signal.
        words: the arguments of the command.
    """
    why = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
    if words[:1] != ["run"]:
        return why
    return f"{why}; what has finished is kept, and this command goes on: {shlex.join(['chaosbench', *words])}"


def _leave(number: int, _: FrameType | None = None) -> None:
    """End this process without a traceback; a keeper ends the workers, if there are any."""
    _close_lost_terminal(number)
    with suppress(OSError, ValueError):
        if sys.stdout.isatty() or sys.stderr.isatty():
            sys.stderr.write(_SHOW_CURSOR)
        line = farewell(number, sys.argv[1:]).encode("utf-8", "backslashreplace")
        sys.stderr.flush()
        os.write(2, line + b"\n")
    end_server()
    os._exit(exit_code(number))


def _close_lost_terminal(number: int) -> None:
    """Send further output nowhere when the terminal is gone, since writing to it would fail."""
    if number != getattr(signal, "SIGHUP", None):
        return
    for stream in (1, 2):
        if os.isatty(stream):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def _installed(handler: _Handler) -> dict[int, Any]:
    """Install a handler for all signals that are not ignored, as by nohup; return the handlers before."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    wanted = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in wanted}


def _restore(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
