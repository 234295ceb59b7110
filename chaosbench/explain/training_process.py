"""What training did to gradients, in words: where they are forced or cut, how they grow there, and how it went."""

from collections.abc import Iterator

from chaosbench.explain.findings import Findings
from chaosbench.explain.wording import RATE, lasting
from chaosbench.formats import duration, number, percent
from chaosbench.theory.verdict import Verdict

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
    if window == 1:
        yield "Gradients pass a single step of the network."
        return
    if window is not None:
        asked, whole = found.trainer.get("sequence_length", window), found.lyapunov_times(window)
        part = "" if asked == window else f" of the {asked} of sequence_length"
        length = "" if whole is None else f", {number(whole)} Lyapunov times of the data"
        yield f"Your window is {window} steps{part}{length}."
    if numbers.get("chain_blank") and not numbers.get("chain_cut"):
        yield "It begins from z = 0, whatever the data show."
    if "forcing_probability" in numbers:
        yield _tossed(found, chain)
    elif numbers.get("chain_forced"):
        yield f"The state is forced {_every(found, chain)}, {_ends(found)}."
    elif numbers.get("chain_cut"):
        yield f"The gradient is cut {_every(found, chain)}, so that no product of Jacobians is longer{_anew(found)}."
    elif window is not None and chain < window and "forcing_share" not in numbers:
        yield f"Gradients were followed over {chain:.0f} step{'s' if chain > 1 else ''} of it."


def _tossed(found: Findings, chain: float) -> str:
    """Scheduled sampling: how likely a forcing was at the end, and how often it came along the windows followed."""
    numbers, probability = found.numbers, found.numbers["forcing_probability"]
    if probability in (0, 1):
        return f"At the end of training the state was forced at {'every' if probability else 'no'} step."
    said = f"At the end of training a step was forced with probability {number(probability)}"
    if not numbers.get("chain_forced"):
        return f"{said}, and none was along the windows followed."
    often = f"on average every {number(chain)} steps{lasting(found.lyapunov_times(chain))}"
    longest = f"the longest stretch was of {numbers['chain_longest']:.0f} steps"
    return f"{said}: along the windows followed {often}, {_ends(found)}; {longest}."


def _every(found: Findings, chain: float) -> str:
    """How often, in steps and Lyapunov times; a spread is told, and where it is cut off at a single step, the mean."""
    spread = found.trainer.get("spread", 0) if found.numbers.get("chain_forced") else 0
    if chain == 1 and not spread:
        return "at every step"
    width = f" ± {spread}" if 0 < spread < chain else ""
    mean = "on average " if spread >= chain else ""
    unit = "step" if chain == 1 else "steps"
    return f"{mean}every {chain:.0f}{width} {unit}{lasting(found.lyapunov_times(chain))}"


def _ends(found: Findings) -> str:
    if found.numbers.get("chain_ends"):
        return "which ends every product of Jacobians there"
    return "in part: products go on"


def _anew(found: Findings) -> str:
    """What the state is after a cut, where it does not go on."""
    if found.numbers.get("chain_blank"):
        return ", and the state begins anew from z = 0"
    if found.numbers.get("chain_learned"):
        return "; there begins a state learned beside the weights, measured here as the one that data show"
    return ""


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
    mean = "Between forcings, on average: " if _random(found) else ""
    if expected is not None:
        at = f"{'at' if mean else 'At'} the data's exponent"
        yield f"{mean}{at} expect gradients to grow by e^{number(expected)}; measured e^{number(grown)}."
    else:
        yield f"{mean or f'Over {chain:.0f} steps '}gradients change by e^{number(grown)}."
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


def _random(found: Findings) -> bool:
    """Whether forcings came by the toss of a coin, so that products are told in the mean."""
    return "forcing_probability" in found.numbers and bool(found.numbers.get("chain_forced"))


def training(found: Findings, *, updates: int, seconds: float | None) -> Iterator[str]:
    """How training went: norms, clipping, loss, speed."""
    numbers = found.numbers
    if numbers.get("gradient_norm_median", 0.0) > 0:
        low, middle, high = (number(numbers[f"gradient_norm_{name}"]) for name in ("q05", "median", "q95"))
        before = " before clipping" if _limits(found) else ""
        yield f"Gradient norms{before}: {middle} in the median, 90 % from {low} to {high}."
    yield from _clipped(found)
    if numbers.get("nonfinite_share"):
        yield f"In {percent(numbers['nonfinite_share'])} of updates the loss or its gradient was not finite."
    if "loss_first" in numbers and "loss_last" in numbers:
        yield _loss(numbers["loss_first"], numbers["loss_last"], int(numbers.get("loss_spikes", 0)), updates)
    if "updates_per_second" in numbers and seconds is not None:
        memory = f", {number(numbers['peak_memory'])} MiB at the most" if "peak_memory" in numbers else ""
        speed = f"{number(numbers['updates_per_second'])} updates a second for all seeds at once, "
        yield f"{speed if updates > 1 else ''}{duration(seconds)} for each seed{memory}."


def _limits(found: Findings) -> list[str]:
    """The fields that clip gradients."""
    return [name for name in ("clip_value", "clip_norm") if found.trainer.get(name) is not None]


def _clipped(found: Findings) -> Iterator[str]:
    """How often gradients were clipped, entries first, as they are in training."""
    numbers = found.numbers
    if "clipped_entries_share" in numbers:
        share = percent(numbers["clipped_entries_share"])
        yield f"Entries clipped at {found.trainer['clip_value']:g} in {share} of updates."
    if "clipped_share" in numbers:
        what = "Norms of what was left clipped" if "clip_value" in _limits(found) else "Clipped"
        yield f"{what} at {found.trainer['clip_norm']:g} in {percent(numbers['clipped_share'])} of updates."


def _loss(first: float, last: float, spikes: int, updates: int) -> str:
    if updates == 1:
        return f"Trained in one go, to a loss of {number(last)}."
    jumped = "no spike" if not spikes else f"{spikes} spike{'s' if spikes > 1 else ''}"
    return f"The loss went from {number(first)} to {number(last)} with {jumped}."
