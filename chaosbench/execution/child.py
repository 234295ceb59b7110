"""The main function of a worker process: run one experiment on one thread and report to the parent."""

import os
import pickle
import signal
import sys
import threading
import traceback
from contextlib import suppress
from io import TextIOWrapper
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path

import torch

from chaosbench import registry
from chaosbench.checkpoints import Checkpoints
from chaosbench.errors import ChaosbenchError
from chaosbench.execution.freed_memory import keep_freed_memory
from chaosbench.experiment import Experiment
from chaosbench.run import run_experiment


def main(pipe: Connection, pickled: bytes, device: str, log: Path, checkpoints: Path, every: float) -> None:
    """Run the pickled experiment and send messages to the parent.

    The messages are ("advanced", progress), any number of times, and then ("result", result) or ("failed", reason).

    Args:
        pipe: the sending end.
        pickled: the experiment. It is unpickled here, so that a class that cannot be imported is an ordinary failure.
        device: "cpu", or a CUDA device.
        log: receives standard output and standard error.
        checkpoints: folder for the state of the training.
        every: time between two checkpoints [s].
    """
    _isolate()
    _redirect_output(log)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    torch.set_num_threads(1)  # two threads on such small tensors are slower, and other workers use the other cores
    keep_freed_memory()
    torch.manual_seed(0)  # children of one server share its random state; chaosbench itself does not draw from it
    try:
        experiment: Experiment = pickle.loads(pickled)
        kinds = registry.load()
        kinds.hooks.hook.chaosbench_experiment_started(experiment=experiment)
        result = run_experiment(
            experiment,
            device=device,
            watch=lambda progress: pipe.send(("advanced", progress)),
            plugins=kinds.provenance(),
            checkpoints=Checkpoints(experiment, checkpoints, device, every=every),
        )
        kinds.hooks.hook.chaosbench_experiment_finished(experiment=experiment, result=result)
        pipe.send(("result", result))
    except ChaosbenchError as error:
        pipe.send(("failed", str(error)))
    except Exception as error:  # a plug-in may raise anything; the log has the traceback
        traceback.print_exc()
        pipe.send(("failed", f"{type(error).__name__}: {' '.join(str(error).split())[:300]} (see {log})"))
    finally:
        pipe.close()


def _isolate() -> None:
    """Start a session, so that a signal reaches everything this process starts, and disable core dumps.

    Windows has neither.
    """
    if hasattr(os, "setsid"):
        os.setsid()
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _redirect_output(log: Path) -> None:
    """Redirect standard output and error to the log, including the output of C libraries."""
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
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
