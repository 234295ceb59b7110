"""Errors that a user can correct; each message is one line."""

import difflib
from collections.abc import Iterable
from unicodedata import category

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs"})  # control, invisible formatting such as the direction of text, surrogates


class ChaosbenchError(Exception):
    """An error that the user can correct; its message is one line that names the culprit and the way out."""


class UnknownNameError(ChaosbenchError):
    """An unknown name."""


class SpecError(ChaosbenchError):
    """A suite, spec or option that is not valid."""


class DataError(ChaosbenchError):
    """Data that can be neither simulated nor read."""


class PluginError(ChaosbenchError):
    """A plug-in that is broken or clashes with another."""


class StepError(ChaosbenchError):
    """A function or an object that cannot be stepped, or states that are none."""


class StoreError(ChaosbenchError):
    """Results that cannot be read or written."""


def printable(text: str) -> str:
    """Return the text with control characters and unpaired surrogates escaped, so that it cannot steer a terminal.

    Line breaks and tabulators stay.
    """
    if text.isprintable():  # many texts are checked, and hardly any has such a character
        return text
    return "".join(_escaped(one) if category(one) in _UNPRINTABLE and one not in "\n\t" else one for one in text)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def one_line(error: BaseException) -> str:
    """Return the type and the message of an error in one line of at most 300 letters."""
    return printable(" ".join(f"{type(error).__name__}: {error}".split())[:300].rstrip(": "))


def unknown_name(what: str, name: str, known: Iterable[str], *, place: str = "", advice: str = "") -> UnknownNameError:
    """Return an error that names the nearest known name.

    Args:
        what: noun for the kind of name, such as "model".
        name: the unknown name.
        known: the names that exist.
        place: position of the unknown name in a file or on the command line.
        advice: a sentence on where the name is known, with a blank before it; it replaces the guess at another name.
    """
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near and not advice else f".{advice}"
    where = f"{place}: " if place else ""
    return UnknownNameError(f"{where}no {what} is called {name!r}{hint} Known: {', '.join(known) or 'none'}.")
