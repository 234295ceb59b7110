"""Searches of a suite: `[[search]]` tables, and the experiments that they apply to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from chaosbench.errors import SpecError, unknown_name
from chaosbench.experiment import Experiment
from chaosbench.search import SearchSpec
from chaosbench.spec import Spec
from chaosbench.suites.checking import validated
from chaosbench.suites.files import Part
from chaosbench.systems.base import SystemSpec

_NOUNS = ("model", "trainer")


class Searches:
    """The `[[search]]` tables of a part of a suite.

    Args:
        part: the part.
        specs: all its models and trainers, the selected ones and the others, by "models" and "trainers".

    Raises:
        SpecError: with the culprit and its place in the file.
    """

    def __init__(self, part: Part, specs: Mapping[str, Sequence[Spec]]) -> None:
        tables = part.content.get("search", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise SpecError(f"{part.at('search')} must be an array of tables, [[search]]")
        self._entries = [_entry(table, f"{part.at('search')}.{index}") for index, table in enumerate(tables)]
        if "search" in part.own or not part.place:
            for kinds, search, place in self._entries:
                _check_used(kinds, search, specs, place)

    def applied(self, experiment: Experiment) -> Experiment:
        """Return the experiment with the search that applies to it, or as it is."""
        found = [(search, place) for kinds, search, place in self._entries if _applies(kinds, search, experiment)]
        if not found:
            return experiment
        if len(found) > 1:
            raise SpecError(
                f"{experiment.name}: two searches apply to it, {found[0][1]} and {found[1][1]}; name a kind"
            )
        search, place = found[0]
        if isinstance(experiment.system, SystemSpec) and not experiment.data.validation_orbits:
            raise SpecError(f"{place} needs validation data, and data.validation_orbits is 0")
        for name, value in search.extremes():
            noun, _, field = name.partition(".")
            spec = getattr(experiment, noun)
            content = {one: getattr(spec, one) for one in type(spec).model_fields} | {field: value}
            validated(type(spec), content, f"{place}.{noun}")
        return experiment.replaced(search=search)


def different(experiments: Iterable[Experiment]) -> Iterator[Experiment]:
    """Yield experiments once; two that differ only in what is searched are the same."""
    seen = set[str]()
    for experiment in experiments:
        key = experiment.digest() if experiment.search is None else experiment.identity + str(experiment.seeds)
        if key not in seen:
            seen.add(key)
            yield experiment


def _entry(table: Mapping[str, Any], place: str) -> tuple[dict[str, str], SearchSpec, str]:
    """Return the kinds that a table names, its search, and its place."""
    content, kinds = dict(table), dict[str, str]()
    for noun in _NOUNS:
        fields = content.get(noun, {})
        if not isinstance(fields, dict):
            raise SpecError(f"{place}.{noun}: expected fields, as in {noun}.FIELD = [1, 2], and got {fields!r}")
        if "kind" in fields:
            kinds[noun] = fields["kind"]
        content[noun] = {name: value for name, value in fields.items() if name != "kind"}
    return kinds, validated(SearchSpec, content, place), place


def _applies(kinds: Mapping[str, str], search: SearchSpec, experiment: Experiment) -> bool:
    """Return True if model and trainer are of the kinds that are named, and have every searched field."""
    return all(
        kinds.get(noun, getattr(experiment, noun).kind) == getattr(experiment, noun).kind
        and set(getattr(search, noun)) <= set(type(getattr(experiment, noun)).model_fields)
        for noun in _NOUNS
    )


def _check_used(kinds: Mapping[str, str], search: SearchSpec, specs: Mapping[str, Sequence[Spec]], place: str) -> None:
    """Raise an error if no model, or no trainer, of the part has the kind and the fields."""
    for noun in _NOUNS:
        known = {spec.kind: spec for spec in specs[f"{noun}s"]}
        if not all(isinstance(spec, Spec) for spec in known.values()):
            continue  # a model whose size is given as a number of parameters has no fields yet
        if noun in kinds and kinds[noun] not in known:
            raise unknown_name(f"{noun} of this suite", kinds[noun], known, place=f"{place}.{noun}.kind")
        chosen = [spec for kind, spec in known.items() if kinds.get(noun, kind) == kind]
        fields = {name for spec in chosen for name in type(spec).model_fields} - {"kind"}
        for name in getattr(search, noun):
            if name not in fields:
                raise unknown_name(f"field of a {noun} of this suite", name, fields, place=f"{place}.{noun}")
