"""Benchmarks: ratios against named rivals, and the memory and time of our own code."""
