"""Commands on trajectories and trained models: export, forecast, score; heavy imports are inside them."""

from pathlib import Path
from typing import Annotated

import typer

from chaosbench.cli_output import Results
from chaosbench.errors import SpecError

RunWords = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN", help="An experiment: words of its labels, such as bptt lstm, or the start of its folder's name."
    ),
]
Seed = Annotated[int | None, typer.Option(help="The model of this seed (default: the median seed).")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (forecast, export, score):
        app.command()(command)


def forecast(
    results: Results,
    run_words: RunWords,
    steps: Annotated[int, typer.Option(min=1, help="Steps to forecast.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write: .csv, .npy or .parquet.")],
    seed: Seed = None,
    history: Annotated[
        str | None,
        typer.Option(
            help="File with the observations before the forecast, in the data's units "
            "(default: the beginning of each test orbit)."
        ),
    ] = None,
) -> None:
    """Forecast with a trained model, in the units of the data."""
    from chaosbench.leaderboard.selection import select_one
    from chaosbench.loading import load
    from chaosbench.trajectories import read_trajectories, write_trajectories

    stored = select_one(results, " ".join(run_words), seed)
    loaded = load(stored.folder, seed)
    known = loaded.histories() if history is None else read_trajectories(history)
    values = loaded.model.forecast(known, steps)
    write_trajectories(output, values if len(values) > 1 else values[0], dt=loaded.data.dt)
    print(f"{len(values)} x {steps} steps of {loaded.spec.name}, seed {loaded.seed}: {output}")


def export(
    results: Results,
    run_words: RunWords,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder for the files; it is created.")],
) -> None:
    """Write the data of an experiment as .npy files, to train and forecast with another program."""
    from chaosbench.exporting import export_data
    from chaosbench.leaderboard.selection import select_one
    from chaosbench.loading import read_experiment

    stored = select_one(results, " ".join(run_words))
    for path, text in export_data(read_experiment(stored), folder).items():
        print(f"{path}: {text}")


def score(
    generated: Annotated[
        list[str],
        typer.Argument(
            metavar="GENERATED...",
            help="Files or folders (.csv, .npy, .parquet) with generated trajectories; each is an entry.",
        ),
    ],
    truth: Annotated[str, typer.Argument(metavar="TRUTH", help="A file or folder with true trajectories.")],
    dt: Annotated[float, typer.Option(min=0, help="Time per step, in the system's units.")] = 1.0,
    exponent: Annotated[
        float | None, typer.Option(help="Largest Lyapunov exponent per unit of time, for valid prediction times.")
    ] = None,
    aligned: Annotated[
        bool | None,
        typer.Option("--aligned/--free", help="Score as forecasts, too (default: if the first rows are close)."),
    ] = None,
    forecasts: Annotated[
        list[str] | None,
        typer.Option(help="With --into: short forecasts that continue the exported conditions; one per GENERATED."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Name of one entry, of which each GENERATED is a training run (seed).")
    ] = None,
    parameters: Annotated[
        list[int] | None,
        typer.Option(min=0, help="Number of trained parameters of an entry, one per entry (default: not given)."),
    ] = None,
    into: Annotated[
        Path | None, typer.Option("--into", help="Store the scores and pictures in this results directory.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score trajectories of any program against true ones, and rank them beside stored experiments."""
    from chaosbench.terminal import scoring

    entries = {label: generated} if label else {Path(name).stem: [name] for name in generated}
    if not label and len(entries) < len(generated):
        raise SpecError("two files of GENERATED have the same name; rename one, or join them with --label")
    options = scoring.Options(dt, exponent, aligned, tuple(forecasts or ()), into, as_json, tuple(parameters or ()))
    scoring.show(entries, truth, options)
