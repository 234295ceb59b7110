"""Specs: frozen, strict records whose content is their identity."""

import hashlib
import inspect
import json
import re
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from chaosbench.errors import printable

IDENTITY = {"chaosbench": "identity"}  # context in which a record leaves out what its digest must not depend on
TABLES_OF_A_SYSTEM = ("data", "evaluation")  # which a suite may put below a system, so that no field is called so


class Content(BaseModel):
    """A frozen record whose identity is its content; unknown fields, NaN and infinity are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    def canonical(self) -> str:
        """Return the content as JSON with sorted keys and no white space: the same on every machine."""
        return json.dumps(
            self.model_dump(mode="json", context=IDENTITY), sort_keys=True, separators=(",", ":"), allow_nan=False
        )

    def digest(self) -> str:
        """Return the SHA-256 of the canonical content, in hexadecimal."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def replaced(self, **changes: Any) -> Self:
        """Return a validated copy with some fields changed."""
        return type(self).model_validate({**{name: getattr(self, name) for name in type(self).model_fields}, **changes})


class Spec(Content):
    """A record of one kind: a system, model, trainer, diagnostic or metric."""

    kind: str

    @property
    def label(self) -> str:
        """The kind and every field that differs from its default: `lstm(hidden=64)`."""
        changed = [
            f"{name}={brief(getattr(self, name))}"
            for name, field in type(self).model_fields.items()
            if name != "kind" and getattr(self, name) != field.get_default(call_default_factory=True)
        ]
        return f"{self.kind}({', '.join(changed)})" if changed else self.kind


def field_comments(spec: type[Content]) -> dict[str, str]:
    """Return the trailing comment of each field in the source code of the class and its bases: its unit and meaning.

    A field without a comment is left out, and so are the fields of a class that was typed into an interpreter.
    """
    comments: dict[str, str] = {}
    for cls in reversed(spec.__mro__):
        if not issubclass(cls, Content) or cls is Content:
            continue
        try:
            source = inspect.getsource(cls)
        except (OSError, TypeError):
            continue
        comments |= {name: text for name, text in _FIELD.findall(source) if name in spec.model_fields}
    return comments


# A field on one line, `name: type = default  # comment`; a `#` inside a string is not a comment after two spaces.
_FIELD = re.compile(r"^    (\w+): [^\n]*?  # ([^\n]+)$", re.MULTILINE)


def brief(value: Any) -> str:
    """Return the shortest text that keeps the value."""
    if isinstance(value, Spec):
        return value.label
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e6 else repr(value)
    return printable(str(value))
