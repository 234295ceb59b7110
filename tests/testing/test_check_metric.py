"""The conformance check of metrics passes every registered metric and fails every broken one."""

from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from registered_kinds import KNOWN

from chaosbench.metrics import MetricSpec, PredictionError, StateSpaceDivergence
from chaosbench.testing import check_metric

LEAST_POINTS = {"correlation_dimension_error": 1_000}  # a dimension needs many, and is slow


@pytest.mark.parametrize("kind", KNOWN["metric"])
def test_every_metric_passes(kind: str):
    cls: Any = KNOWN["metric"][kind]
    small = {"steps": 20, "points": LEAST_POINTS.get(kind, 300)}
    check_metric(cls(**{name: value for name, value in small.items() if name in cls.model_fields}))


class Distance(MetricSpec):
    """Distance between the distributions of single observables (Wasserstein); good where it is not overridden."""

    kind: Literal["distance"] = "distance"
    unit: ClassVar[str] = "std"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    def score(self, evaluation):
        ordered = [series.double().sort(-2).values for series in (evaluation.free_run, evaluation.truth)]
        return (ordered[0] - ordered[1]).abs().mean((1, 2, 3))


class IgnoresPointsFarAway(Distance):
    def score(self, evaluation):
        near = evaluation.free_run.where(evaluation.free_run.abs() < 100, evaluation.truth)
        return super().score(replace(evaluation, free_run=near))


class RewardsAmplitude(Distance):
    def score(self, evaluation):
        return 1 / evaluation.free_run.double().std((1, 2, 3))


class NoticesNothing(Distance):
    def score(self, evaluation):
        return torch.zeros(len(evaluation.free_run), dtype=torch.float64)


class OneNumberForAllSeeds(Distance):
    def score(self, evaluation):
        return super().score(evaluation).mean()


class NormalisesOverSeeds(Distance):
    def score(self, evaluation):
        return super().score(evaluation) / evaluation.free_run.nan_to_num().abs().max()


class ChangesItsInput(Distance):
    def score(self, evaluation):
        evaluation.free_run.sub_(evaluation.free_run.mean())
        return super().score(evaluation)


class DrawsFromNumpy(Distance):
    def score(self, evaluation):
        return super().score(evaluation) + 1e-3 * np.random.rand()


class NeedsTheExponents(Distance):
    def score(self, evaluation):
        return super().score(evaluation) / evaluation.largest_exponent


class NotFiniteForTheTruth(Distance):
    def score(self, evaluation):
        return super().score(evaluation).log() * torch.inf


class PrefersRunsThatAreNotFinite(Distance):
    def score(self, evaluation):
        lost = evaluation.free_run.isnan().flatten(1).any(1)
        return super().score(evaluation).where(~lost, 0.0)


class OtherOrbitsThanScores(StateSpaceDivergence):
    def score_with_orbits(self, evaluation):
        scores, orbits = super().score_with_orbits(evaluation)
        return scores + 1, orbits


class WithoutAReason(Distance):
    def why_undefined(self, evaluation, index):
        return ""


class UnknownWay(Distance):
    unordered: ClassVar = {"tickled": "it laughs"}


class Upside(Distance):
    better: ClassVar = "up"


class RewardsError(PredictionError):
    """Scores the truth best, and all spoiled forecasts in the wrong order."""

    def average(self, scores):
        errors = super().average(scores)
        return errors.where(errors < 0.1, 1 / errors + 1)


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (IgnoresPointsFarAway, ["better by getting worse", "'points thrown away'", "count"]),
        (RewardsAmplitude, ["better by getting worse", "'points thrown away'", "true runs score"]),
        (NoticesNothing, ["must notice", "'collapsed runs'", "96%"]),
        (OneNumberForAllSeeds, ["(1,)", "()"]),
        (NormalisesOverSeeds, ["alone and beside others", "deviation", "reduce over all axes but the first"]),
        (ChangesItsInput, ["must not change its input", "'free_run'", "copy"]),
        (DrawsFromNumpy, ["global random state", "numpy", "generator"]),
        (NotFiniteForTheTruth, ["must be finite", "true runs"]),
        (PrefersRunsThatAreNotFinite, ["better by getting worse", "'not finite'", "NaN"]),
        (OtherOrbitsThanScores, ["score_with_orbits", "deviation"]),
        (WithoutAReason, ["why_undefined", "text"]),
        (UnknownWay, ["`unordered`", "tickled", "shuffled"]),
        (Upside, ["`better`", "'lower'", "'up'"]),
        (RewardsError, ["the more of a run is spoiled", "`unordered`"]),
        (NeedsTheExponents, ["a recorded series", "must not raise", "TypeError"]),
    ],
)
def test_a_broken_metric_fails_with_the_promise_that_it_breaks(metric: type[MetricSpec], words: list[str]):
    with pytest.raises(AssertionError) as raised:
        check_metric(metric())
    assert [word for word in words if word not in str(raised.value)] == []


def test_a_metric_may_name_the_way_in_which_levels_are_not_in_order(monkeypatch: pytest.MonkeyPatch):
    ways = ("fewer points", "collapsed runs", "points thrown away", "shuffled", "enlarged", "shrunk")
    monkeypatch.setattr(RewardsError, "unordered", dict.fromkeys(ways, "an example"))
    check_metric(RewardsError())


def test_a_sound_metric_of_thirty_lines_passes():
    check_metric(Distance())
