"""The main function of a worker process: run experiments on one thread and report to the parent."""

import gc
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from io import TextIOWrapper
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path

import torch

from chaosbench import registry
from chaosbench.checkpoints import TERMINATED, Checkpoints, Stop
from chaosbench.errors import ChaosbenchError, one_line
from chaosbench.execution.freed_memory import keep_freed_memory
from chaosbench.execution.reuse import Condition, forget_peak_memory
from chaosbench.experiment import Experiment, Record, Result, Status
from chaosbench.interrupts import let_through
from chaosbench.isolation import Precautions, take_precautions
from chaosbench.plugin_choice import Choice
from chaosbench.run import Watch, run_experiment
from chaosbench.together import Company

_PATIENCE = 1.0  # [s] for an update and its checkpoint, once this process is asked to end


@dataclass(frozen=True)
class Setting:
    """The settings of a worker: where and how it runs.

    Attributes:
        device: "cpu", or a CUDA device.
        log: receives standard output and standard error.
        checkpoints: folder for the state of the training.
        every: time between two checkpoints [s].
        plugins: the plug-ins to load; those under development before the experiments are unpickled.
        memory: the most that it may use [bytes]; None: no limit.
        deadly: parts of plug-ins that have ended a worker before, with how; they are left out.
        again: True if a worker has run this before, whose log goes on.
    """

    device: str
    log: Path
    checkpoints: Path
    every: float
    plugins: Choice
    memory: int | None = None
    deadly: Mapping[str, str] = field(default_factory=dict)
    again: bool = False


def main(pipe: Connection, pickled: bytes, setting: Setting) -> None:
    """Run the pickled experiments, several of them as one batch, and send messages to the parent.

    The messages are ("advanced", index, progress), ("recorded", index, record) and ("acting", culprit), any number of
    times, and ("result", index, result) for each experiment with a result; in the end, unless it dies, ("ended",
    status, reason, again) for those without. Progress of the whole batch has the index 0; an empty culprit is no
    plug-in. Where `again` is True, the parent may send another pair of experiments and setting.

    Args:
        pipe: one end; the parent has the other.
        pickled: a sequence of experiments. It is unpickled here, so that a class that cannot be imported is an ordinary
            failure.
        setting: where and how to run.
    """
    setting.plugins.export()
    settle()
    keep_freed_memory()
    gc.freeze()  # what the server has loaded stays, and need not be searched for garbage after each experiment
    condition = Condition(setting.device, setting.memory)
    try:
        while _serve(pipe, pickled, setting, condition):
            pickled, setting = pipe.recv()
    except EOFError:  # the campaign has nothing more to run
        pass
    finally:
        pipe.close()


def _serve(pipe: Connection, pickled: bytes, setting: Setting, condition: Condition) -> bool:
    """Run what the parent has sent, and return True if it may send more."""
    _redirect_output(setting.log, keep=setting.again)
    forget_peak_memory()
    if setting.memory is not None and setting.device == "cpu":  # a GPU's driver reserves more than the machine has
        _limit_memory(setting.memory)
    stop = Stop()
    signal.signal(signal.SIGTERM, lambda *_: _end_soon(stop))
    take_precautions(Precautions(lambda what: pipe.send(("acting", what)), setting.deadly))
    torch.manual_seed(0)  # children of one server share its random state; chaosbench itself does not draw from it
    saving = partial(Checkpoints, folder=setting.checkpoints, device=setting.device, every=setting.every, stop=stop)
    clean = False

    def run() -> None:
        nonlocal clean
        clean = _run(pickled, setting.device, pipe, saving, condition)

    status, reason = _outcome(run)
    pipe.send(("ended", status, reason, clean))
    return clean


def settle() -> None:
    """Let this process have a session of its own, end with its parent, and compute on one thread."""
    _isolate()
    let_through()
    threading.Thread(target=_die_with_parent, daemon=True).start()
    torch.set_num_threads(1)  # two threads on such small tensors are slower, and other workers use the other cores


def _run(
    pickled: bytes, device: str, pipe: Connection, saving: Callable[..., Checkpoints], condition: Condition
) -> bool:
    """Run one experiment, or several as one batch, of which one that fails does not stop the others.

    Returns:
        True if all have a result, and this process may run others.
    """
    kinds = _loaded(Choice.from_environment())
    experiments: Sequence[Experiment] = pickle.loads(pickled)
    plugins = kinds.provenance()
    started, recorded, finished = (
        kinds.listeners(event) for event in ("experiment_started", "recorded", "experiment_finished")
    )
    indices = {experiment.digest(): index for index, experiment in enumerate(experiments)}

    def announce(record: Record) -> None:
        index = indices[record.experiment]
        pipe.send(("recorded", index, record))
        recorded(experiment=experiments[index], record=record)

    def watch(index: int) -> Watch:
        return lambda progress: pipe.send(("advanced", index, progress))

    def publish(index: int, result: Result) -> None:
        finished(experiment=experiments[index], result=result)
        remarks = [*started.failures.values(), *recorded.failures.values(), *finished.failures.values()]
        pipe.send(("result", index, result.with_remarks(remarks)))

    for experiment in experiments:
        started(experiment=experiment)
    # Records are kept for the case that the experiment is lost; on a GPU each of them would make it wait.
    heard = announce if recorded or device == "cpu" else None
    if len(experiments) == 1:
        saved = saving(experiments[0])
        result = run_experiment(
            experiments[0], device=device, watch=watch(0), plugins=plugins, checkpoints=saved, announce=heard
        )
        publish(0, result)
        return condition.allows(experiments, listeners=bool(started or recorded or finished))
    company = Company(experiments, device=device, plugins=plugins, announce=heard)
    _train_batch(company, watch(0), saving(experiments[0], others=experiments[1:]))
    for index in range(len(experiments)):
        _outcome(lambda: publish(index, company.finish(index, watch(index))))  # noqa: B023  # called at once
    return False


def _train_batch(company: Company, watch: Watch, saved: Checkpoints) -> None:
    try:
        company.train(watch, saved)
    except SystemExit:  # a termination: the checkpoint is what the next process goes on from
        raise
    except BaseException:  # the experiments run again, each alone
        saved.discard()
        raise
    saved.discard()


@cache
def _loaded(choice: Choice) -> registry.Registry:
    """Return the registry with the plug-ins of a choice, which load once in a process."""
    return registry.load(choice)


def _outcome(function: Callable[[], None]) -> tuple[Status, str]:
    """Call the function and return the status of an experiment without a result, with the reason."""
    try:
        function()
    except ChaosbenchError as error:
        return "failed", str(error)
    except Exception as error:  # a plug-in may raise anything; the log has the traceback
        traceback.print_exc()
        return ("oom" if lacks_memory(error) else "failed"), one_line(error)
    return "failed", ""


def lacks_memory(error: Exception) -> bool:
    """Return True if an error says that memory could not be allocated, on the CPU or on a GPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)  # torch's error on a CPU


def _end_soon(stop: Stop) -> None:
    """End this process after a checkpoint of the training that is running, or at once if there is none."""
    if not stop.training:
        os._exit(TERMINATED)
    stop.requested = True
    threading.Timer(_PATIENCE, os._exit, (TERMINATED,)).start()


def _limit_memory(largest: int) -> None:
    """Let allocations fail beyond this size [bytes], so that the log says where; the parent measures as well."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (largest, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def _isolate() -> None:
    """Start a session, so that a signal reaches everything this process starts, and disable core dumps.

    Windows has neither.
    """
    if hasattr(os, "setsid"):
        os.setsid()
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _redirect_output(log: Path, *, keep: bool) -> None:
    """Redirect standard output and error to the log, including the output of C libraries; keep what it has, or not."""
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | (0 if keep else os.O_TRUNC), 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a child that crashes cannot flush its buffer


def _die_with_parent() -> None:
    """Wait until the parent has died, then end this process; a parent that is killed cannot end its children."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        if not hasattr(os, "killpg"):
            os._exit(1)
        os.killpg(0, signal.SIGKILL)  # this process leads its group, so this ends all that it has started
