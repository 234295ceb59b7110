"""Recorded series: reading files, and exponents estimated from data."""

from chaosbench.series.rosenstein import delay_vectors, separation_curve
from chaosbench.series.timeseries import TimeSeries

__all__ = ["TimeSeries", "delay_vectors", "separation_curve"]
