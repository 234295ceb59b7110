"""Writes losses, diagnostics and scores of chaosbench to event files that TensorBoard reads while models train."""

import os
import re
from pathlib import Path
from typing import Any

from chaosbench import Experiment, Record, Result, hookimpl

FOLDER = "CHAOSBENCH_TENSORBOARD"  # environment variable: the folder of the event files; default: runs
_FLUSH = 5  # [s] after which numbers are on disk
_writers: dict[tuple[str, int], Any] = {}  # those of the running experiments, by digest and seed


@hookimpl
def chaosbench_experiment_started(experiment: Experiment) -> None:
    """Open one event file per seed; a thread of its own writes it, so that training does not wait."""
    from torch.utils.tensorboard import SummaryWriter  # here, because the import takes seconds

    for seed in experiment.seeds:
        folder = str(seed_folder(experiment, seed))
        _writers[experiment.digest(), seed] = SummaryWriter(folder, flush_secs=_FLUSH)  # type: ignore[no-untyped-call]


@hookimpl
def chaosbench_recorded(record: Record) -> None:
    """Write a number of the training at its update, and one of the finished model below `final`."""
    writer = _writers.get((record.experiment, record.seed))
    if writer is not None and record.value is not None:
        tag = record.name if record.update is not None else f"final/{record.name}"
        writer.add_scalar(tag, record.value, record.update or 0)


@hookimpl
def chaosbench_experiment_finished(experiment: Experiment, result: Result) -> None:
    """Write the settings beside the scores, for TensorBoard's page HPARAMS, and close the files."""
    settings = hyper_parameters(experiment)
    for run, scores in zip(result.runs, result.rows(), strict=True):
        writer = _writers.pop((experiment.digest(), run.seed), None)
        if writer is None:
            continue
        labels = (metric.label for metric in experiment.metrics)
        metrics = {f"final/{label}": scores[label] for label in labels if scores[label] is not None}
        writer.add_text("status", f"{run.status} {run.message}".strip())
        writer.add_hparams(settings | {"seed": run.seed, "status": run.status}, metrics, run_name=".")
        writer.close()


def seed_folder(experiment: Experiment, seed: int) -> Path:
    """Return where the event file of a seed lies: FOLDER/suite/title and digest/seed N."""
    title = re.sub(r"[^\w.,=()+-]+", "_", experiment.name)[:100]
    folder = Path(os.environ.get(FOLDER) or "runs") / experiment.suite
    return folder / f"{title}-{experiment.digest()[:8]}" / f"seed-{seed}"


def hyper_parameters(experiment: Experiment) -> dict[str, str | int | float | bool]:
    """Return every setting of system, data, model and trainer: `model.hidden`; other types than numbers as text."""
    content = {
        noun: getattr(experiment, noun).model_dump(mode="json") for noun in ("system", "data", "model", "trainer")
    }
    return {
        f"{noun}.{name}": value if isinstance(value, str | int | float | bool) else str(value)
        for noun, fields in content.items()
        for name, value in fields.items()
    }
