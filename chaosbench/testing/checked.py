"""The outcome of one check of a plug-in."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Checked:
    """The outcome of one check.

    Attributes:
        plugin: name of the plug-in.
        noun, kind: what was checked; empty where the plug-in as a whole was.
        check: name of the check, such as "check_model" or "training".
        failure: the broken promise in a sentence; None if there is none.
        omitted: why the check could not be done; None if it was.
    """

    plugin: str
    noun: str
    kind: str
    check: str
    failure: str | None = None
    omitted: str | None = None
