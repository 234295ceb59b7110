"""A measured series: a file of numbers where other systems have an equation."""

from pathlib import Path
from typing import ClassVar, Literal, NoReturn, Self

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor

from chaosbench.errors import DataError
from chaosbench.series.rosenstein import DivergenceCurve, delay_vectors, divergence_curve
from chaosbench.series.series_file import Array, Column, read_series
from chaosbench.systems.base import SystemSpec


class TimeSeries(SystemSpec):
    """A series that somebody measured: it can be learned and compared with, but not stepped.

    The file is `.npy` (one or two axes, time first), `.csv` (separated by commas, semicolons or tabs, with or without
    a line of names) or `.parquet`. It is split in the order of time: training, validation, test.
    """

    measured: ClassVar[bool] = True

    kind: Literal["timeseries"] = "timeseries"
    path: str = Field(min_length=1)  # absolute, or relative to the working directory
    columns: tuple[Column, ...] | None = Field(default=None, min_length=1)  # by name or place; None: all numeric ones
    time: Column | None = None  # the column of times, which is no observable; gives dt where none is given
    dt: float = Field(default=1.0, gt=0)  # [system time] per step
    source: str = ""  # who measured it
    licence: str = ""
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")  # of the file; checked where given
    train_share: float = Field(default=0.7, gt=0, lt=1)
    validation_share: float = Field(default=0.1, ge=0, lt=1)  # the test has what is left of both
    gap: int = Field(default=0, ge=0)  # [steps] left out between two splits
    exponent: float | None = None  # [1 / system time] largest one, known beforehand; None: estimated
    exponent_source: str = ""

    @model_validator(mode="after")
    def _the_fields_agree(self) -> Self:
        if self.train_share + self.validation_share >= 1:
            raise ValueError(
                f"train_share = {self.train_share} and validation_share = {self.validation_share} leave nothing "
                "to test on; expected a sum below 1"
            )
        if self.exponent is not None and not self.exponent_source:
            raise ValueError(f"exponent = {self.exponent} needs its exponent_source: who measured it, and how")
        if self.columns and len(set(self.columns)) < len(self.columns):
            raise ValueError(f"columns = {list(self.columns)} names a column twice")
        return self

    @model_validator(mode="after")
    def _times_give_the_step(self) -> Self:
        """Read once, when the spec is first written down: a stored spec has its dt and needs no file."""
        if self.time is not None and "dt" not in self.model_fields_set:
            object.__setattr__(self, "dt", self._loaded()[1])
        return self

    @property
    def label(self) -> str:
        """The kind, the file's stem, and the fields that change the numbers: `timeseries(jena, dt=10)`."""
        told = {"columns", "dt", "train_share", "validation_share", "gap", "exponent"}
        fields = type(self).model_fields
        changed = [
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in ((name, getattr(self, name)) for name in fields if name in told)
            if value != fields[name].default
        ]
        return f"{self.kind}({', '.join([Path(self.path).stem, *changed])})"

    @property
    def dimension(self) -> int:
        """D, the columns that are read; the file is opened where the spec does not say."""
        return len(self.columns) if self.columns else self._loaded()[0].shape[1]

    def read(self) -> Tensor:
        """The whole series, `(T, D)` in float64 [the file's units].

        Raises:
            DataError: where the file, or a number in it, cannot be used; it names the column and the row.
        """
        series, step = self._loaded()
        if step is not None and abs(step - self.dt) > 1e-3 * self.dt:
            raise DataError(
                f"the times in column {self.time!r} of {self.path!r} are {step:g} apart, but dt = {self.dt:g}; "
                "leave dt out, or correct it"
            )
        return torch.from_numpy(series.copy())

    def splits(self) -> tuple[Tensor, Tensor, Tensor]:
        """Training, validation and test series, `(T_i, D)`, in the order of time and `gap` steps apart.

        Raises:
            DataError: where a split is empty, and as `read` does.
        """
        series = self.read()
        ends = [round(share * len(series)) for share in (self.train_share, self.train_share + self.validation_share)]
        starts = [0, ends[0] + self.gap, (ends[1] if self.validation_share else ends[0]) + self.gap]
        parts = [series[start:end] for start, end in zip(starts, [*ends, len(series)], strict=True)]
        asked = {"training": True, "validation": self.validation_share > 0, "test": True}
        for (name, wanted), part in zip(asked.items(), parts, strict=True):
            if wanted and not len(part):
                raise DataError(
                    f"the {len(series)} rows of {self.path!r} leave no {name} split: train_share = {self.train_share}, "
                    f"validation_share = {self.validation_share}, gap = {self.gap}; "
                    "choose other shares, or a smaller gap"
                )
        return parts[0], parts[1], parts[2]

    def largest_exponent(self) -> float:
        """The largest exponent, given or estimated [1 / system time]; never positive where chaos is in doubt."""
        if self.exponent is not None:
            return self.exponent
        curve = self.divergence()
        return curve.exponent if curve.chaotic else min(curve.exponent, 0.0)

    def divergence(self) -> DivergenceCurve:
        """How neighbouring states of the training split part; a single column is first made delay vectors of five."""
        train = self.splits()[0]
        return divergence_curve(delay_vectors(train) if train.shape[1] == 1 else train, dt=self.dt)

    def step(self, state: Tensor) -> Tensor:
        """Refused: a measured series has no equation."""
        return self._refuse()

    def initial_state(self, batch: int, generator: Generator) -> Tensor:
        """Refused: a measured series cannot be started anew."""
        return self._refuse()

    def _refuse(self) -> NoReturn:
        raise DataError(
            f"{self.label} is a measured series without an equation and cannot be stepped; take its rows from read()"
        )

    def _loaded(self) -> tuple[Array, float | None]:
        """The series, and the step of its times where there are any."""
        return read_series(self.path, columns=self.columns, time=self.time, sha256=self.sha256)
