"""The provenance of runs: versions, machine, command, source code and data, as texts by name."""

import hashlib
import platform
import re
import shlex
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from chaosbench import __version__
from chaosbench.data import Dataset
from chaosbench.experiment import Experiment
from chaosbench.files import without_folders
from chaosbench.spec import Spec

Provenance = dict[str, str]

_LONGEST = 200  # [characters] of a list of seeds
_TREE = Path(__file__).parents[1]  # holds `.git` where chaosbench runs from its own repository


def of_machine() -> Provenance:
    """Return versions, processor and a hash of the host, in the process that trains."""
    return {
        "chaosbench": __version__,
        "torch": torch.__version__,
        "cuda": torch.version.cuda or "none",
        "numpy": np.__version__,
        "numba": _version_of("numba") or "none",
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "host": host(),
    }


def of_experiment(experiment: Experiment) -> Provenance:
    """Return precision, seeds, and the installed packages that define the experiment's kinds outside chaosbench."""
    names = {type(spec).__module__.partition(".")[0] for spec in _specs(experiment)} - {"chaosbench", "__main__"}
    packages = {f"package {name}": found for name in sorted(names) if (found := _version_of(name))}
    own = {"dtype": str(experiment.torch_dtype).removeprefix("torch."), "seeds": _ranges(experiment.seeds)}
    return own | packages


def of_training(data: Dataset) -> Provenance:
    """Return a checksum of the data as trained on and evaluated with, and how this process computes."""
    return {
        "data": checksum(data),
        "threads": str(torch.get_num_threads()),
        "deterministic": str(torch.are_deterministic_algorithms_enabled()).lower(),
    }


def of_command() -> Provenance:
    """Return the command that started this process, and the commit of chaosbench's own repository if it runs from one.

    Of absolute paths only the last part is named. Of a script or a notebook only the file's name is returned.
    """
    own = Path(sys.argv[0]).name in ("chaosbench", "chaosbench.exe", "__main__.py")
    command = without_folders(shlex.join(["chaosbench", *sys.argv[1:]])) if own else Path(sys.argv[0]).name
    return {"command": command, **({"commit": commit} if (commit := _commit(_TREE)) else {})}


def checksum(data: Dataset) -> str:
    """Return the SHA-256 of the orbits of training, validation and test, with their shapes and precision."""
    digest = hashlib.sha256()
    for name in ("train", "validation", "test", "seen"):
        values = getattr(data, name).detach().cpu().contiguous()
        digest.update(f"{name} {tuple(values.shape)} {values.dtype}\n".encode())
        digest.update(values.numpy().tobytes())
    return f"sha256:{digest.hexdigest()}"


def host() -> str:
    """Return a hash that is equal for runs on one machine; its number keeps the machine's name from being guessed."""
    try:
        number = Path("/etc/machine-id").read_text(encoding="utf-8").strip()
    except OSError:
        number = ""
    return hashlib.sha256(f"{number or uuid.getnode()} {platform.node()}".encode()).hexdigest()[:16]


def _specs(experiment: Experiment) -> Iterator[Spec]:
    yield from (experiment.system, experiment.model, experiment.trainer)
    yield from (*experiment.metrics, *experiment.diagnostics)


def _ranges(seeds: Sequence[int]) -> str:
    """Return seeds in their order, consecutive ones as a range: `0-4, 7`."""
    starts = [0, *(at + 1 for at, (one, other) in enumerate(pairwise(seeds)) if other != one + 1)]
    parts = [seeds[start:end] for start, end in pairwise([*starts, len(seeds)])]
    text = ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(seeds)} seeds; see spec.json)"


def _version_of(package: str) -> str:
    """Return the version of the distribution that an importable package belongs to; empty if it is not installed."""
    with suppress(PackageNotFoundError):
        return version(package)
    for name in packages_distributions().get(package, ()):  # its name differs; the search takes 0.2 s
        with suppress(PackageNotFoundError):
            return version(name)
    return ""


def _commit(tree: Path) -> str:
    """Return the commit that is checked out, with "-dirty" if tracked files differ from it; empty without git.

    Of an archive that `git archive` made, return the commit in its file `.git_archival.txt`, with "-archive", since
    nothing there shows whether files were changed afterwards.
    """
    if not (tree / ".git").exists():
        return _archived_commit(tree / ".git_archival.txt")
    command = ["git", "-C", str(tree), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _archived_commit(note: Path) -> str:
    """Return the commit that an archive was made from; empty without such a file."""
    try:
        found = re.search(r"^node: ([0-9a-f]{40})$", note.read_text(encoding="utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        return ""
    return f"{found[1]}-archive" if found else ""


def _processor() -> str:
    """Return the name of the processor, on which the bits of results depend."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
            return next(names, "") or platform.machine()
    except OSError:
        return platform.processor() or platform.machine()
