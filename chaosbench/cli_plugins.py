"""Commands on plug-ins: list them, show one, and find out what is wrong; none imports torch unless a plug-in does."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from chaosbench.errors import unknown_name
from chaosbench.plugin_choice import add_files

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PluginFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE.py",
        callback=add_files,
        help="Load a plug-in under development from its file; repeatable.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to `chaosbench plugins`."""
    app.command("list")(list_)
    app.command()(info)
    app.command()(doctor)


def list_(as_json: AsJson = False, _plugins: PluginFiles = None) -> None:
    """List the installed plug-ins, what they offer, and why broken ones were not loaded."""
    from chaosbench import plugin_listing

    found = plugin_listing.listing()
    if as_json:
        _print_json(found.rows)
        return
    from chaosbench.terminal.plugins import show_plugins

    show_plugins(found)


def info(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a plug-in, as `plugins list` shows it.")],
    as_json: AsJson = False,
    _plugins: PluginFiles = None,
) -> None:
    """Show everything that is known about one plug-in."""
    from chaosbench import plugin_listing

    found = plugin_listing.listing()
    names = [row["name"] for row in found.rows]
    if name not in names:
        raise unknown_name("plug-in", name, names)
    row = found.rows[names.index(name)] | (plugin_listing.details(name) or {})
    if as_json:
        _print_json(row)
        return
    from chaosbench.terminal.plugins import show_plugin

    show_plugin(row, found.cached)


def doctor(as_json: AsJson = False, _plugins: PluginFiles = None) -> None:
    """Import every plug-in in a process of its own, and report what is wrong; exit with code 1 if anything is."""
    from chaosbench import plugin_doctor

    examination = plugin_doctor.examine()
    if as_json:
        _print_json({"plugins": examination.rows, "problems": examination.problems})
    else:
        from chaosbench.terminal.plugins import show_examination

        show_examination(examination)
    if not examination.sound:
        raise typer.Exit(1)


def _print_json(content: Any) -> None:
    print(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))
