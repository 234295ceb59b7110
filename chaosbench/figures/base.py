"""A picture at rest: for print, for the screen, and as the numbers it can be drawn again from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaosbench.files import write_whole
from chaosbench.leaderboard import tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What pictures of many kinds have: the seeds and the names that they are given, and where a free run ended.
SEED = tidy.Axis("seed", "seeds", "", "seed of the run")
OBSERVABLE = tidy.Axis("observable", "names", "", "name or number of the observable")
DIVERGED = tidy.Quantity("steps", "after how many steps the free run diverged")

_RESOLUTION = 150  # [dots per inch] of what is a picture of dots: the PNG, and dense lines in the PDF


@dataclass(frozen=True)
class Picture:
    """A function that draws, and the layout of what it is given: its arguments by name."""

    figure: Callable[..., "Figure"]
    layout: tidy.Layout

    def save(self, folder: Path, arguments: Mapping[str, Any], *, name: str = "") -> list[Path]:
        """Write `.arrow`, `.pdf` and `.png` into a folder; each is there whole or not at all.

        Args:
            arguments: of the function.
            name: of the files; the layout's own where empty.
        """
        path = folder / (name or self.layout.name)
        numbers = tidy.write(path.with_name(f"{path.name}.arrow"), self.layout.table(arguments))
        return [numbers, *_saved(self.figure(**arguments), path)]


def _saved(figure: "Figure", path: Path) -> list[Path]:
    figure.draw_without_rendering()  # finds the layout once instead of once per file
    figure.set_layout_engine("none")
    saved = []
    for ending, metadata in (("pdf", {"CreationDate": None}), ("png", {})):  # the same picture is the same file
        write = partial(figure.savefig, dpi=_RESOLUTION, metadata=metadata)
        saved.append(write_whole(path.with_name(f"{path.name}.{ending}"), write))
    return saved
