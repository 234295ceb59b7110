"""Lyapunov exponents of systems: certified, or computed on first use and cached."""

from chaosbench.exponents.certify import certify
from chaosbench.exponents.measured import cached_reference, cached_survey, largest_exponent, measured_reference
from chaosbench.exponents.single_orbit import certify_orbit

__all__ = [
    "cached_reference",
    "cached_survey",
    "certify",
    "certify_orbit",
    "largest_exponent",
    "measured_reference",
]
