"""The base class of flows, maps and delay systems of dysts: a name, and parameters that users may change."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator
from typing_extensions import override

from chaosbench.errors import UnknownNameError, unknown_name
from chaosbench.systems import Reference, SystemSpec
from chaosbench_dysts import equations
from chaosbench_dysts.equations import Constant, Entry
from chaosbench_dysts.numerics import Numerics, numerics, references

Constants = Mapping[str, Constant]


class DystsSystem(SystemSpec):
    """A system of dysts. Its start is the state that dysts stores, and its exponents are certified by chaosbench.

    Orbits start a billionth apart and become independent of each other during the transient, so that they are all on
    the attractor, or in the chaotic sea, that dysts's state leads to.
    """

    module: ClassVar[str]  # of dysts: "flows" or "maps"
    delayed: ClassVar[bool] = False
    spread: ClassVar[float] = 0.0

    name: str  # of the class in dysts, such as Aizawa
    constants: Constants = Field(default={})  # parameters that differ from dysts's, such as { a = 0.9 }

    @model_validator(mode="before")
    @classmethod
    def _known_with_numerics(cls, content: Any) -> Any:
        """Fill in the step that suits the system."""
        if not isinstance(content, dict) or not isinstance(content.get("name"), str):
            return content
        try:
            equations.entry(cls.module, content["name"], delayed=cls.delayed)
        except UnknownNameError as error:
            raise ValueError(str(error)) from None
        return {**_steps(cls, content["name"]), **content}

    @model_validator(mode="after")
    def _constants_exist(self) -> Self:
        for name, value in self.constants.items():
            stored = self.entry.parameters
            if name not in stored:
                raise ValueError(str(unknown_name(f"parameter of {self.name}", name, stored)))
            if _shape(value) != _shape(stored[name]):
                raise ValueError(f"{name}={value} has another shape than dysts's {name}={stored[name]}")
        return self

    def __hash__(self) -> int:
        return hash(self.canonical())

    @property
    def entry(self) -> Entry:
        """The entry of the system in the tables of dysts."""
        return equations.entry(self.module, self.name, delayed=self.delayed)

    @property
    def all_constants(self) -> Constants:
        """All parameters of the equation: dysts's, with the changes."""
        return {**self.entry.parameters, **self.constants}

    @property
    def numerics(self) -> Numerics:
        """The step and the transient that suit the system with dysts's parameters."""
        return numerics()[_kind(type(self))][self.name]

    @property
    @override
    def label(self) -> str:
        """The kind, the name, and every field that differs from what suits the name: `dysts_flow(name=Aizawa)`."""
        usual = _steps(type(self), self.name) | {"name": None, "kind": self.kind}
        fields = type(self).model_fields
        defaults = {name: usual.get(name, field.default) for name, field in fields.items()}
        changed = [(name, getattr(self, name)) for name in ("name", *fields) if getattr(self, name) != defaults[name]]
        texts = [f"{name}={_text(value)}" for name, value in dict(changed).items()]
        return f"{self.kind}({', '.join(texts)})"

    @property
    @override
    def dimension(self) -> int:
        return len(self.entry.start)

    @property
    def start(self) -> tuple[float, ...]:  # type: ignore[override]  # of each name, where a class has one for all
        """The state that dysts stores."""
        return self.entry.start

    @property
    def transient(self) -> float:  # type: ignore[override]  # a property in place of a class variable
        """Time after which orbits are independent of each other [system time]."""
        return self.numerics.transient

    @property
    def references(self) -> tuple[Reference, ...]:  # type: ignore[override]  # a property in place of a class variable
        """The certificate's exponents."""
        return references(self.kind, self.name)


def _kind(cls: type[DystsSystem]) -> str:
    return str(cls.model_fields["kind"].default)


def _steps(cls: type[DystsSystem], name: str) -> dict[str, float]:
    """Return the numerical step that suits a system, for the fields that its kind has."""
    chosen = numerics()[_kind(cls)][name]
    steps = {"dt": chosen.dt, "substeps": chosen.substeps}
    return {field: value for field, value in steps.items() if field in cls.model_fields}


def _shape(value: Constant) -> tuple[int, ...]:
    if not isinstance(value, tuple):
        return ()
    return (len(value), *(_shape(value[0]) if value else ()))


def _text(value: Any) -> str:
    """Return a value of a field as it is shown in labels."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}={_text(one)}" for name, one in value.items()) + "}"
    return f"{value:g}" if isinstance(value, float) else str(value)
