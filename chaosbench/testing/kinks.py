"""The error of a flow's step where its vector field is smooth: a step across a kink or a jump has a low order."""

from torch import Generator

from chaosbench.systems.flow import Flow
from chaosbench.systems.kinks import crossed


def smooth_step_error(flow: Flow) -> tuple[float, float]:
    """Return the largest error of steps that meet no kink of the vector field, and the share of those that do.

    As `flow.step_error()`, at the same states, and before coordinates are wrapped.

    Returns:
        in standard deviations of the attractor [1 / system time]; NaN where every step meets a kink; and a share.
    """
    states = flow.initial_state(64, Generator().manual_seed(0))
    stepped = Flow.step(flow, states)
    difference = (stepped - Flow.step(flow.refined(), states)).abs() / states.std(0)
    kink, jump = crossed(flow, states, stepped)
    met = kink | jump
    errors = difference.amax(dim=-1)[~met] / flow.dt
    return (float(errors.max()) if len(errors) else float("nan")), float(met.double().mean())
