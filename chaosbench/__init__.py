"""A benchmark for recurrent networks trained on chaotic data."""

__version__ = "0.1.0"
