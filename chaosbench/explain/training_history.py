"""The course of training in numbers: gradient norms, clipping, loss, speed."""

from collections.abc import Iterator

from chaosbench.explain.quantities import is_finite
from chaosbench.explain.seed_result import SeedResult
from chaosbench.formats import duration, number, percent


def training_history(result: SeedResult, *, updates: int, seconds: float | None) -> Iterator[str]:
    """Yield sentences on gradient norms, clipping, loss and speed.

    Args:
        updates: number of updates; a closed-form fit has one.
        seconds: training time of this seed [s].
    """
    diagnosis = result.diagnosis
    yield from _norms(result)
    yield from _clipping(result)
    if diagnosis.nonfinite_share:
        yield f"In {percent(diagnosis.nonfinite_share)} of updates the loss or its gradient was not finite."
    if is_finite(diagnosis.loss_first) and is_finite(diagnosis.loss_last):
        yield _loss(diagnosis.loss_first, diagnosis.loss_last, diagnosis.loss_spikes or 0, updates)
    if is_finite(diagnosis.updates_per_second) and seconds is not None:
        yield _speed(diagnosis.updates_per_second, diagnosis.peak_memory, updates, seconds)


def _clipping_fields(result: SeedResult) -> list[str]:
    """Return the trainer's fields that clip gradients."""
    return [name for name in ("clip_value", "clip_norm") if result.trainer.get(name) is not None]


def _norms(result: SeedResult) -> Iterator[str]:
    diagnosis = result.diagnosis
    if is_finite(diagnosis.gradient_norm_median) and diagnosis.gradient_norm_median > 0:
        low, middle, high = map(
            number, (diagnosis.gradient_norm_q05, diagnosis.gradient_norm_median, diagnosis.gradient_norm_q95)
        )
        before = " before clipping" if _clipping_fields(result) else ""
        yield f"The gradient norm{before} has the median {middle}; 90 % of updates lie between {low} and {high}."


def _clipping(result: SeedResult) -> Iterator[str]:
    """Yield sentences on how often gradients were clipped: entries first, because training clips them first."""
    entries, norms = result.diagnosis.clipped_entries_share, result.diagnosis.clipped_share
    if is_finite(entries):
        yield f"Entries were clipped at {result.trainer['clip_value']:g} in {percent(entries)} of updates."
    if is_finite(norms):
        norm = "The norm that remained" if "clip_value" in _clipping_fields(result) else "The norm"
        yield f"{norm} was clipped at {result.trainer['clip_norm']:g} in {percent(norms)} of updates."


def _loss(first: float, last: float, spikes: int, updates: int) -> str:
    if updates == 1:
        return f"A single update led to a loss of {number(last)}."
    jumps = "no spikes" if not spikes else f"{spikes} spike{'s' if spikes > 1 else ''}"
    return f"The loss went from {number(first)} to {number(last)} with {jumps}."


def _speed(updates_per_second: float, memory: float | None, updates: int, seconds: float) -> str:
    speed = f"ran at {number(updates_per_second)} updates per second for all seeds together and " if updates > 1 else ""
    peak = f", with a peak memory of {number(memory)} MiB" if is_finite(memory) else ""
    return f"Training {speed}took {duration(seconds)} per seed{peak}."
