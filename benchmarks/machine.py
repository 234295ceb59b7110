"""The machine that runs a benchmark."""

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.lines import Where


def here(device: str = "cpu") -> Where:
    """Return what runs this program."""
    machine = f"{processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    command = " ".join(["python -m benchmarks", *sys.argv[1:]])
    return Where(machine, device, torch.__version__, command, datetime.now(UTC).replace(microsecond=0))


def processor() -> str:
    """Return the name of the processor, where the system reports it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
