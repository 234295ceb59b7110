"""Properties of every metric: a number per seed, a floor, and failures that do not affect other seeds."""

from dataclasses import replace

import pytest
import torch

from chaosbench.builtin import chaosbench_metrics
from chaosbench.metrics import (
    CorrelationDimensionError,
    Evaluation,
    HausdorffDistance,
    KaplanYorkeError,
    KernelDiscrepancy,
    LargestExponentError,
    LyapunovSpectrumError,
    MetricSpec,
    MixtureDivergence,
    NormalisedError,
    PowerSpectrumCorrelation,
    PowerSpectrumDistance,
    PredictionError,
    ScaledError,
    Skill,
    SlicedWassersteinDistance,
    StateSpaceDivergence,
    SymmetricPercentageError,
    ValidPredictionTime,
    mixture_divergence,
    power_spectrum_distance,
    state_space_divergence,
)

SPECS: list[MetricSpec] = [
    CorrelationDimensionError(),
    HausdorffDistance(),
    KaplanYorkeError(),
    KernelDiscrepancy(),
    LargestExponentError(),
    LyapunovSpectrumError(),
    MixtureDivergence(),
    NormalisedError(steps=20),
    PowerSpectrumCorrelation(),
    PowerSpectrumDistance(),
    PredictionError(),
    ScaledError(steps=20),
    Skill(),
    SlicedWassersteinDistance(),
    StateSpaceDivergence(),
    SymmetricPercentageError(steps=20),
    ValidPredictionTime(),
]
METRICS = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)


@METRICS
def test_every_seed_gets_one_finite_number_and_the_floor_one_more(spec: MetricSpec, evaluation: Evaluation) -> None:
    scores, floor = spec.score(evaluation), spec.score(evaluation.floor())
    assert scores.shape == (3,)
    assert floor.shape == (1,)
    assert scores.dtype == floor.dtype == torch.float64
    assert scores.isfinite().all()
    assert floor.isfinite().all()


def test_every_shipped_metric_is_tested_here() -> None:
    assert {type(spec) for spec in SPECS} == set(chaosbench_metrics())


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
    assert scores[1].isnan() == (spec.kind not in {"valid_prediction_time", "skill"})


@METRICS
def test_a_metric_documents_itself(spec: MetricSpec) -> None:
    assert spec.kind == type(spec)().label
    assert spec.unit in {"nats", "Lyapunov times", "percent", "1"}
    assert (spec.better == "higher") == (spec.kind in {"valid_prediction_time", "skill", "power_spectrum_correlation"})


@METRICS
def test_a_perfect_model_beats_a_random_one(spec: MetricSpec, evaluation: Evaluation) -> None:
    """The truth itself as the forecast of one seed and the reference as its exponents."""
    evaluation.free_run[0] = evaluation.truth
    evaluation.forecast[0] = evaluation.future
    evaluation.exponents[0] = evaluation.reference_exponents
    own, others = spec.score(evaluation)[0], spec.score(evaluation)[1:]
    assert (own > others).all() if spec.better == "higher" else (own < others).all()
    if spec.better == "lower":
        assert own == pytest.approx(0, abs=1e-12)


@METRICS
def test_single_precision_is_scored_as_double(spec: MetricSpec, evaluation: Evaluation) -> None:
    """Models run in float32: the inputs' rounding, 6e-8, is all that may change."""
    names = ("free_run", "truth", "twin", "forecast", "future", "twins", "scale", "exponents", "twin_exponents")
    single = replace(evaluation, **{name: getattr(evaluation, name).float() for name in names})
    assert spec.score(single).dtype == torch.float64
    assert torch.allclose(spec.score(single), spec.score(evaluation), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spec", [LyapunovSpectrumError(), KaplanYorkeError()], ids=lambda spec: spec.kind)
def test_without_a_certified_spectrum_neither_score_nor_floor_exists(spec: MetricSpec, evaluation: Evaluation) -> None:
    changed = replace(evaluation, reference_exponents=None)
    assert spec.score(changed).isnan().tolist() == [True] * 3
    assert spec.score(changed.floor()).isnan().tolist() == [True]


def test_metrics_of_forecasts_state_their_least_horizon() -> None:
    for spec in (PredictionError(steps=7), NormalisedError(steps=7), SymmetricPercentageError(steps=7)):
        assert spec.least_horizon == 7
    assert ScaledError(steps=7, lag=3).least_horizon == 7
    assert ScaledError(steps=7, lag=3).least_free_run == 4
    assert PowerSpectrumDistance(convention="seed").least_free_run == 2000
    assert StateSpaceDivergence().least_horizon == StateSpaceDivergence().least_free_run == 1


@METRICS
def test_huge_numbers_raise_nothing_and_leave_the_neighbours_alone(spec: MetricSpec, evaluation: Evaluation) -> None:
    """A run far off the attractor may be finite while its squares are not."""
    expected = spec.score(evaluation)
    evaluation.free_run[1, :, 200:] = 1e200
    evaluation.forecast[1, :, 10:] = 1e200
    scores = spec.score(evaluation)
    assert torch.equal(scores[[0, 2]], expected[[0, 2]])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@METRICS
def test_a_gpu_scores_as_the_cpu(spec: MetricSpec, evaluation: Evaluation) -> None:
    names = ("free_run", "truth", "twin", "forecast", "future", "twins", "scale", "exponents")
    there = replace(evaluation, **{name: getattr(evaluation, name).cuda() for name in names})
    assert torch.allclose(spec.score(there).cpu(), spec.score(evaluation), rtol=1e-9, atol=1e-12)
    assert torch.allclose(spec.score(there.floor()).cpu(), spec.score(evaluation.floor()), rtol=1e-9, atol=1e-12)


def test_options_show_in_the_label() -> None:
    assert StateSpaceDivergence(convention="seed").label == "state_space_divergence(convention=seed)"
    assert PredictionError(steps=5).label == "prediction_error(steps=5)"


def test_only_the_dend_convention_pools_the_free_runs_of_a_seed(evaluation: Evaluation) -> None:
    """Its paper joins many short runs; the median of two runs is their mean."""
    pooled = torch.cat([evaluation.free_run[1, 0], evaluation.free_run[1, 1]])
    expected = state_space_divergence(pooled, evaluation.truth.reshape(800, 2), bins=7, convention="dend")
    assert StateSpaceDivergence(bins=7, convention="dend").score(evaluation)[1] == expected
    each = [state_space_divergence(evaluation.free_run[1, r], evaluation.truth[r], bins=7) for r in (0, 1)]
    assert torch.allclose(StateSpaceDivergence(bins=7).score(evaluation)[1], torch.stack(each).mean(), rtol=1e-12)


@pytest.mark.parametrize(("convention", "mixture"), [("gtf", "gtf"), ("dynamix", "gtf"), ("seed", "seed")])
def test_beyond_five_dimensions_states_are_compared_by_mixtures(
    convention: str, mixture: str, evaluation: Evaluation
) -> None:
    scale = torch.tensor([1.0, 2.0], dtype=torch.float64).repeat(3)
    wide = replace(
        evaluation,
        free_run=evaluation.free_run.repeat(1, 1, 1, 3),
        truth=evaluation.truth.repeat(1, 1, 3),
        twin=evaluation.twin.repeat(1, 1, 3),
        scale=scale,
    )
    scores = StateSpaceDivergence(convention=convention).score(wide)
    runs, orbits = wide.free_run[1] / scale, wide.truth / scale
    each = [mixture_divergence(runs[r], orbits[r], convention=mixture) for r in (0, 1)]
    assert torch.allclose(scores[1], torch.stack(each).mean(), rtol=1e-12)


def test_power_spectrum_distance_is_the_mean_over_pairs(evaluation: Evaluation) -> None:
    scores = PowerSpectrumDistance(smoothing=3.0).score(evaluation)
    pairs = [power_spectrum_distance(evaluation.free_run[1, r], evaluation.truth[r], smoothing=3.0) for r in (0, 1)]
    assert torch.allclose(scores[1], torch.stack(pairs).mean(), rtol=1e-12)
