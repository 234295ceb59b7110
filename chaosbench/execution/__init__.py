"""Run experiments in worker processes on this machine."""

from chaosbench.execution.campaign import Published, carry_on, check_data, check_searches, missing, prepare
from chaosbench.execution.clusters import cluster
from chaosbench.execution.grouping import Group, alone, grouped, groups
from chaosbench.execution.happenings import Advanced, Elsewhere, Event, Finished, GivenUp, Separated, Shared, Started
from chaosbench.execution.limits import Limits
from chaosbench.execution.local import carry_out
from chaosbench.execution.placement import Placement, check_device, place
from chaosbench.execution.planning import Plan, planned, require_room

__all__ = [
    "Advanced",
    "Elsewhere",
    "Event",
    "Finished",
    "GivenUp",
    "Group",
    "Limits",
    "Placement",
    "Plan",
    "Published",
    "Separated",
    "Shared",
    "Started",
    "alone",
    "carry_on",
    "carry_out",
    "check_data",
    "check_device",
    "check_searches",
    "cluster",
    "grouped",
    "groups",
    "missing",
    "place",
    "planned",
    "prepare",
    "require_room",
]
