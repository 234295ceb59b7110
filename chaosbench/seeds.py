"""Random generators: one for each seed and purpose."""

import hashlib

from torch import Generator


def seed_generator(seed: int, purpose: str) -> Generator:
    """Return a generator that depends on `seed` and `purpose` alone.

    Weights, windows, noise and so on each draw from a generator of their own, so that no draw depends on which other
    draws are made, or on which other seeds are trained with it. Arithmetic of a batch rounds differently, though: after
    a chaotic training, results of a seed alone and with others are equal as samples, not bit by bit.
    """
    number = int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:8], "big")
    return Generator().manual_seed(number)
