import pytest
import torch
from solvable_maps import states
from torch.testing import assert_close

from chaosbench.dynamics.tangents import random_tangents


def test_tangents_are_orthonormal_and_the_same_at_every_state():
    tangents = random_tangents(states(2, 3, 6), 4)
    assert tangents.shape == (2, 3, 6, 4)
    assert_close(tangents.mT @ tangents, torch.eye(4, dtype=torch.float64).expand(2, 3, 4, 4), atol=1e-14, rtol=0)
    assert torch.equal(tangents, tangents[:1, :1].expand_as(tangents))


def test_with_a_fixed_number_of_draws_the_first_tangents_do_not_depend_on_their_number():
    """Gram-Schmidt keeps the first directions up to rounding."""
    few, many = (random_tangents(states(6), count, draws=6) for count in (2, 5))
    assert_close(few, many[:, :2], atol=1e-14, rtol=0)


@pytest.mark.parametrize("count", [0, 7])
def test_a_number_of_tangents_that_does_not_fit_the_state_is_rejected(count):
    with pytest.raises(AssertionError, match=f"{count} .* 1 to 6"):
        random_tangents(states(6), count)
