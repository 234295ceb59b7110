"""Signals end a command with one line and an exit code, and lose nothing that has finished."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaosbench import interrupts
from chaosbench.interrupts import Interrupted, Interrupts

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_is_noted_and_raised_where_it_is_asked_for(number: int):
    outer = signal.signal(number, signal.SIG_DFL)  # a shell ignores some of them for what runs in the background
    try:
        with Interrupts() as noted:
            noted.check()
            os.kill(os.getpid(), number)
            with pytest.raises(Interrupted) as ended:
                noted.check()
        assert ended.value.number == number
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, outer)


def test_a_signal_that_is_ignored_stays_ignored():
    """As by nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as noted:
            os.kill(os.getpid(), signal.SIGHUP)
            noted.check()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_command_that_goes_on_is_quoted():
    line = interrupts.farewell(signal.SIGINT, ["run", "my suite.toml", "--workers", "2"])
    assert "chaosbench run 'my suite.toml' --workers 2" in line
    assert "chaosbench" not in interrupts.farewell(signal.SIGTERM, ["rank", "results"])


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_command_that_is_importing_ends_at_once_with_one_line(number: int):
    """The import swallows every exception, and goes on."""
    code = (
        "import os, signal, sys; from chaosbench import interrupts\n"
        "signal.signal(int(os.environ['NUMBER']), signal.SIG_DFL)\n"
        "interrupts.leave_at_once(); sys.argv = ['chaosbench', 'run', 'quickstart']\n"
        "try: os.kill(os.getpid(), int(os.environ['NUMBER']))\n"
        "except BaseException: pass\n"
        "print('went on')\n"
    )
    environment = os.environ | {"NUMBER": str(int(number))}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 128 + number
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1
    assert "chaosbench run quickstart" in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("delay", [0.3, 1.0, 2.5, 5.0, 10.0])
def test_a_campaign_ends_with_one_line_at_any_time(number: int, delay: float, tmp_path: Path):
    """The signal goes to all processes of the terminal."""
    words = ["run", "quickstart", "--results", str(tmp_path / "results"), "-m", "rnn", "--device", "cpu"]
    command = [sys.executable, "-m", "chaosbench", *words, "--set", "trainer.updates=100000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as campaign:
        time.sleep(delay)
        os.killpg(campaign.pid, number)
        _, errors = campaign.communicate(timeout=60)
    assert campaign.returncode == 128 + number
    assert "Traceback" not in errors
    assert "chaosbench run quickstart" in errors.splitlines()[-1]
    assert all(path.stat().st_size for path in tmp_path.glob("results/logs/*"))
