"""What a worker process does: one experiment, on one thread, telling its parent how it goes."""

import os
import pickle
import resource
import signal
import sys
import threading
import traceback
from io import TextIOWrapper
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path

import torch

from chaosbench import registry
from chaosbench.errors import ChaosbenchError
from chaosbench.execution.freed_memory import keep_freed_memory
from chaosbench.experiment import Experiment
from chaosbench.run import run_experiment


def main(pipe: Connection, pickled: bytes, device: str, log: Path) -> None:
    """Run the pickled experiment and send ("advanced", ...) messages, then ("result", result) or ("failed", why)."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash leaves no dump of all its memory
    _print_into(log)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    torch.set_num_threads(1)  # two threads on such small tensors are slower, and the other cores have workers
    keep_freed_memory()
    torch.manual_seed(0)  # children of one server share its random state; nothing of ours draws from it
    try:
        experiment: Experiment = pickle.loads(
            pickled
        )  # here, so that a class that is not found is a failure like others
        known = registry.load()
        known.hooks.hook.chaosbench_experiment_started(experiment=experiment)
        result = run_experiment(
            experiment,
            device=device,
            watch=lambda progress: pipe.send(("advanced", progress)),
            plugins=known.provenance(),
        )
        known.hooks.hook.chaosbench_experiment_finished(experiment=experiment, result=result)
        pipe.send(("result", result))
    except ChaosbenchError as error:
        pipe.send(("failed", str(error)))
    except Exception as error:  # whatever a plug-in raises becomes a row, and the log has the whole of it
        traceback.print_exc()
        pipe.send(("failed", f"{type(error).__name__}: {' '.join(str(error).split())[:300]} (see {log})"))
    finally:
        pipe.close()


def _print_into(log: Path) -> None:
    """Send standard output and error to the log, those of C libraries too."""
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a child that crashes leaves no time to empty its buffer


def _die_with_parent() -> None:
    """A parent that is killed outright cannot end its children."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.killpg(0, signal.SIGKILL)  # with all that this child has started; the session is its own
