"""The outcomes of the checks of plug-ins, as a table and as rows for JSON."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from rich.console import Console

from chaosbench.terminal.tables import table
from chaosbench.testing.checked import Checked


def collected(outcomes: Iterable[Checked]) -> list[Checked]:
    """Return all outcomes, and name the last one on a terminal meanwhile."""
    done = []
    with Console(stderr=True).status("checking plug-ins") as status:
        for outcome in outcomes:
            done.append(outcome)
            status.update(f"checked {' '.join(filter(None, (outcome.noun, outcome.kind, outcome.check)))}")
    return done


def rows(outcomes: Iterable[Checked]) -> list[dict[str, Any]]:
    """Return a row per check."""
    return [{**dataclasses.asdict(outcome), "result": _result(outcome)} for outcome in outcomes]


def show(outcomes: list[Checked]) -> None:
    """Print the outcomes as a table, and a sentence below."""
    console = Console(highlight=False)
    if not outcomes:
        console.print("no plug-ins are installed; chaosbench plugins new NAME --kind KIND writes one")
        return
    cells = [
        (one.plugin, one.noun, one.kind, one.check, ": ".join(filter(None, [_result(one), one.failure or one.omitted])))
        for one in outcomes
    ]
    console.print(table(("plug-in", "noun", "kind", "check", "result"), cells, width=console.width))
    counts = {name: sum(_result(outcome) == name for outcome in outcomes) for name in ("passed", "failed", "not done")}
    console.print(", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "passed"))


def _result(outcome: Checked) -> str:
    if outcome.omitted is not None:
        return "not done"
    return "passed" if outcome.failure is None else "failed"
