"""A published board as one HTML file that works from the disk, without any request."""

from chaosbench.page.page import write_page

__all__ = ["write_page"]
