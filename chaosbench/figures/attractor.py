"""A picture of orbits in state space: the truth beside a free run."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from chaosbench.figures.base import OBSERVABLE, Arguments, Array, Axis, ExperimentPicture, Layout, Quantity
from chaosbench.figures.panels import generated_panel, new_figure, observables, paired_panels, true_panel
from chaosbench.figures.records import title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chaosbench.leaderboard.folder import Stored

_AXES = (Axis("step", "", "steps", "time"), OBSERVABLE)


class Attractor(ExperimentPicture):
    """A true orbit and the free run of the median seed in state space, with equal ranges.

    For a recorded series the training data stand in for the true orbit.
    """

    kind: Literal["attractor"] = "attractor"
    needs: ClassVar[frozenset[str]] = frozenset({"truth", "free_run", "dt"})
    layout: ClassVar[Layout] = Layout(
        "a true orbit and a free run of the trained model in state space",
        {
            "truth": Quantity("std", "a true orbit", _AXES),
            "free_run": Quantity("std", "a free run; NaN from the step at which it diverged", _AXES),
        },
    )

    @override
    def arguments(self, stored: "Stored", arrays: Mapping[str, Array]) -> Arguments:
        run = stored.median_run
        orbits = arrays.get("measured", arrays["truth"]), arrays["free_run"][run]
        truth, free_run = (series[:, :3] for series in orbits)
        return {"truth": truth, "free_run": free_run, "label": title(stored, run=run)}

    @override
    def figure(self, arguments: Arguments) -> "Figure":
        return attractor(**arguments)


def attractor(truth: Array, free_run: Array, *, names: Sequence[str] = (), label: str = "") -> "Figure":
    """Draw the true orbit beside a generated one, in the same ranges.

    Three observables or more are drawn as a curve in the first three, two as points in the plane, and one as the next
    value against the present value.

    Args:
        truth, free_run: `(T, D)`, standardised; the free run is NaN from the step at which it diverged.
        names: names of the observables.
        label: title of the run.
    """
    names = observables(names, truth.shape[1])
    figure = new_figure(8.4, 4.3, label)
    left, right = paired_panels(figure, solid=truth.shape[1] > 2)
    true_panel(left, truth, names)
    generated_panel(right, free_run, truth, names)
    return figure
