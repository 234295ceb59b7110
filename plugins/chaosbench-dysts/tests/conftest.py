"""One thread, fixed random numbers and a temporary cache, as in the tests of chaosbench."""

from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep simulated data in a temporary folder for the session."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAOSBENCH_CACHE", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """Seed torch's global generator, so that no test depends on the order of tests."""
    torch.manual_seed(0)
