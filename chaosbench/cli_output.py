"""Standard output that ends early, and errors on standard error."""

import os
import sys

from chaosbench.errors import printable


def discard_output() -> None:
    """Redirect standard output to nowhere, so that the interpreter does not fail to flush it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_error(text: str) -> None:
    """Print a message as one line on standard error."""
    print(printable(" ".join(text.split())), file=sys.stderr)
