"""Metrics of forecasts and free runs, each usable alone on numpy arrays or tensors."""

from chaosbench.metrics.base import Evaluation, MetricSpec, median_over_runs
from chaosbench.metrics.correlation_dimension import CorrelationDimensionError, correlation_dimension
from chaosbench.metrics.hausdorff_distance import HausdorffDistance, hausdorff_distance
from chaosbench.metrics.kaplan_yorke_error import KaplanYorkeError, kaplan_yorke_error
from chaosbench.metrics.kernel_discrepancy import KernelDiscrepancy, kernel_discrepancy
from chaosbench.metrics.largest_exponent_error import LargestExponentError, largest_exponent_error
from chaosbench.metrics.lyapunov_spectrum_error import LyapunovSpectrumError, lyapunov_spectrum_error
from chaosbench.metrics.mixture_divergence import MixtureDivergence, mixture_divergence
from chaosbench.metrics.normalised_error import NormalisedError, normalised_error
from chaosbench.metrics.orbits import ForecastMetric, FreeRunMetric
from chaosbench.metrics.power_spectrum_correlation import PowerSpectrumCorrelation, power_spectrum_correlation
from chaosbench.metrics.power_spectrum_distance import (
    PowerSpectrumDistance,
    power_spectrum,
    power_spectrum_distance,
)
from chaosbench.metrics.prediction_error import PredictionError, prediction_error
from chaosbench.metrics.scaled_error import ScaledError, scaled_error
from chaosbench.metrics.skill import Skill, too_good_to_be_true, valid_times
from chaosbench.metrics.sliced_wasserstein_distance import SlicedWassersteinDistance, sliced_wasserstein_distance
from chaosbench.metrics.state_space_divergence import (
    StateSpaceDensity,
    StateSpaceDivergence,
    off_grid_share,
    state_space_divergence,
)
from chaosbench.metrics.symmetric_percentage_error import SymmetricPercentageError, symmetric_percentage_error
from chaosbench.metrics.valid_prediction_time import ValidPredictionTime, valid_prediction_time

__all__ = [
    "CorrelationDimensionError",
    "Evaluation",
    "ForecastMetric",
    "FreeRunMetric",
    "HausdorffDistance",
    "KaplanYorkeError",
    "KernelDiscrepancy",
    "LargestExponentError",
    "LyapunovSpectrumError",
    "MetricSpec",
    "MixtureDivergence",
    "NormalisedError",
    "PowerSpectrumCorrelation",
    "PowerSpectrumDistance",
    "PredictionError",
    "ScaledError",
    "Skill",
    "SlicedWassersteinDistance",
    "StateSpaceDensity",
    "StateSpaceDivergence",
    "SymmetricPercentageError",
    "ValidPredictionTime",
    "correlation_dimension",
    "hausdorff_distance",
    "kaplan_yorke_error",
    "kernel_discrepancy",
    "largest_exponent_error",
    "lyapunov_spectrum_error",
    "median_over_runs",
    "mixture_divergence",
    "normalised_error",
    "off_grid_share",
    "power_spectrum",
    "power_spectrum_correlation",
    "power_spectrum_distance",
    "prediction_error",
    "scaled_error",
    "sliced_wasserstein_distance",
    "state_space_divergence",
    "symmetric_percentage_error",
    "too_good_to_be_true",
    "valid_prediction_time",
    "valid_times",
]
