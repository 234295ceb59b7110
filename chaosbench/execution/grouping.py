"""Which experiments are trained as one batch."""

import json
from collections.abc import Sequence
from typing import Any

from chaosbench.experiment import Experiment
from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers.base import fields_that_may_differ, observed_dimension

# From 64 to 256 networks, an update on a GPU takes a third less per network or better; more need memory.
MOST_SEEDS = 256

Group = tuple[Experiment, ...]


def groups(experiments: Sequence[Experiment], device: str, together: bool | None) -> list[Group]:
    """Return the experiments in groups to be trained as one batch each, or each as a group of its own.

    Args:
        device: "cpu", a CUDA device, or "auto" where it is not decided yet, which counts as a CPU.
        together: None: on a GPU only, and only where one batch is expected to take less time. On a CPU one batch takes
            as long as its experiments one after the other, or longer where forcing intervals differ.
    """
    on_gpu = device.startswith("cuda")
    chosen = on_gpu if together is None else together
    return grouped(experiments, cheap=together is None) if chosen else alone(experiments)


def alone(experiments: Sequence[Experiment]) -> list[Group]:
    """Return each experiment as a group of its own."""
    return [(experiment,) for experiment in experiments]


def grouped(experiments: Sequence[Experiment], *, cheap: bool) -> list[Group]:
    """Return groups of experiments that differ in their seeds and in numbers that the trainer lets differ only.

    Groups are in the order of their first experiments, and have at most `MOST_SEEDS` seeds unless a single experiment
    has more.

    Args:
        cheap: keep experiments apart that one batch would train more slowly than one after the other.
    """
    alike: dict[str, list[Group]] = {}
    for experiment in experiments:
        groups = alike.setdefault(_key(experiment, cheap=cheap), [()])
        if groups[-1] and _seeds((*groups[-1], experiment)) > MOST_SEEDS:
            groups.append(())
        groups[-1] = (*groups[-1], experiment)
    order = {experiment.digest(): place for place, experiment in enumerate(experiments)}
    return sorted((group for groups in alike.values() for group in groups), key=lambda group: order[group[0].digest()])


def _seeds(group: Group) -> int:
    return sum(len(experiment.seeds) for experiment in group)


def _key(experiment: Experiment, *, cheap: bool) -> str:
    """Return a text that is equal for experiments that may be one batch."""
    content: dict[str, Any] = json.loads(experiment.canonical())
    fields = fields_that_may_differ(experiment.trainer)
    if not fields or experiment.search is not None:
        return experiment.digest()
    if cheap:
        try:
            fields = fields_that_may_differ(experiment.trainer, _single(experiment))
        except Exception:  # whatever a plug-in raises, the experiment itself will report it
            return experiment.digest()
    content["trainer"] = {name: value for name, value in content["trainer"].items() if name not in fields}
    del content["seeds"]
    return json.dumps([content, sorted(fields)], sort_keys=True)


def _single(experiment: Experiment) -> Forecaster:
    """Build one seed of the model."""
    return experiment.model.build(observed_dimension(experiment.system, experiment.data), (0,))
