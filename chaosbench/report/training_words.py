"""What training did to gradients, in words: where they are forced or cut, how they grow there, and how it went."""

from collections.abc import Iterator

from chaosbench.diagnostics.verdict import Verdict
from chaosbench.report.findings import Findings
from chaosbench.report.phrases import RATE, lasting, percent
from chaosbench.report.progress import duration, number

_MARGIN = 0.3  # [nats] by which a product may exceed what the exponent makes without a word about it


def passage(found: Findings, reached: Verdict) -> Iterator[str]:
    """What gradients pass through, and what the products of Jacobians there came to."""
    chain = found.numbers.get("chain_length")
    if chain is None:
        yield "This trainer tells of no gradients through time."
        return
    yield from _stretch(found, chain)
    if "forcing_share" in found.numbers:
        yield from _drawn(found)
    else:
        yield from _grown(found, reached, chain)


def _stretch(found: Findings, chain: float) -> Iterator[str]:
    """The window, and where in it products end."""
    numbers, window = found.numbers, found.window
    if window is not None:
        whole = found.lyapunov_times(window)
        length = "" if whole is None else f", {number(whole)} Lyapunov times of the data"
        yield f"Your window is {window} steps{length}."
    random = found.trainer.get("spread") or "probability" in found.trainer
    every = f"every {chain:.0f} steps{lasting(found.lyapunov_times(chain))}"
    if chain == 1:
        every = "at every step"
    if numbers.get("chain_forced"):
        ends = "which ends every product of Jacobians there" if numbers.get("chain_ends") else "in part: products go on"
        yield f"The state is forced {'about ' if random and chain > 1 else ''}{every}, {ends}."
    elif numbers.get("chain_cut"):
        yield f"The gradient is cut {every}, so that no product of Jacobians is longer."
    elif window is not None and chain < window and "forcing_share" not in numbers:
        yield f"Gradients were followed over {chain:.0f} step{'s' if chain > 1 else ''} of it."


def _drawn(found: Findings) -> Iterator[str]:
    """Generalised forcing: by how much, and what is left of the exponent."""
    numbers = found.numbers
    yield f"At every step the state is drawn towards the data by alpha = {number(numbers['forcing_share'])}."
    expected, measured = numbers.get("forced_exponent_expected"), numbers.get("forced_exponent_1")
    if expected is not None and measured is not None:
        yield (
            f"That makes of lambda_1 a forced exponent lambda_1 + ln(1 - alpha) / dt = {number(expected)}; "
            f"along training data {number(measured)} was measured {RATE}."
        )


def _grown(found: Findings, reached: Verdict, chain: float) -> Iterator[str]:
    """What was to be expected of a product of Jacobians, and what was measured."""
    numbers, grown, expected = found.numbers, found.numbers.get("chain_growth"), found.lyapunov_times(chain)
    if grown is None:
        lost = reached.regime == "divergent"
        yield "Their growth there could not be measured." if lost else "Over this stretch gradients vanish altogether."
        return
    if expected is not None:
        yield f"At the data's exponent expect gradients to grow by e^{number(expected)}; measured e^{number(grown)}."
    else:
        yield f"Over {chain:.0f} steps gradients change by e^{number(grown)}."
    if numbers.get("chain_forced") and "window_growth" in numbers:
        length, over = numbers["window_length"], number(numbers["window_growth"])
        yield f"Over {length:.0f} steps, forcing and all, they change by e^{over}."
    bound, norm = numbers.get("chain_growth_bound"), numbers.get("jacobian_norm", 0.0)
    if bound is None or grown <= bound + _MARGIN:
        return
    more = f"That is more than the network's own exponent makes of it (e^{number(bound)})"
    if grown > 0 and norm > 1:
        stretch = f"over short times Jacobians of norm {number(norm)} stretch some direction"
        yield f"{more}: {stretch} faster than free runs do in the long run."
    else:
        yield f"{more}: along training data, and over so few steps, gradients shrink less than in long free runs."


def training(found: Findings, *, updates: int, seconds: float | None) -> Iterator[str]:
    """How training went: norms, clipping, loss, speed."""
    numbers = found.numbers
    if numbers.get("gradient_norm_median", 0.0) > 0:
        low, middle, high = (number(numbers[f"gradient_norm_{name}"]) for name in ("q05", "median", "q95"))
        yield f"Gradient norms before clipping: {middle} in the median, 90 % from {low} to {high}."
    if "clipped_share" in numbers:
        yield f"Clipped at {found.trainer['clip_norm']:g} in {percent(numbers['clipped_share'])} of updates."
    if numbers.get("nonfinite_share"):
        yield f"In {percent(numbers['nonfinite_share'])} of updates the loss or its gradient was not finite."
    if "loss_first" in numbers and "loss_last" in numbers:
        yield _loss(numbers["loss_first"], numbers["loss_last"], int(numbers.get("loss_spikes", 0)), updates)
    if "updates_per_second" in numbers and seconds is not None:
        memory = f", {number(numbers['peak_memory'])} MiB at the most" if "peak_memory" in numbers else ""
        speed = f"{number(numbers['updates_per_second'])} updates a second for all seeds at once, "
        yield f"{speed if updates > 1 else ''}{duration(seconds)} for each seed{memory}."


def _loss(first: float, last: float, spikes: int, updates: int) -> str:
    if updates == 1:
        return f"Trained in one go, to a loss of {number(last)}."
    jumped = "no spike" if not spikes else f"{spikes} spike{'s' if spikes > 1 else ''}"
    return f"The loss went from {number(first)} to {number(last)} with {jumped}."
