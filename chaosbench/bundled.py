"""The kinds that each bundled plug-in offers, so that an error can name the package of one that is not installed."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

# By package, which is also its folder below plugins/, and noun.
OFFERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "chaosbench-dynamix": {"model": ("dynamix", "dynamix_zero_shot")},
    "chaosbench-dysts": {"system": ("dysts_delay", "dysts_flow", "dysts_map"), "suite": ("dysts-twenty",)},
    "chaosbench-foundation": {"model": ("chronos",)},
    "chaosbench-mlflow": {},
    "chaosbench-reservoir": {"model": ("next_generation_reservoir",)},
    "chaosbench-sindy": {"model": ("sindy",), "trainer": ("ensemble_stlsq", "stlsq", "weak_stlsq")},
    "chaosbench-tensorboard": {},
}


def advice(name: str, *nouns: str) -> str:
    """Return a sentence on the bundled package that offers a name, or "" if none does or it is installed.

    Args:
        name: a kind, or the name of a suite.
        nouns: those to look through, such as "model".
    """
    for package, offered in OFFERS.items():
        if any(name in offered.get(noun, ()) for noun in nouns) and not _installed(package):
            return f" A plug-in that is not installed offers it: install {package} (plugins/{package})."
    return ""


def _installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False
