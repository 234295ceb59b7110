"""New boards: the demands of a suite on every submission, and the folder that holds them."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from chaosbench import __version__
from chaosbench import suite as suites
from chaosbench.boards import lock, publish
from chaosbench.errors import StoreError
from chaosbench.experiment import Experiment
from chaosbench.files import write_whole
from chaosbench.registry import Registry
from chaosbench.suites.files import text_of
from chaosbench.systems.base import SystemSpec

SUITE = "suite.toml"


def new(suite: str, board: Path, registry: Registry) -> lock.Lock:
    """Make the folder of a board for a suite.

    Args:
        suite: a shipped suite by name, or a TOML file by path.
        board: a directory that is no board yet.
        registry: the kinds that exist.

    Raises:
        ChaosbenchError: where the suite cannot be read, or the directory is a board already.
    """
    if (board / lock.FILE).exists():
        raise StoreError(f"{str(board)!r} is a board already")
    made = make(suites.load(suite, registry))
    (board / "submissions").mkdir(parents=True, exist_ok=True)
    (board / publish.VERIFICATIONS).mkdir(exist_ok=True)
    content = text_of(suite, {name: one.path for name, one in registry.suites.items()})
    write_whole(board / SUITE, lambda path: path.write_bytes(content))
    lock.write(made, board)
    publish.log(board, "new", made.suite, hashlib.sha256((board / lock.FILE).read_bytes()).hexdigest())
    return made


def make(experiments: Sequence[Experiment]) -> lock.Lock:
    """Return the demands of a suite.

    Raises:
        StoreError: where its methods run different seeds or metrics on one system.
    """
    demands: dict[tuple[str, str], lock.Demand] = {}
    for experiment in experiments:
        demand = _demand(experiment)
        earlier = demands.setdefault((demand.sources, demand.evaluation), demand)
        if earlier != demand:
            raise StoreError(
                f"{experiment.name} has other seeds or metrics than the experiments before it on its system"
            )
    return lock.Lock(experiments[0].suite, __version__, tuple(demands.values()))


def _demand(experiment: Experiment) -> lock.Demand:
    system = experiment.system
    known = system.reference.exponents if isinstance(system, SystemSpec) and system.reference is not None else None
    content = experiment.model_dump(mode="json")
    return lock.Demand(
        system=experiment.labels["system"],
        data=experiment.labels["data"],
        sources=f"{system.digest()} {experiment.data.digest()}",
        evaluation=json.dumps(content["evaluation"], sort_keys=True),
        metrics=tuple(metric.label for metric in experiment.metrics),
        seeds=experiment.seeds,
        exponents=None if known is None else tuple(float(value) for value in known),
        dimension=system.dimension if isinstance(system, SystemSpec) else None,
        dt=system.dt * experiment.data.stride,
    )
