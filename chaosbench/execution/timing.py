"""The cost of an experiment on a device, measured in a process of its own by a few updates and short free runs."""

import math
import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from time import perf_counter

import torch

from chaosbench import registry
from chaosbench.assessment import diagnose_model
from chaosbench.data import Dataset, simulate
from chaosbench.evaluation import evaluate
from chaosbench.execution.freed_memory import keep_freed_memory
from chaosbench.experiment import EvaluationSpec, Experiment
from chaosbench.models.forecaster import Forecaster
from chaosbench.plugin_choice import Choice
from chaosbench.processes import context

PATIENCE = 120.0  # [s] until an experiment counts as one that cannot run on the device

_FIRST, _LONGEST = 5, 0.5  # updates that are not timed, since they compile and allocate; [s] of those that are
_SHORTENED = 10  # free runs and forecasts are shorter by this factor
_EXAMINATIONS = 5.0  # both diagnoses of an experiment, in units of the one before training


@dataclass(frozen=True)
class Cost:
    """How long an experiment takes on a device.

    Attributes:
        update: of one update of all seeds [s]; infinite if the experiment does not run there.
        rest: everything outside training [s].
    """

    update: float
    rest: float

    def of(self, experiment: Experiment) -> float:
        """Return the expected time of an experiment [s]."""
        updates = getattr(experiment.trainer, "updates", 1)
        return updates * self.update + self.rest


def measured(experiments: Sequence[Experiment], device: str, *, budget: float = math.inf) -> list[Cost]:
    """Return the cost of each experiment on a device; infinite where it fails, crashes or hangs.

    Args:
        experiments: are timed one after another.
        device: "cpu", or a CUDA device.
        budget: time after which no more are timed, and the cost of the others is infinite [s].
    """
    end = perf_counter() + budget
    receiver, sender = context().Pipe(duplex=False)
    process = context().Process(target=_main, args=(sender, pickle.dumps(list(experiments)), device), daemon=True)  # type: ignore[attr-defined]  # missing in typeshed
    process.start()
    sender.close()
    costs: list[Cost] = []
    try:
        while len(costs) < len(experiments) and receiver.poll(min(PATIENCE, max(0.0, end - perf_counter()))):
            costs.append(receiver.recv())
    except (EOFError, OSError):
        pass  # it died
    finally:
        process.kill()
        process.join()
        receiver.close()
    return costs + [Cost(math.inf, math.inf)] * (len(experiments) - len(costs))


def cost_on(experiment: Experiment, device: str) -> Cost:
    """Measure the cost of an experiment in this process."""
    data = simulate(experiment.system, experiment.data).to(device, experiment.torch_dtype)
    model = experiment.model.build(data.dimension, experiment.seeds).to(device, experiment.torch_dtype)
    rest = _rest(model, data, experiment.evaluation)
    return Cost(_update(experiment, model, data), rest)


def _main(pipe: Connection, pickled: bytes, device: str) -> None:
    """Send the cost of each experiment."""
    handle = os.open(os.devnull, os.O_WRONLY)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    torch.set_num_threads(1)
    keep_freed_memory()
    registry.load(Choice((), Choice.from_environment().files))  # so that their classes can be unpickled
    for experiment in pickle.loads(pickled):
        try:
            pipe.send(cost_on(experiment, device))
        except Exception:  # whatever a plug-in raises, the experiment itself will report it
            pipe.send(Cost(math.inf, math.inf))


def _update(experiment: Experiment, model: Forecaster, data: Dataset) -> float:
    """Return the time of an update of all seeds [s]; of the whole fit, for a trainer that takes few steps."""
    steps = experiment.trainer.fit(model, data, experiment.seeds)
    began = perf_counter()
    first = sum(1 for _ in islice(steps, _FIRST))
    whole = _now(data) - began
    if first < _FIRST:
        return whole / max(first, 1)
    began, count = _now(data), 0
    for _ in steps:
        count += 1
        if perf_counter() - began > _LONGEST:
            break
    return (_now(data) - began) / count if count else whole / first


def _rest(model: Forecaster, data: Dataset, spec: EvaluationSpec) -> float:
    """Return the time of diagnoses, free runs and forecasts [s], from shorter ones."""
    short = spec.replaced(
        free_run_steps=min(spec.free_run_steps, max(100, spec.free_run_steps // _SHORTENED)),
        free_run_transient=spec.free_run_transient // _SHORTENED,
        horizon=max(1, spec.forecast_steps(None, error=1.0, length=data.test.shape[1]) // _SHORTENED),
    )
    began = _now(data)
    initial = diagnose_model(model, data, spec, None, trained=False)
    diagnosed = _now(data)
    evaluate(model, data, short, initial.spectrum / data.dt)
    return _EXAMINATIONS * (diagnosed - began) + _SHORTENED * (_now(data) - diagnosed)


def _now(data: Dataset) -> float:
    """Return the time after all work on the device of the data is done [s]."""
    if data.train.is_cuda:
        torch.cuda.synchronize(data.train.device)
    return perf_counter()
