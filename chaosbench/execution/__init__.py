"""Run experiments in worker processes on this machine."""

from chaosbench.execution.campaign import Published, carry_on, check_data, missing, prepare
from chaosbench.execution.placement import Placement, check_device, place
from chaosbench.execution.workers import Advanced, Event, Finished, Started, carry_out

__all__ = [
    "Advanced",
    "Event",
    "Finished",
    "Placement",
    "Published",
    "Started",
    "carry_on",
    "carry_out",
    "check_data",
    "check_device",
    "missing",
    "place",
    "prepare",
]
