"""Measure, append to the Parquet files and print the table: `OMP_NUM_THREADS=1 python -m benchmarks [NAME ...]`."""

from argparse import ArgumentParser
from time import perf_counter

import torch

from benchmarks import diagnostics, memory, quickstart, slopes, systems, training
from benchmarks.lines import Line
from benchmarks.machine import here
from benchmarks.results import append, latest, read
from chaosbench.execution.freed_memory import keep_freed_memory
from docs.generate.performance import targets_table

BENCHMARKS = {
    "training": training,
    "diagnostics": diagnostics,
    "systems": systems,
    "slopes": slopes,
    "memory": memory,
    "quickstart": quickstart,
}


def main() -> None:
    """Run the benchmarks, print each line as it comes, and print the table of targets."""
    parser = ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--long", action="store_true", help="add what takes longer than minutes, and memory")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"unknown benchmarks {sorted(unknown)}; known: {', '.join(BENCHMARKS)}")
    torch.set_num_threads(1)
    keep_freed_memory()  # as in the worker processes; the published loops gain from it, too
    where = here()
    for name in options.names or BENCHMARKS:
        began = perf_counter()
        for line in BENCHMARKS[name].lines(long=options.long):
            print(described(line), flush=True)
            append([line], where)  # at once, so that an interruption loses nothing
        print(f"{name}: {perf_counter() - began:.0f} s", flush=True)
    print(targets_table(latest(read())))


def described(line: Line) -> str:
    """Format a line for the terminal."""
    size = ", ".join(f"{name} = {value}" for name in ("K", "T", "M") if (value := getattr(line, name)))
    against = f", {line.rival}" if line.rival else ""
    if line.value is None:
        return f"{line.what} ({size}){against}: not measured, {line.reason}"
    text = f"{line.what} ({size}): {line.value:.3g} {line.unit} ({line.least:.3g} to {line.most:.3g})"
    if line.reason:
        return f"{text}{against}: not measured, {line.reason}"
    if line.ratio is None:
        return text
    spread = f"{line.ratio_least:.3g} to {line.ratio_most:.3g}"
    return f"{text}{against} {line.rival_value:.3g} {line.unit}, ratio {line.ratio:.3g} ({spread})"


if __name__ == "__main__":
    main()
