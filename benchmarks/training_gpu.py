"""Time updates of training on a CUDA device, as an experiment makes them; prints and writes JSON lines.

`python -m benchmarks.training_gpu FILE` trains every family with K = 1 to 256 seeds through `fit`, with the record of
losses and gradient norms that every experiment keeps. In the same run stands the published loop, which trains one
network at a time, on the same card and on a core of its CPU. `python -m benchmarks.gpu FILE` then stores the lines.
"""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch

from benchmarks import training
from benchmarks.machine import processor
from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.diagnostics.health import TrainingHealth
from chaosbench.models import GRU, LSTM, PLRNN, RNN, AlmostLinearRNN, ModelSpec, ShallowPLRNN
from chaosbench.systems import Lorenz63
from chaosbench.trainers import SparseTeacherForcing

CASES: list[tuple[ModelSpec, int]] = [
    (ShallowPLRNN(hidden=50), 16),
    (PLRNN(hidden=30), 30),
    (RNN(hidden=30), 30),
    (AlmostLinearRNN(hidden=20, rectified=2), 16),
    (LSTM(hidden=30), 30),
    (GRU(hidden=30), 30),
]
PUBLISHED = {case.model.kind for case in training.CASES}
COUNTS = (1, 8, 64, 256)  # K
ROUNDS, UPDATES, CLIP = 7, 60, 10.0


def main() -> None:
    """Measure every case and write all lines."""
    torch.set_num_threads(1)
    data = simulate(Lorenz63(), DataSpec(validation_orbits=0, test_orbits=2, test_length=2)).to("cuda", torch.float32)
    lines = []
    for line in measured(data):
        print(json.dumps(line), flush=True)
        lines.append(line)
    Path(sys.argv[1]).write_text("".join(json.dumps(line) + "\n" for line in lines))


def measured(data: Dataset) -> Iterator[dict[str, Any]]:
    """Yield a line per family and number of seeds."""
    yield {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "processor": processor(), "date": now()}
    for spec, interval in CASES:
        for device in ("cuda", "cpu"):
            if spec.kind in PUBLISHED:
                yield {"model": spec.kind, "published_on": device} | published(spec, interval, data, device)
        for seeds in COUNTS:
            case = {"model": spec.kind, "interval": interval, "seeds": seeds}
            try:
                yield case | ours(spec, interval, seeds, data)
            except Exception as error:  # the next case is worth measuring whatever went wrong here
                yield case | {"failure": repr(error)[:300]}


def ours(spec: ModelSpec, interval: int, seeds: int, data: Dataset) -> dict[str, Any]:
    """Time updates [ms], and the set-up before the first replay [s]."""
    torch.cuda.reset_peak_memory_stats()
    trainer = SparseTeacherForcing(interval=interval, batch=16, sequence_length=200, clip_norm=CLIP, updates=10_000)
    model, health = spec.build(data.dimension, range(seeds)).to("cuda"), TrainingHealth(trainer)
    steps = trainer.fit(model, data, range(seeds))

    def update(count: int = 1) -> None:
        for step in islice(steps, count):
            health.see(step)
        torch.cuda.synchronize()

    began = perf_counter()
    update(4)
    ready = perf_counter() - began
    first = float(health.losses[:, 0].mean())
    times = [1e3 * elapsed(update, UPDATES) / UPDATES for _ in range(ROUNDS)]
    return {
        "ms": round(median(times), 4),
        "least": round(min(times), 4),
        "most": round(max(times), 4),
        "set_up_s": round(ready, 2),
        "peak_mib": round(torch.cuda.max_memory_allocated() / 2**20),
        "loss": [round(first, 4), round(float(health.losses[:, -1].mean()), 4)],
    }


def published(spec: ModelSpec, interval: int, data: Dataset, device: str) -> dict[str, Any]:
    """Time an update of the published loop [ms]."""
    case = training.Case(spec, interval)
    step = training.published(case, data.to(device, torch.float32))
    for _ in range(2):
        step()
    torch.cuda.synchronize()
    times = []
    for _ in range(ROUNDS):
        began = perf_counter()
        step()
        torch.cuda.synchronize()
        times.append(1e3 * (perf_counter() - began))
    return {"ms": round(median(times), 2), "least": round(min(times), 2), "most": round(max(times), 2)}


def now() -> str:
    """Return the time in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def elapsed(function: Callable[[int], None], count: int) -> float:
    """Return the wall time of a call [s]."""
    began = perf_counter()
    function(count)
    return perf_counter() - began


if __name__ == "__main__":
    main()
