"""All flows, maps and delay systems of the collection dysts as systems of chaosbench."""

from pathlib import Path

from chaosbench import hookimpl
from chaosbench.systems import SystemSpec
from chaosbench_dysts.installed import require_dysts

require_dysts()  # without it the plug-in is reported as broken, with the command that mends it

from chaosbench_dysts.delays import DystsDelay  # noqa: E402
from chaosbench_dysts.flows import DystsFlow  # noqa: E402
from chaosbench_dysts.maps import DystsMap  # noqa: E402

__all__ = ["DystsDelay", "DystsFlow", "DystsMap"]


@hookimpl
def chaosbench_systems() -> list[type[SystemSpec]]:
    """Return the kinds of systems; the field `name` chooses one."""
    return [DystsFlow, DystsMap, DystsDelay]


@hookimpl
def chaosbench_suites() -> list[Path]:
    """Return the suite of twenty systems, `chaosbench run dysts-twenty`."""
    return [Path(__file__).with_name("dysts-twenty.toml")]
