"""Recorded series on the command line: what was read is printed, and what does not fit is found before a run."""

import numpy as np
import pytest

SUITE = """
suite = "mine"
[[systems]]
kind = "timeseries"
path = "{folder}/series.csv"
exponent = 0.5
exponent_source = "the logistic map"
[[models]]
kind = "shallow_plrnn"
[[trainers]]
kind = "sparse_teacher_forcing"
interval = [3, 5]
"""


@pytest.fixture
def path(tmp_path):
    values = [0.3]
    for _ in range(599):
        values.append(3.9 * values[-1] * (1 - values[-1]))
    np.savetxt(
        tmp_path / "series.csv", np.column_stack([np.arange(600), values]), delimiter=",", header="n,x", comments=""
    )
    (tmp_path / "suite.toml").write_text(SUITE.format(folder=tmp_path))
    return tmp_path / "suite.toml"


def test_a_dry_run_finds_what_the_run_would_for_every_trainer_at_once(path, tmp_path, call):
    """Windows that are set and too long; a multiple of tau_pred without a known exponent."""
    command = ("run", path, "--results", tmp_path / "results", "--dry-run")
    code, _, error = call(*command, "--set", "trainer.sequence_length=1_000")
    assert code == 2
    assert error.count("windows of 1000") == 2
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "results").exists()


def test_the_columns_that_are_read_and_those_that_are_not_are_printed(path, tmp_path, call):
    code, out, _ = call("run", path, "--results", tmp_path / "results", "--dry-run")
    assert code == 0
    assert "column x from series.csv" in out
    assert "'n'" in out
    assert "600 steps" in out
