"""Sizes that nobody set are derived from the series; sizes that do not fit are reported all at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from series_files import logistic

from chaosbench import registry, sizes, suite
from chaosbench.errors import SpecError
from chaosbench.evaluation_spec import EvaluationSpec
from chaosbench.metrics import PredictionError
from chaosbench.series import TimeSeries
from chaosbench.source import DataSpec, Lengths
from chaosbench.trainers import BPTT, Ridge

LEAST = sizes.least((PredictionError(),))


def suite_of(tmp_path, rows, extra=""):
    np.save(tmp_path / "series.npy", logistic(rows))
    text = f"""
suite = "mine"
{extra}
[[systems]]
kind = "timeseries"
path = "{tmp_path}/series.npy"
exponent = 0.5
exponent_source = "the logistic map"
[[models]]
kind = "shallow_plrnn"
[[trainers]]
kind = "sparse_teacher_forcing"
"""
    (tmp_path / "suite.toml").write_text(text)
    return str(tmp_path / "suite.toml")


@given(
    stretches=st.lists(st.integers(30, 20_000), min_size=1, max_size=6),
    history=st.integers(0, 3),
    context=st.none() | st.integers(1, 5),
    runs=st.none() | st.integers(1, 2),
)
def test_derived_sizes_always_fit(stretches, history, context, runs):
    """Two pieces of 30 steps hold a history of one step and a forecast of 20."""
    if sum(stretch // (30 + history) for stretch in stretches) < 2 * (runs or 1):
        stretches = [*stretches, 8 * (30 + history)]
    given_sizes = {name: value for name, value in (("context", context), ("free_runs", runs)) if value is not None}
    data = DataSpec(embedding=history + 1)
    data, evaluation = sizes.fitted(data, EvaluationSpec(**given_sizes), Lengths(100, tuple(stretches)), LEAST)
    lengths = Lengths(100, tuple(stretches))
    assert sizes.misfits(data, evaluation, (PredictionError(),), every=1, lengths=lengths) == []
    assert {name: getattr(evaluation, name) for name in given_sizes} == given_sizes


@given(stretches=st.lists(st.integers(1, 500), min_size=1, max_size=5), count=st.integers(1, 8))
def test_the_longest_piece_fits_and_one_step_more_does_not(stretches, count):
    length = sizes.longest_piece(stretches, count)
    assert length == 0 or sum(stretch // length for stretch in stretches) >= count
    assert sum(stretch // (length + 1) for stretch in stretches) < count


@pytest.mark.parametrize("rows", [250, 600, 5_000])
def test_a_short_series_needs_no_setting(tmp_path, rows):
    (experiment,) = suite.load(suite_of(tmp_path, rows), registry.load())
    assert 2 * experiment.data.test_length <= round(0.2 * rows)
    assert experiment.evaluation.context < experiment.data.test_length
    assert experiment.evaluation.free_run_steps == min(10_000, experiment.data.test_length)
    assert experiment.trainer.sequence_length < 0.7 * rows
    assert experiment.replaced(seeds=experiment.seeds) == experiment


def test_a_long_series_keeps_the_defaults(tmp_path):
    (experiment,) = suite.load(suite_of(tmp_path, 400_000), registry.load())
    assert experiment.evaluation == EvaluationSpec()
    assert experiment.data.replaced(test_orbits=8) == DataSpec()
    assert experiment.trainer.sequence_length == 200


def test_what_was_set_and_does_not_fit_is_told_in_one_message_with_all_places(tmp_path):
    extra = "data = { test_length = 100 }\nevaluation = { free_run_steps = 300, free_runs = 3, horizon = 200 }"
    with pytest.raises(SpecError) as raised:
        suite.load(suite_of(tmp_path, 1_000, extra), registry.load())
    for place in ("free_run_steps = 300", "free_runs = 3", "horizon = 200", "test_length = 100"):
        assert place in str(raised.value)


def test_a_series_that_is_too_short_says_how_many_steps_it_has(tmp_path):
    with pytest.raises(SpecError, match="20 steps for testing"):
        suite.load(suite_of(tmp_path, 100), registry.load())


def test_windows_of_trainers_fit_unless_they_are_set():
    assert sizes.fitted_trainer(BPTT(), 100).sequence_length < 100
    assert sizes.fitted_trainer(BPTT(sequence_length=500), 100).sequence_length == 500
    assert sizes.fitted_trainer(BPTT(), 1_000) == BPTT()
    assert sizes.fitted_trainer(Ridge(), 100).warm_up < 50


def test_a_stored_experiment_needs_no_file(tmp_path):
    (experiment,) = suite.load(suite_of(tmp_path, 600), registry.load())
    (tmp_path / "series.npy").unlink()
    stored = experiment.model_dump(mode="json")
    assert TimeSeries.model_validate(stored["system"]) == experiment.system
    assert experiment.replaced(seeds=(3,)).identity == experiment.identity
