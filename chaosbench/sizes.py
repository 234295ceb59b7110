"""Sizes of orbits and forecasts: derived from a recorded series where nobody set them, and checked all at once."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from chaosbench.data import DataSpec, first_condition
from chaosbench.evaluation_spec import EvaluationSpec
from chaosbench.metrics.base import MetricSpec
from chaosbench.source import Lengths
from chaosbench.trainers.base import TrainerSpec

_DATA = ("test_length", "test_orbits")
_EVALUATION = ("context", "free_runs", "free_run_steps", "horizon")
_LONG = 500  # [steps] of test orbits, below which longer orbits are better than more free runs

T = TypeVar("T", bound=TrainerSpec)


def open_fields(data: DataSpec, evaluation: EvaluationSpec) -> bool:
    """Return True if a size that a recorded series decides is not set."""
    return bool({*_DATA} - data.model_fields_set or {*_EVALUATION} - evaluation.model_fields_set)


def least(metrics: Sequence[MetricSpec]) -> dict[str, int]:
    """Return the least lengths that all metrics accept, by the name of the field [steps]."""
    return {
        "horizon": max((metric.least_horizon for metric in metrics), default=1),
        "free_run_steps": max((metric.least_free_run for metric in metrics), default=1),
    }


def fitted(
    data: DataSpec, evaluation: EvaluationSpec, lengths: Lengths, least: dict[str, int]
) -> tuple[DataSpec, EvaluationSpec]:
    """Return both with the sizes that nobody set derived from the stretches for testing.

    Test orbits are as long as possible for two orbits (a true orbit and its twin) per free run, up to the default
    length. There are four free runs if their orbits have 500 steps or as many as those of a single free run, otherwise
    fewer. Histories take at most a quarter of an orbit.
    """
    given = {name: getattr(evaluation, name) for name in _EVALUATION if name in evaluation.model_fields_set}
    if "test_length" in data.model_fields_set:
        length, runs = data.test_length, evaluation.free_runs
    else:
        needed = max(given.get("free_run_steps") or 1, (given.get("horizon") or 1) + given.get("context", 1))
        length, runs = _longest(lengths, data.history, given.get("free_runs"), needed)
        length = max(2, min(length, max(DataSpec.model_fields["test_length"].default, needed)))
    count = sum(stretch // (length + data.history) for stretch in lengths.test)
    context = given.get("context") or max(1, min(evaluation.context, length // 4, length - least["horizon"] - 1))
    short = evaluation.forecast_steps(None, error=1.0, length=length - context) < least["horizon"] < length - context
    derived = {
        "free_runs": max(1, min(runs, count // 2)),
        "free_run_steps": max(10, min(evaluation.free_run_steps, length)),
        "context": context,
        "horizon": least["horizon"] if short else None,  # None: chosen for the system
    }
    orbits = data.test_orbits if "test_orbits" in data.model_fields_set else max(2, count)
    return data.replaced(test_length=length, test_orbits=orbits), evaluation.replaced(**{**derived, **given})


def fitted_trainer(trainer: T, length: int) -> T:
    """Return a trainer whose windows fit into orbits of `length` steps, as far as nobody set their size."""
    changes = {}
    warm_up = getattr(trainer, "warm_up", 0)
    if warm_up > length // 4 and "warm_up" not in trainer.model_fields_set:
        changes["warm_up"] = warm_up = length // 4
    sequence = getattr(trainer, "sequence_length", 0)
    if warm_up + sequence >= length and "sequence_length" not in trainer.model_fields_set and sequence:
        changes["sequence_length"] = max(1, length // 2 - warm_up)
    return trainer.replaced(**changes) if changes else trainer


def misfits(
    data: DataSpec, evaluation: EvaluationSpec, metrics: Sequence[MetricSpec], *, every: int, lengths: Lengths | None
) -> list[str]:
    """Return everything in which sizes do not fit to each other; each names its fields.

    Args:
        every: steps from one possible start of a forecast to the next.
        lengths: of a recorded series; None: any orbit can be made.
    """
    problems = [*_orbits(data, evaluation, lengths), *_forecasts(data, evaluation, every)]
    room = data.test_length - first_condition(evaluation.context, every)
    chosen = evaluation.forecast_steps(None, error=1.0, length=room)  # at least
    steps = {"horizon": chosen, "free_run_steps": evaluation.free_run_steps}
    for metric in metrics:
        for name, few in (("horizon", metric.least_horizon), ("free_run_steps", metric.least_free_run)):
            if few > steps[name]:
                problems.append(f"{metric.label} needs evaluation.{name} of at least {few}, not {steps[name]}")
    if problems and lengths is not None:
        longest = max(lengths.test, default=0)
        problems.append(
            f"the series has {sum(lengths.test)} steps for testing, at most {longest} of them without a gap: use a "
            "longer series or a smaller train_share, or lower what is set"
        )
    return problems


def _longest(lengths: Lengths, back: int, free_runs: int | None, needed: int) -> tuple[int, int]:
    """Return length and half the number of the test orbits."""
    numbers = [free_runs] if free_runs is not None else [4, 3, 2, 1]
    longest = {runs: longest_piece(lengths.test, 2 * runs) - back for runs in numbers}
    enough = max(needed, min(_LONG, longest[numbers[-1]]))
    runs = next((runs for runs in numbers if longest[runs] >= enough), numbers[-1])
    return longest[runs], runs


def longest_piece(stretches: Sequence[int], count: int) -> int:
    """Return the greatest length of which `count` pieces fit into stretches of these lengths; 0 if there is none."""
    short, long = 0, max(stretches, default=0) + 1  # fits, does not fit
    while long - short > 1:
        middle = (short + long) // 2
        if sum(stretch // middle for stretch in stretches) >= count:
            short = middle
        else:
            long = middle
    return short


def _orbits(data: DataSpec, evaluation: EvaluationSpec, lengths: Lengths | None) -> Iterator[str]:
    if evaluation.free_run_steps > data.test_length:
        yield (
            f"evaluation.free_run_steps = {evaluation.free_run_steps} needs test orbits at least as long, "
            f"but data.test_length = {data.test_length}"
        )
    if 2 * evaluation.free_runs > data.test_orbits:
        yield (
            f"evaluation.free_runs = {evaluation.free_runs} needs twice as many test orbits (a twin for each noise "
            f"floor), but data.test_orbits = {data.test_orbits}"
        )
    if lengths is not None:
        count = sum(stretch // (data.test_length + data.history) for stretch in lengths.test)
        if count < max(2, data.test_orbits):
            yield (f"data.test_length = {data.test_length} gives {count} of {max(2, data.test_orbits)} test orbits")


def _forecasts(data: DataSpec, evaluation: EvaluationSpec, every: int) -> Iterator[str]:
    if evaluation.horizon is not None and evaluation.horizon >= data.test_length:
        yield f"evaluation.horizon = {evaluation.horizon} must be shorter than data.test_length = {data.test_length}"
    horizon, first = evaluation.horizon or 1, first_condition(evaluation.context, every)
    if first + horizon >= data.test_length:
        yield (
            f"evaluation.context = {evaluation.context} starts forecasts of {horizon} steps at step {first}, "
            f"which needs test orbits longer than {first + horizon} steps, but data.test_length = "
            f"{data.test_length}; lower the context"
        )
