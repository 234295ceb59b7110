"""Compiled code is cached by the content of every source, and compiled by one process at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")
from chaosbench.kernels import entry, numba_cpu

KERNELS = Path(entry.__file__).parent


def test_every_source_that_is_compiled_counts():
    """All that the entry functions' module imports from this folder, and that module."""
    compiled = {path.name for path in KERNELS.glob("*.py") if "numba" in path.read_text().split('"""', 2)[2]}
    importing = {
        "unroll.py",
        "tangents.py",
        "readout.py",
        "reservoir.py",
        "compiled_procedure.py",
        "compiled_step.py",
        "compiling.py",
    }  # they compile nothing themselves
    assert compiled - importing <= set(entry.SOURCES)


@pytest.mark.parametrize("name", entry.SOURCES)
def test_an_edit_of_any_source_changes_the_folder(name, tmp_path):
    copies = [tmp_path / source for source in entry.SOURCES]
    for copy in copies:
        copy.write_bytes((KERNELS / copy.name).read_bytes())
    before = entry.content_key(copies)
    assert before == entry.content_key(copies) == entry.kernel_folder().name
    (tmp_path / name).write_text((KERNELS / name).read_text() + "\n")
    assert entry.content_key(copies) != before


def test_compiled_functions_are_cached_in_that_folder():
    for function in (numba_cpu._forward, numba_cpu._backward):
        assert entry.kernel_folder() in Path(function.compiled.stats.cache_path).parents


SQUARES = """
import sys, time
from types import SimpleNamespace
from numba import config
import numpy
from chaosbench.kernels.entry import entry

@entry
def square(plan, room, work):
    for i in range(work.size):
        work[i] = work[i] * work[i]

work = numpy.full(3, 3.0)
square(0, 0, work)
assert (work == 9).all()
print(sum(square.compiled.stats.cache_misses.values()), sum(square.compiled.stats.cache_hits.values()))
"""


def test_of_two_processes_one_compiles_and_the_other_loads(tmp_path):
    script = tmp_path / "squares.py"
    script.write_text(SQUARES)
    settings = os.environ | {"CHAOSBENCH_CACHE": str(tmp_path / "cache")}
    running = [
        subprocess.Popen([sys.executable, script], env=settings, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    counts = sorted(process.communicate(timeout=250)[0].split() for process in running)
    assert counts == [["0", "1"], ["1", "0"]]


def test_a_folder_that_cannot_be_written_only_costs_the_cache(tmp_path):
    script, blocked = tmp_path / "squares.py", tmp_path / "blocked"
    script.write_text(SQUARES)
    blocked.write_text("a file where the folder should be")
    settings = os.environ | {"CHAOSBENCH_CACHE": str(blocked)}
    subprocess.run([sys.executable, script], env=settings, check=True, timeout=250)
