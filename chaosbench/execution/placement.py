"""The choice of a device: a GPU only where it is expected to finish the experiments sooner than the CPU's cores."""

import contextlib
import hashlib
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from chaosbench import __version__
from chaosbench.errors import SpecError
from chaosbench.execution.timing import Cost, measured
from chaosbench.experiment import Experiment
from chaosbench.files import cache_folder, write_whole
from chaosbench.formats import counted, duration
from chaosbench.trainers.base import observed_dimension

Measure = Callable[[Sequence[Experiment], str], list[Cost]]
_GPU = "cuda"


@dataclass(frozen=True)
class Placement:
    """A device for experiments, and the number of processes on it.

    Attributes:
        device: "cpu", or a CUDA device.
        workers: number of processes at a time.
        reason: why this device was chosen; empty if there was no choice.
    """

    device: str
    workers: int
    reason: str = ""


def check_device(requested: str) -> None:
    """Raise a `SpecError` if there is no such device; "auto" always is."""
    import torch

    count = torch.cuda.device_count()
    devices = ["cpu", *([_GPU] if count else []), *(f"{_GPU}:{index}" for index in range(count))]
    if requested not in ("auto", *devices):
        raise SpecError(f"there is no device {requested!r} on this machine; known: auto, {', '.join(devices)}")


def place(
    experiments: Sequence[Experiment],
    requested: str,
    workers: int | None,
    *,
    jobs_per_gpu: int = 1,
    may_measure: bool = True,
    measure: Measure = measured,
    card: Callable[[], str | None] | None = None,
    cards: Callable[[], int] | None = None,
    say: Callable[[str], object] = print,
) -> Placement:
    """Return where to run experiments.

    With "auto" on a machine with a GPU, each distinct combination of model, trainer and number of seeds is timed on
    both devices, once; the times are cached. A CPU runs one experiment per core at a time, a GPU one after another
    unless more are asked for.

    Args:
        experiments: those that have no result yet.
        requested: "auto", or a device that exists.
        workers: number of processes that the user has asked for; None: one per core, or `jobs_per_gpu` on each GPU.
        jobs_per_gpu: number of processes on each GPU.
        may_measure: False leaves "auto" undecided on a machine with a GPU.
        measure: returns the cost of each experiment on a device.
        card: returns the name of the GPU, or None; by default torch is asked.
        cards: returns the number of GPUs; by default torch is asked.
        say: receives a line before anything is measured.
    """
    on_gpu = workers or jobs_per_gpu * ((cards or _cards)() if requested in ("auto", _GPU) else 1)
    if requested != "auto":
        return Placement(requested, on_gpu if requested.startswith(_GPU) else workers or cores())
    name = (card or _card)()
    on_cpu = workers or cores()
    if name is None or not experiments:
        return Placement("cpu", on_cpu)
    if not may_measure:
        return Placement("auto", on_cpu)
    costs = _Table(name, measure, say).costs(experiments)
    seconds = [[cost[device].of(item) for item, cost in zip(experiments, costs, strict=True)] for device in _DEVICES]
    cpu, gpu = max(sum(seconds[0]) / on_cpu, max(seconds[0])), sum(seconds[1])
    reason = f"about {_time(gpu)} on {name}, against {_time(cpu)} on {counted(on_cpu, 'CPU core')}, as measured here"
    return Placement(_GPU, on_gpu, reason) if gpu < cpu else Placement("cpu", on_cpu, reason)


def places(device: str, workers: int, cards: int | None = None) -> list[str]:
    """Return the device of each worker: "cuda" stands for all GPUs, in turn.

    Args:
        cards: number of GPUs; None: torch is asked.
    """
    if device != _GPU:
        return [device] * workers
    count = max(1, _cards() if cards is None else cards)
    return [device] * workers if count == 1 else [f"{_GPU}:{index % count}" for index in range(workers)]


def cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_DEVICES = ("cpu", _GPU)


class _Table:
    """Costs measured on this machine with these versions, on disk; an unreadable file counts as empty."""

    def __init__(self, card: str, measure: Measure, say: Callable[[str], object]) -> None:
        import torch

        self._made_with = [platform.node(), platform.processor(), card, torch.__version__, __version__]
        self._measure, self._say = measure, say
        name = hashlib.sha256("\n".join(self._made_with).encode()).hexdigest()[:16]
        self._path = cache_folder() / "devices" / f"{name}.json"

    def costs(self, experiments: Sequence[Experiment]) -> list[dict[str, Cost]]:
        """Return the cost of each experiment on each device, and measure those that are missing."""
        known = self._read()
        kinds = {_kind(experiment): experiment for experiment in experiments}
        missing = {kind: experiment for kind, experiment in kinds.items() if kind not in known}
        if missing:
            self._say(f"timing {counted(len(missing), 'kind')} of experiment on CPU and GPU, once, to choose a device")
            found = [self._measure(list(missing.values()), device) for device in _DEVICES]
            known |= {kind: dict(zip(_DEVICES, pair, strict=True)) for kind, *pair in zip(missing, *found, strict=True)}
            self._write(known)
        return [known[_kind(experiment)] for experiment in experiments]

    def _read(self) -> dict[str, dict[str, Cost]]:
        try:
            rows = json.loads(self._path.read_text())["costs"]
            return {kind: {device: Cost(*map(float, row[device])) for device in _DEVICES} for kind, row in rows.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _write(self, known: dict[str, dict[str, Cost]]) -> None:
        """Store the costs; a device on which an experiment failed is tried again by the next command."""
        rows = {
            kind: {device: [cost.update, cost.rest] for device, cost in row.items()}
            for kind, row in known.items()
            if all(cost.update < inf for cost in row.values())
        }
        content = json.dumps({"made_with": self._made_with, "costs": rows}, indent=1)
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, lambda temporary: temporary.write_text(content))


def _kind(experiment: Experiment) -> str:
    """Return a key of what an experiment's cost depends on: not the system's equation, and no real number."""
    trainer = experiment.trainer.model_dump(mode="json")
    parts = [
        experiment.model.canonical(),
        json.dumps({name: x for name, x in trainer.items() if name != "updates" and not isinstance(x, float)}),
        experiment.evaluation.canonical(),
        str(observed_dimension(experiment.system, experiment.data)),
        str(len(experiment.seeds)),
        str(experiment.torch_dtype),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _time(seconds: float) -> str:
    return duration(seconds) if seconds < inf else "no result"


def _card() -> str | None:
    """Return the name of the first GPU; None if there is none."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.device_count() else None


def _cards() -> int:
    """Return the number of GPUs."""
    import torch

    return torch.cuda.device_count()
