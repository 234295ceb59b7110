"""How a trained model is evaluated."""

from math import ceil, log

from pydantic import Field

from chaosbench.spec import Content

_LEAST_HORIZON = 2_000  # [steps] of short forecasts unless a suite sets fewer
_LEAST_TIMES = 20.0  # [Lyapunov times]
_MARGIN = 1.5  # the growth of errors differs between conditions


class EvaluationSpec(Content):
    """How a trained model is evaluated: long free runs for statistics, short forecasts for errors, and exponents.

    Every model receives the same history, whatever part of it the model needs.
    """

    context: int = Field(200, ge=1)  # H, observations before each free run and forecast, and of each exponent [steps]
    free_runs: int = Field(4, ge=1)  # R, each from the first `context` observations of its own test orbit
    free_run_steps: int = Field(10_000, ge=10)  # [steps] compared with the truth
    free_run_transient: int = Field(2_500, ge=0)  # [steps] dropped before those
    conditions: int = Field(100, ge=1)  # C, initial conditions of short forecasts, on the test orbits
    horizon: int | None = Field(None, ge=1)  # [steps] of each short forecast; None: long enough for the system
    exponents: int | None = Field(None, ge=1)  # number of Lyapunov exponents; None: as many as observables
    exponent_conditions: int = Field(10, ge=1)  # free runs over which exponents are averaged
    exponent_steps: int = Field(2_000, ge=1)  # [steps] of each
    exponent_transient: int = Field(500, ge=0)  # [steps] dropped from each
    exponent_bounded_share: float = Field(0.9, ge=0, le=1)  # of those free runs; with fewer bounded ones no exponents

    def exponent_count(self, dimension: int) -> int:
        """Return how many Lyapunov exponents are compared, for data of that many observables."""
        return self.exponents or dimension

    def forecast_steps(self, lyapunov_time: float | None, *, error: float, length: int) -> int:
        """Return the length of short forecasts [steps]: `horizon`, or else one that suits the system.

        That is at least 2,000 steps, and for a chaotic system at least 20 Lyapunov times and half as long again as an
        initial error takes to grow to the size of the attractor, ln(1 / error) Lyapunov times. It is at most half of a
        test orbit, so that conditions differ.

        Args:
            lyapunov_time: 1 / lambda_1 of the system [steps]; None: not chaotic.
            error: of the initial conditions, in standard deviations.
            length: of a test orbit [steps].
        """
        if self.horizon is not None:
            return self.horizon
        times = max(_LEAST_TIMES, _MARGIN * log(1 / error))
        wanted = _LEAST_HORIZON if lyapunov_time is None else max(_LEAST_HORIZON, ceil(times * lyapunov_time))
        return max(1, min(wanted, length // 2))
