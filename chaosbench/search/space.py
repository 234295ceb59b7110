"""The space of a search: fields of a model and its trainer, each with choices or a range."""

from collections.abc import Iterator
from typing import Any, Self, TypeVar

from pydantic import Field, model_validator

from chaosbench.models.base import ModelSpec
from chaosbench.spec import Content, Spec
from chaosbench.trainers.base import TrainerSpec

AnySpec = TypeVar("AnySpec", bound=Spec)
Values = dict[str, Any]  # "model.hidden" -> 50


class Range(Content):
    """All numbers from `low` to `high`; whole numbers only if both are whole."""

    low: int | float
    high: int | float
    log: bool = False  # draw evenly on a logarithmic scale

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"the range from {self.low} to {self.high} is empty; low must be below high")
        if self.log and self.low <= 0:
            raise ValueError(f"low = {self.low} has no logarithm; with log = true it must be positive")
        return self


class SearchSpec(Content):
    """A search by Optuna for the fields of a model and its trainer that forecast validation data best.

    Each trial trains one seed, and is judged by the mean squared error of forecasts of 20 steps on the validation
    orbits. Test data are not seen. Equal searches choose equal values, whichever seeds are trained with them.

    Source:
        The sampler: Bergstra, Bardenet, Bengio and Kégl 2011, Advances in Neural Information Processing Systems 24.
    """

    model: dict[str, Range | tuple[Any, ...]] = Field(default_factory=dict)  # by field: a range, or choices
    trainer: dict[str, Range | tuple[Any, ...]] = Field(default_factory=dict)
    trials: int = Field(20, ge=1)
    seed: int = Field(0, ge=0)  # of the sampler, and of the model that each trial trains
    updates: int | None = Field(default=None, ge=1)  # of the training in each trial; None: as many as the trainer does

    @model_validator(mode="after")
    def _searches_something(self) -> Self:
        if not self.fields:
            raise ValueError("a search needs a field, such as model.hidden = [20, 50]")
        for name, space in self.fields.items():
            if isinstance(space, tuple) and len(space) < 2:
                raise ValueError(f"{name} needs at least two choices to search among, or a range {{ low, high }}")
        return self

    @property
    def fields(self) -> dict[str, Range | tuple[Any, ...]]:
        """Every searched field, as in "model.hidden", in alphabetical order."""
        both = {f"model.{name}": space for name, space in self.model.items()}
        both |= {f"trainer.{name}": space for name, space in self.trainer.items()}
        return dict(sorted(both.items()))

    def extremes(self) -> Iterator[tuple[str, Any]]:
        """Yield every choice, and both ends of every range, with the name of its field."""
        for name, space in self.fields.items():
            yield from ((name, value) for value in ((space.low, space.high) if isinstance(space, Range) else space))


def changed(model: ModelSpec, trainer: TrainerSpec, values: Values) -> tuple[ModelSpec, TrainerSpec]:
    """Return model and trainer with these values.

    Raises:
        ValidationError: where they do not go together.
    """
    return _changed(model, "model", values), _changed(trainer, "trainer", values)


def _changed(spec: AnySpec, noun: str, values: Values) -> AnySpec:
    own = {name.partition(".")[2]: value for name, value in values.items() if name.startswith(f"{noun}.")}
    return spec.replaced(**own) if own else spec
