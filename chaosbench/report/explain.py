"""Why a run went as it did, in words: every sentence is computed from its numbers."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chaosbench.diagnostics.verdict import Verdict
from chaosbench.leaderboard.folder import Stored
from chaosbench.report.findings import Findings, findings
from chaosbench.report.progress import duration, number
from chaosbench.report.shown import median_seed

_ORDINALS = ("largest", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_MOTIONS = {
    "chaotic": "chaotic",
    "quasi-periodic": "quasi-periodic (on a closed curve or a torus)",
    "fixed point": "at rest at a fixed point",
    "divergent": "divergent: its free runs blow up",
}
_THEOREMS = {
    "grow": "Theorem 2: gradients of a chaotic orbit grow as e^(lambda_1 T), whatever the architecture",
    "vanish": "Theorem 1: gradients near a fixed point or a cycle vanish exponentially, at the rate of its exponent",
    "neither": "Theorem 3: gradients of a quasi-periodic orbit grow or shrink more slowly than any exponential",
}


@dataclass(frozen=True)
class Explanation:
    """An experiment explained: one seed at length, the others in a line each.

    Attributes:
        title: what ran.
        seed: the one told at length.
        paragraphs: headings and texts.
        others: a line for each other seed.
        figures: the numbers behind the words, for programs.
    """

    title: str
    seed: int
    paragraphs: tuple[tuple[str, str], ...]
    others: tuple[str, ...]
    figures: dict[str, Any]


def explain(stored: Stored, seed: int | None = None) -> Explanation:
    """Explain an experiment by one of its seeds; None: the one that is median by the first metric."""
    every = findings(stored)
    place = median_seed(stored) if seed is None else [one.seed for one in every].index(seed)
    chosen, run = every[place], stored.runs[place]
    reached = chosen.verdict()
    told: list[tuple[str, str]] = [("outcome", _outcome(chosen, every, median=seed is None))]
    if chosen.numbers:
        told += [
            ("what gradients pass through", " ".join(_chain(chosen))),
            ("how training went", " ".join(_training(chosen, run["train_seconds"]))),
            ("what was learned", " ".join(_learned(chosen, reached))),
            ("theory", " ".join(_theory(chosen, reached))),
        ]
        if reached.suspects:
            told.append(("look at", "; ".join(reached.suspects) + "."))
        told.append(("cost", _cost(chosen)))
    else:
        told.append(("diagnosis", "Nothing was recorded of this run; run the suite again to have it diagnosed."))
    return Explanation(
        title=f"{run['trainer']} on {run['model']}, {run['system']}",
        seed=chosen.seed,
        paragraphs=tuple(told),
        others=tuple(f"seed {one.seed}: {brief(one)}" for one in every if one is not chosen),
        figures=figures(stored),
    )


def brief(found: Findings) -> str:
    """A run in a line."""
    if not found.numbers:
        return f"{found.status}: {found.message}" if found.message else found.status
    reached = found.verdict()
    parts = [found.status, _motion(reached, found)]
    if reached.exponent_ratio is not None and reached.regime == "chaotic":
        parts.append(f"lambda_1 {_times(reached.exponent_ratio)} the data's")
    if reached.growth_ratio is not None:
        parts.append(f"gradients grow at {_times(reached.growth_ratio)} lambda_1")
    if "clipped_share" in found.numbers:
        parts.append(f"clipped in {_percent(found.numbers['clipped_share'])} of updates")
    if reached.consistent is False:
        parts.append("growth and exponent disagree")
    return "; ".join([*parts, *reached.suspects[:1]])


def figures(stored: Stored) -> dict[str, Any]:
    """The numbers and the verdict of every seed, without what is not finite."""
    return {
        "folder": stored.folder.name,
        **{noun: stored.runs[0][noun] for noun in ("system", "data", "model", "trainer")},
        "seeds": [
            {
                "seed": one.seed,
                "status": one.status,
                "message": one.message,
                "verdict": _finite(asdict(one.verdict())) if one.numbers else None,
                "numbers": dict(one.numbers),
                "initial": dict(one.initial),
                "truth": dict(one.truth),
                "scores": {row["name"]: {"value": row["value"], "floor": row["floor"]} for row in one.scores},
            }
            for one in findings(stored)
        ],
    }


def _outcome(found: Findings, every: Sequence[Findings], *, median: bool) -> str:
    counts = {status: sum(one.status == status for one in every) for status in {one.status for one in every}}
    tally = ", ".join(f"{count} {status}" for status, count in sorted(counts.items(), reverse=True))
    first = found.scores[0]["name"].partition("(")[0] if found.scores else ""
    role = f", the median by {first}" if median and len(every) > 1 and first else ""
    scores = [
        f"{row['name']} {'diverged' if row['value'] is None else number(row['value'])}"
        + (f" (two true orbits: {number(row['floor'])})" if row["floor"] is not None else "")
        for row in found.scores[:3]
    ]
    message = f" It is {found.status}: {found.message}." if found.message else ""
    return f"{tally} of {len(every)} seeds. Seed {found.seed}{role}: {'; '.join(scores) or 'no scores'}.{message}"


def _chain(found: Findings) -> Iterator[str]:
    numbers, chain = found.numbers, found.numbers.get("chain_length")
    if chain is None:
        yield "This trainer takes no gradients through time."
        return
    window, times = found.window, found.lyapunov_times(chain)
    if window is not None:
        whole = found.lyapunov_times(window)
        length = "" if whole is None else f", {number(whole)} Lyapunov times of the data"
        yield f"Your window is {window} steps{length}."
    every = f"every {chain:.0f} steps{_lasting(times)}"
    if numbers.get("chain_forced"):
        ends = "which ends every product of Jacobians there" if numbers.get("chain_ends") else "in part: products go on"
        yield f"The state is forced {every}, {ends}."
    elif numbers.get("chain_cut"):
        yield f"The gradient is cut {every}, the state is not."
    if "forcing_share" in numbers:
        yield f"Data draw the state by alpha = {number(numbers['forcing_share'])} at every step."
        expected, measured = numbers.get("forced_exponent_expected"), numbers.get("forced_exponent_1")
        if expected is not None and measured is not None:
            yield (
                f"The forced exponent lambda_1 + ln(1 - alpha) / dt would be {number(expected)}, "
                f"measured {number(measured)} [1 / system time]."
            )
        return
    grown = numbers.get("chain_growth")
    if grown is None:
        yield "Over this stretch gradients vanish altogether."
        return
    if times is not None:
        yield f"At the data's exponent expect gradients to grow by e^{number(times)}; measured e^{number(grown)}."
    else:
        yield f"Over {chain:.0f} steps gradients change by e^{number(grown)}."
    if numbers.get("chain_forced") and "window_growth" in numbers:
        yield f"Over {numbers['window_length']:.0f} steps, forcing and all, it is e^{number(numbers['window_growth'])}."
    bound = numbers.get("chain_growth_bound")
    if bound is not None and grown > bound + 0.3 and "jacobian_norm" in numbers:
        yield (
            f"That is more than the network's own exponent makes (e^{number(bound)}): over short times Jacobians of "
            f"norm {number(numbers['jacobian_norm'])} stretch some direction faster than orbits part."
        )


def _training(found: Findings, seconds: float | None) -> Iterator[str]:
    numbers = found.numbers
    if "gradient_norm_median" in numbers and numbers["gradient_norm_median"] > 0:
        low, middle, high = (numbers[f"gradient_norm_{name}"] for name in ("q05", "median", "q95"))
        spread = f"90 % from {number(low)} to {number(high)}"
        yield f"Gradient norms before clipping: {number(middle)} in the median, {spread}."
    if "clipped_share" in numbers:
        clipped = _percent(numbers["clipped_share"])
        yield f"Clipped at {found.trainer['clip_norm']:g} in {clipped} of updates."
    if numbers.get("nonfinite_share"):
        yield f"{_percent(numbers['nonfinite_share'])} of updates were not finite."
    if "loss_first" in numbers and "loss_last" in numbers:
        spikes = int(numbers.get("loss_spikes", 0))
        jumped = "with no spike" if not spikes else f"with {spikes} spike{'s' if spikes > 1 else ''}"
        yield f"The loss went from {number(numbers['loss_first'])} to {number(numbers['loss_last'])} {jumped}."
    if "updates_per_second" in numbers and seconds is not None:
        memory = f", {number(numbers['peak_memory'])} MiB at the most" if "peak_memory" in numbers else ""
        yield (
            f"{number(numbers['updates_per_second'])} updates a second for all seeds at once, "
            f"{duration(seconds)} for each{memory}."
        )


def _learned(found: Findings, reached: Verdict) -> Iterator[str]:
    numbers, truth = found.numbers, found.truth
    sentence = f"The trained network is {_motion(reached, found)}"
    largest = numbers.get("lyapunov_exponent_1")
    if largest is not None and reached.regime != "divergent":
        sentence += f", with lambda_1 = {_measured(numbers, 'lyapunov_exponent_1')} [1 / system time]"
        if reached.exponent_ratio is not None and reached.regime == "chaotic":
            sentence += f", {_times(reached.exponent_ratio)} the data's {number(truth['lyapunov_exponent_1'])}"
        elif found.chaotic_data:
            sentence += f"; the data are chaotic, with {number(truth['lyapunov_exponent_1'])}"
        elif found.data_exponent is not None:
            sentence += "; the data are not chaotic, either" if reached.regime != "chaotic" else "; the data are not"
    yield sentence + "."
    for place, name in enumerate(_ORDINALS[1:], start=2):
        own, true = numbers.get(f"lyapunov_exponent_{place}"), truth.get(f"lyapunov_exponent_{place}")
        if own is not None and true is not None:
            yield _compared(name, own, true, numbers.get(f"lyapunov_exponent_{place}_interval", 0.0))
    if "kaplan_yorke_dimension" in numbers and "kaplan_yorke_dimension" in truth:
        yield (
            f"Kaplan-Yorke dimension {number(numbers['kaplan_yorke_dimension'])}, "
            f"the data's {number(truth['kaplan_yorke_dimension'])}."
        )
    if "spectral_gap" in numbers:
        yield f"Behind the exponents that the system can have lies a gap of {number(numbers['spectral_gap'])}."


def _theory(found: Findings, reached: Verdict) -> Iterator[str]:
    numbers = found.numbers
    if reached.expected == "none":
        yield "Theory speaks of bounded orbits, and this one is not."
        return
    yield f"{_THEOREMS[reached.expected]}."
    if "gradient_growth" in numbers:
        rate = f"Measured rate gamma = {_measured(numbers, 'gradient_growth')} [1 / system time]"
        yield f"{rate}, {_times(reached.growth_ratio)} lambda_1." if reached.growth_ratio is not None else f"{rate}."
    else:
        yield "Measured: they vanish altogether."
    if "loss_gradient_growth" in numbers:
        yield f"Loss gradients of the parameters grow at {_measured(numbers, 'loss_gradient_growth')}."
    agree = {
        True: "Growth and exponent agree within their errors.",
        False: "Growth and exponent DISAGREE beyond their errors.",
        None: "Whether growth and exponent agree cannot be told: errors are too wide, or free runs too different.",
    }
    yield agree[reached.consistent]
    before = found.initial_verdict()
    if before is not None:
        started = _measured(found.initial, "lyapunov_exponent_1") if "lyapunov_exponent_1" in found.initial else "-inf"
        yield f"Before training the network was {_motion(before, found, initial=True)}, lambda_1 = {started}."


def _cost(found: Findings) -> str:
    share, seconds = found.numbers.get("cost_share"), found.numbers.get("diagnosis_seconds")
    before = found.initial.get("diagnosis_seconds", 0.0)
    if share is None or seconds is None:
        return "Not measured."
    page = duration(seconds + before)
    return f"All diagnostics took {_percent(share)} of the training time; those of this page {page} for each seed."


def _motion(reached: Verdict, found: Findings, *, initial: bool = False) -> str:
    if reached.regime == "periodic":
        period = int((found.initial if initial else found.numbers).get("period", 0))
        return f"on a {period}-cycle" if period else "on a long cycle"
    return _MOTIONS[reached.regime]


def _compared(name: str, own: float, true: float, width: float) -> str:
    if abs(true) < 0.05 or abs(own - true) <= width:
        return f"The {name} exponent is {number(own)}, the data's {number(true)}."
    change = abs(own / true - 1) if own * true > 0 else math.inf
    if not math.isfinite(change):
        return f"The {name} exponent is {number(own)} where the data's is {number(true)}."
    direction = "negative" if true < 0 else "positive"
    amount = f"too {direction}" if abs(own) > abs(true) else f"less {direction} than it should be"
    return f"The {name} exponent is {_percent(change)} {amount} ({number(own)}, the data's {number(true)})."


def _measured(numbers: Any, name: str) -> str:
    width = numbers.get(f"{name}_interval")
    return number(numbers[name]) if width is None else f"{number(numbers[name])} ± {number(width)}"


def _lasting(times: float | None) -> str:
    return "" if times is None else f" ({number(times)} Lyapunov times)"


def _times(ratio: float) -> str:
    return f"{100 * ratio:.0f} % of" if abs(ratio) < 10 else f"{ratio:.0f} times"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.1f} %"


def _finite(content: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in content.items()
    }
