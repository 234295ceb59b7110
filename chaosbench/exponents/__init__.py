"""Lyapunov exponents of systems: certified, or computed on first use and cached."""

from chaosbench.exponents.certify import certify
from chaosbench.exponents.measured import cached_reference, cached_survey, largest_exponent, measured_reference

__all__ = ["cached_reference", "cached_survey", "certify", "largest_exponent", "measured_reference"]
