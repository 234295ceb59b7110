"""Everything that is measured on a GPU: `python -m benchmarks.on_gpu FOLDER [PART ...]`, about six minutes.

Parts: `compile` (what the others need, on all cores), `training` (updates beside the published loop and JAX),
`kernels` (beside float64), `phases` (of experiments with 64 seeds) and `tests` (those that use CUDA). Each has a time
limit, and none stops the others. What they print goes to `FOLDER/on_gpu.jsonl` and `FOLDER/on_gpu.log` as it comes;
`python -m benchmarks.gpu FOLDER/on_gpu.jsonl` then stores it. `--rehearse` runs all parts with few seeds on the CPU.
"""

import json
import os
import signal
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock, Timer
from time import perf_counter

import torch

from benchmarks.machine import processor
from benchmarks.training_gpu import CASES
from chaosbench.files import cache_folder

ERRORS = 6  # processes that check the errors of whole models
UNROLLS = (("relu",), ("tanh",), ("clipped",), ("almost_linear",), ("lstm", "gru"))  # what a process checks


@dataclass(frozen=True)
class Part:
    """Commands that run side by side, each a module of `benchmarks` with its options, and their time limit [s]."""

    name: str
    limit: float
    commands: tuple[tuple[str, ...], ...]
    environment: dict[str, str] = field(default_factory=dict)


def main() -> None:
    """Run the parts one after the other."""
    options = parsed()
    options.folder.mkdir(parents=True, exist_ok=True)
    output = Output(options.folder)
    cuda = torch.cuda.is_available() and not options.rehearse
    device = torch.cuda.get_device_name() if cuda else "cpu"
    where = {"device": device, "torch": torch.__version__, "processor": processor(), "date": now()}
    output.keep("start", json.dumps(where))
    for part in parts("cuda" if cuda else "cpu", rehearse=options.rehearse):
        if not options.parts or part.name in options.parts:
            run(part, output)


def parsed() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--rehearse", action="store_true")
    return parser.parse_args()


def parts(device: str, *, rehearse: bool) -> list[Part]:
    """Return all parts, on the device; shorter ones for a rehearsal."""
    on, few = ("--device", device), ("--counts", "1", "2") if rehearse else ()
    training, phases = ("training_gpu", *on, *few), ("phases_gpu", *on)
    seeds = ("--seeds", "2", "--updates", "4") if rehearse else ()
    interpreted = {"TRITON_INTERPRET": "1"} if device == "cpu" else {}
    errors = [("errors_gpu", *on, "--part", str(index), str(ERRORS)) for index in range(ERRORS)]
    unrolls = [("kernels_gpu", ".", "--checks", *names) for names in UNROLLS]
    compiled = [(*training, "--compile", case.model.kind) for case in CASES] + [(*phases, "--compile")]
    return [
        Part("compile", 90, tuple(compiled)),
        Part("training", 170, ((*training, *(("--rounds", "2") if rehearse else ())),)),
        Part("kernels", 75, (*errors, *unrolls), interpreted),
        Part("phases", 90, ((*phases, *seeds),)),
        Part("tests", 90, (("tests_gpu", *(("tests/execution/test_placement.py",) if rehearse else ())),)),
    ]


class Output:
    """The two files of the results: what parts print as JSON, and everything else."""

    def __init__(self, folder: Path) -> None:
        self._rows, self._log = folder / "on_gpu.jsonl", folder / "on_gpu.log"
        self._lock = Lock()

    def keep(self, part: str, text: str) -> None:
        """Append a line of a part's output to the file that it belongs to."""
        try:
            row = json.loads(text)
        except ValueError:
            row = None
        with self._lock:
            if isinstance(row, dict):
                self._append(self._rows, json.dumps({"part": part} | row))
            else:
                self._append(self._log, f"{part}: {text}")

    @staticmethod
    def _append(path: Path, text: str) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def run(part: Part, output: Output) -> None:
    """Run a part's commands side by side, end those that exceed the limit, and print how long it took."""
    begun = perf_counter()
    with ThreadPoolExecutor(len(part.commands)) as pool:
        codes = list(pool.map(lambda command: finished(part, command, output), part.commands))
    text = f"{perf_counter() - begun:.0f} s, exit codes {codes}"
    output.keep(part.name, text)
    print(f"{part.name}: {text}", flush=True)


def finished(part: Part, command: tuple[str, ...], output: Output) -> int:
    """Run a command to its end or to the limit, and keep what it prints."""
    module, *options = command
    cached = {"JAX_COMPILATION_CACHE_DIR": str(cache_folder() / "jax")}  # by the part `compile`, for the others
    cached["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    process = subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{module}", *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        start_new_session=True,
        env={**os.environ, **cached, "PYTHONUNBUFFERED": "1", **part.environment},
    )  # fmt: skip
    timer = Timer(part.limit, lambda: os.killpg(process.pid, signal.SIGKILL))  # with what it has started
    timer.start()
    assert process.stdout is not None
    for text in process.stdout:
        output.keep(part.name, text.rstrip("\n"))
    timer.cancel()
    process.stdout.close()
    return process.wait()


def now() -> str:
    """Return the time in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


if __name__ == "__main__":
    main()
