"""The engines by name: workers of this machine, a Ray cluster, or jobs of Slurm."""

from collections.abc import Callable
from pathlib import Path

from chaosbench.errors import SpecError, unknown_name
from chaosbench.execution.engines import Engine
from chaosbench.execution.local import Site
from chaosbench.execution.ray_engine import RayCluster
from chaosbench.execution.slurm_engine import SlurmJobs

ENGINES = ("local", "ray", "slurm")


def cluster(
    name: str, results: Path, *, address: str | None = None, jobs: int | None = None, per_gpu: int = 1
) -> Callable[[Site], Engine] | None:
    """Return a function that makes an engine for a campaign; None for workers of this machine.

    Args:
        name: one of `ENGINES`.
        results: the results directory.
        address: of a Ray cluster; None: the one that this machine belongs to.
        jobs: the largest number of jobs at a time; None: as the engine chooses.
        per_gpu: number of jobs on each GPU, on a Ray cluster.

    Raises:
        SpecError: where the name is unknown, or does not go with an address.
    """
    if name not in ENGINES:
        raise unknown_name("engine", name, ENGINES, place="--engine")
    if address is not None and name != "ray":
        raise SpecError("--address is that of a Ray cluster; add --engine ray")
    if name == "ray":
        return lambda site: RayCluster(site, address=address, jobs=jobs, per_gpu=per_gpu)
    if name == "slurm":
        return lambda site: SlurmJobs(site, results.absolute() / ".slurm", jobs=jobs)
    return None
