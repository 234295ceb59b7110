"""Commands for authors of plug-ins: write a new one, and test it; heavy imports are inside them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from chaosbench.new_plugin import NOUNS, create


def register(app: typer.Typer) -> None:
    """Add the commands to `chaosbench plugins`."""
    app.command()(new)
    app.command("test")(check)


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the plug-in, such as my-model.")],
    kind: Annotated[str, typer.Option(help=f"What it offers: {', '.join(NOUNS)}.")],
    folder: Annotated[Path, typer.Option("--dir", help="Folder in which the package is made.")] = Path(),
) -> None:
    """Write a complete package with an example that works, and its tests, ready to be edited."""
    files = create(name, kind, folder)
    suite = next(path for path in files if path.suffix == ".toml" and path.stem != "pyproject")
    package = suite.parent
    print(f"wrote {package}:")
    for path in files:
        print(f"  {path.relative_to(package)}")
    print(f"next:\n  cd {package}\n  pip install -e .\n  chaosbench plugins test {suite.stem}")
    print(f"  chaosbench run {suite.name}")


def check(
    package: Annotated[
        str | None,
        typer.Argument(metavar="PACKAGE", help="A plug-in or its distribution (default: all installed plug-ins)."),
    ] = None,
    timeout: Annotated[float, typer.Option(min=1.0, help="Seconds for one check.")] = 300.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check everything that plug-ins offer, and train their models and trainers; exit with code 1 if a check fails.

    Each plug-in is checked in a process of its own, beside the built-ins alone, so that one that hangs or ends it
    has failed and stops nothing.
    """
    from chaosbench.terminal import conformance
    from chaosbench.testing.isolated import check_isolated

    outcomes = conformance.collected(check_isolated(package, limit=timeout))
    if as_json:
        print(json.dumps(conformance.rows(outcomes), indent=1, ensure_ascii=False))
    else:
        conformance.show(outcomes)
    if any(outcome.failure is not None for outcome in outcomes):
        raise typer.Exit(1)
