"""What holds for every metric: one number per seed, a floor, and a failure that stays at home."""

from dataclasses import replace

import pytest
import torch

from chaosbench.metrics import (
    Evaluation,
    LargestExponentError,
    MetricSpec,
    PowerSpectrumDistance,
    PredictionError,
    StateSpaceDivergence,
    ValidPredictionTime,
    power_spectrum_distance,
    state_space_divergence,
)

SPECS: list[type[MetricSpec]] = [
    LargestExponentError,
    PowerSpectrumDistance,
    PredictionError,
    StateSpaceDivergence,
    ValidPredictionTime,
]
METRICS = pytest.mark.parametrize("spec", [kind() for kind in SPECS], ids=lambda spec: spec.kind)


@METRICS
def test_every_seed_gets_one_finite_number_and_the_floor_one_more(spec: MetricSpec, evaluation: Evaluation) -> None:
    scores, floor = spec.score(evaluation), spec.score(evaluation.floor())
    assert scores.shape == (3,)
    assert floor.shape == (1,)
    assert scores.dtype == floor.dtype == torch.float64
    assert scores.isfinite().all()
    assert floor.isfinite().all()


@METRICS
def test_a_score_does_not_depend_on_the_seeds_beside_it(spec: MetricSpec, evaluation: Evaluation) -> None:
    """The middle seed diverges; the others score what they score in an evaluation of their own."""
    evaluation.free_run[1, 0, 300:] = torch.nan
    evaluation.forecast[1, :, 3:] = torch.nan
    evaluation.exponents[1] = torch.nan
    scores = spec.score(evaluation)
    for k in (0, 2):
        alone = replace(
            evaluation,
            free_run=evaluation.free_run[k : k + 1],
            forecast=evaluation.forecast[k : k + 1],
            exponents=evaluation.exponents[k : k + 1],
        )
        assert torch.equal(spec.score(alone), scores[k : k + 1])
    # A forecast that blows up was right until then, or not: its valid time is a number.
    assert scores[1].isnan() == (spec.kind != "valid_prediction_time")


@METRICS
def test_a_metric_says_what_it_is(spec: MetricSpec) -> None:
    assert spec.kind == spec.label
    assert spec.unit in {"nats", "Lyapunov times", "1"}
    assert (spec.better == "higher") == (spec.kind == "valid_prediction_time")


def test_options_show_in_the_label() -> None:
    assert StateSpaceDivergence(convention="seed").label == "state_space_divergence(convention=seed)"
    assert PredictionError(steps=5).label == "prediction_error(steps=5)"


def test_state_space_divergence_pools_the_free_runs_of_a_seed(evaluation: Evaluation) -> None:
    scores = StateSpaceDivergence(bins=7).score(evaluation)
    pooled = torch.cat([evaluation.free_run[1, 0], evaluation.free_run[1, 1]])
    assert scores[1] == state_space_divergence(pooled, evaluation.truth.reshape(800, 2), bins=7)


def test_power_spectrum_distance_is_the_mean_over_pairs(evaluation: Evaluation) -> None:
    scores = PowerSpectrumDistance(smoothing=3.0).score(evaluation)
    pairs = [power_spectrum_distance(evaluation.free_run[1, r], evaluation.truth[r], smoothing=3.0) for r in (0, 1)]
    assert torch.allclose(scores[1], torch.stack(pairs).mean(), rtol=1e-12)
