"""Plug-ins in the terminal: warnings on broken ones, their list, one of them, and an examination."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chaosbench.errors import PluginError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from chaosbench.plugin_doctor import Examination
    from chaosbench.plugin_listing import Listing
    from chaosbench.registry import Registry

Row = dict[str, Any]


def load_registry() -> "Registry":
    """Load all kinds, and print a warning for each broken plug-in.

    Raises:
        PluginError: where a module given by `--plugin` is broken.
    """
    from chaosbench import registry  # heavy, and `--help` does not need it

    loaded = registry.load()
    for plugin in loaded.plugins:
        if plugin.error and plugin.file:
            raise PluginError(f"--plugin {plugin.file}: {plugin.error}")
        if plugin.error:
            print(
                f"plug-in {plugin.name!r} ({plugin.origin}) is broken and was not loaded: {plugin.error}; "
                "uninstall it, or list the plug-ins to load in CHAOSBENCH_PLUGINS",
                file=sys.stderr,
            )
    return loaded


def show_plugins(listing: "Listing") -> None:
    """Print the plug-ins as a table."""
    from rich.console import Console

    console = Console(highlight=False)
    if not listing.rows:
        console.print("no plug-ins are installed; all kinds come with chaosbench")
        return
    console.print(_table(listing.rows, console.width))
    _print_problems(console, {row["name"]: row["error"] for row in listing.rows if row["error"]})
    if listing.cached is not None:
        console.print(_age(listing.cached), markup=False)


def show_plugin(row: Row, cached: datetime | None) -> None:
    """Print everything that is known about one plug-in, an item a line."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=True)
    texts = {
        "plug-in": row["name"],
        "summary": row.get("summary", ""),
        "distribution": f"{row['package']} {row['version']}",
        "module": row.get("module", ""),
        "installed in": row.get("folder", ""),
        "status": row["status"],
        "cause": row["error"] or "",
        "offers": ", ".join(row["offers"]),
        "hooks": ", ".join(row["hooks"]),
        "needs": ", ".join(row.get("requires_chaosbench", [])),
        "needs Python": row.get("requires_python", ""),
        "import": _seconds(row),
        "heavy modules": ", ".join(row["heavy"]),
        "prints at import": " ".join(row["printed"].split()),
    }
    for title, text in texts.items():
        if text:
            console.print(f"{title:<17}{text}")
    if cached is not None:
        console.print(_age(cached))


def show_examination(examination: "Examination") -> None:
    """Print the plug-ins and their problems, then those of the installation."""
    from rich.console import Console

    console = Console(highlight=False)
    if examination.rows:
        console.print(_table(examination.rows, console.width))
        _print_problems(console, {row["name"]: "; ".join(row["problems"]) for row in examination.rows})
    for problem in examination.problems:
        console.print(problem, markup=False, soft_wrap=True)
    wrong = [row["name"] for row in examination.rows if row["problems"]]
    if wrong:
        console.print(f"{len(wrong)} of {len(examination.rows)} plug-ins have problems: {', '.join(wrong)}")
    if examination.sound:
        console.print(f"{len(examination.rows)} plug-ins were imported, each in a process of its own; nothing is wrong")


def _print_problems(console: "Console", problems: dict[str, str]) -> None:
    """Print a line for each plug-in with a problem, in full, as messages may be long."""
    for name, problem in problems.items():
        if problem:
            console.print(f"{name}: {problem}", markup=False, soft_wrap=True)


def _table(rows: list[Row], width: int) -> "Text":
    from chaosbench.terminal.tables import table

    cells = []
    for row in rows:
        status = "problem" if row.get("problems") and row["status"] == "ok" else row["status"]
        seconds, offers = (" ".join([_seconds(row), *row["heavy"]]), ", ".join(row["offers"] or row["hooks"]))
        package = f"{row['package']} {_short(row['version'])}"
        cells.append((row["name"], package, status, seconds, "" if row["error"] else offers))
    return table(("plug-in", "package", "status", "import", "offers"), cells, width=width)


def _seconds(row: Row) -> str:
    return "" if row["import_seconds"] is None else f"{row['import_seconds']:.2f} s"


def _short(version: str) -> str:
    """Shorten the digest of a file."""
    return version[:19]


def _age(imported: datetime) -> str:
    when = imported.astimezone().strftime("%-d %B %Y, %H:%M")
    return f"from the cache: imported on {when}, and unchanged since; `chaosbench plugins doctor` imports all anew"
