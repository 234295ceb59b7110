"""Measurements on a GPU are stored as they were printed, and shown on the page on speed."""

import json
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import pytest

from benchmarks.gpu import CORE, ERROR, OUTSIDE, TESTS, adopt
from benchmarks.lines import Line
from benchmarks.on_gpu import Output, Part, parts, run
from benchmarks.phases_gpu import beside, slowest
from benchmarks.results import read
from docs.generate.performance import page

LINE = Line("gpu", "update of lstm", value=2e-4, least=1e-4, most=3e-4, rival="JAX", rival_value=1e-5, ratio=3.2,
            ratio_least=3.0, ratio_most=4.0, rounds=7, K=1024, T=200, M=30)  # fmt: skip
PHASE = Line("gpu", "an experiment", value=1.5, least=1.5, most=1.5, rival=CORE, rival_value=3.0, ratio=2.0,
             ratio_least=2.0, ratio_most=2.0, rounds=1, K=64, phase="forecasts")  # fmt: skip


def rows(folder: Path, *contents: object, part: str = "training") -> Path:
    """Print rows as a part of the program does, after its start."""
    output = Output(folder)
    start = {"device": "NVIDIA A", "torch": "2.11", "processor": "p", "date": "2026-12-01T10:00:00+00:00"}
    output.keep("start", json.dumps(start))
    for content in contents:
        output.keep(part, content if isinstance(content, str) else json.dumps(content))
    return folder / "on_gpu.jsonl"


def test_lines_are_stored_with_the_card_and_the_date_and_others_are_logged(tmp_path: Path):
    adopt(rows(tmp_path, asdict(LINE), "a warning", asdict(Line("gpu", "lost", reason="out of memory"))), tmp_path)
    (stored,) = read(tmp_path)
    assert stored.line == LINE
    assert (stored.where.device, stored.where.date) == ("NVIDIA A", datetime(2026, 12, 1, 10, tzinfo=UTC))
    assert (tmp_path / "on_gpu.log").read_text() == "training: a warning\n"


def test_checks_and_tests_become_a_line_each_that_names_what_failed(tmp_path: Path):
    good, bad = {"check": "a", "error": 2e-7, "ok": True}, {"check": "b", "failure": "no", "ok": False}
    tests = {"tests": 10, "passed": 7, "skipped": 2, "failed": ["x::y"]}
    adopt(rows(tmp_path, good, good | {"error": 5e-7}, bad, tests), tmp_path)
    lines = {one.line.what: one.line for one in read(tmp_path)}
    assert (lines[ERROR].value, lines[ERROR].rounds, lines[ERROR].reason) == (5e-7, 2, "b")
    assert (lines[TESTS].value, lines[TESTS].rounds, lines[TESTS].reason) == (7, 8, "x::y")


def test_the_page_shows_the_ratio_to_jax_the_phases_and_the_target(tmp_path: Path):
    outside = Line("gpu", OUTSIDE, value=1.75, least=1.75, most=1.75, rounds=1, K=64)
    adopt(rows(tmp_path, asdict(LINE), asdict(PHASE), asdict(outside)), tmp_path)
    text = page(read(tmp_path))
    assert "| update of lstm | 1,024 | 0.200 (0.100 to 0.300) | 3.2 | NVIDIA A |" in text
    assert "| an experiment | forecasts | 1.5 s | 3.0 s | NVIDIA A |" in text
    (target,) = [row for row in text.splitlines() if "64 seeds on a GPU | 5 s" in row]
    assert "| 1.8 s | NVIDIA A |" in target


def test_every_part_runs_a_module_of_the_benchmarks():
    for rehearse in (False, True):
        commands = [command for part in parts("cuda", rehearse=rehearse) for command in part.commands]
        assert all(find_spec(f"benchmarks.{module}") is not None for module, *_ in commands)


def test_phases_of_the_gpu_stand_beside_those_of_the_cpu():
    on_gpu = [replace(PHASE, value=value, what=what, phase="outside training", rival="", rival_value=None)
              for what, value in (("fast", 1.5), ("slow", 4.0))]  # fmt: skip
    on_cpu = [replace(line, value=3.0) for line in on_gpu[:1]]
    (line,) = beside(on_gpu, on_cpu)
    assert (line.what, line.value, line.rival_value, line.ratio) == ("fast", 1.5, 3.0, 2.0)
    assert (slowest(on_gpu).what, slowest(on_gpu).value, slowest(on_gpu).phase) == (OUTSIDE, 4.0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs process groups")
def test_a_part_that_exceeds_its_limit_ends_with_what_it_has_started(tmp_path: Path, monkeypatch):
    """The child of the program would hold the output open for a minute."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").touch()
    (tmp_path / "benchmarks" / "hangs.py").write_text(
        'import subprocess\nprint("{\\"a\\": 1}", flush=True)\nsubprocess.run(["sleep", "60"])\n'
    )
    monkeypatch.chdir(tmp_path)
    begun, output = perf_counter(), Output(tmp_path)
    run(Part("slow", 4.0, (("hangs",),)), output)
    assert perf_counter() - begun < 40
    assert "exit codes [-9]" in (tmp_path / "on_gpu.log").read_text()
    assert json.loads((tmp_path / "on_gpu.jsonl").read_text()) == {"part": "slow", "a": 1}
