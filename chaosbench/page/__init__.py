"""Published boards as HTML files that work from the disk, without any request."""

from chaosbench.page.page import write_page
from chaosbench.page.site import is_site, write_site

__all__ = ["is_site", "write_page", "write_site"]
