"""The fields of stored tables with their units and meanings, as Markdown, JSON and Arrow."""

import json
import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from chaosbench.leaderboard.schema import RECORDS, RUNS, VERSION
from chaosbench.leaderboard.wide import BOARD

TABLES = {"runs": RUNS, "records": RECORDS, "board": BOARD}
_UNIT = re.compile(r"\[([^\]]+)\] ")  # at the beginning of a description


def fields(table: str) -> list[dict[str, Any]]:
    """Return name, type, unit and meaning of each field of a table, and whether it may be null.

    Args:
        table: one of `TABLES`.
    """
    found = []
    for field in TABLES[table]:
        text = field.metadata[b"description"].decode()
        unit = _UNIT.match(text)
        found.append(
            {
                "name": field.name,
                "type": str(field.type),
                "nullable": field.nullable,
                "unit": unit[1] if unit else "",
                "meaning": text[unit.end() :] if unit else text,
            }
        )
    return found


def to_markdown(table: str) -> bytes:
    """Return the fields as a Markdown table."""
    lines = ["| field | type | null | unit | meaning |", "|---|---|---|---|---|"]
    for one in fields(table):
        null = "yes" if one["nullable"] else "no"
        lines.append(f"| `{one['name']}` | `{one['type']}` | {null} | {one['unit']} | {one['meaning']} |")
    return "\n".join([*lines, ""]).encode()


def to_json(table: str) -> bytes:
    """Return the fields as JSON, with the version of the schema."""
    content = {"table": table, "version": VERSION, "fields": fields(table)}
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def to_arrow(table: str) -> bytes:
    """Return the schema as the message of an Arrow stream, which `pyarrow.ipc.read_schema` reads."""
    message: pa.Buffer = TABLES[table].serialize()
    return bytes(message.to_pybytes())


FORMATS: dict[str, Callable[[str], bytes]] = {"markdown": to_markdown, "json": to_json, "arrow": to_arrow}
