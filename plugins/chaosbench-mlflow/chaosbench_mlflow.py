"""Sends settings, losses, diagnostics and scores of chaosbench to MLflow while models train."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from threading import Thread
from time import sleep, time
from typing import Any

from chaosbench import Experiment, Record, Result, hookimpl

STORE = "sqlite:///mlflow.db"  # where MLFLOW_TRACKING_URI names no other, as in MLflow itself
# A server that is down must be given up soon; MLflow's own defaults wait for minutes.
_HTTP = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
_TRIES = 3  # connections, because processes that create one SQLite file at the same time disturb each other
_PAUSE = 1.0  # [s] between tries, and between batches of numbers
_PATIENCE = 30.0  # [s] that a finished experiment waits for numbers that are still to be sent
_NUMBERS, _SETTINGS = 1000, 100  # most entries of a batch that MLflow accepts
_trackers: dict[str, "Tracker"] = {}  # those of the running experiments, by digest


@hookimpl
def chaosbench_experiment_started(experiment: Experiment) -> None:
    """Start a thread that connects to the store and opens one run per seed."""
    _trackers[experiment.digest()] = Tracker(experiment)
    _trackers[experiment.digest()].start()


@hookimpl
def chaosbench_recorded(record: Record) -> None:
    """Queue a number; nothing waits for the store."""
    tracker = _trackers.get(record.experiment)
    if tracker is not None:
        tracker.add(record)


@hookimpl
def chaosbench_experiment_finished(experiment: Experiment, result: Result) -> None:
    """Send what is left, and close the runs.

    Raises:
        RuntimeError: if the store could not be reached; chaosbench then names it in the message of the runs.
    """
    tracker = _trackers.pop(experiment.digest(), None)
    if tracker is not None:
        tracker.finish(result)


class Tracker(Thread):
    """Sends the numbers of one experiment, as an MLflow experiment per suite and an MLflow run per seed.

    Attributes:
        error: why the store could not be reached; None while it can. No number is kept any more after an error.
    """

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(daemon=True, name="chaosbench-mlflow")
        self.experiment = experiment
        self.error: Exception | None = None
        self.uri = os.environ.get("MLFLOW_TRACKING_URI") or STORE
        self._queue: SimpleQueue[Record | Result] = SimpleQueue()
        self._runs: dict[int, str] = {}  # MLflow's identifiers, by seed

    def add(self, record: Record) -> None:
        """Queue a number, unless it is not defined or the store is out of reach."""
        if self.error is None and record.value is not None:
            self._queue.put(record)

    def finish(self, result: Result) -> None:
        """Wait for the last numbers, and close the runs."""
        self._queue.put(result)
        self.join(_PATIENCE)
        if self.error is not None:
            raise RuntimeError(f"MLflow at {self.uri}: {self.error}")
        if self.is_alive():
            raise RuntimeError(f"MLflow at {self.uri} took longer than {_PATIENCE:.0f} s; its last numbers are missing")

    def run(self) -> None:
        """Send batches until the result has come; keep the first error and end."""
        try:
            client = self._connected()
            result = None
            while result is None:
                records, result = self._waiting()
                self._send(client, records)
            self._close(client, result)
        except Exception as error:  # a store may raise anything, and the training must not be lost
            self.error = error

    def _connected(self) -> Any:
        """Return a client after opening the runs."""
        for name, value in _HTTP.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient  # here, because the import takes seconds

        for left in reversed(range(_TRIES)):
            try:
                client = MlflowClient(tracking_uri=self.uri)
                self._open(client)
                break
            except Exception:
                if left == 0:
                    raise
                sleep(_PAUSE)
        return client

    def _open(self, client: Any) -> None:
        """Create a run per seed with its settings, and the MLflow experiment if it is new."""
        from mlflow.entities import Param

        known = client.get_experiment_by_name(self.experiment.suite)
        identity = known.experiment_id if known else client.create_experiment(self.experiment.suite)
        settings = [Param(name, value) for name, value in hyper_parameters(self.experiment).items()]
        for seed in self.experiment.seeds:
            if seed not in self._runs:
                tags = {"seed": str(seed), "chaosbench.experiment": self.experiment.digest()}
                run = client.create_run(identity, run_name=f"{self.experiment.name}, seed {seed}", tags=tags)
                self._runs[seed] = run.info.run_id
                for first in range(0, len(settings), _SETTINGS):
                    client.log_batch(run.info.run_id, params=settings[first : first + _SETTINGS])

    def _waiting(self) -> tuple[list[Record], Result | None]:
        """Return the numbers of about a second, and the result once it has come."""
        records: list[Record] = []
        sleep(_PAUSE if self._queue.empty() else 0)
        for entry in drained(self._queue):
            if isinstance(entry, Result):
                return records, entry
            records.append(entry)
        return records, None

    def _send(self, client: Any, records: list[Record]) -> None:
        from mlflow.entities import Metric

        now, numbers = int(1000 * time()), defaultdict(list)
        for record in records:
            name = metric_name(record.name if record.update is not None else f"final/{record.name}")
            numbers[record.seed].append(Metric(name, record.value, now, record.update or 0))
        for seed, own in numbers.items():
            for first in range(0, len(own), _NUMBERS):
                client.log_batch(self._runs[seed], metrics=own[first : first + _NUMBERS])

    def _close(self, client: Any, result: Result) -> None:
        for run in result.runs:
            identity = self._runs[run.seed]
            client.set_tag(identity, "status", run.status)
            client.set_tag(identity, "message", run.message)
            client.set_terminated(identity, "FINISHED" if run.status in ("ok", "diverged") else "FAILED")


def drained(queue: "SimpleQueue[Any]") -> Iterator[Any]:
    """Yield what is in the queue, without waiting for more."""
    while True:
        try:
            yield queue.get_nowait()
        except Empty:
            return


def metric_name(name: str) -> str:
    """Return the name with an underscore for every character that MLflow does not accept."""
    return re.sub(r"[^\w.\- :/]", "_", name)


def hyper_parameters(experiment: Experiment) -> dict[str, str]:
    """Return every setting of system, data, model and trainer as a text: `model.hidden`."""
    nouns = ("system", "data", "model", "trainer")
    content = {noun: getattr(experiment, noun).model_dump(mode="json") for noun in nouns}
    return {f"{noun}.{name}": str(value)[:500] for noun, fields in content.items() for name, value in fields.items()}
