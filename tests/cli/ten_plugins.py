"""Ten small packages, eight of which are broken, each in its own way, installed as pip would install them."""

import sys
from pathlib import Path

import fake_plugins
from fake_plugins import system

GOOD = {
    "good_system": system("sprott_b"),
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
    "bad_hook": system("sprott_c", hook="chaosbench_sistems"),
    "bad_returns": system("sprott_d", offer="int"),
    "bad_taken": system("lorenz63"),
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
    """Install plug-ins, and beside `bad_compiled` its part for another Python."""
    fake_plugins.install(folder, sources)
    if "bad_compiled" in sources:
        other = "cpython-39" if sys.version_info[:2] != (3, 9) else "cpython-310"
        (folder / f"bad_compiled_part.{other}-x86_64-linux-gnu.so").write_bytes(b"\x7fELF")
