"""The plug-in offers its kinds, names mistakes, and ships certificates that belong to its systems."""

from importlib import metadata
from math import log

import pytest

pytest.importorskip("dysts", reason="pip install --no-deps -r without-dependencies.txt")

from chaosbench_dysts import DystsDelay, DystsFlow, DystsMap, installed
from chaosbench_dysts.numerics import certificates, numerics
from pydantic import ValidationError

from chaosbench import registry, suite
from chaosbench.errors import PluginError
from chaosbench.exponents import certify
from chaosbench.systems import SystemSpec

KINDS: dict[str, type[SystemSpec]] = {"dysts_flow": DystsFlow, "dysts_map": DystsMap, "dysts_delay": DystsDelay}
CERTIFIED = sorted(certificates())

# Sprott 1994, Physical Review E 50, R647, table I: the largest exponents of cases A to S.
SPROTT = {
    "A": 0.014, "B": 0.210, "C": 0.163, "D": 0.103, "E": 0.078, "F": 0.117, "G": 0.034, "H": 0.117, "I": 0.012,
    "J": 0.076, "K": 0.038, "L": 0.061, "M": 0.044, "N": 0.076, "O": 0.049, "P": 0.087, "Q": 0.109, "R": 0.062,
    "S": 0.188,
}  # fmt: skip


def test_the_entry_point_offers_three_kinds_and_the_suite_has_twenty_certified_systems():
    loaded = registry.load()
    assert all(loaded.origins["system", kind].startswith("chaosbench-dysts ") for kind in KINDS)
    experiments = suite.load("dysts-twenty", loaded)
    assert len(experiments) == 60
    systems = {experiment.system for experiment in experiments}
    assert len(systems) == 20
    assert all(isinstance(system, SystemSpec) and system.reference is not None for system in systems)


@pytest.mark.parametrize("found", [None, "0.95"])
def test_without_its_dysts_the_plug_in_says_how_to_install_it(found: str | None, monkeypatch: pytest.MonkeyPatch):
    def version(_: str) -> str:
        if found is None:
            raise metadata.PackageNotFoundError
        return found

    monkeypatch.setattr(installed.metadata, "version", version)
    with pytest.raises(PluginError, match=r"pip install --no-deps dysts==") as caught:
        installed.require_dysts()
    assert "\n" not in str(caught.value)
    assert found is None or found in str(caught.value)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ({"name": "Aizawaa"}, "'Aizawa'"),
        ({"name": "Henon"}, "no flow"),
        ({"name": "MackeyGlass"}, "no flow"),
        ({"name": "Lorenz", "constants": {"roh": 30.0}}, "'rho'"),
        ({"name": "MultiChua", "constants": {"m": 1.0}}, "shape"),
    ],
)
def test_mistakes_are_named(content: dict[str, object], word: str):
    with pytest.raises(ValidationError, match=word):
        DystsFlow.model_validate(content)


def test_a_system_names_what_differs_from_dysts_and_is_its_own_key():
    assert DystsFlow(name="Lorenz").label == "dysts_flow(name=Lorenz)"
    changed = DystsFlow(name="Lorenz", constants={"rho": 30.0}, dt=0.02)
    assert all(part in changed.label for part in ("name=Lorenz", "rho=30", "dt=0.02"))
    assert len({changed, DystsFlow(name="Lorenz"), DystsFlow.model_validate_json(changed.canonical())}) == 2
    assert changed.reference is None


def test_certificates_belong_to_the_systems_that_are_offered():
    """They hold for the step and the parameters of the default system, and every check passed."""
    for kind, name in CERTIFIED:
        certificate, system = certificates()[kind, name], KINDS[kind].model_validate({"name": name})
        assert certificate["versions"]["dysts"] == installed.VERSION
        assert certificate["dt"] == system.dt
        assert system.reference is not None
        assert all(check["measured"] <= check["tolerance"] for check in certificate["checks"])


def test_numerics_are_shipped_for_every_system():
    assert {kind: len(table) for kind, table in numerics().items()} == {
        "dysts_flow": 129, "dysts_map": 23, "dysts_delay": 6
    }  # fmt: skip


def test_certified_exponents_agree_with_published_ones():
    """Sprott's are rounded to 0.001, from orbits of unknown length: 3 % are allowed beside that. Hénon's is 0.41922
    (Sprott 2003), Chebyshev's polynomial of degree a has ln a, and the tent of height mu ln(2 mu)."""
    kinds = {f"Sprott{case}": ("dysts_flow", value, 0.001 + 0.03 * value) for case, value in SPROTT.items()}
    kinds |= {"Henon": ("dysts_map", 0.41922, 1e-5), "Chebyshev": ("dysts_map", log(6), 1e-6)}
    kinds |= {"Tent": ("dysts_map", log(1.9), 1e-6)}
    for name, (kind, published, allowed) in kinds.items():
        if (kind, name) in certificates():
            reference = KINDS[kind].model_validate({"name": name}).reference
            assert reference is not None
            assert abs(reference.largest - published) <= allowed + 2 * reference.intervals[0], name


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), CERTIFIED[:: max(1, len(CERTIFIED) // 8)])
def test_certificates_are_confirmed_from_other_initial_states(kind: str, name: str):
    """Two intervals of 95 % are apart by more than 1.5 times their sum once in 40,000 times."""
    system = KINDS[kind].model_validate({"name": name})
    again, shipped = certify(system, budget=10.0, seed=7).reference, system.reference
    assert shipped is not None
    allowed = 1.5 * (again.intervals[0] + shipped.intervals[0]) + max(again.resolution, 1e-6) * (not shipped.chaotic)
    assert abs(again.largest - shipped.largest) <= allowed
