"""Users' mistakes, each told in one line."""

import difflib
from collections.abc import Iterable


class ChaosbenchError(Exception):
    """Something the user can mend; its text is one line that names the culprit and the way out."""


class UnknownNameError(ChaosbenchError):
    """A name that nothing answers to."""


class SpecError(ChaosbenchError):
    """A suite, spec or option that does not validate."""


class DataError(ChaosbenchError):
    """Data that cannot be simulated or read."""


class PluginError(ChaosbenchError):
    """A plug-in that is broken or clashes with another."""


class StoreError(ChaosbenchError):
    """Results that cannot be read or written."""


def unknown_name(what: str, name: str, known: Iterable[str], *, place: str = "") -> UnknownNameError:
    """An error that names the nearest known names, and where the unknown one stands."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    where = f"{place}: " if place else ""
    return UnknownNameError(f"{where}no {what} is called {name!r}{hint} Known: {', '.join(known) or 'none'}.")
