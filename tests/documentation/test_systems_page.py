from pathlib import Path

import pytest

from docs.generate.certificates import SHIPPED
from docs.generate.systems import page

PAGE = Path(__file__).parents[2] / "docs" / "systems.md"


@pytest.mark.skipif(not PAGE.exists(), reason="an installed copy has no docs")
def test_the_page_in_the_docs_is_what_the_command_prints():
    """To update the page: python -m docs.generate.systems > docs/systems.md."""
    assert PAGE.read_text() == page()


def test_the_page_describes_every_system_with_its_source():
    text = page()
    for system in SHIPPED:
        assert f"| `{system.label}` |" in text
        assert f"\n## {system.kind}\n" in text
    assert text.count("Source: ") == len({system.kind for system in SHIPPED})
