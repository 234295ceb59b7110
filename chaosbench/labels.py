"""Labels short enough for a table: what all of a kind share is said once, below it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any


def titled(labels: Mapping[str, Any]) -> str:
    """`trainer on model, system` of the labels of a run, with the data where these are not the default ones."""
    told = "{trainer} on {model}, {system}".format(**labels)
    return told if labels["data"] == "data" else f"{told}, {labels['data']}"


def shortened(labels: Iterable[str]) -> dict[str, str]:
    """Each label without the settings that every label of its kind among these shares.

    Two different labels never become the same, since they differ in a setting that is not shared.
    """
    settings = {label: _settings(label) for label in labels}
    short = {}
    for label, own in settings.items():
        kin = [other for name, other in settings.items() if _kind(name) == _kind(label)]
        left = [one for one in own if not all(one in other for other in kin)]
        short[label] = f"{_kind(label)}({', '.join(left)})" if left else _kind(label)
    return short


def shared(labels: Iterable[str]) -> dict[str, str]:
    """By kind, the settings left out by `shortened`; kinds at their defaults are left out."""
    labels = list(labels)
    found = {}
    for kind in dict.fromkeys(map(_kind, labels)):
        kin = [_settings(label) for label in labels if _kind(label) == kind]
        common = [one for one in kin[0] if all(one in other for other in kin)]
        if common:
            found[kind] = ", ".join(common)
    return found


def _kind(label: str) -> str:
    return label.partition("(")[0]


def _settings(label: str) -> list[str]:
    """`["a=1", "b=(2, 3)"]` of `kind(a=1, b=(2, 3))`."""
    inner = label.partition("(")[2].removesuffix(")")
    return re.split(r", (?=\w+=)", inner) if inner else []
