"""On what a benchmark was measured."""

import os
import platform
from pathlib import Path

import torch


def measured_on(script: str) -> list[str]:
    """Machine, versions, load, and the command that measures again."""
    return [
        f"* machine: {processor()}, {platform.system()} {platform.machine()}",
        f"* versions: Python {platform.python_version()}, torch {torch.__version__}",
        f"* load when begun: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
        f"* command: `OMP_NUM_THREADS=1 python benchmarks/{script}`",
    ]


def processor() -> str:
    """The name of the processor, where the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
