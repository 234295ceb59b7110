"""The output of `chaosbench score`: trajectories of other programs, scored, stored and ranked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from chaosbench import registry
from chaosbench.errors import SpecError
from chaosbench.experiment import Experiment, Result
from chaosbench.figures import draw
from chaosbench.formats import counted
from chaosbench.leaderboard.board import Ranking
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.rank import rank
from chaosbench.leaderboard.store import read_all
from chaosbench.scoring import Double, score, with_parameters
from chaosbench.submission import experiment_with_truth, publish, submitted
from chaosbench.terminal.ranking import show_ranking
from chaosbench.trajectories import read_trajectories


@dataclass(frozen=True)
class Options:
    """Options of the command.

    Attributes:
        dt: time per step [system time].
        exponent: the system's largest Lyapunov exponent [1 / system time]; None: unknown.
        aligned: whether rows of both files are at the same times; None: detected.
        forecasts: files of short forecasts.
        into: results directory; None: nothing is stored.
        as_json: print JSON.
        parameters: number of trained parameters of each entry; empty: not given.
    """

    dt: float
    exponent: float | None
    aligned: bool | None
    forecasts: tuple[str, ...]
    into: Path | None
    as_json: bool
    parameters: tuple[int, ...] = ()


def show(entries: Mapping[str, Sequence[str]], truth: str, options: Options) -> None:
    """Score the files of each entry against the truth, store the results if asked to, and print the ranking.

    Raises:
        ChaosbenchError: where a file cannot be read, or shapes do not agree.
    """
    if options.parameters and len(options.parameters) != len(entries):
        given = counted(len(options.parameters), "number")
        raise SpecError(f"--parameters: {given} for the entries {', '.join(entries)}; give one for each")
    orbits = read_trajectories(truth)
    series = {label: [read_trajectories(name) for name in names] for label, names in entries.items()}
    experiment = None if options.into is None else experiment_with_truth(options.into, orbits)
    notes: list[str] = []
    if experiment is not None:
        results = _submitted(experiment, series, options)
        notes.append(f"the truth is that of {experiment.labels['system']}, whose table the trajectories enter")
    else:
        if options.forecasts:
            raise SpecError("--forecasts needs --into, a results directory with experiments of the same truth")
        scored = score(
            series, orbits, dt=options.dt, exponent=options.exponent, aligned=options.aligned, name=Path(truth).stem
        )
        results = dict(zip(series, scored.results, strict=True))
        notes.append(f"compared over {scored.steps} steps{' and as forecasts' if scored.aligned else ''}")
        notes += [f"not computed: {_names(kinds)}, because {why}" for why, kinds in _by_reason(scored.left_out).items()]
    counts = options.parameters or (None,) * len(results)
    results = {
        label: with_parameters(result, count) for (label, result), count in zip(results.items(), counts, strict=True)
    }
    ranking = rank_of(results) if options.into is None else _stored(results, options.into, notes)
    if options.as_json:
        print(ranking.to_json())
        return
    show_ranking(ranking)
    console = Console(highlight=False, soft_wrap=True)
    for note in notes:
        console.print(note, markup=False)


def rank_of(results: Mapping[str, Result]) -> Ranking:
    """Return the table of results that are not stored."""
    from chaosbench.scoring import in_memory

    return rank(in_memory(result) for result in results.values())


def _submitted(experiment: Experiment, series: Mapping[str, list[Double]], options: Options) -> dict[str, Result]:
    forecasts = [read_trajectories(name) for name in options.forecasts]
    results, used = {}, 0
    for label, parts in series.items():
        own = forecasts[used : used + len(parts)]
        used += len(parts)
        results[label] = submitted(experiment, label, parts, own)
    if forecasts and used != len(forecasts):
        raise SpecError(f"there are {used} files of free runs and {len(forecasts)} of forecasts; give one for each")
    return results


def _stored(results: Mapping[str, Result], directory: Path, notes: list[str]) -> Ranking:
    """Store results with their pictures, and return the boards that they entered."""
    pictures = registry.load().kinds["picture"].values()
    for stored in publish(results, directory):
        drawn = draw.draw(stored, pictures)
        notes.append(f"stored in {stored.folder}{_pictures(drawn.files)}")
        notes += [f"the picture {kind} could not be drawn: {error}" for kind, error in drawn.failures.items()]
    first = next(iter(results.values())).runs[0]
    everything: list[Stored] = read_all(directory)
    return Ranking(
        tuple(
            board
            for board in rank(everything).boards
            if (board.system, board.data) == (first.system, first.data)
            and any(entry.model in results for entry in board.entries)
        )
    )


def _pictures(files: Sequence[Path]) -> str:
    names = [path.name for path in files if path.suffix == ".png"]
    return f", with the pictures {', '.join(names)}" if names else ""


def _by_reason(left_out: Mapping[str, str]) -> dict[str, list[str]]:
    by_reason: dict[str, list[str]] = {}
    for kind, why in left_out.items():
        by_reason.setdefault(why, []).append(kind)
    return by_reason


def _names(kinds: Sequence[str]) -> str:
    return ", ".join(kinds)
