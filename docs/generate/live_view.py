"""Draw the live view of a campaign for docs/running.md: `python -m docs.generate.live_view PICTURE.svg`.

A real campaign runs in a process of its own, with a training that diverges and one that fails; the picture is what
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
PATIENCE, SHORTEST = 900.0, 25  # [s] of the whole campaign, and reports of each training that is drawn

SUITE = """
suite = "demo"
seeds = [0, 1, 2]
[[systems]]
kind = "lorenz63"
[[models]]
kind = "shallow_plrnn"
[[models]]
kind = "lstm"
[[trainers]]
kind = "ridge"
[[trainers]]
kind = "sparse_teacher_forcing"
learning_rate = [30.0, 1e-3]
updates = 4_000
[[trainers]]
kind = "bptt"
updates = 2_000
"""


def main(picture: Path) -> None:
    """Run the campaign until the picture is worth taking, and end it."""
    with tempfile.TemporaryDirectory() as folder:
        suite, results = Path(folder) / "demo.toml", Path(folder) / "results"
        suite.write_text(SUITE, encoding="utf-8")
        command = [
            "-m",
            "chaosbench",
            "run",
            str(suite),
            "--results",
            str(results),
            "--device",
            "cpu",
            "--workers",
            "2",
        ]
        campaign = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            svg = _drawn(results, time.monotonic() + PATIENCE)
        finally:
            campaign.terminate()
            campaign.wait()
    write_whole(picture, lambda temporary: temporary.write_text(svg, encoding="utf-8"))


def _drawn(results: Path, deadline: float) -> str:
    """Return the picture of the first moment that shows every state: ended, diverged, failed and two trainings."""
    while not results.is_dir():
        time.sleep(0.5)
    reader = Reader(results)
    while time.monotonic() < deadline:
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
