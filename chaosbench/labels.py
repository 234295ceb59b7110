"""Titles of runs, and labels without the settings that all of them share."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_NOUNS = ("trainer", "model", "system", "data")


def title(labels: Mapping[str, Any]) -> str:
    """Return "trainer on model, system", followed by the data unless all of its settings are defaults.

    Args:
        labels: the labels of a run under "trainer", "model", "system" and "data"; other keys are ignored.
    """
    short = f"{labels['trainer']} on {labels['model']}, {labels['system']}"
    return short if labels["data"] == "data" else f"{short}, {labels['data']}"


def titles(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return one title per run, without the settings that all labels of the same kind share.

    Runs that differ in a label get different titles.
    """
    short = {noun: shortened(run[noun] for run in runs) for noun in _NOUNS}
    return [title({noun: short[noun][run[noun]] for noun in _NOUNS}) for run in runs]


def shortened(labels: Iterable[str]) -> dict[str, str]:
    """Map each label to a short form without the settings that all labels of its kind share.

    Different labels have different short forms, because they differ in a setting that is not shared.
    """
    settings = {label: settings_of(label) for label in labels}
    short = {}
    for label, own in settings.items():
        same_kind = [other for name, other in settings.items() if _kind(name) == _kind(label)]
        different = [setting for setting in own if not all(setting in other for other in same_kind)]
        short[label] = f"{_kind(label)}({', '.join(different)})" if different else _kind(label)
    return short


def shared(labels: Iterable[str]) -> dict[str, str]:
    """Map each kind to the settings that `shortened` leaves out; kinds without such settings are absent."""
    labels = list(labels)
    common = {}
    for kind in dict.fromkeys(map(_kind, labels)):
        same_kind = [settings_of(label) for label in labels if _kind(label) == kind]
        settings = [setting for setting in same_kind[0] if all(setting in other for other in same_kind)]
        if settings:
            common[kind] = ", ".join(settings)
    return common


def settings_of(label: str) -> list[str]:
    """Split the label "kind(a=1, b=(2, 3))" into `["a=1", "b=(2, 3)"]`."""
    inner = label.partition("(")[2].removesuffix(")")
    return re.split(r", (?=\w+=)", inner) if inner else []


def searched_label(label: str, trials: int | None) -> str:
    """Return the label of a trainer whose settings were found in so many trials of a search; None: without a search."""
    if trials is None:
        return label
    kind, _, settings = label.partition("(")
    return f"{kind}({', '.join([*filter(None, [settings.removesuffix(')')]), f'search={trials}'])})"


def _kind(label: str) -> str:
    return label.partition("(")[0]
