"""Scores of a finished forecast, each usable alone on numpy arrays or tensors."""

from chaosbench.metrics.base import Evaluation, MetricSpec
from chaosbench.metrics.largest_exponent_error import LargestExponentError, largest_exponent_error
from chaosbench.metrics.mixture_divergence import mixture_divergence
from chaosbench.metrics.power_spectrum_distance import (
    PowerSpectrumDistance,
    power_spectrum,
    power_spectrum_distance,
)
from chaosbench.metrics.prediction_error import PredictionError, prediction_error
from chaosbench.metrics.skill import Skill, too_good_to_be_true, valid_times
from chaosbench.metrics.state_space_divergence import (
    StateSpaceDensity,
    StateSpaceDivergence,
    state_space_divergence,
)
from chaosbench.metrics.valid_prediction_time import ValidPredictionTime, valid_prediction_time

__all__ = [
    "Evaluation",
    "LargestExponentError",
    "MetricSpec",
    "PowerSpectrumDistance",
    "PredictionError",
    "Skill",
    "StateSpaceDensity",
    "StateSpaceDivergence",
    "ValidPredictionTime",
    "largest_exponent_error",
    "mixture_divergence",
    "power_spectrum",
    "power_spectrum_distance",
    "prediction_error",
    "state_space_divergence",
    "too_good_to_be_true",
    "valid_prediction_time",
    "valid_times",
]
