"""What memory consists of: places, and ways between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """A place."""

    id: int
    latent: NDArray[np.float32]  # (latent_dim,)
    pose: Array  # (3,) in map
    created: float  # [s]
    last_seen: float  # [s]
    visits: int
    label: str = ""
    note: str = ""
    episode: int = 0  # stretch of unbroken odometry in which it was founded
    thumbnail: bytes = b""  # JPEG; empty as `Store.load` gives it, and empty keeps the one stored


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from one place to the next that was driven."""

    start: int  # place id
    stop: int
    relative: Array  # (3,) pose of `stop` in the frame of `start`, as it was measured when first driven
    traversals: int = 1  # 0: was never driven, only tried in vain
    duration: float = 0.0  # mean [s]
    failures: int = 0  # that no later traversal has made good
    last_used: float = 0.0  # stamp of the last traversal or failure [s]
