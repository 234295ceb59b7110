"""Conformance check of a system: steps, initial states, derivatives and bounded orbits."""

import torch
from torch import Tensor

from chaosbench.dynamics import orbit
from chaosbench.errors import StepError
from chaosbench.systems.base import SystemSpec
from chaosbench.systems.flow import Flow
from chaosbench.testing.assertions import (
    assert_agree,
    assert_identical,
    check_spec_round_trip,
    check_tangents,
    new_generator,
    require,
)
from chaosbench.testing.kinks import smooth_step_error

_KINKS = 0.5  # largest share of steps that may meet a kink


def check_system(spec: SystemSpec, *, steps: int = 1_000, step_error: float = 1e-6) -> None:
    """Check that a system's step, initial states and tangents fulfil the contract.

    Args:
        spec: the system.
        steps: length of the orbits that must stay bounded [steps].
        step_error: largest error that `step_error()` may report, in standard deviations of the attractor
            [1 / system time]; for a flow whose field has kinks or jumps, at states whose step meets none.

    Raises:
        AssertionError: naming the promise that is broken, and by how much.
    """
    check_spec_round_trip(spec)
    try:
        states = spec.initial_state(16, new_generator(0))
    except StepError as error:
        raise AssertionError(str(error)) from error
    _check_starts(spec, states)
    _check_system_step(spec, states)
    check_tangents(spec.label, spec, states[:6].unflatten(0, (2, 3)))
    _check_step_error(spec, step_error)
    path = spec.observe(orbit(spec, states, steps=steps))
    size = float(path.abs().max())
    require(size < 1e6, f"{spec.label}: orbits must stay bounded; within {steps} steps one reaches {size:.1e}")
    flat = (path.flatten(0, 1).std(dim=0) == 0).nonzero().flatten().tolist()
    require(not flat, f"{spec.label}: observables must vary; {flat} are constant and cannot be standardised")


def _check_starts(spec: SystemSpec, states: Tensor) -> None:
    expected = (16, spec.state_size)
    require(
        states.shape == expected,
        f"{spec.label}: initial_state must have the shape {expected}; it has {tuple(states.shape)}",
    )
    require(states.dtype == torch.float64, f"{spec.label}: initial states must be float64; they are {states.dtype}")
    torch.randn(1)  # torch's global random state must have no effect
    again = spec.initial_state(16, new_generator(0))
    assert_identical(again, states, f"{spec.label}: initial states must depend on the generator alone")
    apart = float((states - states[:1]).abs().max())
    require(apart > 1e-6, f"{spec.label}: initial states must differ; they lie within {apart:.1e} of each other")
    shape = tuple(spec.observe(states).shape)
    require(
        shape == (16, spec.dimension),
        f"{spec.label}: observe must return the shape {(16, spec.dimension)}; it returns {shape}",
    )


def _check_system_step(spec: SystemSpec, states: Tensor) -> None:
    before = states.clone()
    stepped = spec.step(states)
    assert_identical(states, before, f"{spec.label}: step must not modify its argument")
    require(
        stepped.dtype == torch.float64,
        f"{spec.label}: a step of a float64 state must be float64; it is {stepped.dtype}",
    )
    nested = spec.step(states.unflatten(0, (2, 4, 2)))
    assert_agree(
        nested, stepped.unflatten(0, (2, 4, 2)), f"{spec.label}: a step must not depend on the leading axes", 1e-12
    )
    assert_agree(spec.step(states[0]), stepped[0], f"{spec.label}: step must accept a single state", 1e-12)


def _check_step_error(spec: SystemSpec, limit: float) -> None:
    reported = getattr(spec, "step_error", None)
    if reported is None:
        return
    error = float(reported())
    promise = f"{spec.label}: the error of a step must be below {limit:.0e} per unit of time"
    if error > limit and isinstance(spec, Flow) and not spec.own_step:
        error, share = smooth_step_error(spec)
        require(share < _KINKS, f"{promise}; {100 * share:.0f} % of steps meet a kink of the vector field: lower `dt`")
    require(error <= limit, f"{promise}; it is {error:.1e}: raise `substeps`, or lower `dt`")
