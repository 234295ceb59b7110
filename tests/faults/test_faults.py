"""Check after each fault that nothing finished is lost, nothing runs twice, and no process is left."""

import os
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1] / "execution")]

from catalogue_of_faults import FAULTS  # noqa: E402  # which imports modules of that folder

QUICK = ("killed_writers", "writers_at_once", "reads_during_writes", "flipped_bits", "damaged_and_foreign_files")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the faults are those of processes that can be forked")
@pytest.mark.parametrize("name", QUICK)
def test_files_survive_faults(name: str, tmp_path: Path):
    fault, few, _ = next(row for row in FAULTS if row[0].__name__ == name)
    tally = fault(tmp_path, few)
    assert tally.sound, tally


@pytest.mark.slow
@pytest.mark.parametrize("name", [fault.__name__ for fault, _, _ in FAULTS])
def test_campaigns_and_files_survive_many_faults(name: str, tmp_path: Path):
    fault, few, many = next(row for row in FAULTS if row[0].__name__ == name)
    tally = fault(tmp_path, many if fault.__name__ in QUICK else few)
    assert tally.sound, tally
