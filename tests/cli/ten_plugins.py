"""Ten small packages, eight of which are broken, each in its own way, installed as pip would install them."""

import sys
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


def _system(kind: str, hook: str = "chaosbench_systems", offer: str = "Sprott") -> str:
    return _SYSTEM.format(kind=kind, hook=hook, offer=offer)


GOOD = {
    "good_system": _system("sprott_b"),
    "good_listener": """
        from chaosbench import hookimpl
        heard = []
        @hookimpl
        def chaosbench_recorded(record):
            heard.append(record.value)
    """,
}
BAD = {
    "bad_raises": "raise ValueError('made for another torch')",
    "bad_exits": "import sys; sys.exit('no licence')",
    "bad_leaves": "import os; os._exit(3)",
    "bad_hangs": "import time; time.sleep(600)",
    "bad_compiled": "import bad_compiled_part",
    "bad_hook": _system("sprott_c", hook="chaosbench_sistems"),
    "bad_returns": _system("sprott_d", offer="int"),
    "bad_taken": _system("lorenz63"),
}
CAUSES = {
    "bad_raises": "made for another torch",
    "bad_exits": "no licence",
    "bad_leaves": "os._exit",
    "bad_hangs": "takes longer",
    "bad_compiled": "compiled for",
    "bad_hook": "did you mean 'chaosbench_systems'",
    "bad_returns": "not a subclass of Source",
    "bad_taken": "'lorenz63' is offered twice",
}


def install(folder: Path, sources: dict[str, str]) -> None:
    """Write modules of one file each, with the metadata of a distribution of version 1.2."""
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        info = folder / f"{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[chaosbench]\n{name} = {name}\n")
        (info / "RECORD").write_text(f"{name}.py,,\n")
    if "bad_compiled" in sources:
        other = "cpython-39" if sys.version_info[:2] != (3, 9) else "cpython-310"
        (folder / f"bad_compiled_part.{other}-x86_64-linux-gnu.so").write_bytes(b"\x7fELF")
