"""Settings of the tests. Since this file lies beside the module, pytest can import the module without installation."""

from collections.abc import Iterator

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep simulated data in a temporary folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAOSBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
