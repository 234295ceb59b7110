"""The generated pages."""

from pathlib import Path

import pytest

from chaosbench import registry
from docs.generate.pages import page

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("plural", ["models", "trainers"])
def test_the_page_in_the_docs_is_what_the_command_prints(plural: str):
    assert (DOCS / f"{plural}.md").read_text() == page(registry.load(), plural)


@pytest.mark.parametrize("plural", ["models", "trainers"])
def test_every_built_in_kind_names_its_source(plural: str):
    loaded = registry.load()
    for kind, spec in loaded.kinds[plural.removesuffix("s")].items():
        if loaded.origins[plural.removesuffix("s"), kind].startswith("chaosbench "):
            assert "Source:" in (spec.__doc__ or ""), kind
