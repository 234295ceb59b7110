"""A recorded series: observations from a file."""

from pathlib import Path
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from typing_extensions import override

from chaosbench.errors import DataError
from chaosbench.series.rosenstein import delay_vectors, separation_curve
from chaosbench.series.series_file import Array, Column, read_series
from chaosbench.source import DataSpec, Recordings, SeparationCurve, Source


class TimeSeries(Source):
    """A recorded series from a file: models can be trained on it and compared with it, but it cannot be stepped.

    The file is `.npy` (one or two axes, time first), `.csv` (separated by commas, semicolons or tabs, with or without
    a line of names) or `.parquet`. It is split in the order of time: training, validation, test.
    """

    kind: Literal["timeseries"] = "timeseries"
    path: str = Field(min_length=1)  # absolute, or relative to the working directory
    columns: tuple[Column, ...] | None = Field(default=None, min_length=1)  # names or positions; None: all numeric ones
    time: Column | None = None  # column of times, not an observable; gives dt unless dt is set
    dt: float = Field(default=1.0, gt=0)  # [system time] per step
    source: str = ""  # who recorded it
    licence: str = ""
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")  # of the file; checked if given
    train_share: float = Field(default=0.7, gt=0, lt=1)
    validation_share: float = Field(default=0.1, ge=0, lt=1)  # the rest is for testing
    gap: int = Field(default=0, ge=0)  # [steps] left out between two splits
    exponent: float | None = None  # largest exponent from another source [1 / system time]; None: estimated
    exponent_source: str = ""

    @model_validator(mode="after")
    def _the_fields_agree(self) -> Self:
        if self.train_share + self.validation_share >= 1:
            raise ValueError(
                f"train_share = {self.train_share} and validation_share = {self.validation_share} leave nothing "
                "to test on; expected a sum below 1"
            )
        if self.exponent is not None and not self.exponent_source:
            raise ValueError(f"exponent = {self.exponent} needs its exponent_source: who determined it, and how")
        if self.columns and len(set(self.columns)) < len(self.columns):
            raise ValueError(f"columns = {list(self.columns)} names a column twice")
        return self

    @model_validator(mode="after")
    def _times_give_the_step(self) -> Self:
        """Read dt from the file when the spec is created; a stored spec contains dt and needs no file."""
        if self.time is not None and "dt" not in self.model_fields_set:
            object.__setattr__(self, "dt", self._loaded()[1])
        return self

    @property
    def label(self) -> str:
        """The kind, the file's stem, and the changed fields that affect results: `timeseries(jena, dt=10)`."""
        shown = {"columns", "dt", "train_share", "validation_share", "gap", "exponent"}
        fields = type(self).model_fields
        changed = [
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in ((name, getattr(self, name)) for name in fields if name in shown)
            if value != fields[name].default
        ]
        return f"{self.kind}({', '.join([Path(self.path).stem, *changed])})"

    @property
    def dimension(self) -> int:
        """Number of columns that are read; the file is opened unless `columns` is set."""
        return len(self.columns) if self.columns else self._loaded()[0].shape[1]

    def read(self) -> Tensor:
        """Read the whole series, `(T, D)` in float64 [the file's units].

        Raises:
            DataError: if the file or a number in it cannot be used; the message names column and row.
        """
        series, step = self._loaded()
        if step is not None and abs(step - self.dt) > 1e-3 * self.dt:
            raise DataError(
                f"the times in column {self.time!r} of {self.path!r} are {step:g} apart, but dt = {self.dt:g}; "
                "omit dt, or correct it"
            )
        return torch.from_numpy(series.copy())

    def splits(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return training, validation and test series, `(T_i, D)`, in the order of time and `gap` steps apart.

        Raises:
            DataError: if a split is empty, and as `read` does.
        """
        series = self.read()
        ends = [round(share * len(series)) for share in (self.train_share, self.train_share + self.validation_share)]
        starts = [0, ends[0] + self.gap, (ends[1] if self.validation_share else ends[0]) + self.gap]
        parts = [series[start:end] for start, end in zip(starts, [*ends, len(series)], strict=True)]
        required = {"training": True, "validation": self.validation_share > 0, "test": True}
        for (name, needed), part in zip(required.items(), parts, strict=True):
            if needed and not len(part):
                raise DataError(
                    f"the {len(series)} rows of {self.path!r} leave no {name} split: train_share = {self.train_share}, "
                    f"validation_share = {self.validation_share}, gap = {self.gap}; "
                    "choose other shares, or a smaller gap"
                )
        return parts[0], parts[1], parts[2]

    @override
    def recordings(self, spec: DataSpec) -> Recordings:
        """Return the splits; the test split is cut into pieces that serve as orbits.

        A validation split shorter than one observation is replaced by the first observation of training.

        Raises:
            DataError: if `spec` asks for a stride or noise, if a split is too short, and as `read` does.
        """
        if spec.stride > 1 or spec.noise > 0:
            raise DataError(
                f"{self.label} is a recorded series: data.stride and data.noise are for simulated systems only"
            )
        train, validation, test = self.splits()
        if len(train) <= spec.history:
            raise DataError(
                f"{self.label}: an embedding of {spec.embedding} coordinates {spec.lag} steps apart needs more than "
                f"{spec.history} steps, and there are {len(train)} for training"
            )
        piece = spec.history + spec.test_length
        count = len(test) // piece
        if count < 2:
            raise DataError(
                f"{self.label}: {len(test)} steps for testing are too few for two pieces of data.test_length = "
                f"{spec.test_length}; set it to at most {max(0, len(test) // 2 - spec.history)}"
            )
        if len(validation) <= spec.history:
            validation = train[: spec.history + 1]
        separation = self.separation() if self.exponent is None else None
        return Recordings(
            train=train[None],
            validation=validation[None],
            test=test[: count * piece].reshape(count, piece, -1),
            largest_exponent=self.exponent if separation is None else _cautious(separation),
            separation=separation,
        )

    def largest_exponent(self) -> float:
        """Return the largest exponent, given or estimated [1 / system time]; at most 0 if chaos is in doubt."""
        return self.exponent if self.exponent is not None else _cautious(self.separation())

    def separation(self) -> SeparationCurve:
        """Compute how neighbouring states of the training split separate; a single column is embedded in 5 dimensions.

        Raises:
            DataError: as `read` and `separation_curve` do.
        """
        train = self.splits()[0]
        return separation_curve(delay_vectors(train) if train.shape[1] == 1 else train, dt=self.dt)

    def _loaded(self) -> tuple[Array, float | None]:
        """Read the series, and the step of its times if there is a column of times."""
        return read_series(self.path, columns=self.columns, time=self.time, sha256=self.sha256)


def _cautious(curve: SeparationCurve) -> float:
    """Return the curve's exponent [1 / system time]; at most 0 if its interval contains 0."""
    return curve.exponent if curve.chaotic else min(curve.exponent, 0.0)
