"""Write `benchmarks/kernels.md` from the files that `benchmarks/kernels_gpu.py` has written beside it."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
COUNTS = (1, 8, 64, 256)  # K
NAMES = {
    "shallow": "shallow PLRNN, M = 3, L = 50, folded at tau = 16",
    "plrnn": "PLRNN, M = 30, folded at tau = 30",
    "rnn": "tanh RNN, M = 30, folded at tau = 30",
    "almost_linear": "almost-linear RNN, M = 20, P = 2, partly forced at tau = 16",
    "lstm": "LSTM, M = 30, folded at tau = 30",
    "gru": "GRU, M = 30, folded at tau = 30",
}
HEAD = """# Compiled kernels on a GPU

Whole updates at T = 200, B = 16, D = 3, float32: windows drawn, unrolled, loss and gradients, clipping of each seed,
and Adam, captured once as a CUDA graph and replayed. Each entry is the median of 7 rounds of 50 updates [ms], with the
least and the most. "torch" is the same update, and the same graph, without the kernels; "triton 32x4" launches
blocks of 32 samples on 4 warps.
"""
SECTION = """
* card: {device}
* versions: torch {torch}, triton {triton}
* command: `{command}`, then `python benchmarks/kernels_page.py`
* checks on that card: {passed} of {checks} cases of loss and gradients agree with float64 autograd; the largest
  relative error is {error:.1e}
"""


def main() -> None:
    """Write the page."""
    page = [HEAD.rstrip()]
    for file in sorted(FOLDER.glob("kernels_gpu*.json")):
        page += section(json.loads(file.read_text()))
    (FOLDER / "kernels.md").write_text("\n".join(page) + "\n")


def section(result: dict[str, Any]) -> list[str]:
    """Return card, versions, checks and times of one file."""
    lines = result["lines"]
    checks = [line for line in lines if "check" in line]
    passed = [line for line in checks if line["ok"]]
    counts = {"checks": len(checks), "passed": len(passed), "error": max(line["error"] for line in passed)}
    return [SECTION.format(**result, **counts), *table([line for line in lines if "ms" in line])]


def table(lines: list[dict[str, Any]]) -> list[str]:
    """Return rows of a table, one for each family and way that was timed."""
    cells = {(line["family"], line["way"], line["K"]): line for line in lines}
    rows = [f"| network | way | {' | '.join(f'K = {count}' for count in COUNTS)} |", "|---|---|" + "---|" * len(COUNTS)]
    for family, way in dict.fromkeys((family, way) for family, way, _ in cells):
        row = [cell(cells.get((family, way, count))) for count in COUNTS]
        rows.append(f"| {NAMES[family]} | {way} | {' | '.join(row)} |")
    return rows


def cell(line: dict[str, Any] | None) -> str:
    """Format a median with its least and its most."""
    if line is None:
        return "not measured"
    return f"{line['ms']:.3f} ({line['least']:.3f} to {line['most']:.3f})"


if __name__ == "__main__":
    main()
