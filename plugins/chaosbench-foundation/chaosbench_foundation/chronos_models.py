"""The model `chronos`: Chronos, Chronos-Bolt and Chronos-2, loaded by the package chronos-forecasting."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from typing_extensions import override

from chaosbench import DataError, Forecaster, ModelSpec, seed_generator
from chaosbench_foundation.adapter import BlockForecaster

_ROWS = 256  # series forecast at once; bounds the memory
_INSTALL = "pip install 'chaosbench-foundation[chronos]'"


class Chronos(ModelSpec):
    """A pretrained Chronos model, which forecasts from the context alone and is not trained further.

    Each forecast of a block of steps is appended to the context, from which the next block is forecast. Chronos and
    Chronos-Bolt see each observable by itself, Chronos-2 sees them together. Chronos draws sample paths: "median" shows
    their median at each step, "sample" a single path, so that seeds differ; the same random numbers serve each block.
    The others forecast quantiles, of which the median is shown, so all their seeds are the same.

    Source:
        Ansari et al. 2024, TMLR (2403.07815); Chronos-2: Ansari et al. 2025 (2510.15821). Chaotic systems from a
        context of 512 steps: Zhang and Gilpin 2025, ICLR (2409.15771).
    """

    learning: ClassVar[str] = "memory"
    kind: Literal["chronos"] = "chronos"
    weights: str = Field(min_length=1)  # a folder with config.json and model.safetensors, or a name on Hugging Face
    revision: str | None = None  # of a name on Hugging Face: a commit, so that results can be repeated
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")  # of the folder's files; None: computed from them
    context: int = Field(512, ge=1)  # L, the longest context [steps]; `evaluation.context` says how long the history is
    block: int | None = Field(None, ge=1)  # steps used of each forecast; None: as many as the model forecasts at once
    forecast: Literal["median", "sample"] = "median"
    samples: int = Field(20, ge=1)  # paths of a median, where the model draws any

    @model_validator(mode="after")
    def _the_folder_gives_the_checksum(self) -> Self:
        """Read the checksum when the spec is created; a stored spec has it."""
        if self.sha256 is None and Path(self.weights).is_dir():
            object.__setattr__(self, "sha256", _checksum(Path(self.weights)))
        return self

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        if self.sha256 is not None and Path(self.weights).is_dir() and _checksum(Path(self.weights)) != self.sha256:
            raise DataError(f"the files in {self.weights!r} do not have the sha256 {self.sha256}; they have changed")
        model = PretrainedChronos(_pipeline(self.weights, self.revision), self.forecast, self.samples)
        steps = min(self.block or model.block, model.block)
        context = min(self.context, model.context)
        return BlockForecaster(model, context=context, steps=steps, dimension=dimension, seeds=seeds)


class PretrainedChronos:
    """A `BlockModel` from a pipeline of chronos-forecasting."""

    def __init__(self, pipeline: Any, forecast: str, samples: int) -> None:
        self._pipeline, self._samples = pipeline, 1 if forecast == "sample" else samples
        self._draws = pipeline.forecast_type.value == "samples"
        self._together = type(pipeline).__name__ == "Chronos2Pipeline"
        if forecast == "sample" and not self._draws:
            raise DataError(f"{type(pipeline).__name__} draws no sample paths; set forecast = 'median'")
        self.context, self.block = int(pipeline.model_context_length), int(pipeline.model_prediction_length)
        self.parameters = sum(parameter.numel() for parameter in pipeline.inner_model.parameters())

    def forecast(self, contexts: Tensor, seeds: Sequence[int]) -> Tensor:
        """Return the next `block` steps, `(K, B, L, D) -> (K, B, block, D)`."""
        self._pipeline.inner_model.to(contexts.device)
        if self._draws:
            return torch.stack([self._drawn(one, seed) for one, seed in zip(contexts, seeds, strict=True)])
        flat = contexts.flatten(0, 1).mT.float()  # (K B, D, L)
        series = flat if self._together else flat.flatten(0, 1)
        blocks = torch.cat([self._median(part) for part in series.split(_ROWS)])
        return blocks.reshape(*contexts.shape[:2], contexts.shape[-1], self.block).mT

    def _median(self, series: Tensor) -> Tensor:
        """Return the medians, `(R, L) -> (R, block)` or, of Chronos-2, `(R, D, L) -> (R, D, block)`."""
        quantiles, _ = self._pipeline.predict_quantiles(series, prediction_length=self.block, quantile_levels=[0.5])
        together = torch.stack(quantiles) if isinstance(quantiles, list) else quantiles
        return together[..., 0]

    def _drawn(self, contexts: Tensor, seed: int) -> Tensor:
        """Return the median of paths, `(B, L, D) -> (B, block, D)`; random numbers depend on seed and place alone."""
        series = contexts.mT.flatten(0, 1).float()
        devices = [contexts.device] if contexts.device.type == "cuda" else []
        blocks = []
        for part in series.split(_ROWS):
            with torch.random.fork_rng(devices=devices):
                torch.manual_seed(drawing_seed(seed))
                paths = self._pipeline.predict(part, prediction_length=self.block, num_samples=self._samples)
            blocks.append(paths.median(dim=1).values)
        return torch.cat(blocks).view(len(contexts), contexts.shape[-1], self.block).mT


def drawing_seed(seed: int) -> int:
    """Return the seed of torch with which each block of a seed is drawn."""
    return seed_generator(seed, "forecast").initial_seed()


@lru_cache(maxsize=2)
def _pipeline(weights: str, revision: str | None) -> Any:
    """Load a pretrained model once per process."""
    try:
        from chronos import BaseChronosPipeline
    except ImportError as error:
        raise DataError(f"the package chronos-forecasting is not installed: {_INSTALL}") from error
    try:
        pipeline = BaseChronosPipeline.from_pretrained(weights, revision=revision, dtype=torch.float32)
    except (OSError, ValueError, AssertionError) as error:
        text = " ".join(str(error).split())
        raise DataError(f"{weights!r} holds no Chronos model, nor is it the name of one: {text}") from None
    pipeline.inner_model.eval().requires_grad_(False)
    return pipeline


def _checksum(folder: Path) -> str:
    """Return the SHA-256 of the configuration and the weights in a folder, in hexadecimal."""
    total = hashlib.sha256()
    for path in _files(folder):
        with path.open("rb") as file:
            total.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.iterdir() if path.name == "config.json" or path.suffix == ".safetensors")
