"""Whose a place is: robots that share what they remember keep each other's places under ids that no two of them use.

A robot's own places have ids below `OWN`. To all others, one of them is the key of its robot, times OWN, plus that id:
less than 2**52, which a double holds exactly, as JavaScript and JSON do.
"""

from __future__ import annotations

import zlib
from typing import TypeVar, overload

import numpy as np
from numpy.typing import NDArray

OWN = 1 << 32  # ids of one's own places are smaller
_KEYS = (1 << 20) - 1
Ids = TypeVar("Ids", int, NDArray[np.int64])


def key_of(robot: str) -> int:
    """What ids of a robot's places begin with elsewhere, by its name; never 0."""
    return zlib.crc32(robot.encode()) % _KEYS + 1


@overload
def is_own(ids: int) -> bool: ...
@overload
def is_own(ids: NDArray[np.int64]) -> NDArray[np.bool_]: ...
def is_own(ids: int | NDArray[np.int64]) -> bool | NDArray[np.bool_]:
    """Whether an id, or each of ids (k,), is of a place that this robot founded."""
    return ids < OWN


def local_id(ids: Ids, origin: str, robot: str) -> Ids:
    """What `robot` calls places that have these ids (one, or (k,)) in a file of `origin`."""
    own, mine = key_of(origin) * OWN, key_of(robot) * OWN
    if isinstance(ids, np.ndarray):
        back = np.where(ids - ids % OWN == mine, ids % OWN, ids)
        return np.where(ids < OWN, own + ids if own != mine else ids, back).astype(np.int64)
    if ids < OWN:
        return ids if own == mine else own + ids
    return ids % OWN if ids - ids % OWN == mine else ids
