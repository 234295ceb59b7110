"""Fixtures for tests of recorded series."""

from pathlib import Path

import pytest


@pytest.fixture
def stem(tmp_path: Path) -> Path:
    """A path without suffix for the file of a test."""
    return tmp_path / "series"
