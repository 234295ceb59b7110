"""Triton's kernels compile for a GPU, which needs none; the interpreter of the other tests accepts more than Triton."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(find_spec("triton") is None, reason="needs triton")
def test_all_kernels_of_training_compile_for_an_h100():
    """In a process of its own, since other tests switch on the interpreter for theirs."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    program = Path(__file__).with_name("compile_for_hopper.py")
    finished = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr[-3000:]
    names = ("_forward", "_backward", "_lstm_forward", "_lstm_backward", "gru_forward", "gru_backward")
    assert all(f"'{name}': " in finished.stdout for name in names)
