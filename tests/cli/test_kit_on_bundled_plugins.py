"""`chaosbench plugins test` passes everything that the bundled packages offer, each in a process of its own."""

import json
from importlib.metadata import entry_points

import pytest

from chaosbench import bundled

BUNDLED = [point for point in entry_points(group="chaosbench") if point.dist and point.dist.name in bundled.OFFERS]
INSTALLED = {point.name for point in BUNDLED}
LONG = {"dynamix", "sindy"}  # 13 and 19 s of CPU time; their own tests make the same checks with smaller models


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(INSTALLED - LONG, id="quick"),
        pytest.param(INSTALLED & LONG, id="long", marks=pytest.mark.slow),
    ],
)
def test_the_kit_passes_what_bundled_packages_offer(names: set[str], call, monkeypatch: pytest.MonkeyPatch):
    """A check that is omitted, as for a system that needs a name, says where it is made instead."""
    if not names:
        pytest.skip("no bundled plug-in is installed")
    monkeypatch.setenv("CHAOSBENCH_PLUGINS", ",".join(sorted(names)))
    code, out, err = call("plugins", "test", "--json")
    rows = json.loads(out)
    assert code == 0, [row for row in rows if row["failure"]] + [err]
    assert {row["plugin"] for row in rows} == names
    kinds = {kind for package, offered in bundled.OFFERS.items() for kind in _kinds(package, names)}
    assert {row["kind"] for row in rows} - {""} == kinds
    assert all(row["result"] == "passed" or "test of the plug-in" in row["omitted"] for row in rows)


def _kinds(package: str, names: set[str]) -> list[str]:
    """Return the kinds of a package if its plug-in is among the names."""
    if package.removeprefix("chaosbench-") not in names:
        return []
    return [kind for noun, kinds in bundled.OFFERS[package].items() if noun != "suite" for kind in kinds]
