"""A computation that keeps to its time: shares of what is left, and reports of progress."""

import time
from collections.abc import Callable

Report = Callable[[str, float], None]  # phase and time left [seconds]
_KEPT = 0.1  # share of the budget that is kept for what cannot be stopped


class Timer:
    """The time that a computation may take.

    Args:
        budget: time from now on [seconds].
        report: called with the phase and the seconds left, at its start and during it.
        clock: returns the time [seconds].
    """

    def __init__(
        self, budget: float, report: Report | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._clock, self._report, self._phase = clock, report, ""
        self._end = clock() + (1 - _KEPT) * budget

    @property
    def left(self) -> float:
        """Time left, at least zero [seconds]."""
        return max(0.0, self._end - self._clock())

    def begin(self, phase: str) -> None:
        """Report the begin of a phase."""
        self._phase = phase
        self._tell()

    def share(self, part: float) -> Callable[[], bool]:
        """Return a function that is true until this part of the time that is left now has passed."""
        end = self._clock() + part * self.left

        def goes_on() -> bool:
            self._tell()
            return self._clock() < end

        return goes_on

    def part(self, part: float) -> "Timer":
        """Return a timer for a part of the time that is left, with the same clock and without reports."""
        return Timer(part * self.left, None, self._clock)

    def duration(self, action: Callable[[], object]) -> float:
        """Return the time that an action takes [seconds]."""
        began = self._clock()
        action()
        return max(1e-9, self._clock() - began)

    def _tell(self) -> None:
        if self._report is not None:
            self._report(self._phase, self.left)
