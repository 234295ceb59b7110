"""Find stored experiments by words of their labels, or by the start of their folder's name."""

from collections.abc import Sequence
from pathlib import Path

from chaosbench.errors import UnknownNameError, unknown_name
from chaosbench.labels import title, titles
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.store import folders, read_all

_SHORTEST_PREFIX = 12  # smallest number of letters of a folder's name in a message, so that readers recognise it
_LISTED = 6  # experiments listed in a message


def select(results: Path, name: str, seed: int | None) -> list[Stored]:
    """Return the experiments that match `name` and ran the seed.

    Args:
        results: the results directory.
        name: words of an experiment's labels or the start of its folder's name; "": all experiments.
        seed: keep only experiments that ran this seed; None: all.

    Raises:
        UnknownNameError: if no experiment matches.
    """
    experiments = read_all(results)
    if name:
        experiments = _with_prefix(experiments, name) or _with_words(results, experiments, name)
    if seed is None:
        return experiments
    with_seed = [stored for stored in experiments if any(run["seed"] == seed for run in stored.runs)]
    if not with_seed:
        seeds = sorted({run["seed"] for stored in experiments for run in stored.runs})
        where = _title(experiments[0]) if len(experiments) == 1 else str(results)
        raise UnknownNameError(f"{where} has no seed {seed}; seeds: {', '.join(map(str, seeds))}")
    return with_seed


def _with_prefix(experiments: Sequence[Stored], name: str) -> list[Stored]:
    """Return the experiment whose folder has this name, else those whose folder's name starts with it."""
    exact = [stored for stored in experiments if stored.folder.name == name]
    return exact or [stored for stored in experiments if stored.folder.name.startswith(name)]


def _with_words(results: Path, experiments: Sequence[Stored], name: str) -> list[Stored]:
    """Return the experiments whose title contains all words.

    A word that equals a kind ("rnn") selects that kind only, not others that contain it ("plrnn").
    """
    words = name.lower().split()
    for word in words:
        if not any(word in _title(stored).lower() for stored in experiments):
            kinds = {kind for stored in experiments for kind in _kinds(stored)}
            raise unknown_name("experiment", word, kinds, place=str(results))
    matching = [stored for stored in experiments if all(word in _title(stored).lower() for word in words)]
    if not words or not matching:
        existing = "; ".join(_first(short_titles(experiments)))
        raise UnknownNameError(
            f"{results!s}: no experiment matches all words of {name!r}; existing experiments: {existing}"
        )
    exact = [sum(word in _kinds(stored) for word in words) for stored in matching]
    return [stored for stored, count in zip(matching, exact, strict=True) if count == max(exact)]


def select_one(results: Path, name: str, seed: int | None = None) -> Stored:
    """Return the only experiment that matches `name` and ran the seed.

    Raises:
        UnknownNameError: if no experiment matches, or several do.
    """
    experiments = select(results, name, seed)
    if len(experiments) > 1:
        raise ambiguous(results, name, experiments)
    return experiments[0]


def ambiguous(results: Path, name: str, experiments: Sequence[Stored]) -> UnknownNameError:
    """Return the error for a name that several experiments match."""
    names = [folder.name for folder in folders(results)]
    candidates = [
        f"{_unique_prefix(stored.folder.name, names)} ({short})"
        for stored, short in zip(experiments, short_titles(experiments), strict=True)
    ]
    return UnknownNameError(
        f"{name!r} matches {len(experiments)} experiments; add a word, or give the start of a folder's name: "
        f"{'; '.join(_first(candidates))}"
    )


def _unique_prefix(name: str, names: Sequence[str]) -> str:
    """Return the shortest recognisable prefix of a folder's name that no other name has."""
    lengths = range(min(_SHORTEST_PREFIX, len(name)), len(name))
    return next((name[:n] for n in lengths if sum(other.startswith(name[:n]) for other in names) == 1), name)


def _first(entries: Sequence[str]) -> list[str]:
    """Return the first entries, and how many more there are."""
    return [*entries[:_LISTED], *([f"{len(entries) - _LISTED} more"] if len(entries) > _LISTED else [])]


def short_titles(experiments: Sequence[Stored]) -> list[str]:
    """Return one title per experiment, without the settings that all share."""
    return titles([stored.runs[0] for stored in experiments])


def _title(stored: Stored) -> str:
    return title(stored.runs[0])


def _kinds(stored: Stored) -> list[str]:
    return [str(stored.experiment[noun]["kind"]) for noun in ("trainer", "model", "system")]
