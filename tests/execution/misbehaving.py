"""A model that fails on purpose; in a module of its own, because workers import it by name."""

import ctypes
import mmap
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import torch

from chaosbench.models import ModelSpec, ShallowPLRNN

# Shared memory, which the limit of allocations does not see.
EATING = """
blocks = []
while True:
    blocks.append(mmap.mmap(-1, 2**24))
    blocks[-1].write(2**24 * b"x")
"""
Fault = Literal[
    "raise", "exit", "leave", "kill", "fork", "print", "hang", "crowd",
    "eat", "ask", "feed", "deaf", "shout", "spin", "stuck", "crash",
]  # fmt: skip


class Misbehaving(ModelSpec):
    """Fails when it is built."""

    kind: Literal["misbehaving"] = "misbehaving"
    fault: Fault
    folder: str = ""  # receives the ids of its processes

    def build(self, dimension, seeds):
        print(f"about to {self.fault}")
        if self.fault == "raise":
            raise RuntimeError("the weights\nare on fire")
        if self.fault == "crowd" and len(seeds) > 2:
            raise RuntimeError("no memory for so many")
        if self.fault == "exit":
            os._exit(7)
        if self.fault == "leave":
            sys.exit(3)
        if self.fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == "crash":
            ctypes.string_at(0)
        if self.fault == "fork":
            self.fork_and_die()
        if self.fault == "print":
            os.write(2, b"and past Python, too\n")
        if self.fault == "hang":
            self.hang()
        if self.fault == "eat":
            self.eat()
        if self.fault == "ask":
            torch.ones(2**40, dtype=torch.uint8)
        if self.fault == "feed":
            subprocess.run([sys.executable, "-c", f"import mmap\n{EATING}"])
        if self.fault == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        if self.fault == "shout":
            while True:
                os.write(1, 2**14 * b"again ")
        if self.fault == "stuck":
            self.note("stuck", os.getpid())
            ctypes.PyDLL(None).sleep(600)  # with the interpreter's lock held
        if self.fault == "spin":
            while True:
                pass
        return ShallowPLRNN(hidden=5).build(dimension, seeds)

    def fork_and_die(self) -> None:
        """Leave a process that keeps the worker's open files, including its pipe."""
        if pid := os.fork():
            self.note("forked", pid)
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(600)

    def hang(self) -> None:
        """Start a process that ignores SIGTERM, and never return."""
        started = subprocess.Popen(
            [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"]
        )
        self.note("started", started.pid)
        self.note("hanging", os.getpid())
        time.sleep(600)

    def eat(self) -> None:
        """Allocate and fill memory without end."""
        exec(EATING, {"mmap": mmap})

    def note(self, name: str, pid: int) -> None:
        temporary = Path(self.folder) / f".{name}"
        temporary.write_text(str(pid))
        temporary.rename(Path(self.folder) / name)
