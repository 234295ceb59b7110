"""Conformance check of a metric: its scores are numbers per seed, and no run scores better by getting worse."""

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any, get_args

import torch
from torch import Tensor

from chaosbench.metrics.base import Evaluation, Judged, MetricSpec
from chaosbench.testing.assertions import (
    assert_agree,
    assert_identical,
    check_spec_round_trip,
    global_random_state_unused,
    require,
)
from chaosbench.testing.spoiled_runs import WAYS, SpoiledRun, spoiled_evaluation, true_evaluation

_CHANCE = 2.0  # standard deviations of the scores of single true runs, by which levels may differ by chance
_RANDOM = 0.1  # share of the range of a way's levels that may be random, because all of them are hopeless
_SEEN = ("collapsed runs", "points thrown away")  # what every metric of states must notice
_ROUNDING = 1e-9  # batched arithmetic in double precision rounds differently


def check_metric(spec: MetricSpec) -> None:
    """Check a metric on true runs of Lorenz-63, and on runs that are spoiled more and more.

    No spoiled run may score better than the true one, and the more is spoiled, the worse is the score. Where levels
    are not in order although all are worse than the true run, the metric says why in its `ClassVar` `unordered`.

    Raises:
        AssertionError: naming the broken promise, by how much it is broken, and how to keep it.
    """
    check_spec_round_trip(spec)
    _check_facts(spec)
    true = true_evaluation(spec.least_free_run, spec.least_horizon)
    _check_inputs(spec, true)
    _check_scores(spec, true)
    _check_seeds(spec, true)
    _check_unknown_systems(spec, true)
    spoiled, evaluation = spoiled_evaluation(true)
    costs = _costs(spec, evaluation)
    _check_ranking(spec, costs, spoiled, _scatter(spec, true))
    _check_details(spec, evaluation, costs)


def _check_facts(spec: MetricSpec) -> None:
    unit = getattr(spec, "unit", None)
    require(bool(unit) and isinstance(unit, str), f"{spec.label}: `unit` must be a text, '1' for a pure number")
    better = getattr(spec, "better", None)
    require(better in ("lower", "higher"), f"{spec.label}: `better` must be 'lower' or 'higher'; it is {better!r}")
    known = get_args(Judged)
    require(spec.judges in known, f"{spec.label}: `judges` must be one of {known}; it is {spec.judges!r}")
    for name in ("least_horizon", "least_free_run"):
        steps = getattr(spec, name)
        require(isinstance(steps, int) and steps >= 1, f"{spec.label}: {name} must be a number of steps; it is {steps}")
    wrong = sorted(set(spec.unordered) - set(WAYS))
    require(not wrong, f"{spec.label}: `unordered` names {wrong}; the ways to spoil a run are {', '.join(WAYS)}")


def _check_inputs(spec: MetricSpec, true: Evaluation) -> None:
    """Check that the evaluation stays as it is, and that equal evaluations have equal scores."""
    before = {name: value.clone() for name, value in _tensors(true).items()}
    with global_random_state_unused(f"{spec.label}: score"):
        first = spec.score(true)
    for name, value in _tensors(true).items():
        promise = f"{spec.label}: score must not change its input, but {name!r} changes"
        assert_identical(value, before[name], promise, "work on a copy, such as `evaluation.free_run.clone()`")
    torch.randn(1)  # torch's global random state must not matter
    advice = "draw random numbers from a generator with a fixed seed"
    assert_identical(spec.score(true), first, f"{spec.label}: equal evaluations must have equal scores", advice)


def _check_scores(spec: MetricSpec, true: Evaluation) -> None:
    """Check shapes, and that a true run, in double and in single precision, and the floor have finite scores."""
    single: dict[str, Any] = {
        name: value.float() for name, value in _tensors(true).items() if value.is_floating_point()
    }
    cases = {"true runs": true, "true runs in single precision": replace(true, **single), "the floor": true.floor()}
    for name, evaluation in cases.items():
        scores = spec.score(evaluation)
        _require_shape(spec, f"the score of {name}", scores, (1,))
        finite = bool(scores.isfinite().all())
        require(finite, f"{spec.label}: the score of {name} must be finite; it is {float(scores[0])}")
        same, orbits = spec.score_with_orbits(evaluation)
        assert_identical(same, scores, f"{spec.label}: score_with_orbits must return the scores that score returns")
        shape = None if orbits is None else tuple(orbits.shape)
        promise = f"{spec.label}: the scores of single orbits must have the shape (1, number of test orbits)"
        require(shape is None or (len(shape) == 2 and shape[0] == 1), f"{promise}; they have {shape}")


def _check_seeds(spec: MetricSpec, true: Evaluation) -> None:
    """Check that a seed scores the same alone and beside others, one of which has diverged."""
    noise = torch.randn(true.free_run.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    others = (
        replace(true, free_run=true.free_run + 0.1 * noise),
        replace(
            true,
            free_run=true.free_run.where(torch.arange(true.free_run.shape[2])[:, None] < 100, torch.nan),
            forecast=true.forecast.where(torch.arange(true.forecast.shape[2])[:, None] < 3, torch.nan),
            exponents=torch.full_like(true.exponents, torch.nan),
        ),
    )
    seeds = (true, *others)
    names = ("free_run", "forecast", "exponents")
    joined: dict[str, Any] = {name: torch.cat([getattr(seed, name) for seed in seeds]) for name in names}
    together = spec.score(replace(true, **joined))
    _require_shape(spec, "score of three seeds", together, (3,))
    for index, seed in enumerate(seeds):
        promise = f"{spec.label}: a seed must score the same alone and beside others"
        alone = spec.score(seed)
        if not bool(alone.isnan().all() and together[index].isnan()):
            advice = "compute each seed by itself: reduce over all axes but the first"
            assert_agree(together[index : index + 1], alone, promise, _ROUNDING, advice)


def _check_unknown_systems(spec: MetricSpec, true: Evaluation) -> None:
    """Check that nothing raises for a recorded series, of which neither exponents nor twins are known."""
    unknown = replace(
        true,
        twins=None,
        largest_exponent=None,
        reference_exponents=None,
        condition_orbits=None,
        twin_exponents=torch.full_like(true.twin_exponents, torch.nan),
    )
    for name, evaluation in (("a recorded series", unknown), ("the floor of a recorded series", unknown.floor())):
        try:
            scores = spec.score(evaluation)
        except Exception as error:
            advice = "return NaN, for example where `evaluation.largest_exponent` is None"
            message = f"{spec.label}: the score of {name}, which has no exponents and no twins, must not raise"
            raise AssertionError(f"{message}; it raises {type(error).__name__}: {error}; {advice}") from error
        _require_shape(spec, f"score of {name}", scores, (1,))


def _costs(spec: MetricSpec, evaluation: Evaluation) -> list[float]:
    """Return the scores with the sign for which lower is better; one that is not finite is infinite."""
    scores = spec.score(evaluation).double()
    _require_shape(spec, f"score of {len(evaluation.free_run)} seeds", scores, (len(evaluation.free_run),))
    signed: list[float] = (scores if spec.better == "lower" else -scores).tolist()
    return [cost if math.isfinite(cost) else math.inf for cost in signed]


def _scatter(spec: MetricSpec, true: Evaluation) -> float:
    """Return the standard deviation of the score over true free runs, each alone; forecasts and exponents are fixed."""
    runs = range(true.free_run.shape[1])
    alone = [
        _costs(spec, replace(true, free_run=true.free_run[:, [run]], truth=true.truth[[run]], twin=true.twin[[run]]))[0]
        for run in (runs if spec.judges in ("free_run", "") else ())
    ]
    return float(torch.tensor(alone, dtype=torch.float64).std()) if all(map(math.isfinite, alone)) and alone else 0.0


def _check_ranking(spec: MetricSpec, costs: Sequence[float], spoiled: Sequence[SpoiledRun], scatter: float) -> None:
    """Check that no spoiled run beats the true one, that levels are in order, and that the metric notices at all."""
    true, levels = costs[0], dict(zip(spoiled, costs[1:], strict=True))
    chance = _CHANCE * scatter + _ROUNDING
    sign = 1 if spec.better == "lower" else -1
    context = f"true runs score {sign * true:.4g}, with a standard deviation of {scatter:.2g}"
    for run, cost in levels.items():
        better = f"{spec.label}: a run must not score better by getting worse"
        found = f"{context}, and a run with {run.way!r} to {run.share:.0%} scores {sign * cost:.4g}"
        require(cost >= true - chance, f"{better}; {found}; return NaN, or let what is missing or far away count")
    for way in WAYS:
        own = {0.0: true} | {run.share: cost for run, cost in levels.items() if run.way == way}
        if way not in spec.unordered:
            _check_order(spec, way, own, chance)
        if way in _SEEN and spec.judges != "exponents":
            promise = f"{spec.label}: a metric must notice {way!r} to {max(own):.0%}"
            worst = own[max(own)]
            require(worst > true + scatter, f"{promise}; {context}, and such a run scores {sign * worst:.4g}")
    lost = levels[SpoiledRun("not finite", 1)]
    promise = f"{spec.label}: a run that is not finite must score worse than a true run"
    require(lost > true, f"{promise}; {context}, and the former {sign * lost:.4g}; return NaN for it")


def _check_order(spec: MetricSpec, way: str, levels: dict[float, float], chance: float) -> None:
    """Check that scores get worse with the share that is spoiled, up to chance."""
    sign = 1 if spec.better == "lower" else -1
    finite = [cost for cost in levels.values() if math.isfinite(cost)]
    allowed = chance + _RANDOM * (max(finite) - min(finite))
    shares = sorted(levels)
    for less, more in pairwise(shares):
        promise = f"{spec.label}: the more of a run is spoiled by {way!r}, the worse must it score"
        found = f"to {less:.0%} it scores {sign * levels[less]:.4g}, and to {more:.0%} {sign * levels[more]:.4g}"
        advice = f"up to {allowed:.2g} may be chance; if it cannot be otherwise, give the reason in `unordered`"
        require(levels[more] >= levels[less] - allowed, f"{promise}; {found}; {advice}")


def _check_details(spec: MetricSpec, evaluation: Evaluation, costs: Sequence[float]) -> None:
    """Check the shares stored beside the score, and that every undefined score has a reason."""
    seeds = len(evaluation.free_run)
    for name, share in spec.details(evaluation).items():
        _require_shape(spec, f"{name!r} of details", share, (seeds,))
    for index in range(seeds):
        if not math.isfinite(costs[index]):
            reason = spec.why_undefined(evaluation, index)
            text = isinstance(reason, str) and bool(reason.strip())
            require(text, f"{spec.label}: why_undefined must return a text for a score that is not finite")


def _require_shape(spec: MetricSpec, name: str, value: Tensor, shape: tuple[int, ...]) -> None:
    found = tuple(value.shape)
    require(found == shape, f"{spec.label}: {name} must have the shape {shape}, one number per seed; it has {found}")
    kind = value.dtype
    require(kind.is_floating_point, f"{spec.label}: {name} must hold floating-point numbers; it holds {kind}")


def _tensors(evaluation: Evaluation) -> dict[str, Tensor]:
    """Return every tensor of an evaluation, by name."""
    values = {field.name: getattr(evaluation, field.name) for field in fields(evaluation)}
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}
