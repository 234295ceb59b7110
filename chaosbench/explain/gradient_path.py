"""The products of Jacobians that training's gradients pass through: where they end, and how they grow there."""

from collections.abc import Iterator

from chaosbench.explain.quantities import RATE, in_lyapunov_times, is_finite
from chaosbench.explain.seed_result import SeedResult
from chaosbench.formats import number

_MARGIN = 0.3  # [nats]; a product that exceeds the growth at lambda_1 by less needs no comment


def gradient_path(result: SeedResult) -> Iterator[str]:
    """Yield sentences on the training window, on forcing and cuts, and on the growth of gradients there."""
    diagnosis = result.diagnosis
    if diagnosis.chain_length is None:
        yield "This trainer propagates no gradients through time."
        return
    yield from _window(result, diagnosis.chain_length)
    if diagnosis.forcing_share is not None:
        yield from _generalised_forcing(result, diagnosis.forcing_share)
    else:
        yield from _growth(result, diagnosis.chain_length)


def _window(result: SeedResult, chain: float) -> Iterator[str]:
    """Yield sentences on the length of the training window and on where products end within it."""
    diagnosis, window = result.diagnosis, result.diagnosis.path_length
    if window == 1:
        yield "Gradients pass through a single step of the network."
        return
    if window is not None:
        yield _window_length(result, window)
    if diagnosis.chain_blank and not diagnosis.chain_cut:
        yield "The state starts from z = 0, independently of the data."
    if diagnosis.forcing_probability is not None:
        yield _random_forcing(result, chain, diagnosis.forcing_probability)
    elif diagnosis.chain_forced:
        yield f"The state is forced {_interval(result, chain)}, {_end_of_products(result)}."
    elif diagnosis.chain_cut:
        interval, restart = _interval(result, chain), _state_after_cut(result)
        yield f"The gradient is cut {interval}, so that no product of Jacobians is longer{restart}."
    elif window is not None and chain < window and diagnosis.forcing_share is None:
        yield f"The diagnosis followed gradients over {chain:.0f} step{'s' if chain > 1 else ''} of it."


def _window_length(result: SeedResult, window: int) -> str:
    setting, times = result.trainer.get("sequence_length", window), result.lyapunov_times(window)
    shorter = "" if setting == window else f" (sequence_length is {setting})"
    length = "" if times is None else f", {number(times)} Lyapunov times of the data"
    return f"The training window has {window} steps{shorter}{length}."


def _random_forcing(result: SeedResult, chain: float, probability: float) -> str:
    """Describe the forcing probability of scheduled sampling at the end of training, and the resulting intervals."""
    if probability in (0, 1):
        return f"At the end of training the state was forced at {'every' if probability else 'no'} step."
    text = f"At the end of training the state was forced with probability {number(probability)} per step"
    if not result.diagnosis.chain_forced:
        return f"{text}, but at no step of the windows followed."
    often = f"on average every {number(chain)} steps{in_lyapunov_times(result.lyapunov_times(chain))}"
    longest = f"the longest segment has {result.diagnosis.chain_longest} steps"
    return f"{text}: in the windows followed {often}, {_end_of_products(result)}; {longest}."


def _interval(result: SeedResult, chain: float) -> str:
    """Describe how often the state is forced or the gradient cut, with the spread of a random interval.

    A random interval is never below one step, so its distribution is skewed if the spread is large; then only the mean
    is given.
    """
    spread = result.trainer.get("spread", 0) if result.diagnosis.chain_forced else 0
    if chain == 1 and not spread:
        return "at every step"
    width = f" ± {spread}" if 0 < spread < chain else ""
    mean = "on average " if spread >= chain else ""
    unit = "step" if chain == 1 else "steps"
    return f"{mean}every {chain:.0f}{width} {unit}{in_lyapunov_times(result.lyapunov_times(chain))}"


def _end_of_products(result: SeedResult) -> str:
    if result.diagnosis.chain_ends:
        return "which ends every product of Jacobians"
    return "but only in part: products of Jacobians continue through the rest"


def _state_after_cut(result: SeedResult) -> str:
    if result.diagnosis.chain_blank:
        return ", and the state restarts from z = 0"
    if result.diagnosis.chain_learned:
        return ", and restarts from a learned state, which the diagnosis replaces by the state set from data"
    return ""


def _generalised_forcing(result: SeedResult, alpha: float) -> Iterator[str]:
    """Yield sentences on the forcing strength and on the exponent that remains."""
    diagnosis = result.diagnosis
    yield f"At every step the state is moved towards the data with weight alpha = {number(alpha)}."
    expected, forced = diagnosis.forced_exponent_expected, diagnosis.forced_exponents
    if is_finite(expected) and forced and is_finite(forced[0].value):
        yield (
            f"This lowers lambda_1 to lambda_1 + ln(1 - alpha) / dt = {number(expected)}; the exponent measured along "
            f"training data is {number(forced[0].value)} {RATE}."
        )


def _growth(result: SeedResult, chain: float) -> Iterator[str]:
    """Yield sentences that compare the growth of a product of Jacobians with the growth at the data's exponent."""
    diagnosis, expected, span = result.diagnosis, result.lyapunov_times(chain), _span(result, chain)
    grown = diagnosis.chain_growth
    if not is_finite(grown):
        lost = result.verdict.regime == "divergent"
        yield "Their growth could not be measured." if lost else f"{span}, gradients vanish completely."
        return
    if expected is not None:
        prediction = f"{span}, gradients would grow by a factor of e^{number(expected)} at the data's lambda_1"
        yield f"{prediction}; the measured factor is e^{number(grown)}."
    else:
        yield f"{span}, gradients change by a factor of e^{number(grown)}."
    if diagnosis.chain_forced and is_finite(diagnosis.window_growth):
        length, exponent = diagnosis.window_length, number(diagnosis.window_growth)
        yield f"Over {length} steps with forcing, they change by a factor of e^{exponent}."
    own = diagnosis.chain_growth_expected
    if is_finite(own) and grown > own + _MARGIN:
        yield _excess(grown, own, diagnosis.jacobian_norm or 0.0)


def _span(result: SeedResult, chain: float) -> str:
    """Return the start of a sentence: the segment over which a product of Jacobians is taken."""
    diagnosis = result.diagnosis
    if diagnosis.chain_forced:
        return (
            "On average between two forcings" if diagnosis.forcing_probability is not None else "Between two forcings"
        )
    if diagnosis.chain_cut:
        return "Between two cuts"
    if diagnosis.path_length == 1:
        return "Over this step"
    return "Over the window" if diagnosis.path_length == chain else "Over these steps"


def _excess(grown: float, own: float, norm: float) -> str:
    """Explain why gradients grow faster than at the network's own exponent."""
    more = f"This is more than at the network's own lambda_1, e^{number(own)}"
    if grown > 0 and norm > 1:
        stretch = f"over short times, Jacobians of norm {number(norm)} stretch some directions"
        return f"{more}: {stretch} faster than long free runs do on average."
    return f"{more}: along training data and over few steps, gradients shrink less than in long free runs."
