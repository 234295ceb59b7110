"""Coexisting attractors: orbits sorted by what they do and by where they live."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from chaosbench.dynamics.ensembles import Ensemble
from chaosbench.dynamics.returns import repeats
from chaosbench.intervals import half_width

_SETTLING, _REGULAR, _CHAOTIC, _UNDECIDED = -1, 0, 1, 2  # a negative, a zero and a positive largest exponent
_BATCHES = 5  # of a half of a run, for the error of its exponents
_LINK = 7.0  # two orbits differ if any quantity differs by more standard errors; 7 is 5 errors of a difference
_APART = 3.0  # a single orbit is on an attractor of its own if it differs from all others by three times that
_FAMILY = 6  # more groups than this of one kind of motion are a family that depends on the start
_COORDINATES = 8  # whose means and deviations show where an orbit lives
_COMPARED = 512  # orbits; the others join the nearest group
_DOUBLINGS = 4  # near the onset of chaos, every 2^4-th state lies in a small part of the attractor
_SMALL = 0.2  # largest size of these parts, in that of the attractor
# At the onset of chaos by doublings, tangents grow at most as t^(ln alpha / ln 2) with Feigenbaum's alpha (Baldovin &
# Robledo 2002, Physical Review E 66, 045104), here counted with a nat for the single step of largest growth.
_POWER = math.log(2.502907875) / math.log(2)
_LEAST = -1e3  # a superstable orbit has the rate -inf [1 / system time]


class Sorting(NamedTuple):
    """Orbits sorted into attractors.

    Attributes:
        groups: `(B,)`, number of each orbit's attractor, 0 for the most frequent; -1 where an orbit fits none.
        periods: `(B,)`, time after which an orbit repeats itself, 0 for an orbit at rest; infinite if it does not
            [steps].
        changed: `(B,)`, true where an orbit moved otherwise in the first half of the run than in the second: its
            transient ended there.
        switching: true if orbits change in both directions between regular and chaotic motion, so that these are no
            attractors of their own.
        family: true if orbits of one kind of motion differ from each other without forming few groups, as in a
            conservative system.
    """

    groups: Tensor
    periods: Tensor
    changed: Tensor
    switching: bool
    family: bool


@torch.no_grad()
def sort_orbits(ensemble: Ensemble, paths: Sequence[Tensor], *, continuous: bool) -> Sorting:
    """Sort bounded orbits into attractors.

    Orbits belong together if they move alike (by the sign of the largest exponent, and by whether they repeat
    themselves), and if neither their exponents nor their whereabouts differ by more than these vary between the two
    halves of an orbit. An orbit whose exponent is too uncertain for a decision joins the nearest group, so that a short
    run finds fewer attractors, not more.

    Args:
        ensemble: orbits that did not blow up.
        paths: a stretch of each orbit at successive steps, `(B, T, S)`, from the begin of the run and from its end.
            Where an orbit lives counts only as far as it is the same in both.
        continuous: true for a flow, false for a map.
    """
    halves = _halves(ensemble.counted.clamp(min=_LEAST))  # (B, 2, K / 2, M)
    exponent, error = _exponents(halves)
    lags, repeating = repeats(paths[-1], continuous=continuous)
    kinds, switching = _kinds(exponent, error, _resolutions(ensemble, paths[-1], continuous=continuous), repeating)
    changed = (kinds[:, 0] != kinds[:, 1]) & (kinds != _UNDECIDED).all(1)
    kind = torch.where(kinds[:, 1] == _UNDECIDED, kinds[:, 0], kinds[:, 1])
    growth = halves.mean(2).cumsum(-1)[..., :4]  # of lengths, areas, ...: these do not mix directions
    places = torch.stack([_whereabouts(path) for path in paths], dim=1)
    groups, family = torch.full_like(kind, -1), False
    for value in (_SETTLING, _REGULAR, _CHAOTIC):
        members = ((kind == value) & ~changed).nonzero().flatten()
        if len(members):
            rates, where = growth[members], places[members]
            if value == _SETTLING:  # these differ by where they end; how fast they get there depends on rounding
                rates, where = torch.zeros_like(rates), where[:, 1:].expand_as(where)
            own, many = _linked(rates, where, places, ensemble.resolution)
            groups[members] = torch.where(own >= 0, own + groups.max() + 1, -1)
            family = family or many
    groups = _joined(groups, exponent.mean(1), error.amax(1), (kind == _UNDECIDED) | changed)
    periods = torch.where(repeating, lags, torch.inf)
    return Sorting(_by_frequency(groups), periods, changed, switching, family)


def _whereabouts(path: Tensor) -> Tensor:
    """Return means and deviations of coordinates along a path, `(B, F)`.

    Of more than eight coordinates, the first seven and the root mean square of all are taken.
    """
    if path.shape[-1] > _COORDINATES:
        size = path.square().mean(-1, keepdim=True).sqrt()
        path = torch.cat([path[..., : _COORDINATES - 1], size], dim=-1)
    return torch.cat([path.mean(1), path.std(1)], dim=-1)


def _halves(rates: Tensor) -> Tensor:
    count = rates.shape[1] // 2
    return torch.stack([rates[:, :count], rates[:, rates.shape[1] - count :]], dim=1)


def _exponents(halves: Tensor) -> tuple[Tensor, Tensor]:
    """Return the largest exponent of each half and the half width of its interval, both `(B, 2)`."""
    first = halves[..., 0]
    batches = min(_BATCHES, first.shape[-1])
    length = first.shape[-1] // batches
    batched = first[..., : batches * length].unflatten(-1, (batches, length)).mean(-1)
    return first.mean(-1), half_width(batched.std(-1), batches).nan_to_num(torch.inf)


def _resolutions(ensemble: Ensemble, path: Tensor, *, continuous: bool) -> Tensor:
    """Return the largest apparent exponent that tangents show without chaos in half a run, `(B, 1)`."""
    plain = torch.full((len(path), 1), 2 * ensemble.resolution, dtype=torch.float64, device=path.device)
    if continuous:
        return plain
    steps = ensemble.steps / 2
    banded = (_POWER * math.log(steps) + 1) / (steps * ensemble.dt)
    return torch.where(doublings(path)[:, None], plain.clamp(min=banded), plain)


def doublings(path: Tensor) -> Tensor:
    """Return a mask `(B,)` of the orbits that visit small bands in turn, as after many period doublings.

    Args:
        path: states at successive steps, `(B, T, S)`.
    """
    count = 2**_DOUBLINGS
    bands = path[:, : path.shape[1] // count * count].unflatten(1, (-1, count))
    within = (bands - bands.mean(1, keepdim=True)).square().mean((1, 2, 3)).sqrt()
    whole = (path - path.mean(1, keepdim=True)).square().mean((1, 2)).sqrt()
    banded: Tensor = within <= _SMALL * whole
    return banded


def _kinds(exponent: Tensor, error: Tensor, resolution: Tensor, repeating: Tensor) -> tuple[Tensor, bool]:
    """Return the kind of motion in each half, `(B, 2)`, and whether orbits switch between them in both directions."""
    kinds = torch.full(exponent.shape, _UNDECIDED, dtype=torch.long, device=exponent.device)
    chaotic, settling = exponent - error > resolution, exponent + error < -resolution
    # A chaotic orbit may look regular for a while: only exponents far below the chaotic ones are zero.
    typical = float(exponent[chaotic].median()) if bool(chaotic.any()) else torch.inf
    small = (exponent.abs() <= resolution) & (error <= resolution) & (exponent + error < typical / 2)
    zero = small | (repeating[:, None] & ~chaotic)
    kinds[zero], kinds[chaotic], kinds[settling] = _REGULAR, _CHAOTIC, _SETTLING
    up = (kinds[:, 0] < _CHAOTIC) & (kinds[:, 1] == _CHAOTIC)
    down = (kinds[:, 0] == _CHAOTIC) & (kinds[:, 1] < _CHAOTIC)
    switching = bool(up.any() and down.any())
    if switching:
        kinds = torch.where(kinds < _CHAOTIC, _CHAOTIC, kinds)
    # The orbits left are too short to decide, but move otherwise than those that repeat themselves.
    left = (kinds == _UNDECIDED).all(1) & ~repeating
    if bool(repeating.any()) or not bool((kinds != _UNDECIDED).any()):
        kinds[left] = _CHAOTIC
    return kinds, switching


def _linked(growth: Tensor, places: Tensor, everywhere: Tensor, resolution: float) -> tuple[Tensor, bool]:
    """Return the group of each orbit of one kind of motion, -1 for a single outlier, and whether they are a family.

    Args:
        growth: `(N, 2, E)`, summed exponents of each half.
        places: `(N, 2, F)`, at the begin and at the end.
        everywhere: `(B, 2, F)` of all orbits, which sets the scale.
        resolution: least difference between exponents [1 / system time].
    """
    features = torch.cat([growth, places], dim=-1)
    errors = (features[:, 0] - features[:, 1]).square().mean(0).sqrt() / 2
    size = 1e-3 * (everywhere.mean(1).std(0).nan_to_num() + everywhere[..., everywhere.shape[-1] // 2 :].mean() + 1e-9)
    floor = torch.cat([torch.full_like(growth[0, 0], resolution), size.expand_as(places[0, 0])])
    scaled = features.mean(1) / (_LINK * errors + floor)
    compared = scaled[:_COMPARED]
    close = (compared[:, None] - compared[None]).abs().amax(-1) <= 1
    group = _components(close)
    counts = torch.bincount(group)
    if len(counts) > _FAMILY:
        return torch.zeros(len(scaled), dtype=torch.long, device=scaled.device), True
    alone = (counts < 2)[group] & bool((counts > 1).any())
    distance = torch.cdist(scaled, compared, p=torch.inf)
    distance[:, alone] = torch.inf
    least, nearest = distance.min(1)
    return torch.where(least <= _APART, group[nearest], -1), False


def _components(close: Tensor) -> Tensor:
    """Return the connected component of each node of a graph, from its symmetric adjacency matrix."""
    group = torch.full(close.shape[:1], -1, dtype=torch.long, device=close.device)
    for index in range(len(close)):
        if group[index] >= 0:
            continue
        reached = close[index]
        while not torch.equal(wider := close[reached].any(0), reached):
            reached = wider
        group[reached] = int(group.max()) + 1
    return group


def _joined(groups: Tensor, exponent: Tensor, error: Tensor, undecided: Tensor) -> Tensor:
    """Return the groups with each undecided orbit in the group whose exponent is nearest in units of both errors."""
    names = groups[groups >= 0].unique()
    if len(names) == 0:
        return torch.zeros_like(groups)
    centres = torch.stack([exponent[groups == name].mean() for name in names])
    widths = torch.stack([error[groups == name].nan_to_num(posinf=0.0).mean() for name in names])
    distance = (exponent[:, None] - centres).abs() / (error.nan_to_num(posinf=1e9)[:, None] + widths + 1e-12)
    return torch.where(undecided, names[distance.argmin(1)], groups)


def _by_frequency(groups: Tensor) -> Tensor:
    names, counts = groups[groups >= 0].unique(return_counts=True)
    ranked = torch.full_like(groups, -1)
    for rank, position in enumerate(counts.argsort(descending=True).tolist()):
        ranked[groups == names[position]] = rank
    return ranked
