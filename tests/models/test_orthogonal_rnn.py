"""The orthogonal network: its weight stays orthogonal and its recurrence never expands."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.testing import assert_close

from chaosbench.models import OrthogonalRNN

SEEDS = (0, 5)


def trained(hidden: int = 7, negative: int = 3):
    """Return a model with perturbed weights, as after training."""
    model = OrthogonalRNN(hidden=hidden, negative=negative).build(2, SEEDS).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, dtype=torch.float64))
    return model


@pytest.mark.parametrize("hidden", [6, 7])
def test_every_singular_value_of_the_recurrent_weight_is_one(hidden: int):
    (weight,) = trained(hidden).derived_parameters()
    assert_close(torch.linalg.svdvals(weight), torch.ones(2, hidden, dtype=torch.float64), atol=1e-12, rtol=0)


def test_the_determinant_is_the_sign_of_the_reflections():
    """The Cayley transform is a rotation; D reflects `negative` axes."""
    for negative in (0, 1, 4):
        (weight,) = trained(negative=negative).derived_parameters()
        expected = torch.full((2,), (-1.0) ** negative, dtype=torch.float64)
        assert_close(torch.linalg.det(weight), expected, atol=1e-12, rtol=0)


def test_initial_rotations_have_angles_below_a_right_angle():
    """A = (0, tan(t/2); -tan(t/2), 0) gives a rotation by t, with t uniform in (0, pi/2)."""
    (weight,) = OrthogonalRNN(hidden=8, negative=0).build(2, SEEDS).double().derived_parameters()
    angles = torch.linalg.eigvals(weight).angle().abs()
    assert angles.max() < np.pi / 2
    cosines = weight.diagonal(dim1=-2, dim2=-1)
    assert_close(cosines.sort().values, angles.cos().sort().values, atol=1e-7, rtol=0)


def test_no_tangent_of_the_recurrence_grows():
    """modrelu has slope 0 or 1 and W is orthogonal: every singular value of the Jacobian of h is 0 or 1."""
    model = trained()
    state = torch.randn(2, 5, model.state_size, dtype=torch.float64)
    tangents = torch.eye(model.state_size, dtype=torch.float64)[:, :7].expand(2, 5, -1, -1)
    values = torch.linalg.svdvals(model.tangent_step(state, tangents)[1][..., :7, :].detach())
    assert_close(values, values.round(), atol=1e-12, rtol=0)
    assert values.max() <= 1 + 1e-12


def test_the_network_equals_its_formula():
    model = trained()
    state = torch.randn(2, 3, model.state_size, dtype=torch.float64)
    stepped = model.step(state).detach().numpy()
    signs = np.diag([-1.0] * 3 + [1.0] * 4)
    for k in range(2):
        half, V, b, C, d = (
            part[k].detach().numpy()
            for part in (model.triangle, model.drive, model.shift, model.readout.weight, model.readout.bias)
        )
        A, identity = half - half.T, np.eye(7)
        W = np.linalg.inv(identity + A) @ (identity - A) @ signs
        for row, actual in zip(state[k].numpy(), stepped[k], strict=True):
            p = W @ row[:7] + V @ row[7:]
            h = np.sign(p) * np.maximum(np.abs(p) + b[0], 0)
            np.testing.assert_allclose(actual, np.concatenate([h, C @ h + d[0]]), rtol=1e-11, atol=1e-12)


def test_more_negative_signs_than_units_are_rejected():
    with pytest.raises(ValidationError, match=r"negative = 9 .*hidden = 4"):
        OrthogonalRNN(hidden=4, negative=9)
