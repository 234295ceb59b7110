"""The pseudo-inverse by which a linear read-out forces a state."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from chaosbench.models.readouts import pseudo_inverse

SHAPES = ((3, 1, 4), (3, 3, 30), (2, 5, 5), (2, 5, 3))


def conditioned(condition: float, seeds: int, rows: int, columns: int) -> Tensor:
    """Return matrices with singular values from 1 down to 1 / condition, `(K, rows, columns)` float64."""
    smaller = min(rows, columns)
    left = torch.linalg.qr(torch.randn(seeds, rows, smaller, dtype=torch.float64)).Q
    right = torch.linalg.qr(torch.randn(seeds, columns, smaller, dtype=torch.float64)).Q
    values = condition ** -torch.linspace(0, 1, smaller, dtype=torch.float64)
    return left * values @ right.mT


def value_and_gradient(inverse, matrices: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return an inverse and the gradient of its weighted sum."""
    given = matrices.detach().clone().requires_grad_()
    inverses = inverse(given)
    (gradient,) = torch.autograd.grad((inverses * weights).sum(), given)
    return inverses.detach(), gradient


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("shape", SHAPES)
def test_the_pseudo_inverse_and_its_gradient_are_torchs(shape: tuple[int, int, int]):
    """At a condition number of 10 either method loses two of sixteen digits."""
    torch.manual_seed(0)
    matrices, weights = conditioned(10.0, *shape), torch.randn(shape, dtype=torch.float64).mT
    found = value_and_gradient(pseudo_inverse, matrices, weights)
    expected = value_and_gradient(torch.linalg.pinv, matrices, weights)
    for ours, torchs in zip(found, expected, strict=True):
        assert relative_error(ours, torchs) <= 1e-10


def test_single_precision_loses_nothing_to_a_large_condition_number():
    """The matrix itself is exact in both precisions, so only the result is rounded to 6e-8."""
    torch.manual_seed(0)
    matrices = conditioned(1e3, 4, 3, 30).float()
    weights = torch.randn(4, 30, 3)
    found = value_and_gradient(pseudo_inverse, matrices, weights)
    expected = value_and_gradient(torch.linalg.pinv, matrices.double(), weights.double())
    for ours, exact in zip(found, expected, strict=True):
        assert ours.dtype == torch.float32
        assert relative_error(ours.double(), exact) <= 1e-6


@pytest.mark.parametrize("shape", [(3, 2, 5), (3, 5, 2)])
@pytest.mark.parametrize("culprit", [torch.nan, torch.inf])
def test_a_matrix_that_is_not_finite_does_not_change_the_others(culprit: float, shape: tuple[int, int, int]):
    torch.manual_seed(0)
    matrices, weights = conditioned(2.0, *shape), torch.randn(shape, dtype=torch.float64).mT
    spoiled = matrices.clone()
    spoiled[1, 0, 0] = culprit
    found, expected = (value_and_gradient(pseudo_inverse, given, weights) for given in (spoiled, matrices))
    assert not found[0][1].isfinite().any()
    for beside, alone in zip(found, expected, strict=True):
        assert torch.equal(beside[[0, 2]], alone[[0, 2]])


def test_a_matrix_with_equal_rows_has_no_pseudo_inverse_and_does_not_change_the_others():
    torch.manual_seed(0)
    matrices, weights = conditioned(2.0, 3, 2, 5), torch.randn(3, 5, 2, dtype=torch.float64)
    spoiled = matrices.clone()
    spoiled[1, 0] = spoiled[1, 1]
    found, expected = (value_and_gradient(pseudo_inverse, given, weights) for given in (spoiled, matrices))
    assert found[0][1].isnan().all()
    for beside, alone in zip(found, expected, strict=True):
        assert_close(beside[[0, 2]], alone[[0, 2]], rtol=0, atol=0)
