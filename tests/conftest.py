"""Every test runs on one thread, as every worker does, and keeps its data to itself."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)
if find_spec("numba") is not None:
    from chaosbench.kernels.entry import kernel_folder

    kernel_folder()  # chosen before tests change the cache's folder: compiling anew would cost 20 s in each session


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Simulated data are kept for the session, in a folder of its own."""
    folder = tmp_path_factory.mktemp("cache")
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
