"""Worker processes: a failure becomes runs with a status, and does not stop other experiments."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from misbehaving import Misbehaving
from small import experiment

from chaosbench.diagnostics import COSTS
from chaosbench.execution import Advanced, Finished, Separated, Started, alone, carry_out
from chaosbench.experiment import Experiment, Result
from chaosbench.models import LSTM, PLRNN, RNN, ShallowPLRNN
from chaosbench.run import run_experiment


def results(experiments: list[Experiment], logs: Path, workers: int = 2) -> dict[str, Result]:
    """Run experiments, and return their results by the label of the model."""
    events = carry_out(alone(experiments), device="cpu", workers=workers, logs=logs)
    return {event.experiment.model.label: event.result for event in events if isinstance(event, Finished)}


def alive(pid: int) -> bool:
    """Return True if a process runs; a zombie does not."""
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(condition, seconds: float = 120.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(condition())


def noted(folder: Path, name: str) -> int:
    """Wait for the file that a misbehaving model writes, and return the process id in it."""
    assert eventually((folder / name).exists), f"no process noted {name}"
    return int((folder / name).read_text())


def test_events_are_start_progress_and_result_in_this_order(tmp_path: Path):
    events = list(carry_out(alone([experiment()]), device="cpu", workers=1, logs=tmp_path / "logs"))
    advanced = [event for event in events if isinstance(event, Advanced)]
    assert events == [Started(experiment()), *advanced, events[-1]]
    last = [event.progress for event in advanced if event.progress.phase == "training"][-1]
    assert last.update == last.updates == 10
    finished = events[-1].result
    assert [run.seed for run in finished.runs] == [0, 1]
    assert {run.status for run in finished.runs} == {"ok"}
    assert finished.runs[0].provenance["chaosbench"]
    assert finished.experiment == experiment()


def test_children_are_spawned_where_the_system_has_no_forkserver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As on Windows; every process imports torch for itself."""
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    (result,) = results([experiment()], tmp_path / "logs").values()
    assert [run.status for run in result.runs] == ["ok", "ok"]


@pytest.mark.slow
def test_an_experiment_runs_without_what_windows_lacks(tmp_path: Path):
    """Neither forkserver nor process groups, signals beyond SIGTERM, `resource`, `fcntl` or handles of folders."""
    script = tmp_path / "windows.py"
    script.write_text(WITHOUT_POSIX.format(folder=str(Path(__file__).parent), results=str(tmp_path)), encoding="utf-8")
    subprocess.run([sys.executable, script], check=True, cwd=tmp_path)


# The child runs the same lines, because spawn imports the main module.
WITHOUT_POSIX = """
import multiprocessing, os, signal, sys
from pathlib import Path

import psutil  # which needs `resource` where it is not on Windows

sys.path.insert(0, {folder!r})
sys.modules["resource"] = sys.modules["fcntl"] = None
del os.setsid, os.killpg, os.getpgid, os.fork, os.sched_getaffinity
del signal.SIGHUP  # SIGKILL stays: Python's own code for POSIX ends children with it
multiprocessing.get_all_start_methods = lambda: ["spawn"]

if __name__ == "__main__":
    from small import experiment

    import chaosbench.files
    from chaosbench.execution import Finished, alone, carry_out
    from chaosbench.leaderboard import store

    class WindowsNames:
        # Only what `flush` reads: pathlib asks for os.name itself, and would make a WindowsPath.
        name = "nt"

        def __getattr__(self, name):
            return getattr(os, name)

        def open(self, path, flags):
            assert not Path(path).is_dir(), "Windows cannot open a folder"
            assert flags & os.O_RDWR, "Windows flushes only what it may write"
            return os.open(path, flags)

    chaosbench.files.os = WindowsNames()
    results = Path({results!r}) / "results"
    events = list(carry_out(alone([experiment()]), device="cpu", workers=1, logs=results / "logs"))
    assert isinstance(events[-1], Finished)
    assert [run.status for run in events[-1].result.runs] == ["ok", "ok"], events[-1].result.runs
    store.prepare(results)
    store.write(events[-1].result, results)
    names = [path.name for path in results.rglob("*")]
    assert not [name for name in names if set(name) & set('<>:"|?*') or name[-1] in ". "], names
"""


def test_signs_that_a_pipe_lacks_are_replaced():
    command = [sys.executable, "-m", "chaosbench", "rank", "--help"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    assert subprocess.run(command, capture_output=True, env=environment, check=True).stdout


@pytest.mark.parametrize("model", [ShallowPLRNN(hidden=5), LSTM(hidden=5), PLRNN(hidden=5)], ids=lambda m: m.label)
def test_a_worker_computes_what_this_process_computes_bit_for_bit(model, tmp_path: Path):
    worker, here = results([experiment(model)], tmp_path)[model.label], run_experiment(experiment(model))
    assert worker.weights.keys() == here.weights.keys()
    for name, values in here.weights.items():
        np.testing.assert_array_equal(worker.weights[name], values)
    for record, other in zip(worker.records, here.records, strict=True):
        assert record.value == other.value or record.name.removeprefix("diagnosis.") in COSTS


FAULTS = {
    "raise": ("failed", "RuntimeError: the weights are on fire"),
    "exit": ("crashed", "exit code 7"),
    "leave": ("crashed", "exit code 3"),
    "kill": ("crashed", "SIGKILL"),
    "fork": ("crashed", "SIGKILL"),
}


def test_failures_become_runs_with_a_status_and_other_experiments_go_on(tmp_path: Path):
    """A working experiment runs before, between and after those that fail, in one process at a time."""
    broken = {fault: Misbehaving(fault=fault, folder=str(tmp_path)) for fault in FAULTS}
    first, between, last = RNN(hidden=5), RNN(hidden=6), LSTM(hidden=5)
    models = [first, broken["raise"], broken["exit"], between, broken["leave"], broken["kill"], broken["fork"], last]
    outcomes = results([experiment(model) for model in models], tmp_path / "logs", workers=1)
    assert len(outcomes) == len(models)
    for fault, (status, message) in FAULTS.items():
        assert [run.seed for run in outcomes[broken[fault].label].runs] == [0, 1]
        for run in outcomes[broken[fault].label].runs:
            assert run.status == status
            assert message in run.message
            assert "\n" not in run.message
    assert all(run.status == "ok" for model in (first, between, last) for run in outcomes[model.label].runs)
    assert eventually(lambda: not alive(noted(tmp_path, "forked")))


@pytest.mark.parametrize("fault", ["print", "exit"])
def test_the_output_of_a_worker_is_in_its_log_even_if_it_crashes(
    fault, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    results([experiment(Misbehaving(fault=fault)), experiment()], tmp_path / "logs")
    (log,) = (tmp_path / "logs").iterdir()  # the other worker printed nothing
    assert log.read_text() == f"about to {fault}\n" + ("and past Python, too\n" if fault == "print" else "")
    assert capfd.readouterr().out == ""


def test_the_message_gives_the_path_of_a_log_with_the_traceback(tmp_path: Path):
    model = Misbehaving(fault="raise")
    message = results([experiment(model)], tmp_path / "logs")[model.label].runs[0].message
    log = Path(message.rpartition("(see ")[2].rstrip(")"))
    assert "Traceback" in log.read_text()
    assert "misbehaving.py" in log.read_text()


def test_the_experiments_of_a_batch_that_fails_run_alone(tmp_path: Path):
    """Two seeds of each fit, four of both do not."""
    trainers = [experiment().trainer.replaced(learning_rate=rate) for rate in (1e-3, 1e-2)]
    pair = tuple(experiment(Misbehaving(fault="crowd"), trainer=trainer) for trainer in trainers)
    events = list(carry_out([pair], device="cpu", workers=1, logs=tmp_path / "logs"))
    assert events[:2] == [Started(pair[0]), Started(pair[1], lead=pair[0])]
    (separated,) = [event for event in events if isinstance(event, Separated)]
    assert separated.experiments == pair
    assert "no memory" in separated.reason
    after = events[events.index(separated) + 1 :]
    assert [event for event in after if isinstance(event, Started)] == [Started(one) for one in pair]
    results = [event.result for event in events if isinstance(event, Finished)]
    assert [result.experiment for result in results] == list(pair)
    assert all("trained_with" not in run.provenance for result in results for run in result.runs)
    assert all(run.seeds_together == 2 for result in results for run in result.runs)
    assert {run.status for result in results for run in result.runs} <= {"ok", "diverged"}


def test_closing_ends_all_workers_and_the_processes_they_started(tmp_path: Path):
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    hanging = [experiment(Misbehaving(fault="hang", folder=str(folder))) for folder in folders]
    events = carry_out(alone(hanging), device="cpu", workers=2, logs=tmp_path / "logs")
    assert isinstance(next(events), Started)
    assert isinstance(next(events), Started)
    pids = [noted(folder, name) for folder in folders for name in ("started", "hanging")]
    assert all(alive(pid) for pid in pids)
    events.close()
    assert eventually(lambda: not any(alive(pid) for pid in pids))


def test_workers_end_when_their_parent_is_killed(tmp_path: Path):
    code = (
        "import sys; from pathlib import Path; from misbehaving import Misbehaving; from small import experiment\n"
        "from chaosbench.execution import alone, carry_out\n"
        "hanging = [experiment(Misbehaving(fault='hang', folder=sys.argv[1]))]\n"
        "list(carry_out(alone(hanging), device='cpu', workers=1, logs=Path(sys.argv[1]) / 'logs'))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=environment)
    try:
        pids = [noted(tmp_path, name) for name in ("started", "hanging")]
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    assert eventually(lambda: not any(alive(pid) for pid in pids))


def test_a_class_that_a_worker_cannot_import_makes_its_experiment_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "vanishing.py").write_text(
        "from typing import Literal\nfrom chaosbench.models import ShallowPLRNN\n"
        "class Vanishing(ShallowPLRNN):\n    kind: Literal['vanishing'] = 'vanishing'\n"
    )
    from vanishing import Vanishing

    (tmp_path / "vanishing.py").unlink()
    outcomes = results([experiment(Vanishing()), experiment()], tmp_path / "logs")
    assert outcomes["vanishing"].runs[0].status == "failed"
    assert "No module named 'vanishing'" in outcomes["vanishing"].runs[0].message
    assert outcomes[experiment().model.label].runs[0].status == "ok"
