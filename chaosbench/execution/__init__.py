"""Run experiments in worker processes on this machine."""

from chaosbench.execution.campaign import Published, carry_on, check_data, check_searches, missing, prepare
from chaosbench.execution.grouping import Group, alone, grouped, groups
from chaosbench.execution.placement import Placement, check_device, place
from chaosbench.execution.planning import Plan, planned, require_room
from chaosbench.execution.workers import Advanced, Event, Finished, Separated, Started, carry_out

__all__ = [
    "Advanced",
    "Event",
    "Finished",
    "Group",
    "Placement",
    "Plan",
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
    "planned",
    "prepare",
    "require_room",
]
