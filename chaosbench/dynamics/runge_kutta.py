"""A step of the eighth-order Dormand-Prince method for ordinary differential equations (DOP853)."""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor


def runge_kutta_step(vector_field: Callable[[Tensor], Tensor], state: Tensor, dt: float) -> Tensor:
    """Return the state after one step of DOP853: twelve evaluations, local error of order dt^9, fixed step size.

    Every operation is out of place, so that autograd, forward mode and `vmap` work.

    Args:
        vector_field: dz/dt as a function of z, `(..., S)` to `(..., S)` [1 / system time].
        state: `(..., S)`.
        dt: step size [system time].

    Returns:
        `(..., S)`.

    Source:
        Hairer, Norsett & Wanner 1993, Solving Ordinary Differential Equations I, second edition, section II.5;
        coefficients from the authors' code DOP853.
    """
    slopes: list[Tensor] = []
    for row in _scaled_tableau(dt):
        point = state
        for stage, weight in row:
            point = torch.add(point, slopes[stage], alpha=weight)
        if len(slopes) < 12:
            slopes.append(vector_field(point))
    return point


def embedded_runge_kutta_step(
    vector_field: Callable[[Tensor], Tensor], joined: Tensor, dt: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the result of one step of DOP853 with a size for each state, and two estimates of its error.

    Args:
        vector_field: time derivatives of states and tangents, `(n, S, M)` to `(n, S, M)` [1 / system time].
        joined: `(n, S, M)`.
        dt: step sizes, `(n)` [system time].

    Returns:
        The result and the estimates of order five and three, `(n, S, M)` each.
    """
    moves: list[Tensor] = []  # slopes times dt
    for row in _TABLEAU:
        point = _sum(row, moves, joined)
        if len(moves) < 12:
            moves.append(vector_field(point) * dt[:, None, None])
    third = {stage: weight - _THIRD.get(stage, 0.0) for stage, weight in _TABLEAU[-1].items()}
    nothing = torch.zeros_like(joined)
    return point, _sum(_FIFTH_ERROR, moves, nothing), _sum(third, moves, nothing)


def embedded_tableau() -> tuple[Tensor, Tensor]:
    """Return the weights of the slopes in each point, `(13, 12)`, and in the estimates of the error, `(2, 12)`."""
    third = {stage: weight - _THIRD.get(stage, 0.0) for stage, weight in _TABLEAU[-1].items()}
    rows = [[row.get(stage, 0.0) for stage in range(12)] for row in (*_TABLEAU, _FIFTH_ERROR, third)]
    weights = torch.tensor(rows, dtype=torch.float64)
    return weights[:-2], weights[-2:]


def _sum(weights: dict[int, float], moves: list[Tensor], start: Tensor) -> Tensor:
    for stage, weight in weights.items():
        start = torch.add(start, moves[stage], alpha=weight)
    return start


@lru_cache(maxsize=64)
def _scaled_tableau(dt: float) -> tuple[tuple[tuple[int, float], ...], ...]:
    """Return (stage, weight times dt) pairs for each stage, and for the result in the last row."""
    return tuple(tuple((stage, dt * weight) for stage, weight in row.items()) for row in _TABLEAU)


# Row i holds the weights of earlier slopes in the point at which slope i is evaluated; the last row is the step.
_TABLEAU: tuple[dict[int, float], ...] = (
    {},
    {0: 0.05260015195876773},
    {0: 0.0197250569845379, 1: 0.0591751709536137},
    {0: 0.02958758547680685, 2: 0.08876275643042054},
    {0: 0.2413651341592667, 2: -0.8845494793282861, 3: 0.924834003261792},
    {0: 0.037037037037037035, 3: 0.17082860872947386, 4: 0.12546768756682242},
    {0: 0.037109375, 3: 0.17025221101954405, 4: 0.06021653898045596, 5: -0.017578125},
    {
        0: 0.03709200011850479,
        3: 0.17038392571223998,
        4: 0.10726203044637328,
        5: -0.015319437748624402,
        6: 0.008273789163814023,
    },
    {
        0: 0.6241109587160757,
        3: -3.3608926294469414,
        4: -0.868219346841726,
        5: 27.59209969944671,
        6: 20.154067550477894,
        7: -43.48988418106996,
    },
    {
        0: 0.47766253643826434,
        3: -2.4881146199716677,
        4: -0.590290826836843,
        5: 21.230051448181193,
        6: 15.279233632882423,
        7: -33.28821096898486,
        8: -0.020331201708508627,
    },
    {
        0: -0.9371424300859873,
        3: 5.186372428844064,
        4: 1.0914373489967295,
        5: -8.149787010746927,
        6: -18.52006565999696,
        7: 22.739487099350505,
        8: 2.4936055526796523,
        9: -3.0467644718982196,
    },
    {
        0: 2.273310147516538,
        3: -10.53449546673725,
        4: -2.0008720582248625,
        5: -17.9589318631188,
        6: 27.94888452941996,
        7: -2.8589982771350235,
        8: -8.87285693353063,
        9: 12.360567175794303,
        10: 0.6433927460157636,
    },
    {
        0: 0.054293734116568765,
        5: 4.450312892752409,
        6: 1.8915178993145003,
        7: -5.801203960010585,
        8: 0.3111643669578199,
        9: -0.1521609496625161,
        10: 0.20136540080403034,
        11: 0.04471061572777259,
    },
)

# Weights of the embedded formula of order three, and of the difference from that of order five.
_THIRD: dict[int, float] = {0: 0.24409448818897638, 8: 0.7338466882816119, 11: 0.022058823529411766}
_FIFTH_ERROR: dict[int, float] = {
    0: 0.1312004499419488073250102996e-1,
    5: -0.1225156446376204440720569753e1,
    6: -0.4957589496572501915214079952,
    7: 0.1664377182454986536961530415e1,
    8: -0.3503288487499736816886487290,
    9: 0.3341791187130174790297318841,
    10: 0.8192320648511571246570742613e-1,
    11: -0.2235530786388629525884427845e-1,
}
