"""The outcomes of the checks of plug-ins, as a table and as rows for JSON."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

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
    table = Table(box=box.HORIZONTALS, pad_edge=False)
    for heading in ("plug-in", "noun", "kind", "check"):
        table.add_column(heading, no_wrap=True)
    table.add_column("result", overflow="fold")
    for outcome in outcomes:
        text = _result(outcome)
        why = outcome.failure or outcome.omitted
        table.add_row(
            outcome.plugin, outcome.noun, outcome.kind, outcome.check, Text(f"{text}: {why}" if why else text)
        )
    console.print(table)
    counts = {name: sum(_result(outcome) == name for outcome in outcomes) for name in ("passed", "failed", "not done")}
    console.print(", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "passed"))


def _result(outcome: Checked) -> str:
    if outcome.omitted is not None:
        return "not done"
    return "passed" if outcome.failure is None else "failed"
