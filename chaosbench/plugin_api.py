"""The version of the plug-in interface that a plug-in needs, compared with the one that there is."""

import re
from importlib.metadata import Distribution

from chaosbench import API_VERSION, __version__
from chaosbench.errors import PluginError

ATTRIBUTE = "chaosbench_api"  # of a module, such as ">=0.1,<0.3"


def require_version(distribution: Distribution | None) -> None:
    """Check what a distribution requires of chaosbench, as in `chaosbench>=0.1,<0.3`.

    Raises:
        PluginError: where this chaosbench is too old or too new.
    """
    for text in [] if distribution is None else distribution.requires or []:
        match = re.match(r"chaosbench\s*(?:\[[^\]]*\])?\s*\(?([<>=!~][^;)]*)\)?\s*(;.*)?$", text)
        if match and distribution is not None and not (match[2] and "extra" in match[2]):
            _require(match[1], __version__, f"{distribution.name} {distribution.version}")


def require_attribute(module: object, name: str) -> None:
    """Check the attribute `chaosbench_api` of a module, if it has one, against `chaosbench.API_VERSION`.

    Raises:
        PluginError: where this interface is too old or too new.
    """
    needed = getattr(module, ATTRIBUTE, None)
    if isinstance(needed, str):
        _require(needed, API_VERSION, name)
    elif needed is not None:
        raise PluginError(f'{ATTRIBUTE} is {needed!r}; write the versions that it needs, such as ">=0.1,<0.3"')


def _require(needed: str, present: str, name: str) -> None:
    """Raise where a version does not fulfil a specifier; without `packaging`, nothing is checked."""
    try:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet
    except ImportError:
        return
    try:
        specifiers = SpecifierSet(needed)
    except InvalidSpecifier as error:
        raise PluginError(f"{needed!r} is no version specifier; write such as '>=0.1,<0.3'") from error
    unmet = [one for one in specifiers if not one.contains(present, prereleases=True)]
    if not unmet:
        return
    too_old = any(one.operator in {">", ">=", "~="} and not _above(present, one.version) for one in unmet)
    wanted = ",".join(sorted(map(str, specifiers), reverse=True))
    way_out = "install a newer chaosbench" if too_old else f"install a newer {name.split()[0]}"
    which = "old" if too_old else "new"
    raise PluginError(f"it needs chaosbench {wanted}, and this is {present}, which is too {which} for it; {way_out}")


def _above(present: str, bound: str) -> bool:
    from packaging.version import Version

    return Version(present) >= Version(bound)
