from itertools import count

import pytest
from stored_runs import StoredSeed, publish

from chaosbench.explain.explanation import explain


@pytest.fixture
def paragraphs(tmp_path):
    """The paragraphs about one seed of a stored experiment, by heading."""
    folders = count()

    def read(*seeds, seed=None, **arguments):
        stored = [StoredSeed(content) if isinstance(content, dict) else content for content in seeds]
        return dict(explain(publish(tmp_path / str(next(folders)), *stored, **arguments), seed).paragraphs)

    return read
