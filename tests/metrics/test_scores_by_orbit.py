"""Scores of single test orbits."""

from dataclasses import replace
from typing import ClassVar, Literal

import pytest
import torch
from torch import Tensor

from chaosbench.metrics import (
    Evaluation,
    HausdorffDistance,
    MetricSpec,
    NormalisedError,
    PowerSpectrumDistance,
    Skill,
    StateSpaceDivergence,
    ValidPredictionTime,
)
from chaosbench.metrics.base import median_over_runs

ORBITS = torch.tensor([0, 0, 2, 2])
FORECASTS = [NormalisedError(steps=20), ValidPredictionTime(), Skill()]


@pytest.mark.parametrize("spec", [StateSpaceDivergence(), PowerSpectrumDistance(), HausdorffDistance()])
def test_the_score_is_the_median_over_the_orbits_of_free_runs(spec: MetricSpec, evaluation: Evaluation) -> None:
    scores, orbits = spec.score_with_orbits(evaluation)
    assert orbits is not None
    assert torch.equal(scores, spec.score(evaluation))
    assert torch.equal(scores, median_over_runs(orbits, better=spec.better))


@pytest.mark.parametrize("spec", FORECASTS, ids=lambda spec: spec.kind)
def test_the_score_of_an_orbit_is_that_of_its_conditions_alone(spec: MetricSpec, evaluation: Evaluation) -> None:
    scores, orbits = spec.score_with_orbits(replace(evaluation, condition_orbits=ORBITS))
    assert orbits is not None
    assert torch.equal(scores, spec.score(evaluation))
    assert evaluation.twins is not None
    for column, own in enumerate((slice(0, 2), slice(2, 4))):
        alone = replace(
            evaluation,
            forecast=evaluation.forecast[:, own],
            future=evaluation.future[own],
            twins=evaluation.twins[own],
        )
        torch.testing.assert_close(orbits[:, column], spec.score(alone), equal_nan=True)


@pytest.mark.parametrize("spec", FORECASTS, ids=lambda spec: spec.kind)
def test_conditions_on_unknown_orbits_have_a_score_alone(spec: MetricSpec, evaluation: Evaluation) -> None:
    assert spec.score_with_orbits(evaluation)[1] is None


class _Largest(MetricSpec):
    """The largest state, with a score alone."""

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    kind: Literal["largest"] = "largest"

    def score(self, evaluation: Evaluation) -> Tensor:
        return evaluation.free_run.flatten(1).amax(1)


def test_a_metric_with_a_score_alone_works_unchanged(evaluation: Evaluation) -> None:
    scores, orbits = _Largest().score_with_orbits(evaluation)
    assert torch.equal(scores, _Largest().score(evaluation))
    assert orbits is None
