"""A run's diagnosis in words, computed from its stored numbers."""
