"""The models: `dynamix`, trained on the system's own data, and `dynamix_zero_shot`, with weights from elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SerializationInfo, SerializerFunctionWrapHandler, model_serializer, model_validator
from typing_extensions import override

from chaosbench import DataError, Forecaster, ModelSpec
from chaosbench.spec import IDENTITY
from chaosbench_dynamix.mixture import MixtureForecaster, Shape, ZeroShotForecaster
from chaosbench_dynamix.weights import BUNDLED, checksum, read


class DynaMix(ModelSpec):
    """z' = sum_j w_j(z, C) (A_j z + W_j phi(z) + h_j): almost-linear experts, weighted by a gate that sees the context.

    phi is the identity on the first M - P units and relu on the last P; x = the first D units in standard deviations of
    the context C, the last `context` observations of the history. The attention of D z to C averages the features of a
    convolution over two steps; from these and z a perceptron gives the weights. Hidden units start from a learned map.
    Trainers that warm up the state, with `warm_up` = `context` - 1, train it with contexts of that length.

    Source:
        Hemmer and Durstewitz 2025, NeurIPS (2505.13192), with the sizes of its published models: M = 30, P = 2, J = 10.
    """

    kind: Literal["dynamix"] = "dynamix"
    hidden: int = Field(30, ge=1)  # M, units
    rectified: int = Field(2, ge=0)  # P, units with a relu
    experts: int = Field(10, ge=1)  # J
    context: int = Field(200, ge=2)  # L, the longest context [steps]; `evaluation.context` says how long the history is

    @model_validator(mode="after")
    def _check_rectified(self) -> Self:
        if self.rectified > self.hidden:
            raise ValueError(
                f"rectified = {self.rectified} exceeds hidden = {self.hidden}; it counts units with a relu"
            )
        return self

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        if self.hidden < dimension:
            raise DataError(f"hidden = {self.hidden} is less than the {dimension} observables, which are units as well")
        shape = Shape(dimension, self.hidden, self.rectified, self.experts, self.context)
        return MixtureForecaster(shape, dimension, seeds)


class DynaMixZeroShot(ModelSpec):
    """DynaMix with weights trained on other systems; it learns of this one from the context before each forecast alone.

    Nothing is trained and nothing is random: training data are not used, and all seeds are the same. Systems with fewer
    observables than the weights have are completed by zeros. Weights come from a safetensors file with the parameter
    names of the authors' code; the bundled ones were trained by `python -m chaosbench_dynamix.pretrain`.

    Source:
        Hemmer and Durstewitz 2025, NeurIPS (2505.13192).
    """

    learning: ClassVar[str] = "memory"
    kind: Literal["dynamix_zero_shot"] = "dynamix_zero_shot"
    weights: str = Field("bundled", min_length=1)  # path of a safetensors file; "bundled": trained for this package
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")  # of the file; None: computed from it
    rectified: int | None = Field(None, ge=0)  # P, units with a relu; None: as the file says, or else 2
    context: int = Field(200, ge=2)  # L, the longest context [steps]; `evaluation.context` says how long the history is

    @model_validator(mode="after")
    def _the_file_gives_the_checksum(self) -> Self:
        """Read the checksum when the spec is created; a stored spec has it."""
        if self.sha256 is None and self.file.is_file():
            object.__setattr__(self, "sha256", checksum(self.file))
        return self

    @model_serializer(mode="wrap")
    def _without_the_path_in_the_identity(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        content: dict[str, Any] = handler(self)
        return {name: value for name, value in content.items() if info.context != IDENTITY or name != "weights"}

    @property
    def file(self) -> Path:
        """Path of the weights."""
        return BUNDLED if self.weights == "bundled" else Path(self.weights)

    @property
    @override
    def label(self) -> str:
        """The kind, the name of the file and the first digits of its checksum unless bundled, and changed fields."""
        named = [] if self.weights == "bundled" else [f"weights={self.file.stem} {(self.sha256 or '?')[:8]}"]
        changed = [f"{name}={getattr(self, name)}" for name in ("rectified", "context") if self._differs(name)]
        return f"{self.kind}({', '.join([*named, *changed])})" if named or changed else self.kind

    def _differs(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        stored = read(self.file, sha256=self.sha256)
        if dimension > stored.observables:
            raise DataError(
                f"the weights in {str(self.file)!r} are for {stored.observables} observables, and the data have "
                f"{dimension}; choose some by data.observed"
            )
        rectified = stored.rectified if self.rectified is None else self.rectified
        shape = Shape(stored.observables, stored.hidden, rectified, stored.experts, self.context)
        if rectified > stored.hidden:
            raise DataError(f"rectified = {rectified} exceeds the {stored.hidden} units of {str(self.file)!r}")
        return ZeroShotForecaster(shape, dimension, seeds, stored.tensors)
