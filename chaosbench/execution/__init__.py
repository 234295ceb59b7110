"""Run experiments in worker processes on this machine."""

from chaosbench.execution.campaign import Published, carry_on, check_data, check_searches, missing, prepare
from chaosbench.execution.grouping import Group, alone, grouped, groups
from chaosbench.execution.happenings import Advanced, Event, Finished, GivenUp, Separated, Started
from chaosbench.execution.limits import Limits
from chaosbench.execution.placement import Placement, check_device, place
from chaosbench.execution.workers import carry_out

__all__ = [
    "Advanced",
    "Event",
    "Finished",
    "GivenUp",
    "Group",
    "Limits",
    "Placement",
    "Published",
    "Separated",
    "Started",
    "alone",
    "carry_on",
    "carry_out",
    "check_data",
    "check_device",
    "check_searches",
    "grouped",
    "groups",
    "missing",
    "place",
    "prepare",
]
