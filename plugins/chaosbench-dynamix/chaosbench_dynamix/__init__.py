"""DynaMix for chaosbench: the models `dynamix` and `dynamix_zero_shot`."""

from collections.abc import Iterable

from chaosbench import ModelSpec, hookimpl
from chaosbench_dynamix.mixture import MixtureForecaster, ZeroShotForecaster
from chaosbench_dynamix.model import DynaMix, DynaMixZeroShot

__all__ = ["DynaMix", "DynaMixZeroShot", "MixtureForecaster", "ZeroShotForecaster"]


@hookimpl
def chaosbench_models() -> Iterable[type[ModelSpec]]:
    """Return the models."""
    return [DynaMix, DynaMixZeroShot]
