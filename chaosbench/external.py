"""Specs of what was made elsewhere: a truth that was given as a file, and a submission without weights."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal, NoReturn

from pydantic import Field
from typing_extensions import override

from chaosbench.data import Dataset, DataSpec
from chaosbench.errors import SpecError
from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.source import Recordings, Source
from chaosbench.trainers.base import TrainerSpec, TrainingStep


class GivenTruth(Source):
    """True trajectories that were given beside generated ones; nothing can be trained on them."""

    kind: Literal["given_truth"] = "given_truth"
    name: str = Field(min_length=1)  # shown in rankings
    observables: int = Field(ge=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")  # of the numbers

    @property
    def dimension(self) -> int:
        """The number of observables."""
        return self.observables

    @property
    def label(self) -> str:
        """The name, the step, and the beginning of the checksum, which tells truths of one name apart."""
        return f"{self.name}(dt={self.dt:.9g}, sha256={self.sha256[:8]})"

    @override
    def recordings(self, spec: DataSpec) -> Recordings:
        _refuse(self.name)


class ExternalModel(ModelSpec):
    """A model that chaosbench has not seen: its trajectories were submitted under a name."""

    learning: ClassVar[str] = "elsewhere"
    kind: Literal["external"] = "external"
    name: str = Field(min_length=1)  # shown in rankings
    sha256: tuple[str, ...]  # of the submitted numbers, one per seed

    @property
    def label(self) -> str:
        """The name of the submission."""
        return self.name

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        _refuse(self.name)


class ExternalTrainer(TrainerSpec):
    """A training that chaosbench has not seen."""

    learning: ClassVar[str] = "elsewhere"
    kind: Literal["external"] = "external"

    @property
    def label(self) -> str:
        """A remark that no weights are stored."""
        return "external submission without weights"

    @override
    def fit(self, model: Forecaster, data: Dataset, seeds: Sequence[int]) -> Iterator[TrainingStep]:
        _refuse(self.label)


def is_external(experiment: dict[str, Any]) -> bool:
    """Return True if a stored experiment is a submission of trajectories."""
    return bool(experiment["model"]["kind"] == "external")


def _refuse(name: str) -> NoReturn:
    raise SpecError(f"{name!r} was submitted as trajectories only; it can neither be trained nor forecast here")
