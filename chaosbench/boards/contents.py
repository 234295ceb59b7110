"""Checks that an experiment is what its rows, labels and digests say; specs are read as data, nothing is run."""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from chaosbench.boards.findings import Finding, title_of
from chaosbench.boards.lock import Demand
from chaosbench.errors import ChaosbenchError, one_line
from chaosbench.labels import searched_label, settings_of
from chaosbench.leaderboard.folder import Stored, content_digest
from chaosbench.spec import Spec, brief

if TYPE_CHECKING:
    from chaosbench.registry import Noun

# Defaults of earlier versions, which labels of their results leave out.
_FORMER_DEFAULTS = frozenset({("trainer", "sparse_teacher_forcing", "interval=tau_pred")})
_NAMED: "tuple[Noun, ...]" = ("model", "trainer")  # after their settings
_OPEN = ("sha256", "dt")  # fields of a recorded series that are read from its files unless they are given


def sources(stored: Stored, demand: Demand) -> Iterator[Finding]:
    """System and data have the digests by which the experiment is on this board, and so has the whole."""
    del demand
    system, data = stored.sources
    own = stored.experiment["system"]
    if content_digest(stored.experiment["data"]) != data:
        yield Finding("sources", f"{title_of(stored)}: its data are not those whose digest it gives")
    if content_digest(own) == system:
        return  # the digest of the whole was checked when it was read
    canonical = _canonical_series(own)
    if canonical is None or content_digest(canonical) != system:
        yield Finding("sources", f"{title_of(stored)}: its system is not the one whose digest it gives")
    elif content_digest({**stored.experiment, "system": canonical}) != stored.runs[0]["experiment"]:
        yield Finding("sources", f"{title_of(stored)} has a content with another digest")


def labels(stored: Stored, demand: Demand) -> Iterator[Finding]:
    """Rows name the system as the board does, and models and trainers by the settings that they have."""
    run = stored.runs[0]
    for noun, label in (("system", demand.system), ("data", demand.data)):
        if run[noun] != label:
            yield Finding("labels", f"{title_of(stored)}: the rows call the {noun} {run[noun]!r}; the board, {label!r}")
    for noun in ("system", "data", "model", "trainer"):
        if other := {one[noun] for one in stored.runs} - {run[noun]}:
            yield Finding("labels", f"{title_of(stored)}: another row calls the {noun} {min(other)!r}")
    for noun in _NAMED:
        try:
            why = _misnamed(stored.experiment, noun, run[noun])
        except (ChaosbenchError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            yield Finding("content", f"{title_of(stored)}: its {noun} cannot be read: {one_line(error)}")
            continue
        if why:
            yield Finding("labels", f"{title_of(stored)}: the rows call the {noun} {run[noun]!r}, and {why}")


def metrics(stored: Stored, demand: Demand) -> Iterator[Finding]:
    """The metrics of the experiment are those of the board, with the same settings and in the same order."""
    found = []
    for content in stored.experiment["metrics"]:
        try:
            spec = _spec("metric", content)
        except (ChaosbenchError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            yield Finding("content", f"{title_of(stored)}: its metrics cannot be read: {one_line(error)}")
            return
        if spec is None:
            return  # of a plug-in that is not installed
        found.append(spec.label)
    if tuple(found) != demand.metrics:
        yield Finding("metrics", f"{title_of(stored)} was scored by {', '.join(found)}; the board demands "
                      f"{', '.join(demand.metrics)}")  # fmt: skip


def known_metric(label: str) -> type[Any] | None:
    """Return the class of a metric by its label; None: of a plug-in that is not installed."""
    return _kinds("metric").get(label.partition("(")[0])


def metric_of(stored: Stored, label: str) -> Spec | None:
    """Return the metric of an experiment by its label; None: it has none that can be read here."""
    for content in stored.experiment["metrics"]:
        try:
            spec = _spec("metric", content)
        except (ChaosbenchError, ValueError, TypeError, ArithmeticError, RecursionError):
            continue  # `metrics` reports it
        if spec is not None and spec.label == label:
            return spec
    return None


def _misnamed(experiment: Mapping[str, Any], noun: "Noun", label: str) -> str:
    """Return what is wrong with the label of a model or trainer; a kind that is unknown here may name itself."""
    content, own = experiment[noun], settings_of(label)
    kind = content["kind"]
    spec = _spec(noun, content)
    if spec is None:
        named = label.partition("(")[0] == kind or content.get("name") is not None
        return "" if named else f"it is a {kind}"
    trials = (experiment.get("search") or {}).get("trials") if noun == "trainer" else None
    right = searched_label(spec.label, trials)
    stated = {f"{name}={brief(getattr(spec, name))}" for name in type(spec).model_fields}
    missing = [one for one in settings_of(right) if one not in own and (noun, kind, one) not in _FORMER_DEFAULTS]
    wrong = [one for one in own if one not in stated and one not in settings_of(right)]
    same_name = label.partition("(")[0] == right.partition("(")[0]
    return "" if same_name and not missing and not wrong else f"it is {right!r}"


def _spec(noun: "Noun", content: Any) -> Spec | None:
    """Return the spec that a table holds; None: its kind is unknown here."""
    spec = _kinds(noun).get(content["kind"])
    return None if spec is None else spec.model_validate_json(json.dumps(content))


def _canonical_series(system: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the digest of a recorded series depends on, from its table alone; None: it needs its files."""
    if any(system.get(name) is None for name in _OPEN):
        return None
    try:
        spec = _spec("system", system)
        content: dict[str, Any] | None = None if spec is None else json.loads(spec.canonical())
    except (ChaosbenchError, OSError, ValueError, TypeError, ArithmeticError, RecursionError):
        return None
    return content


@lru_cache(maxsize=8)
def _kinds(noun: "Noun") -> Mapping[str, type[Spec]]:
    """Return the kinds of the built-ins and of the plug-ins that are installed."""
    from chaosbench import registry  # late: a board is read and ranked without torch
    from chaosbench.external import ExternalModel, ExternalTrainer

    external: dict[str, dict[str, type[Spec]]] = {
        "model": {"external": ExternalModel}, "trainer": {"external": ExternalTrainer}
    }  # fmt: skip
    return {**registry.load().kinds[noun], **external.get(noun, {})}
