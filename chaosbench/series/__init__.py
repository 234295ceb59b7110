"""Recorded series: reading files, and exponents estimated from data."""

from chaosbench.series.rosenstein import DivergenceCurve, delay_vectors, divergence_curve
from chaosbench.series.timeseries import TimeSeries

__all__ = ["DivergenceCurve", "TimeSeries", "delay_vectors", "divergence_curve"]
