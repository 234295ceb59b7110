"""What is asked of the data: how much, how seen, and in which units."""

from typing import Annotated, Literal

import torch
from pydantic import Field

from chaosbench.spec import Content


class DataSpec(Content):
    """How many orbits, how long, and how they are observed; one long orbit is `train_orbits = 1`.

    Orbits start from different points of the attractor for training, validation and test. Of a measured series, which
    is one orbit, the numbers and lengths of training and validation orbits are the series' own, and the test part is
    cut into pieces of `test_length`.
    """

    train_orbits: int = Field(32, ge=1)
    train_length: int = Field(3_000, ge=2)  # [steps] of each
    validation_orbits: int = Field(4, ge=0)
    validation_length: int = Field(1_000, ge=2)  # [steps] of each
    test_orbits: int = Field(8, ge=2)
    test_length: int = Field(10_000, ge=2)  # [steps] of each
    stride: int = Field(1, ge=1)  # steps of the system per step of the data
    noise: float = Field(0.0, ge=0)  # observation noise, in standard deviations of each observable; truth stays clean
    observed: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(None, min_length=1)  # observables seen; None: all
    embedding: int = Field(1, ge=1)  # delay coordinates of each observable
    lag: int = Field(1, ge=1)  # [steps] from one delay coordinate to the next
    standardise: Literal["dimension", "global", "none"] = "dimension"  # by mean and deviation of the training data
    dtype: Literal["float32", "float64"] = "float32"  # of training and evaluation
    seed: int = 0  # of initial conditions and noise
    release: int = Field(0, ge=0)  # of the test set: each draws fresh initial conditions, so that none can be learned

    @property
    def label(self) -> str:
        """What differs from the defaults: `data(train_orbits=1)`."""
        fields = type(self).model_fields
        changed = [
            f"{name}={getattr(self, name)}" for name, field in fields.items() if self._differs(name, field.default)
        ]
        return f"data({', '.join(changed)})" if changed else "data"

    @property
    def torch_dtype(self) -> torch.dtype:
        """The precision, as torch names it."""
        return torch.float64 if self.dtype == "float64" else torch.float32

    @property
    def history(self) -> int:
        """[steps] before the first that delay coordinates reach back to."""
        return (self.embedding - 1) * self.lag

    def _differs(self, name: str, default: object) -> bool:
        return bool(getattr(self, name) != default)
