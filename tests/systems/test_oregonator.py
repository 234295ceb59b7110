import pytest
import torch
from scipy.integrate import solve_ivp
from torch.testing import assert_close

from chaosbench.dynamics import tangent_step_by_jvp
from chaosbench.exponents import largest_exponent
from chaosbench.systems import Oregonator, PoincareMap

SECTION = PoincareMap(flow=Oregonator(), coordinate=0, level=1e4)
ON_SECTION = torch.tensor([[1.0, 1000.0]], dtype=torch.float64)  # the cycle attracts it within one return


def test_the_orbit_returns_after_the_published_period_which_another_program_has_too():
    """Field & Noyes 1974 give 302.9; scipy's LSODA at a relative tolerance of 1e-10 is the second implementation."""
    start = SECTION.step(ON_SECTION)
    time = float(SECTION.return_time(start))
    assert time == pytest.approx(302.9, abs=0.05)

    def rising(_, state):
        return state[0] - 1e4

    rising.direction = 1
    first = [1e4, *start[0].tolist()]
    truth = solve_ivp(
        lambda _, state: Oregonator().vector_field(torch.from_numpy(state)).numpy(),
        (0, 310),
        first,
        method="LSODA",
        rtol=1e-10,
        atol=1e-10,
        events=rising,
    )
    assert time == pytest.approx(max(truth.t_events[0]), rel=1e-6)


def test_the_tangent_along_the_flow_is_carried_along_so_that_its_exponent_is_zero():
    """An attracting cycle has no larger exponent; a step at a tolerance of 1e-8 has errors of that size."""
    system, state = Oregonator(), torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    stepped, carried = system.tangent_step(state, system.vector_field(state)[..., None])
    assert_close(carried[..., 0], system.vector_field(stepped), atol=1e-5, rtol=1e-5)
    assert largest_exponent(system) == 0


def test_tangents_are_the_derivative_of_the_step():
    points = torch.tensor([[1.0, 2.0, 3.0], [1.1, 9.0, 1.1], [5e4, 1.1, 3e4]], dtype=torch.float64)
    tangents = torch.randn(3, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ours, by_jvp = (
        Oregonator().tangent_step(points, tangents),
        tangent_step_by_jvp(Oregonator().step, points, tangents),
    )
    assert_close(ours[0], by_jvp[0], atol=0, rtol=1e-12)
    assert_close(ours[1], by_jvp[1], atol=1e-9, rtol=1e-9)


def test_an_explicit_step_of_the_same_length_is_named_as_too_long():
    with pytest.raises(Exception, match="stiffness"):
        Oregonator(method="dop853", dt=0.5).initial_state(1, torch.Generator().manual_seed(0))
