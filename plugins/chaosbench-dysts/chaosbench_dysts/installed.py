"""Read equations and parameters from the files of the installed package dysts, without importing it.

Importing dysts would import gluonts, and with it an old pandas; its equations need numpy alone. Their source is
executed with the functions of torch in the place of numpy's.
"""

import ast
import json
from functools import lru_cache
from importlib import metadata, util
from pathlib import Path
from typing import Any

from chaosbench.errors import PluginError
from chaosbench_dysts.functions import BUILTINS, NUMPY

VERSION = "0.96"  # of dysts, whose equations and parameters the certificates belong to
_INSTALL = f"pip install --no-deps dysts=={VERSION}"
_ARRAY_FREE = {"np": NUMPY, **BUILTINS}


def require_dysts() -> None:
    """Require dysts in the version that the certificates belong to.

    Raises:
        PluginError: with the command that installs it.
    """
    try:
        found = metadata.version("dysts")
    except metadata.PackageNotFoundError:
        raise PluginError(f"the package dysts is not installed; its equations are needed: {_INSTALL}") from None
    if found != VERSION:
        raise PluginError(f"dysts {found} is installed, but the certificates belong to dysts {VERSION}: {_INSTALL}")


def folder() -> Path:
    """Return the folder of the installed package."""
    spec = util.find_spec("dysts")
    if spec is None or not spec.submodule_search_locations:
        raise PluginError(f"the package dysts has no files; install it again: {_INSTALL}")
    return Path(spec.submodule_search_locations[0])


@lru_cache(maxsize=2)
def table(module: str) -> dict[str, dict[str, Any]]:
    """Return the stored entry of each system that a module ("flows" or "maps") defines, by name."""
    file = {"flows": "chaotic_attractors.json", "maps": "discrete_maps.json"}[module]
    stored: dict[str, dict[str, Any]] = json.loads((folder() / "data" / file).read_text("utf-8"))
    defined = classes(module)
    return {name: entry for name, entry in sorted(stored.items()) if name in defined}


@lru_cache(maxsize=2)
def classes(module: str) -> dict[str, type]:
    """Return the classes of equations that a module of dysts defines, by name, on torch's functions."""
    return defined_by((folder() / f"{module}.py").read_text("utf-8"), _ARRAY_FREE)


def defined_by(source: str, functions: dict[str, Any]) -> dict[str, type]:
    """Return the classes that a module's source defines, without its imports.

    Args:
        source: text of dysts's module.
        functions: what `np` and built-in functions are in it.
    """
    tree = _Differentiable().visit(ast.parse(source))
    tree.body = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    bases = {base: type(base, (), {}) for base in ("DynSys", "DynSysDelay", "DynMap")}
    names = {**functions, **bases, "staticjit": staticmethod, "__name__": __name__}
    exec(compile(ast.fix_missing_locations(tree), "dysts", "exec"), names)
    return {
        name: found
        for name, found in names.items()
        if isinstance(found, type) and issubclass(found, tuple(bases.values())) and name not in bases
    }


class _Differentiable(ast.NodeTransformer):
    """Replace what torch cannot differentiate or compile: `a += b` by `a = a + b`, and `a // b` by `floor(a / b)`."""

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.Assign:
        value = ast.BinOp(ast.Name(ast.unparse(node.target), ast.Load()), node.op, node.value)
        return ast.Assign([node.target], value, lineno=node.lineno)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.op, ast.FloorDiv):
            return node
        floor = ast.Attribute(ast.Name("np", ast.Load()), "floor", ast.Load())
        return ast.Call(floor, [ast.BinOp(node.left, ast.Div(), node.right)], [])


def with_parameters(cls: type, parameters: dict[str, Any]) -> Any:
    """Return an instance of an equation's class that has its parameters as attributes."""
    instance = cls()
    vars(instance).update(parameters)
    return instance
