"""A mark for tests that need Triton's interpreter: that of Triton 3.6, which comes with torch 2.11, needs numpy 2.3."""

from importlib.metadata import PackageNotFoundError, version

import pytest


def _release(package: str) -> tuple[int, ...]:
    try:
        return tuple(map(int, version(package).split(".")[:2]))
    except PackageNotFoundError:
        return ()


needs_interpreter = pytest.mark.skipif(
    () < _release("triton") < (3, 7) and _release("numpy") >= (2, 4),
    reason="the interpreter of Triton before 3.7 takes no numpy from 2.4 on",
)
