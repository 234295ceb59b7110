"""The contract of a picture: where its numbers come from, how they are stored as a table, and how they are drawn."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chaosbench.spec import Spec

if TYPE_CHECKING:  # the registry lists pictures without pyarrow and matplotlib
    from matplotlib.figure import Figure

    from chaosbench.leaderboard.board import Board
    from chaosbench.leaderboard.folder import Stored

Array = np.ndarray[Any, Any]
Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Axis:
    """One axis of an array, stored as a column of the table.

    Attributes:
        column: name of the column.
        argument: name of the argument with the coordinates along the axis; if empty or missing, the column counts
            from 0.
        unit: unit of the column.
        description: description of the column.
    """

    column: str
    argument: str
    unit: str
    description: str


@dataclass(frozen=True)
class Quantity:
    """An array with its axes, or a number without any."""

    unit: str
    description: str
    axes: tuple[Axis, ...] = ()


@dataclass(frozen=True)
class Layout:
    """The arguments of a picture as columns and rows of its table.

    Attributes:
        description: the subject of the picture.
        quantities: each numeric argument, by name.
        texts: names of the arguments that are text.
    """

    description: str
    quantities: Mapping[str, Quantity]
    texts: tuple[str, ...] = ("label",)

    @property
    def axes(self) -> tuple[Axis, ...]:
        """One axis per column; where two axes share a column, the first one."""
        axes = [axis for quantity in self.quantities.values() for axis in quantity.axes]
        return tuple({axis.column: axis for axis in reversed(axes)}.values())[::-1]

    @property
    def coordinates(self) -> set[str]:
        """Names of all arguments with coordinates."""
        return {axis.argument for quantity in self.quantities.values() for axis in quantity.axes}


# Shared by several pictures.
SEED = Axis("seed", "seeds", "", "seed of the run")
OBSERVABLE = Axis("observable", "names", "", "name or number of the observable")
DIVERGED = Quantity("steps", "number of steps after which the free run diverged")


class PictureSpec(Spec, ABC):
    """A picture; subclass `ExperimentPicture` or `BoardPicture`.

    A picture collects its arguments from stored results and draws a figure from these arguments alone. They are also
    stored as a table, from which the same figure can be drawn again. `kind` is the name of the files.

    Attributes:
        layout: how the arguments are stored.
    """

    layout: ClassVar[Layout]

    @abstractmethod
    def figure(self, arguments: Arguments) -> "Figure":
        """Draw the figure; import matplotlib here, not at the top of the module."""


class ExperimentPicture(PictureSpec):
    """A picture of one experiment, drawn into the experiment's folder.

    Attributes:
        needs: arrays of the experiment without which the picture is not drawn.
    """

    needs: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def arguments(self, stored: "Stored", arrays: Mapping[str, Array]) -> Arguments | None:
        """Return the arguments of the figure, or None if there is nothing to draw.

        Args:
            stored: the experiment with its runs and records.
            arrays: the arrays stored with it, such as `truth` `(T, D)` and `free_run` `(K, T, D)`.
        """


class BoardPicture(PictureSpec):
    """A picture that compares the experiments of one board of a ranking, drawn into the results directory."""

    @abstractmethod
    def arguments(self, board: "Board", experiments: Sequence["Stored"]) -> Arguments | None:
        """Return the arguments of the figure, or None if there is nothing to draw.

        Args:
            board: the ranked entries.
            experiments: the experiments that the entries come from.
        """
