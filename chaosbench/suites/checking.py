"""Specs from the content of files, with errors that name the place."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from chaosbench.errors import SpecError, unknown_name
from chaosbench.spec import Content, Spec

_BRANCHES = ("int", "float", "str", "bool", "none")
T = TypeVar("T", bound=Content)


def validated(
    spec: type[T], content: Mapping[str, Any], place: str, *, kinds: Mapping[str, type[Spec]] | None = None
) -> T:
    """Return a spec with that content.

    Args:
        place: position of the content in a file or on the command line, for errors.
        kinds: other kinds of the same noun; an error about an unknown field names those that have it.

    Raises:
        SpecError: with the first culprit, its place, and the value that was given.
    """
    try:
        return spec.model_validate(dict(content))
    except ValidationError as error:
        errors = error.errors(include_url=False)
        first = next((entry for entry in errors if entry["type"] == "value_error"), errors[0])  # our own say more
        # The user's part of the location: pydantic adds the branch of a union to it.
        loc = [part for part in first["loc"] if isinstance(part, int) or _is_field(part)]
        path = ".".join(str(part) for part in (place, *loc) if part != "")
        if first["type"] == "extra_forbidden":
            fields = set(spec.model_fields) - {"kind"}
            name = str(first["loc"][-1])
            owners = sorted(kind for kind, other in (kinds or {}).items() if name in other.model_fields)
            error_of_name = unknown_name("field", name, fields, place=path)
            raise type(error_of_name)(f"{error_of_name}{_owners(owners)}") from None
        value = "" if isinstance(first["input"], dict) else f"; got {first['input']!r}"
        message = first["msg"].removeprefix("Value error, ")
        raise SpecError(f"{path or 'experiment'}: {message[:1].lower()}{message[1:]}{value}") from None


def _owners(kinds: Sequence[str]) -> str:
    """Return a hint at the kinds that have a field, if they are few."""
    return f" It is a field of {', '.join(kinds)}." if 0 < len(kinds) <= 3 else ""


def _is_field(part: str) -> bool:
    return part.isidentifier() and part not in _BRANCHES
