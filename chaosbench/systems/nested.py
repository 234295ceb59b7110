"""A flow inside the spec of another system."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny, WithJsonSchema

from chaosbench.errors import UnknownNameError, unknown_name
from chaosbench.systems.flow import Flow


def flow_kinds() -> dict[str, type[Flow]]:
    """Return every kind of flow that is defined: built-in ones, those of plug-ins, and those of the user's program."""
    kinds: dict[str, type[Flow]] = {}
    for cls in _descendants(Flow):  # type: ignore[type-abstract]  # only its subclasses are looked at
        kind = cls.model_fields["kind"].default
        if isinstance(kind, str) and not cls.__abstractmethods__:
            kinds.setdefault(kind, cls)  # a subclass without a kind of its own comes after its base
    return kinds


def _descendants(cls: type[Flow]) -> Iterator[type[Flow]]:
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)


def _as_flow(content: Any) -> Any:
    """Return the flow that a kind or a table describes; anything else is left to the validation of the field."""
    table = {"kind": content} if isinstance(content, str) else content
    if not isinstance(table, dict):
        return content
    kinds = flow_kinds()
    kind = table.get("kind")
    if kind not in kinds:
        try:
            raise unknown_name("flow", str(kind), kinds)
        except UnknownNameError as error:
            raise ValueError(str(error)) from None
    return kinds[kind].model_validate(table)


# In a suite: flow = "lorenz63", or a table [systems.flow] with a kind and parameters.
AnyFlow = Annotated[
    SerializeAsAny[Flow],
    BeforeValidator(_as_flow),
    WithJsonSchema(
        {
            "description": "a kind of flow, or a table with its kind and parameters",
            "anyOf": [
                {"type": "string"},
                {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}}},
            ],
        }
    ),
]
