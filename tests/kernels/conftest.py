"""Fixtures of the tests of kernels."""

import pytest
import torch


@pytest.fixture
def memory_of_nan():
    """Let torch fill every tensor that it does not compute with NaN."""
    torch.use_deterministic_algorithms(True)
    assert torch.empty_like(torch.zeros(3)).isnan().all()
    assert torch.zeros(3).new_empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)
