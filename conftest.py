"""Every test, also those of the bundled plug-ins, runs on one thread and keeps its data to itself."""

import os
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)
COMPILED: Path | None = None  # what is compiled for these sources, chosen before tests change the cache's folder
if find_spec("numba") is not None:
    from chaosbench.kernels.entry import kernel_folder

    COMPILED = kernel_folder()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep simulated data for the session in a folder of its own.

    Compiled kernels are named after the content of their sources, so processes that tests start may share those of the
    user: compiling anew would cost each 20 s.
    """
    folder = tmp_path_factory.mktemp("cache")
    if COMPILED is not None:
        with suppress(OSError):  # Windows may forbid links
            (folder / "kernels").symlink_to(COMPILED.parent, target_is_directory=True)
    before = os.environ.get("CHAOSBENCH_CACHE")
    os.environ["CHAOSBENCH_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["CHAOSBENCH_CACHE"]
    else:
        os.environ["CHAOSBENCH_CACHE"] = before


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """What a test draws from torch's own random state is the same in every run and order."""
    torch.manual_seed(0)
