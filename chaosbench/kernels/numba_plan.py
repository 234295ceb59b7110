"""Sizes of an unroll, and where its numbers lie.

Coefficients and intermediate rows lie in one work array, at the numbers that `Room` names: numba counts references to
arrays, not to numbers.
"""

from typing import NamedTuple

CHUNK = 32  # [steps] whose gradients are kept at once: they stay in the cache
KEPT = CHUNK + 1  # vectors in a row of them: an odd number, or all rows would share a few lines of the cache


class Plan(NamedTuple):
    """Sizes and kinds of an unroll."""

    seeds: int  # K
    samples: int  # B
    steps: int  # T
    units: int  # M
    hidden: int  # L
    seen: int  # D
    forced: int  # N; 0 without forcing
    interval: int  # [steps]; 0 where states are blended
    activation: int
    linear: int  # units without a relu, where the network is almost linear
    outward: int  # whether there is W1, and its layout, as for `copy_in`
    inward: int  # the same for W2
    readout: int  # the same for C
    width: int  # samples in a vector
    direct: int  # whether z' is phi itself
    moments: int  # states of a sample that are kept; 2 where only the last is returned
    few: int  # whether there are W1, W2 and at most four units
    segments: int = 1  # consecutive segments of a window that are samples of their own
    length: int = 0  # [steps] of a window that are compared with data; 0 where observations are returned
    spacing: int = 0  # [steps] from the first compared observation of a window to that of the next
    slope: float = 0.0  # of the error by a difference, divided by the difference


class Room(NamedTuple):
    """Offsets into the work array: a seed's coefficients, vectors of their gradients, rows of samples."""

    diagonal: int
    outward: int
    inward: int
    bias: int
    threshold: int
    readout: int
    offset: int
    by_diagonal: int
    by_outward: int
    by_inward: int
    by_bias: int
    by_threshold: int
    by_readout: int
    by_offset: int
    gradient: int  # by the state, rows one vector apart
    drawn: int  # a forced state
    shown: int  # what is observed
    error: int  # squared differences from data, not yet summed over samples
    by_states: int  # from here on rows KEPT vectors apart
    sources: int  # states from which steps were taken, where data change them
    active: int  # phi
    inside: int  # gradients by phi's argument
    by_shown: int
