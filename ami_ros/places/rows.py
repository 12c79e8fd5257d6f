"""What memory consists of: places, and ways between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.places.types import Edge


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """A place. What is large and seldom asked for is empty as `Store.load` gives it, and empty keeps what is stored."""

    id: int
    latent: NDArray[np.float32]  # (latent_dim,)
    pose: Array  # (3,) in map
    created: float  # [s]
    last_seen: float  # [s]
    visits: int
    label: str = ""
    note: str = ""
    episode: int = 0  # stretch of unbroken odometry in which it was founded
    surprise: float = 0.0  # z score of the moment in which it was founded
    keep_away: float = 0.0  # [m] that the robot shall keep away from it; 0: it may go there
    thumbnail: bytes = b""  # JPEG
    experience: Experience | None = None


@dataclass(frozen=True, slots=True)
class Experience:
    """What was the case at a place, besides how it looks."""

    covariance: NDArray[np.float32] | None = None  # (3, 3) of the pose in map when it was founded [m, rad]
    commands: NDArray[np.float32] | None = None  # (n, 2 or 3) driven from there on, one a model period
    submap: bytes = b""  # what a laser saw around it (`Submap.pack`); empty keeps what is stored


# The upper triangle of a way's covariance, x, y, yaw; all 0: it is not known.
COVARIANCE = ("cxx", "cxy", "cxa", "cyy", "cya", "caa")
_UPPER = np.triu_indices(3)

# Many ways at once, as they lie on the disk.
EDGES = np.dtype(
    [
        ("start", "<i8"),
        ("stop", "<i8"),
        ("x", "<f8"),
        ("y", "<f8"),
        ("yaw", "<f8"),
        ("traversals", "<i8"),
        ("duration", "<f8"),
        ("failures", "<i8"),
        ("last_used", "<f8"),
    ]
)
# The same with what is known of some of them only.
WAYS = np.dtype([*EDGES.descr, *((name, "<f8") for name in COVARIANCE), ("loop", "<i8")])


@dataclass(frozen=True)
class PlaceTable:
    """All places of a file, by id, without what `Store.load` leaves out."""

    latents: NDArray[np.float32]  # (n, latent_dim)
    poses: Array  # (n, 3)
    numbers: NDArray[np.void]  # (n,) with the fields of `NUMBERS`
    texts: dict[int, tuple[str, str]]  # label and note of the places that have one

    def rows(self) -> list[PlaceRow]:
        """One by one."""
        made = []
        for latent, pose, n in zip(self.latents, self.poses, self.numbers.tolist(), strict=True):
            label, note = self.texts.get(n[0], ("", ""))
            created, last_seen, visits, episode, surprise, keep_away = n[1:]
            times = created, last_seen, visits
            made.append(PlaceRow(n[0], latent, pose, *times, label, note, episode, surprise, keep_away))
        return made


NUMBERS = (
    ("id", "<i8"),
    ("created", "<f8"),
    ("last_seen", "<f8"),
    ("visits", "<i8"),
    ("episode", "<i8"),
    ("surprise", "<f8"),
    ("keep_away", "<f8"),
)


def edge_of(values: tuple) -> Edge:
    """One of `WAYS`, as a tuple."""
    start, stop, x, y, yaw, *rest = values
    traversals, duration, failures, last_used, *upper, loop = rest
    covariance = covariances(np.array([upper]))[0] if upper[-1] > 0 else None
    return Edge(start, stop, np.array([x, y, yaw]), traversals, duration, failures, last_used, covariance, bool(loop))


def edge_values(edge: Edge) -> tuple:
    """The tuple of an edge, as it is one of `WAYS`."""
    numbers = int(edge.traversals), float(edge.duration), int(edge.failures), float(edge.last_used)
    upper = (0.0,) * 6 if edge.covariance is None else tuple(map(float, edge.covariance[_UPPER]))
    return int(edge.start), int(edge.stop), *map(float, edge.relative), *numbers, *upper, int(edge.is_loop)


def covariances(upper: Array) -> Array:
    """Covariances (m, 3, 3) of their upper triangles (m, 6), in the order of COVARIANCE."""
    full = np.zeros((len(upper), 3, 3))
    full[:, _UPPER[0], _UPPER[1]] = full[:, _UPPER[1], _UPPER[0]] = upper
    return full
