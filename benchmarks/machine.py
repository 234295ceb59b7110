"""Description of the machine that ran a benchmark."""

import os
import platform
from pathlib import Path

import torch


def measured_on(script: str) -> list[str]:
    """Return machine, versions, load and command as lines of a list."""
    return [
        f"* machine: {processor()}, {platform.system()} {platform.machine()}",
        f"* versions: Python {platform.python_version()}, torch {torch.__version__}",
        f"* load when begun: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
        f"* command: `OMP_NUM_THREADS=1 python benchmarks/{script}`",
    ]


def processor() -> str:
    """Return the name of the processor, where the system reports it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
