"""One thread, the same draws, and a cache of its own, as in chaosbench's own tests."""

from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated data are kept for the session."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAOSBENCH_CACHE", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """What a test draws from torch's own random state is the same in every run and order."""
    torch.manual_seed(0)
