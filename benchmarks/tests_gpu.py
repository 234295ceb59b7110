"""Run the tests that use a CUDA device: `python -m benchmarks.tests_gpu` prints what passed and failed as JSON.

The tests of Triton's kernels by its interpreter are not among them: they switch it on for a whole process.
"""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

# Trainings on both devices, the conformance kit, which tries every model on both, and what moves between them.
TESTS = (
    "tests/trainers/test_updates_on_cuda.py", "tests/testing", "tests/models", "tests/metrics/test_metric_specs.py",
    "tests/execution/test_placement.py",
)  # fmt: skip


def main() -> None:
    """Print numbers, and the names of what failed."""
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-p", "no:cacheprovider", "-p", "no:benchmark", "-n", "8", f"--junitxml={report}", *sys.argv[1:]]
        chosen = () if any(one.startswith("tests/") for one in sys.argv[1:]) else TESTS
        finished = subprocess.run([sys.executable, "-m", "pytest", *options, *chosen], check=False, stdout=sys.stderr)
        if not report.exists():
            sys.exit(finished.returncode or 1)
        cases = list(ElementTree.parse(report).iter("testcase"))
    bad = [f"{one.get('classname')}::{one.get('name')}" for one in cases if {"failure", "error"} & {x.tag for x in one}]
    skipped = sum(one.find("skipped") is not None for one in cases)
    passed = len(cases) - len(bad) - skipped
    print(json.dumps({"tests": len(cases), "passed": passed, "skipped": skipped, "failed": bad}))


if __name__ == "__main__":
    main()
