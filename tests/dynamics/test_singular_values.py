"""The forms for a GPU, which are products alone, run here on the CPU beside LAPACK's decompositions."""

import pytest
import torch
from solvable_maps import states
from torch.testing import assert_close

from chaosbench.dynamics.singular_values import largest_eigenvalue, smallest_singular_value


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float64, 1e-13), (torch.float32, 1e-5)])
@pytest.mark.parametrize("size", [1, 2, 30, 60])
def test_the_largest_eigenvalue_by_squaring_is_that_of_lapack(size, dtype, rounding):
    factors = states(5, size, 3, dtype=dtype)
    gram = factors @ factors.mT
    assert_close(largest_eigenvalue(gram), torch.linalg.eigvalsh(gram)[..., -1], rtol=rounding, atol=0)


def test_equal_eigenvalues_are_not_counted_twice():
    """The trace is n times the power of the eigenvalue: the method's error would be largest here."""
    assert_close(
        largest_eigenvalue(3 * torch.eye(60, dtype=torch.float64)), torch.tensor(3.0).double(), rtol=1e-13, atol=0
    )


def test_the_largest_eigenvalue_of_zero_is_zero():
    assert_close(largest_eigenvalue(torch.zeros(2, 3, 3)), torch.zeros(2))


def test_the_smallest_singular_value_is_that_of_lapack_up_to_rounding_of_the_largest():
    """Singular values from 1 to 1e-9, in double precision."""
    left, right = (torch.linalg.qr(states(4, 20, 20, seed=seed)).Q for seed in (0, 1))
    values = 10 ** -torch.linspace(0, 9, 20, dtype=torch.float64)
    matrices = left * values @ right
    assert_close(smallest_singular_value(matrices), values[-1:].expand(4), rtol=1e-5, atol=0)


def test_the_smallest_singular_value_of_a_singular_matrix_is_zero():
    matrices = states(3, 4, 4)
    matrices[1, :, 2] = 0
    found = smallest_singular_value(matrices)
    assert_close(found[1], torch.tensor(0.0).double())
    assert_close(found[[0, 2]], torch.linalg.svdvals(matrices[[0, 2]])[..., -1], rtol=1e-10, atol=0)
