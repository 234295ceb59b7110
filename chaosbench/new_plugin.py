"""Write a new plug-in: a complete package with an example of its kind, which works as it is."""

import re
import shutil
import uuid
from datetime import UTC, datetime
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from string import Template

from chaosbench import API_VERSION
from chaosbench.errors import PluginError, StoreError, unknown_name

TEMPLATES = Path(__file__).parent / "templates"
# Each with the folders of chaosbench that hold kinds of the same noun.
NOUNS = {
    "system": ("systems", "series"),
    "source": ("systems", "series"),
    "model": ("models",),
    "trainer": ("trainers",),
    "diagnostic": ("diagnostics",),
    "metric": ("metrics",),
    "picture": ("figures",),
}
_FILES = {  # of the package, by the name of their template
    "common/pyproject.toml": "pyproject.toml",
    "common/README.md": "README.md",
    "common/LICENSE": "LICENSE",
    "common/gitignore": ".gitignore",
    "common/conftest.py": "conftest.py",
    "common/workflow.yml": ".github/workflows/test.yml",
    "{noun}/module.py": "{module}.py",
    "{noun}/test.py": "tests/test_{module}.py",
}
_NAME, _LONGEST = re.compile("[a-z][a-z0-9_-]*"), 24
_KIND = re.compile(r"""\bkind: Literal\[["'](\w+)["']\]""")
_USAGE = """Suites name it by its kind:

```toml
[[{table}]]
kind = "{kind}"
```"""
_DRAWN = "It is drawn into the folder of each experiment: `{kind}.png`, and its numbers in `{kind}.arrow`."


def create(name: str, noun: str, parent: Path) -> list[Path]:
    """Write the package `chaosbench-NAME` into a folder, and return its files; all of them are written, or none.

    Args:
        name: of the plug-in; with underscores it is the kind.
        noun: what it offers, a key of `NOUNS`.
        parent: the folder in which the folder of the package is made.

    Raises:
        PluginError: where the name cannot be used.
        StoreError: where the folder of the package exists and is not empty, or cannot be written.
    """
    if noun not in NOUNS:
        raise unknown_name("kind of plug-in", noun, NOUNS, place="--kind")
    names = _names(name, noun)
    if owner := taken_kinds(noun).get(names["kind"]):
        raise PluginError(f"the kind {names['kind']!r} is taken by {owner}; choose another name")
    target = parent / names["distribution"]
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise StoreError(f"{str(target)!r} exists and is not an empty folder; remove it, or choose another --dir")
    files = {path: Template(_template(template)).substitute(names) for template, path in _paths(names).items()}
    suite = _template("common/suite.toml") + _template(f"{noun}/suite.toml")
    files[f"{names['plugin']}.toml"] = Template(suite).substitute(names)
    try:
        _write(target, files)
    except OSError as error:
        raise StoreError(f"cannot write {str(target)!r}: {error.strerror or error}; choose another --dir") from error
    return [target / path for path in sorted(files)]


def _names(name: str, noun: str) -> dict[str, str]:
    """Return what templates replace, by name."""
    plugin = name.removeprefix("chaosbench-").removeprefix("chaosbench_")
    if not _NAME.fullmatch(plugin) or plugin[-1] in "_-" or len(plugin) > _LONGEST:
        advice = f"use at most {_LONGEST} small letters, digits, - and _, with a letter first, such as my-{noun}"
        raise PluginError(f"{name!r} cannot be the name of a plug-in; {advice}")
    kind = re.sub("[-_]+", "_", plugin)
    usage = _DRAWN if noun == "picture" else _USAGE
    return {
        "plugin": re.sub("[-_]+", "-", plugin),
        "kind": kind,
        "module": f"chaosbench_{kind}",
        "distribution": f"chaosbench-{kind.replace('_', '-')}",
        "Class": _class_name(kind, noun),
        "noun": noun,
        "usage": usage.format(kind=kind, table="systems" if noun == "source" else f"{noun}s"),
        "extra": "[plots]" if noun == "picture" else "",
        "version": API_VERSION,
        "year": str(datetime.now(UTC).year),
    }


def _class_name(kind: str, noun: str) -> str:
    """Return the kind in capital letters; a word that the template uses already gets the noun behind it."""
    name = "".join(part.capitalize() for part in kind.split("_"))
    used = set(re.findall(r"\w+", _template(f"{noun}/module.py") + _template(f"{noun}/test.py")))
    while name in used or iskeyword(name):
        name += noun.capitalize()
    return name


def taken_kinds(noun: str) -> dict[str, str]:
    """Return who offers each kind of a noun, chaosbench or a plug-in, as their source says; no module is imported."""
    from importlib.metadata import entry_points  # 20 ms, which `--help` does not need

    chaosbench = [path for folder in NOUNS[noun] for path in sorted((TEMPLATES.parent / folder).glob("*.py"))]
    owners = dict.fromkeys(chaosbench, "chaosbench")
    for point in entry_points(group="chaosbench"):
        owners |= dict.fromkeys(_sources(point.module), f"the plug-in {point.name}")
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in owners}
    return {kind: owners[path] for path, text in texts.items() for kind in _KIND.findall(text)}


def _sources(module: str) -> list[Path]:
    """Return the source files of a module or package, by its top-level name."""
    try:
        found = find_spec(module.partition(".")[0])
    except (ImportError, ValueError):  # a broken installation
        return []
    if found is None:
        return []
    folders = [Path(folder) for folder in found.submodule_search_locations or ()]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    return files or ([Path(found.origin)] if found.has_location and found.origin else [])


def _template(name: str) -> str:
    return (TEMPLATES / f"{name}.template").read_text(encoding="utf-8")


def _paths(names: dict[str, str]) -> dict[str, str]:
    """Return the path of each file in the package, by the name of its template."""
    return {template.format(**names): path.format(**names) for template, path in _FILES.items()}


def _write(target: Path, files: dict[str, str]) -> None:
    """Write all files into a folder beside the target, and rename it."""
    beside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        for path, text in files.items():
            file = beside / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        if target.exists():
            target.rmdir()  # it is empty
        beside.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
