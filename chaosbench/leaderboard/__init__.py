"""Results at rest and their ranking."""
