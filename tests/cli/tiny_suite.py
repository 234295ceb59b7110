"""A suite that runs in seconds."""

from collections.abc import Sequence


def tiny_suite(*, seeds: Sequence[int], intervals: Sequence[int], metrics: Sequence[str] = ()) -> str:
    """Return the TOML of a suite with one network on the Hénon map, and a trainer for each forcing interval."""
    chosen = f"metrics = {list(metrics)}" if metrics else ""
    return f"""
suite = "tiny"
seeds = {list(seeds)}
{chosen}
[data]
train_orbits = 4
train_length = 200
validation_orbits = 0
test_orbits = 2
test_length = 400
[evaluation]
free_runs = 1
free_run_steps = 300
free_run_transient = 10
horizon = 50
conditions = 5
exponent_steps = 50
exponent_transient = 10
exponent_conditions = 2
[[systems]]
kind = "henon"
[[models]]
kind = "shallow_plrnn"
hidden = 10
[[trainers]]
kind = "sparse_teacher_forcing"
interval = {list(intervals)}
updates = 20
sequence_length = 20
batch = 4
"""
