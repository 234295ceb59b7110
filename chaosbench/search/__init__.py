"""Search for the fields of a model and its trainer that forecast validation data best."""

from chaosbench.search.space import Range, SearchSpec

__all__ = ["Range", "SearchSpec"]
