"""Operations of torch that are watched, as scalar operations with the same values and derivatives."""

import pytest
import torch

pytest.importorskip("numba")
from traced_steps import agree, compiled_of, normal

from chaosbench.dynamics import tangent_step_by_jvp

FUNCTIONS = {
    "numbers times tensors": lambda s: 2 * s * s.roll(1, -1) - s / 3 + (1 - s) * 0.25,
    "powers": lambda s: s**2 + s.abs() ** 1.5 + s**3 - 1 / (2 + s**2) + (1 + s * s) ** -0.5 + 2**s,
    "choices": lambda s: torch.where(s > 0.1, s.sin(), s.exp()) + s.clamp(-0.5, 0.5) + torch.relu(s) + (s < 0) * s,
    "extremes": lambda s: torch.minimum(s, s.roll(1, -1)) + torch.maximum(s, 1 - s),
    "functions": lambda s: s.tanh() + s.cosh().log() + s.sinh().atan() + torch.atan2(s, s.flip(-1) + 3) + s.sigmoid(),
    "roots": lambda s: (s * s + 1).sqrt() + (s * s + 1).rsqrt() + (s + 9).reciprocal() + (0.1 * s).tan(),
    "remainders": lambda s: (3 * s).remainder(1.0) + s.floor() * s + s.sign(),
    "matrices": lambda s: s @ normal(4, 4) + torch.nn.functional.linear(s, normal(4, 4), normal(4)),
    "sums": lambda s: s - s.mean(-1, keepdim=True) * s.square().sum(-1, keepdim=True),
    "pieces": lambda s: torch.cat([s[..., 2:] * s[..., :2], s[..., [3, 0]].unsqueeze(-2).squeeze(-2)], dim=-1),
    "fused": lambda s: torch.addcmul(s, s, s.flip(-1), value=0.5).lerp(s, 0.3) + torch.add(s, s * s, alpha=0.1),
    "means along axes": lambda s: s + (s[..., :, None] * s[..., None, :]).mean(-1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_operations_and_their_derivatives_equal_those_of_torch(name):
    """Random states have no ties, where a derivative would be a matter of convention."""
    function, states = FUNCTIONS[name], normal(1, 4)
    stepped, carried = compiled_of(function, states).tangent_step(states, normal(1, 4, 3))
    expected = tangent_step_by_jvp(function, states, normal(1, 4, 3))
    agree(stepped, expected[0])
    agree(carried, expected[1])


def test_entries_that_are_written_in_place_are_followed():
    def step(state):
        out = torch.empty_like(state)
        out[..., 0] = state[..., 1] * 2
        out[..., 1] = state[..., 0] - out[..., 0]
        out[..., 1] += 1
        return out

    states = normal(5, 2)
    agree(compiled_of(step, states).step(states), step(states))
