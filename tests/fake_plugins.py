"""Small plug-ins for tests, installed as pip would install them."""

import textwrap
from pathlib import Path

_SYSTEM = """
from typing import ClassVar, Literal
import torch
from chaosbench import Flow, hookimpl

class Sprott(Flow):
    '''A chaotic flow with five terms (Sprott 1994, case B).'''
    kind: Literal["{kind}"] = "{kind}"
    dimension: ClassVar[int] = 3
    def vector_field(self, state):
        x, y, z = state.unbind(-1)
        return torch.stack([y * z, x - y, 1 - x * y], dim=-1)

@hookimpl
def {hook}():
    return [{offer}]
"""


def system(kind: str, hook: str = "chaosbench_systems", offer: str = "Sprott") -> str:
    """Return the source of a plug-in with one system; another hook or offer breaks it."""
    return _SYSTEM.format(kind=kind, hook=hook, offer=offer)


def install(folder: Path, sources: dict[str, str]) -> None:
    """Write modules of one file each, with the metadata of a distribution of version 1.2."""
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        info = folder / f"{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[chaosbench]\n{name} = {name}\n")
        (info / "RECORD").write_text(f"{name}.py,,\n")
