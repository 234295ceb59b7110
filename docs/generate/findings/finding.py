"""The parts of a finding, and how they are written down."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaosbench.intervals import half_width
from docs.generate.markdown import table

Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Finding:
    """An answer to a question, with its uncertainty, a picture and the command that shows it.

    Attributes:
        name: of the picture's file, without suffix.
        question: the title.
        answer: what was found, with its uncertainty.
        control: what the comparison holds equal, and which bad run could mislead it.
        header, rows: of the table below the picture.
        command: shows the numbers.
        caption: of the picture.
        draw: draws the picture into a file.
    """

    name: str
    question: str
    answer: str
    control: str
    header: tuple[str, ...]
    rows: Rows
    command: str
    caption: str
    draw: Callable[[Path], None]

    def text(self, number: int, pictures: str) -> str:
        """Return the finding in Markdown.

        Args:
            number: of the finding on its page, from 1.
            pictures: the folder of pictures, as seen from the page.
        """
        return "\n\n".join(
            [
                f"## {number}. {self.question}",
                self.answer,
                self.control,
                f"![{self.caption}]({pictures}/{self.name}.png)",
                table(self.header, self.rows),
                f"```shell\n{self.command}\n```",
            ]
        )


def short(title: str) -> str:
    """Return the title of a board as a page calls it: `lorenz63, noise=0.05`, `santa_fe_laser`."""
    system, _, data = title.partition(", data(")
    kind, _, rest = system.partition("(")
    if kind == "timeseries":
        return rest.partition(" ")[0]
    return f"{system}, {data.removesuffix(')')}" if data else system


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean and the ends of its 95 % interval (Student's t)."""
    mean, width = statistics.fmean(values), half_width(statistics.stdev(values), len(values))
    return mean, mean - width, mean + width


def chance(value: float) -> str:
    """Return a probability with two digits."""
    return f"{value:.2f}"


def p_text(value: float | None) -> str:
    """Return a p-value."""
    if value is None:
        return "too few systems"
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"
