"""An experiment that exceeds a limit is ended with all that it has started, and its runs say why."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from misbehaving import Misbehaving
from small import experiment
from test_workers import alive, eventually, noted

from chaosbench.checkpoints import FOLDER, Checkpoints
from chaosbench.diagnostics import Loss
from chaosbench.execution import Advanced, Finished, Limits, alone, carry_out, lost, memory, workers
from chaosbench.execution import limits as execution_limits
from chaosbench.execution.limits import LOG
from chaosbench.experiment import Run
from chaosbench.models import RNN

ROOM = 2**30  # [bytes] more than a worker that has loaded torch needs


def outcome(fault: str, folder: Path, limits: Limits) -> Run:
    """Run a misbehaving experiment and a sound one, of which the sound one ends well, and return a run of the other."""
    model = Misbehaving(fault=fault, folder=str(folder))
    both = alone([experiment(model), experiment()])
    events = carry_out(both, device="cpu", workers=2, logs=folder / "logs", limits=limits)
    runs = {event.experiment.model: event.result.runs[0] for event in events if isinstance(event, Finished)}
    assert runs[RNN(hidden=5)].status == "ok"
    return runs[model]


def test_an_experiment_that_sleeps_is_ended_with_the_processes_it_started(tmp_path: Path):
    run = outcome("hang", tmp_path, Limits(stalled=1.0))
    assert run.status == "timeout"
    assert "no progress" in run.message
    assert not any(alive(noted(tmp_path, name)) for name in ("started", "hanging"))


def test_an_experiment_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers, "GRACE", 0.5)
    assert outcome("deaf", tmp_path, Limits(stalled=1.0)).status == "timeout"


def test_work_without_progress_is_a_sign_of_life_but_not_beyond_the_time_limit(tmp_path: Path):
    spinning = [(experiment(Misbehaving(fault="spin")),)]
    limits = Limits(timeout=3.0, stalled=0.8)
    (finished,) = [
        event
        for event in carry_out(spinning, device="cpu", workers=1, logs=tmp_path / "logs", limits=limits)
        if isinstance(event, Finished)
    ]
    assert finished.result.runs[0].status == "timeout"
    assert "3.0 s" in finished.result.runs[0].message


@pytest.mark.parametrize("fault", ["eat", "feed"])
def test_memory_counts_with_that_of_started_processes(fault: str, tmp_path: Path):
    run = outcome(fault, tmp_path, Limits(memory=ROOM))
    assert run.status == "oom"
    assert "1.1 GB" in run.message


def test_an_allocation_that_fails_is_a_lack_of_memory(tmp_path: Path):
    assert outcome("ask", tmp_path, Limits()).status == "oom"


def test_a_log_keeps_its_beginning_and_its_end(tmp_path: Path):
    log = tmp_path / "log"
    log.write_bytes(b"begin" + LOG * b"x" + b"end")
    lost.cap(log)
    content = log.read_bytes()
    assert content.startswith(b"begin")
    assert content.endswith(b"end")
    assert len(content) < LOG


def test_a_log_that_is_written_without_end_stays_small(tmp_path: Path):
    shouting = [(experiment(Misbehaving(fault="shout")),)]
    list(carry_out(shouting, device="cpu", workers=1, logs=tmp_path / "logs", limits=Limits(timeout=2.0)))
    (log,) = (tmp_path / "logs").iterdir()
    assert log.stat().st_size < 2**30  # a pipe to nowhere takes several times as much


@pytest.mark.parametrize(("usable", "workers", "share"), [(40, 1, 36), (40, 4, 9), (40, 100, 4), (2, 4, 1.8)])
def test_each_worker_has_an_equal_share_of_the_memory_but_never_too_little(usable, workers, share, monkeypatch):
    """In GB, a tenth of which is left for the campaign itself."""
    monkeypatch.setattr(execution_limits, "usable_memory", lambda: usable * 10**9)
    assert Limits().shared(workers).memory == pytest.approx(share * 10**9)
    assert Limits(memory=5).shared(workers).memory == 5


@pytest.mark.parametrize(
    ("exitcode", "out_of_memory", "status", "word"),
    [(-9, True, "oom", "memory"), (-9, False, "crashed", "SIGKILL"), (-11, True, "crashed", "SIGSEGV")],
)
def test_a_process_that_the_system_ended_for_lack_of_memory_is_told_from_others(exitcode, out_of_memory, status, word):
    found, message = lost.death(exitcode, out_of_memory=out_of_memory, largest=10**9)
    assert found == status
    assert word in message


def test_kills_for_lack_of_memory_are_counted_in_both_versions_of_control_groups(tmp_path: Path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "memory/mine").mkdir(parents=True)
    (tmp_path / "groups").write_text("4:memory:/mine\n3:cpu:/other\n0::/mine\n")
    (tmp_path / "mine/memory.events").write_text("low 0\noom 7\noom_kill 2\n")
    (tmp_path / "mine/memory.max").write_text("max\n")
    (tmp_path / "memory/mine/memory.limit_in_bytes").write_text("1000\n")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "_MOUNT", tmp_path / "nowhere")
    before = memory.oom_kills()
    monkeypatch.setattr(memory, "_MOUNT", tmp_path)
    assert memory.oom_kills() == before + 2
    assert memory.usable_memory() == 1000


def test_a_lost_experiment_keeps_what_was_recorded_until_then(tmp_path: Path):
    """The training would run for ever; its loss is recorded at the first and at every hundredth update."""
    endless = experiment(trainer=experiment().trainer.replaced(updates=10**9), diagnostics=(Loss(every=100),))
    for event in carry_out([(endless,)], device="cpu", workers=1, logs=tmp_path / "logs"):
        if isinstance(event, Advanced) and event.progress.update > 200:
            for child in multiprocessing.active_children():
                os.kill(child.pid, signal.SIGKILL)
        if isinstance(event, Finished):
            result = event.result
    assert {run.status for run in result.runs} == {"crashed"}
    updates = [record.update for record in result.records if record.seed == 1]
    assert updates[:3] == [1, 100, 200]
    assert updates == [1, *range(100, 100 * len(updates), 100)]
    assert all(run.updates > 200 for run in result.runs)


def test_a_training_that_is_asked_to_end_leaves_a_checkpoint_to_go_on_from(tmp_path: Path):
    endless = experiment(trainer=experiment().trainer.replaced(updates=10**9))
    began = 0
    for _ in range(2):
        events = carry_out([(endless,)], device="cpu", workers=1, logs=tmp_path / "logs", every=1e9)
        for event in events:
            if isinstance(event, Advanced) and event.progress.update > began + 10:
                break
        events.close()
        position = Checkpoints(endless, tmp_path / FOLDER, "cpu").position().update
        assert position > began + 10
        began = position


@pytest.mark.slow
def test_a_hanging_worker_that_holds_the_interpreter_ends_when_its_campaign_is_killed(tmp_path: Path):
    """Its own thread, which waits for that, never runs."""
    code = (
        "import sys; from pathlib import Path; from misbehaving import Misbehaving; from small import experiment\n"
        "from chaosbench.execution import alone, carry_out\n"
        "stuck = [experiment(Misbehaving(fault='stuck', folder=sys.argv[1]))]\n"
        "list(carry_out(alone(stuck), device='cpu', workers=1, logs=Path(sys.argv[1]) / 'logs'))\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}"}
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=environment)
    try:
        pid = noted(tmp_path, "stuck")
        time.sleep(0.2)
    finally:
        parent.kill()
        parent.wait()
    assert eventually(lambda: not alive(pid))
