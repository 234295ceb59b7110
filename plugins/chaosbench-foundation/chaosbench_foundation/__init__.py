"""Pretrained time-series models for chaosbench: the model `chronos`, and the adapter for others like it."""

from collections.abc import Iterable

from chaosbench import ModelSpec, hookimpl
from chaosbench_foundation.adapter import BlockForecaster, BlockModel
from chaosbench_foundation.chronos_models import Chronos

__all__ = ["BlockForecaster", "BlockModel", "Chronos"]


@hookimpl
def chaosbench_models() -> Iterable[type[ModelSpec]]:
    """Return the model."""
    return [Chronos]
