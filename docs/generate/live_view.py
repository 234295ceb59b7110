"""Draw the live view of a campaign for docs/running.md: `python -m docs.generate.live_view PICTURE.svg`.

A real campaign runs in a process of its own, with a training that diverges and a model that fails; the picture is what
`chaosbench status` shows of it after some experiments have ended and while others train.
"""

import io
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from chaosbench.files import write_whole
from chaosbench.monitor.reading import Reader
from chaosbench.terminal.status import page

WIDTH, HEIGHT = 100, 24  # [characters]
PATIENCE, SHORTEST = 900.0, 12  # [s] of the whole campaign, and reports of each training that is drawn

SUITE = """
suite = "demo"
seeds = [0, 1, 2]
[[systems]]
kind = "lorenz63"
[[models]]
kind = "shallow_plrnn"
[[models]]
kind = "unfinished"
[[models]]
kind = "lstm"
[[trainers]]
kind = "sparse_teacher_forcing"
learning_rate = [30.0, 1e-3]
updates = 4_000
[[trainers]]
kind = "bptt"
updates = 2_000
"""
PLUGIN = """
from typing import Literal

from chaosbench import hookimpl
from chaosbench.models import ShallowPLRNN

chaosbench_api = ">=0.1"


class Unfinished(ShallowPLRNN):
    kind: Literal["unfinished"] = "unfinished"

    def build(self, dimension, seeds):
        raise NotImplementedError("the read-out is still missing")


@hookimpl
def chaosbench_models():
    return [Unfinished]
"""


def main(picture: Path) -> None:
    """Run the campaign until the picture is worth taking, and end it."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("demo.toml", SUITE), ("mine.py", PLUGIN)):
            (Path(folder) / name).write_text(text, encoding="utf-8")
        words = ["chaosbench", "run", "demo.toml", "--plugin", "mine.py", "--device", "cpu", "--workers", "2"]
        campaign = subprocess.Popen([sys.executable, "-m", *words], cwd=folder, stdout=subprocess.DEVNULL)
        try:
            svg = _drawn(Path(folder) / "results", campaign)
        finally:
            campaign.terminate()
            campaign.wait()
    write_whole(picture, lambda temporary: temporary.write_text(svg, encoding="utf-8"))


def _drawn(results: Path, process: "subprocess.Popen[bytes]") -> str:
    """Return the picture of the first moment that shows every state: ended, diverged, failed and two trainings."""
    deadline = time.monotonic() + PATIENCE
    while not results.is_dir() and process.poll() is None:
        time.sleep(0.5)
    reader = Reader(results)
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(1.0)
        for campaign in reader.campaigns():
            state = campaign.state
            training = [
                run for run in state.running.values() if len(run.losses) >= SHORTEST and run.phase == "training"
            ]
            if {"ok", "diverged", "failed"} <= state.counts.keys() and len(training) >= 2:
                console = Console(record=True, width=WIDTH, height=HEIGHT, file=io.StringIO(), highlight=False)
                console.print(page(reader, console), soft_wrap=True)
                return console.export_svg(title="chaosbench status results --watch")
    raise SystemExit("the campaign has not shown every state in time; run it on a machine with less load")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
