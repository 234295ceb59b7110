"""Commands whose reader goes away, as `head` does."""

import os
import subprocess
import sys
from pathlib import Path

from tiny_suite import tiny_suite

from chaosbench.cli_output import closed_output


def test_a_run_whose_output_is_closed_says_so_and_how_to_go_on(tmp_path: Path):
    (tmp_path / "tiny.toml").write_text(tiny_suite(seeds=[0], intervals=[2]))
    read, write = os.pipe()
    os.close(read)
    words = [sys.executable, "-m", "chaosbench", "run", "tiny.toml", "--device", "cpu", "--workers", "1"]
    ended = subprocess.run(words, cwd=tmp_path, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "closed" in line
    assert "same command" in line


def test_nothing_is_lost_where_a_table_is_not_read_to_its_end(capsys):
    assert closed_output(["rank", "results"]) == 0
    assert closed_output(["run", "quickstart", "--dry-run"]) == 0
    assert capsys.readouterr().err == ""
