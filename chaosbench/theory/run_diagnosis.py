"""The diagnosis of one seed as a typed record, and its mapping to the stored rows `diagnosis.NAME`."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

from chaosbench.theory.verdict import Evidence, Verdict, verdict

PREFIX = "diagnosis."
_FORMER_NAMES = {"chain_growth_bound": "chain_growth_expected"}  # in results of older versions
_RATE = "1 / system time"


class Number(NamedTuple):
    """One number of a diagnosis as it is stored.

    Attributes:
        name: the stored name without the prefix `diagnosis.`.
        value: None where the number is not finite.
    """

    name: str
    unit: str
    value: float | None


class Exponent(NamedTuple):
    """A Lyapunov exponent and the half width of its 95 % confidence interval [1 / system time].

    Attributes:
        value: NaN where it is stored as null.
        interval: NaN where it is not finite; None where no interval was estimated.
    """

    value: float
    interval: float | None = None


def _stored(unit: str, meaning: str, convert: Callable[[float], float] = float) -> Any:
    """Declare a number that is stored under the field's own name, and read with `convert`."""
    return field(default=None, metadata={"unit": unit, "meaning": meaning, "convert": convert})


def _exponents(name: str, meaning: str) -> Any:
    """Declare a tuple of exponents that are stored as `NAME_1`, `NAME_1_interval`, `NAME_2`, ..."""
    return field(default=(), metadata={"unit": _RATE, "meaning": meaning, "name": name})


@dataclass(frozen=True)
class RunDiagnosis:
    """The diagnosis of one seed: all stored numbers, in the order in which they are stored.

    The metadata of each field contains its unit and meaning; docs/diagnosis.md lists them. A field is None where
    nothing was measured, so that there is no row, and NaN where the stored number is null because it is not finite. The
    diagnosis of an untrained network, and the exponents of the data's system, are the same record with fewer fields.
    """

    gradient_growth: float | None = _stored(_RATE, "gamma, the growth rate of dz_T/dz_0; null if gradients vanish")
    gradient_growth_interval: float | None = _stored(_RATE, "its 95 % half width, over initial conditions")
    gradient_growth_fit: float | None = _stored("1", "R² of the straight line")
    loss_gradient_growth: float | None = _stored(_RATE, "the growth rate of dL_T/dtheta")
    loss_gradient_growth_interval: float | None = _stored(_RATE, "its 95 % half width")
    loss_gradient_growth_fit: float | None = _stored("1", "R² of the straight line")
    loss_gradient_power: float | None = _stored("1", "slope of log ||dL_T/dtheta|| against ln T")
    loss_gradient_power_interval: float | None = _stored("1", "its 95 % half width")
    loss_gradient_excess: float | None = _stored(_RATE, "exponential growth rate of dL_T/dtheta beside a power of T")
    loss_gradient_excess_interval: float | None = _stored(_RATE, "its 95 % half width")
    jacobian_norm: float | None = _stored("1", "geometric mean of the Jacobians' spectral norms along a free run")
    jacobian_smallest_singular_value: float | None = _stored("1", "median along that run")
    jacobian_condition: float | None = _stored("1", "median of the condition numbers along that run")
    lyapunov_exponents: tuple[Exponent, ...] = _exponents("lyapunov_exponent", "the N-th exponent of the free run")
    lyapunov_resolution: float | None = _stored(_RATE, "smallest exponent that runs of this length can resolve")
    kaplan_yorke_dimension: float | None = _stored("1", "null where it depends on exponents that were not computed")
    entropy_bound: float | None = _stored("nats / system time", "sum of the positive exponents; null as above")
    spectral_gap: float | None = _stored(_RATE, "gap below the last exponent that the system can have")
    period: int | None = _stored("steps", "period of the free run; 0: it is not periodic", int)
    returning_share: float | None = _stored("1", "share of free runs that settle on a fixed point or a cycle")
    bounded_share: float | None = _stored("1", "share of free runs that stayed bounded")

    forcing_probability: float | None = _stored("1", "forcing probability of scheduled sampling at the end of training")
    chain_longest: int | None = _stored("steps", "longest product between random forcings", int)
    path_length: int | None = _stored("steps", "length of the training windows at the end of training", int)
    chain_length: float | None = _stored("steps", "longest product followed, at most 1,024; mean if forcing is random")
    chain_forced: bool | None = _stored("1", "1: products end where data force the state", bool)
    chain_cut: bool | None = _stored("1", "1: products end where the gradient is cut", bool)
    chain_blank: bool | None = _stored("1", "1: windows, and segments after a cut, start from z = 0", bool)
    chain_learned: bool | None = _stored("1", "1: segments after a cut start from a learned state", bool)
    chain_ends: bool | None = _stored("1", "1: the forcing or cut leaves nothing of the product", bool)
    window_length: int | None = _stored("steps", "longest horizon followed, where products do not end", int)
    window_growth: float | None = _stored("nats", "mean log norm of the product over `window_length`")
    chain_growth: float | None = _stored("nats", "mean log norm of the product over `chain_length`, on training data")
    chain_growth_expected: float | None = _stored(
        "nats", "growth at the rate of long free runs, lambda_1 of the network times `chain_length`"
    )
    forcing_share: float | None = _stored("1", "alpha of generalised teacher forcing at the end of training")
    forced_exponent_expected: float | None = _stored(
        _RATE, "lambda_1 + ln(1 - alpha) / dt, if the whole state is forced"
    )
    forced_exponents: tuple[Exponent, ...] = _exponents(
        "forced_exponent", "the N-th exponent of products along training data"
    )
    diagnosis_seconds: float | None = _stored("s", "wall time of the diagnosis, per seed")

    gradient_norm_q05: float | None = _stored("1", "5 % quantile over updates of the gradient norm before clipping")
    gradient_norm_median: float | None = _stored("1", "its median")
    gradient_norm_q95: float | None = _stored("1", "its 95 % quantile")
    clipped_share: float | None = _stored("1", "share of updates whose norm exceeded `clip_norm`")
    clipped_entries_share: float | None = _stored("1", "share of updates with an entry above `clip_value`")
    nonfinite_share: float | None = _stored("1", "share of updates whose loss or gradient norm was not finite")
    loss_first: float | None = _stored("1", "loss of the first update")
    loss_last: float | None = _stored("1", "median loss of the last hundredth of the updates")
    loss_spikes: int | None = _stored("1", "number of loss spikes", int)
    updates_per_second: float | None = _stored("1 / s", "of all seeds together, without the diagnostics")
    peak_memory: float | None = _stored("MiB", "of the process; of a worker on Linux since the experiment began")
    peak_device_memory: float | None = _stored("MiB", "on a CUDA device")
    cost_share: float | None = _stored("1", "time of all diagnostics divided by that of training")
    effective_horizon: float | None = _stored("Lyapunov times", "`chain_length` times the data's lambda_1")

    @property
    def empty(self) -> bool:
        """True if nothing is stored."""
        return self == RunDiagnosis()

    @property
    def has_dynamics(self) -> bool:
        """True if the free run was diagnosed; False for old results and for models that replay training data."""
        return self.bounded_share is not None

    @property
    def largest_exponent(self) -> Exponent | None:
        """lambda_1; None where it was not computed."""
        return self.lyapunov_exponents[0] if self.lyapunov_exponents else None

    @classmethod
    def from_columns(cls, columns: Mapping[str, Sequence[Any]]) -> "list[RunDiagnosis]":
        """Return one record per seed, from columns named like the fields with one entry per seed."""
        rows = zip(*columns.values(), strict=True)
        return [cls(**dict(zip(columns, row, strict=True))) for row in rows]

    def records(self) -> Iterator[Number]:
        """Yield every number as it is stored, in the order of the fields."""
        for name, unit, value in self._values():
            if value is not None:
                yield Number(name, unit, float(value) if math.isfinite(value) else None)

    @classmethod
    def from_records(
        cls, rows: Iterable[Mapping[str, Any]], *, seed: int, update: int | None = None, column: str = "value"
    ) -> "RunDiagnosis":
        """Read the diagnosis of one seed from the rows of its experiment; missing rows leave fields at None.

        Args:
            rows: with the keys `name`, `seed`, `update` and `column`, as in records.parquet; other rows are ignored.
            update: 0 before training, None after it.
            column: "value"; "floor" contains the numbers of the data's own system, where null means unknown.
        """
        numbers = {
            _current_name(row["name"].removeprefix(PREFIX)): row[column]
            for row in rows
            if row["seed"] == seed and row["update"] == update and row["name"].startswith(PREFIX)
        }
        if column != "value":
            return cls(**_fields_from({name: value for name, value in numbers.items() if value is not None}))
        return cls(**_fields_from(numbers))._with_infinite_rates()

    def verdict(self, *, data_exponent: float | None = None, window: float | None = None) -> Verdict:
        """Compare the run with theory.

        Args:
            data_exponent: largest exponent of the data's system [1 / system time]; None: unknown.
            window: length of the training sequences, in Lyapunov times of the data.
        """
        exponent = self.largest_exponent or Exponent(math.nan)
        return verdict(
            Evidence(
                gamma=_or_nan(self.gradient_growth),
                gamma_interval=_or_nan(self.gradient_growth_interval),
                exponent=exponent.value,
                exponent_interval=_or_nan(exponent.interval),
                resolution=self.lyapunov_resolution or 0.0,
                period=self.period or 0,
                returning=self.returning_share or 0.0,
                bounded=self.bounded_share or 0.0,
                loss_gamma=self.loss_gradient_growth,
                loss_gamma_interval=self.loss_gradient_growth_interval,
                loss_power=self.loss_gradient_power,
                loss_power_interval=self.loss_gradient_power_interval,
                loss_excess=self.loss_gradient_excess,
                loss_excess_interval=self.loss_gradient_excess_interval,
                data_exponent=data_exponent,
                window=window,
            )
        )

    def _values(self) -> Iterator[tuple[str, str, float | None]]:
        for column in fields(self):
            value, unit = getattr(self, column.name), column.metadata["unit"]
            if "name" not in column.metadata:
                yield column.name, unit, value
                continue
            for index, exponent in enumerate(value, start=1):
                name = f"{column.metadata['name']}_{index}"
                yield name, unit, exponent.value
                yield f"{name}_interval", unit, exponent.interval

    def _with_infinite_rates(self) -> "RunDiagnosis":
        """Return the record with the rates of vanishing gradients at -inf, which is stored as null.

        The exponent is a mean over bounded runs, so a null exponent means that tangents vanish. Gradients are followed
        over longer orbits, which may blow up, so a null growth rate means that gradients vanish only if all runs are
        bounded and their exponent is negative.
        """
        if self.bounded_share is None:
            return self
        first = self.largest_exponent or Exponent(math.nan)
        if math.isnan(first.value) and self.bounded_share:
            first = first._replace(value=-math.inf)
        vanishing = first.value == -math.inf or (self.bounded_share == 1 and first.value < 0)
        gamma = _or_nan(self.gradient_growth)
        return replace(
            self,
            lyapunov_exponents=(first, *self.lyapunov_exponents[1:]),
            gradient_growth=-math.inf if math.isnan(gamma) and vanishing else gamma,
        )


def _current_name(name: str) -> str:
    return _FORMER_NAMES.get(name, name)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _fields_from(numbers: Mapping[str, float | None]) -> dict[str, Any]:
    """Return the fields of `RunDiagnosis` that can be read from stored numbers, given by name without prefix."""
    content: dict[str, Any] = {}
    for column in fields(RunDiagnosis):
        if "name" in column.metadata:
            content[column.name] = tuple(_exponents_from(numbers, column.metadata["name"]))
        elif column.name in numbers:
            value = numbers[column.name]
            content[column.name] = math.nan if value is None else column.metadata["convert"](value)
    return content


def _exponents_from(numbers: Mapping[str, float | None], name: str) -> Iterator[Exponent]:
    index = 1
    while f"{name}_{index}" in numbers:
        interval = f"{name}_{index}_interval"
        yield Exponent(_or_nan(numbers[f"{name}_{index}"]), _or_nan(numbers[interval]) if interval in numbers else None)
        index += 1
