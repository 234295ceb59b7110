"""The conformance check of pictures passes every registered picture and fails every broken one."""

import itertools
from typing import ClassVar

import numpy as np
import pytest
from registered_kinds import KNOWN

from chaosbench.figures import Axis, ExperimentPicture, Layout, Quantity, new_figure
from chaosbench.leaderboard.folder import forecast
from chaosbench.testing import check_picture
from chaosbench.testing.stored_runs import sound_experiments

# What only experiments with recorded series store.
SEPARATION = {
    "divergence_times": np.arange(20.0),
    "divergence": np.linspace(-3, 0, 20),
    "divergence_fit": np.array([3.0, 0.1, 2, 10]),  # slope, interval, first and last step
}


@pytest.mark.parametrize("kind", KNOWN["picture"])
def test_every_picture_passes(kind: str):
    picture = KNOWN["picture"][kind]()
    extra = SEPARATION if getattr(picture, "needs", frozenset()) & SEPARATION.keys() else {}
    arrays = forecast(sound_experiments()[0].folder) | extra if extra else None
    check_picture(picture, arrays=arrays)  # type: ignore[arg-type]  # a PictureSpec


class Curve(ExperimentPicture):
    """The first observable of the truth; it is good where it is not overridden."""

    kind: str = "curve"
    needs: ClassVar = frozenset({"truth"})
    layout: ClassVar = Layout(
        "the truth", {"x": Quantity("std", "x", (Axis("step", "", "steps", "time"),))}, ("label",)
    )

    def arguments(self, stored, arrays):
        return {"x": arrays["truth"][:, 0], "label": "truth"}

    def figure(self, arguments):
        figure = new_figure(2, 2, arguments["label"])
        figure.subplots().plot(arguments["x"])
        return figure


class KeepsPyplotFigures(Curve):
    def figure(self, arguments):
        from matplotlib import pyplot

        figure, axes = pyplot.subplots()
        axes.plot(arguments["x"])
        return figure


class ChangesSettings(Curve):
    def figure(self, arguments):
        import matplotlib as mpl

        mpl.rcParams["lines.linewidth"] = mpl.rcParams["lines.linewidth"] + 1
        return super().figure(arguments)


class CountsItsFigures(Curve):
    def figure(self, arguments):
        return super().figure({**arguments, "label": f"figure {next(numbers)}"})


numbers = itertools.count()


class OmitsFromItsLayout(Curve):
    def arguments(self, stored, arrays):
        return {**super().arguments(stored, arrays), "colour": "red"}


class LosesItsTitle(Curve):
    """Draws a title where it gets one, which the layout does not store."""

    layout: ClassVar = Layout("the truth", Curve.layout.quantities, ())

    def arguments(self, stored, arrays):
        return {"x": arrays["truth"][:, 0]}

    def figure(self, arguments):
        return super().figure({**arguments, "label": arguments["x"].dtype.name + str(id(arguments["x"]))})


class ScalesWhatIsStored(Curve):
    def arguments(self, stored, arrays):
        arrays["truth"] *= 2
        return super().arguments(stored, arrays)


class NeedsAScore(Curve):
    """Takes for granted that every run has a finite score, which a diverged one has not."""

    def arguments(self, stored, arrays):
        scores = [row["value"] for row in stored.records if row["better"] and row["update"] is None]
        return {**super().arguments(stored, arrays), "label": f"{sum(scores):.3g}"}


class NeedsWhatNothingStores(Curve):
    needs: ClassVar = frozenset({"thruth"})


class DrawsNothing(Curve):
    def arguments(self, stored, arrays):
        return None


class WithoutDescription(Curve):
    layout: ClassVar = Layout("the truth", {"x": Quantity("std", "", (Axis("step", "", "steps", "time"),))})


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (KeepsPyplotFigures, ["no figure must stay open", "1", "new_figure"]),
        (ChangesSettings, ["global settings"]),
        (CountsItsFigures, ["two pictures", "equal in every pixel"]),
        (OmitsFromItsLayout, ["in the layout", "colour"]),
        (LosesItsTitle, ["equal in every pixel"]),
        (ScalesWhatIsStored, ["must not change what is stored", "copies"]),
        (NeedsAScore, ["diverged at the first update", "TypeError"]),
        (NeedsWhatNothingStores, ["`needs`", "thruth", "truth"]),
        (DrawsNothing, ["something to draw", "None"]),
        (WithoutDescription, ["description of x"]),
    ],
)
def test_a_broken_picture_fails_with_the_promise_that_it_breaks(picture, words: list[str]):
    from matplotlib import pyplot

    with pytest.raises(AssertionError) as raised:
        check_picture(picture())
    pyplot.close("all")
    pyplot.rcdefaults()
    assert [word for word in words if word not in str(raised.value)] == []


def test_a_sound_picture_of_a_dozen_lines_passes():
    check_picture(Curve())
