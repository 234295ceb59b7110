"""Suites that come with chaosbench, found by name."""
