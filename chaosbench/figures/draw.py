"""The pictures of an experiment, as far as its folder has the numbers; matplotlib is imported to draw, not before."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from chaosbench.errors import StoreError
from chaosbench.figures import arguments as shown
from chaosbench.figures.attractor import ATTRACTOR
from chaosbench.figures.base import Picture
from chaosbench.figures.convergence import CONVERGENCE
from chaosbench.figures.forcing_curve import FORCING_CURVE
from chaosbench.figures.gradient_growth import GROWTH
from chaosbench.figures.neighbour_separation import DIVERGENCE
from chaosbench.figures.power_spectrum import SPECTRUM
from chaosbench.figures.return_map import RETURN_MAP
from chaosbench.figures.training_curves import TRAINING
from chaosbench.figures.valid_times import VALID_TIMES
from chaosbench.leaderboard import tidy
from chaosbench.leaderboard.folder import Arrays, Stored, forecast

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def available() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw(stored: Stored) -> list[Path]:
    """Draw every picture of a published experiment beside its numbers, as `.pdf` and `.png`, with its data as `.arrow`.

    Returns:
        What was written: nothing without matplotlib, and only what there are arrays and records for.
    """
    if not available():
        return []
    arrays = forecast(stored.folder)
    return [
        path
        for picture, needed, arguments in _PICTURES
        if needed <= arrays.keys() and (given := arguments(stored, arrays)) is not None
        for path in picture.save(stored.folder, given)
    ]


def redraw(path: Path) -> "Figure":
    """The picture whose data are in an `.arrow` file, from that file alone.

    Raises:
        StoreError: where it holds no data of a picture.
    """
    table = tidy.read(path)
    known = {picture.layout.name: picture for picture in (*(row[0] for row in _PICTURES), FORCING_CURVE)}
    name = tidy.picture_of(table)
    if name not in known:
        raise StoreError(f"{str(path)!r} is of a picture {name!r}; this chaosbench draws {', '.join(sorted(known))}")
    return known[name].figure(**known[name].layout.arguments(table))


_ORBITS = frozenset({"truth", "free_run", "dt"})

_PICTURES: tuple[tuple[Picture, frozenset[str], Callable[[Stored, Arrays], shown.Arguments | None]], ...] = (
    (ATTRACTOR, _ORBITS, shown.attractor),
    (SPECTRUM, _ORBITS, shown.spectrum),
    (RETURN_MAP, _ORBITS, shown.return_map),
    (DIVERGENCE, frozenset({"divergence", "divergence_times", "divergence_fit"}), shown.divergence),
    (GROWTH, frozenset({"growth_horizons", "growth_state", "dt"}), shown.growth),
    (CONVERGENCE, frozenset({"exponents_steps", "exponents_running"}), shown.convergence),
    (VALID_TIMES, frozenset({"valid_times"}), shown.valid_times),
    (TRAINING, frozenset(), shown.training),
)
