"""The decomposition run by Triton's interpreter on the CPU."""

import os

import pytest
import torch
from torch.testing import assert_close
from triton_interpreter import needs_interpreter

os.environ.setdefault("TRITON_INTERPRET", "1")  # read when the kernels are defined
triton_qr = pytest.importorskip("chaosbench.kernels.triton_qr", exc_type=ImportError)

pytestmark = needs_interpreter


def matrices(*shape, dtype=torch.float64):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).to(dtype)


def assert_orthonormal(q, rounding):
    assert_close(q.mT @ q, torch.eye(q.shape[-1], dtype=q.dtype).expand(*q.shape[:-2], -1, -1), rtol=0, atol=rounding)


@pytest.mark.parametrize("shape", [(2, 3, 5, 3), (2, 30, 30), (1, 64, 4), (3, 1, 1)])
@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float64, 1e-13), (torch.float32, 1e-5)])
def test_q_is_orthonormal_and_the_diagonal_of_r_is_torchs_up_to_signs(shape, dtype, rounding):
    a = matrices(*shape, dtype=dtype)
    q, diagonal = triton_qr.decompose(a)
    triangle = torch.linalg.qr(a.double()).R
    assert_orthonormal(q, rounding)
    assert_close(diagonal.double(), triangle.diagonal(dim1=-2, dim2=-1).abs(), rtol=10 * rounding, atol=0)
    assert_close(q.double() @ (q.double().mT @ a.double()), a.double(), rtol=0, atol=10 * rounding)


def test_columns_whose_sizes_differ_by_twelve_orders_keep_all_digits():
    """Each diagonal entry is proportional to its column, so its relative error does not depend on the column's size."""
    a = matrices(2, 20, 5)
    grades = 10.0 ** torch.tensor([0.0, -12.0, -4.0, 0.0, -12.0], dtype=torch.float64)
    q, diagonal = triton_qr.decompose(a * grades)
    expected = torch.linalg.qr(a).R.diagonal(dim1=-2, dim2=-1).abs() * grades
    assert_close(diagonal, expected, rtol=1e-12, atol=0)
    assert_orthonormal(q, 1e-13)


def test_nearly_parallel_columns_give_orthonormal_ones():
    """Columns that differ by 1e-12: a single pass of Gram-Schmidt would leave an error of 1e-4."""
    a = matrices(1, 20, 1) + 1e-12 * matrices(1, 20, 4)
    q, diagonal = triton_qr.decompose(a)
    assert_orthonormal(q, 1e-13)
    assert bool((diagonal[..., 1:] < 1e-10).all())


def test_single_precision_does_not_underflow():
    """The square of 1e-30 is zero in single precision."""
    a = matrices(2, 6, 3, dtype=torch.float32)
    assert_close(triton_qr.decompose(1e-30 * a)[1] * 1e30, triton_qr.decompose(a)[1], rtol=1e-5, atol=0)


def test_columns_of_zeros_have_zeros_in_r_and_complete_an_orthonormal_basis():
    a = matrices(2, 5, 5)
    a[..., 1], a[..., 3] = 0, 0
    q, diagonal = triton_qr.decompose(a)
    assert_orthonormal(q, 1e-13)
    assert_close(diagonal == 0, torch.tensor([False, True, False, True, False]).expand(2, 5))


@pytest.mark.filterwarnings("ignore:All-NaN slice")  # numpy, which the interpreter computes with
def test_a_matrix_that_is_not_finite_does_not_spoil_its_neighbours():
    a = matrices(3, 4, 2)
    expected = triton_qr.decompose(a)
    a[1, 2, 0] = torch.nan
    found = triton_qr.decompose(a)
    for ours, whole in zip(found, expected, strict=True):
        assert_close(ours[[0, 2]], whole[[0, 2]], rtol=0, atol=0)
        assert bool(ours[1].isnan().any())
