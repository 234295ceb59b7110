"""A recorded series: observations from files."""

from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from pydantic import Field, SerializationInfo, SerializerFunctionWrapHandler, model_serializer, model_validator
from torch import Tensor
from typing_extensions import override

from chaosbench.errors import DataError
from chaosbench.formats import counted
from chaosbench.series import formats
from chaosbench.series.describe import description, verdict
from chaosbench.series.exponent import estimate
from chaosbench.series.reading import Reading, Recorded, content_checksum, pieces, read
from chaosbench.series.splits import Split, Splits, common_length, disjoint_pieces, equal_pieces, split_trials
from chaosbench.series.table import Column
from chaosbench.series.trend import Detrend
from chaosbench.source import DataSpec, Lengths, Recordings, SeparationCurve, Source
from chaosbench.spec import IDENTITY, brief

Paths = str | tuple[str, ...]
_NOT_IDENTITY = ("path", "validation_path", "test_path", "source", "licence")  # the checksum stands for the files
_IN_LABEL = (
    "columns", "time", "trial", "array", "axes", "interpolate", "dt", "split", "train_share", "validation_share", "gap",
    "piece_length", "detrend", "exponent",
)  # fmt: skip


class TimeSeries(Source):
    """A recorded series from files: models can be trained on it and compared with it, but it cannot be stepped.

    A path names a file (`.npy`, `.npz`, `.csv`, `.tsv`, `.txt`, `.dat`, `.parquet`, `.mat`, `.h5`), a folder or a
    pattern with `*`; each file is a trial. A third axis, or a column that names the trial, gives several trials as
    well. Empty cells and missing times divide a trial, and no window crosses a border. docs/recorded-series.md
    describes formats and options.
    """

    kind: Literal["timeseries"] = "timeseries"
    path: Paths = Field(min_length=1)  # absolute, relative to the working directory, or chaosbench:NAME; a list: trials
    validation_path: Paths | None = Field(default=None, min_length=1)  # separate files for validation
    test_path: Paths | None = Field(default=None, min_length=1)  # separate files for testing
    columns: tuple[Column, ...] | None = Field(default=None, min_length=1)  # names or positions; None: all numeric ones
    time: Column | None = None  # column of times, not an observable; gives dt unless dt is set
    trial: Column | None = None  # column that names the trial of a row
    array: str | None = None  # name of the array in a .npz, .mat or .h5 file
    axes: str | None = Field(default=None, pattern="^[NTD]{1,3}$")  # N trials, T time, D observables; None: NTD or TD
    interpolate: float | None = Field(default=None, gt=0)  # [system time] step at which uneven times are interpolated
    time_unit: Literal["years", "months", "days", "hours", "minutes", "seconds"] | None = None  # of dates; None: chosen
    dt: float = Field(default=1.0, gt=0)  # [system time] per step
    source: str = ""  # who recorded it
    licence: str = ""
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")  # of the files; None: computed from them
    split: Split = "auto"  # by whole trials ("trial") or each trial in time ("time"); auto: by trial from ten on
    train_share: float = Field(default=0.7, gt=0, lt=1)
    validation_share: float = Field(default=0.1, ge=0, lt=1)  # the rest is for testing
    gap: int = Field(default=0, ge=0)  # [steps] left out between two splits of a trial
    piece_length: int | None = Field(default=None, ge=2)  # [steps] of training orbits; None: as long as trials allow
    detrend: Detrend = "auto"  # for the estimate of the exponent alone
    exponent: float | None = None  # largest exponent from another source [1 / system time]; None: estimated
    exponent_source: str = ""

    @model_validator(mode="after")
    def _the_fields_agree(self) -> Self:
        if self.train_share + self.validation_share >= 1 and self.test_path is None:
            raise ValueError(
                f"train_share = {self.train_share} and validation_share = {self.validation_share} leave nothing "
                "to test on; expected a sum below 1"
            )
        if self.exponent is not None and not self.exponent_source:
            raise ValueError(f"exponent = {self.exponent} needs its exponent_source: who determined it, and how")
        if self.columns and len(set(self.columns)) < len(self.columns):
            raise ValueError(f"columns = {list(self.columns)} names a column twice")
        if self.interpolate is not None and self.time is None:
            raise ValueError(f"interpolate = {self.interpolate} needs the column of times, as in time = 'time'")
        return self

    @model_validator(mode="after")
    def _the_files_give_checksum_and_step(self) -> Self:
        """Read checksum and dt from the files when the spec is created; a stored spec has both and needs no file."""
        if self.sha256 is None and all(_exists(path) for path in self.paths):
            object.__setattr__(self, "sha256", content_checksum(self.paths))
        if self.time is not None and "dt" not in self.model_fields_set:
            recorded = self.recorded()
            object.__setattr__(self, "dt", recorded.step)
            if self.time_unit is None and recorded.time_unit:
                object.__setattr__(self, "time_unit", recorded.time_unit)
        return self

    @model_serializer(mode="wrap")
    def _without_paths_in_the_identity(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        content: dict[str, Any] = handler(self)
        if info.context == IDENTITY:
            content = {name: value for name, value in content.items() if name not in _NOT_IDENTITY}
            content["separate"] = [self.validation_path is not None, self.test_path is not None]
        return content

    @property
    def label(self) -> str:
        """The kind, the name and the checksum of the file, and the changed fields that affect results.

        An example is `timeseries(jena 5d41402a, dt=10)`.
        """
        fields = type(self).model_fields
        changed = [
            f"{name}={brief(value)}" for name in _IN_LABEL if (value := getattr(self, name)) != fields[name].default
        ]
        file = Path(self._listed(self.path)[0].removeprefix(formats.SHIPPED))
        name = f"{file.stem} {self.sha256[:8]}" if self.sha256 else file.stem
        return f"{self.kind}({', '.join([name, *changed])})"

    @property
    def dimension(self) -> int:
        """Number of columns that are read; the files are opened unless `columns` is set."""
        return len(self.columns) if self.columns else len(self.recorded().observables)

    @override
    def describe(self, spec: DataSpec) -> list[str]:
        lines = description(self, self.recorded(), self.splits(), spec)
        if self.exponent is not None:
            return [*lines, f"largest exponent {self.exponent} by {self.exponent_source}"]
        try:
            return [*lines, verdict(self.separation())]
        except DataError as error:
            return [*lines, f"no largest exponent: {error}"]

    def read(self) -> Tensor:
        """Read all rows of all trials in order, without gaps, `(T, D)` in float64 [the file's units].

        Raises:
            DataError: if a file or a number in it cannot be used; the message names column and row.
        """
        return torch.from_numpy(np.concatenate([piece for trial in self.trials() for piece in pieces(trial)]))

    def trials(self) -> tuple[np.ndarray[Any, np.dtype[Any]], ...]:
        """Read the trials of `path`, `(T, D)` each with rows of NaN in gaps; they must not be modified.

        Raises:
            DataError: as `read` does.
        """
        return self.recorded().trials

    def recorded(self, paths: Paths | None = None) -> Recorded:
        """Read the files of `path`, or other files in the same way.

        Raises:
            DataError: if they cannot be used, or their times contradict dt.
        """
        if self.sha256 is not None:
            found = content_checksum(self.paths)
            if found != self.sha256:
                raise DataError(
                    f"{self._shown!r} has the sha256 {found}, expected {self.sha256}; the file has changed since or "
                    "is damaged"
                )
        reading = Reading(**{name: getattr(self, name) for name in Reading.__dataclass_fields__})
        recorded = read(self._listed(paths or self.path), reading)
        step = recorded.step
        if step is not None and "dt" in self.model_fields_set and abs(step - self.dt) > 1e-3 * self.dt:
            raise DataError(
                f"the times in column {self.time!r} of {self._shown!r} are {step:g} {recorded.time_unit}".rstrip()
                + f" apart, but dt = {self.dt:g}; omit dt, or correct it"
            )
        return recorded

    def splits(self) -> Splits:
        """Return the stretches without gaps for training, validation and test.

        Raises:
            DataError: if a split is empty, and as `read` does.
        """
        validation, test = (
            None if path is None else tuple(piece for trial in self.recorded(path).trials for piece in pieces(trial))
            for path in (self.validation_path, self.test_path)
        )
        splits = self._split(self.trials(), tested=test is None, validated=validation is None)
        whole = Splits(
            splits.train, splits.validation if validation is None else validation, splits.test if test is None else test
        )
        needed = {"train": True, "validation": self.validation_share > 0, "test": True}
        for name, is_needed in needed.items():
            if is_needed and not any(map(len, getattr(whole, name))):
                raise DataError(
                    f"the {counted(self.recorded().rows, 'row')} of {self._shown!r} leave no {name} split: train_share "
                    f"= {self.train_share}, validation_share = {self.validation_share}, gap = {self.gap}; "
                    "choose other shares, or a smaller gap"
                )
        return whole

    @override
    def lengths(self, spec: DataSpec) -> Lengths:
        splits = self.splits()
        train = self.piece_length or common_length([len(stretch) for stretch in splits.train]) - spec.history
        return Lengths(train, tuple(map(len, splits.test)))

    @override
    def recordings(self, spec: DataSpec) -> Recordings:
        """Return the splits as orbits; stretches for testing are cut into pieces of `spec.test_length`.

        Stretches for training are cut into orbits of equal length. A validation split shorter than one observation is
        replaced by the first observation of training.

        Raises:
            DataError: if `spec` asks for a stride or noise, if a split is too short, and as `read` does.
        """
        if spec.stride > 1 or spec.noise > 0:
            raise DataError(
                f"{self.label} is a recorded series: data.stride and data.noise are for simulated systems only"
            )
        splits, back = self.splits(), spec.history
        long = {name: [piece for piece in getattr(splits, name) if len(piece) > back] for name in ("train", "test")}
        if not long["train"] or (self.piece_length or 0) + back > max(map(len, splits.train)):
            raise DataError(
                f"{self.label}: training orbits of {self.piece_length or 1} steps after {back} steps of history (delay "
                f"coordinates) do not fit: the longest stretch for training has {max(map(len, splits.train))} steps"
            )
        train = equal_pieces(long["train"], None if self.piece_length is None else self.piece_length + back)
        tests = disjoint_pieces(long["test"], back + spec.test_length)
        if len(tests) < 2:
            raise DataError(
                f"{self.label}: {sum(map(len, splits.test))} steps for testing, the longest stretch of "
                f"{max(map(len, splits.test))}, are too few for two pieces of data.test_length = {spec.test_length}"
            )
        validation = [piece for piece in splits.validation if len(piece) > back]
        separation = None
        if self.exponent is None:
            with suppress(DataError):  # too few states for an exponent, as `describe` says; the data may be learned
                separation = self.separation()
        return Recordings(
            train=train,
            validation=equal_pieces(validation) if validation else train[:1, : back + 1],
            test=torch.stack(tests),
            largest_exponent=self.exponent if separation is None else separation.cautious,
            separation=separation,
        )

    def largest_exponent(self) -> float | None:
        """Return the largest exponent, given or estimated [1 / system time]; at most 0 if there is no chaos.

        It is None if that cannot be told.
        """
        return self.exponent if self.exponent is not None else self.separation().cautious

    def separation(self) -> SeparationCurve:
        """Estimate the exponent of the training split; a single column is embedded in 5 dimensions.

        Raises:
            DataError: as `read` and `separation_curve` do.
        """
        return _separation(self)

    def _split(self, trials: tuple[np.ndarray[Any, np.dtype[Any]], ...], *, tested: bool, validated: bool) -> Splits:
        """Divide the trials of `path`, of which nothing is for testing or validation where these have files."""
        validation = self.validation_share if validated else 0.0
        whole = self.train_share + validation
        if not tested:
            train, validation = self.train_share / whole, validation / whole
            return split_trials(trials, split=self.split, train_share=train, validation_share=validation, gap=self.gap)
        return split_trials(
            trials, split=self.split, train_share=self.train_share, validation_share=validation, gap=self.gap
        )

    @property
    def paths(self) -> tuple[str, ...]:
        """All paths, those for validation and test included."""
        return tuple(
            path
            for group in (self.path, self.validation_path, self.test_path)
            if group is not None
            for path in self._listed(group)
        )

    @property
    def _shown(self) -> str:
        paths = self._listed(self.path)
        return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"

    @staticmethod
    def _listed(path: Paths) -> tuple[str, ...]:
        return (path,) if isinstance(path, str) else path


@lru_cache(maxsize=32)
def _separation(series: TimeSeries) -> SeparationCurve:
    """Return the curve of a series, which is identified by the checksum of its files."""
    return estimate(series.splits().train, dt=series.dt, detrend=series.detrend)


def _exists(path: str) -> bool:
    return formats.located(path).exists() or "*" in path
