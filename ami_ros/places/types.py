"""What memory takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, compose, relative

ALONE = 0.75  # confidence in where a goal is, below which another place may be the one that is meant, ...
LATE = 0.05  # of places that the robot cannot get to in the time allowed are meant all the same
RECALLED = 0.97  # probability that what all that places say of a goal agrees on is right
REST = 1.5  # times the straight way that is left beyond a spot: how much of it is to be driven, nobody knows
MAX_RESULTS = 1000  # of a recall


@dataclass(frozen=True)
class Location:
    """Where the robot believes to be."""

    stamp: float  # of the newest latent used [s]
    pose: Array  # (3,) of base_link in the map frame
    odometry: Array  # (3,) of base_link in odom at that stamp
    confidence: float  # mass within 0.5 m and 0.5 rad of the pose
    entropy: float  # [nat]
    localised: bool
    place_id: int  # nearest place; 0: none


def map_to_odom(location: Location) -> Array:
    """The pose (3,) of the map's frame in odom, by the newest belief."""
    return compose(location.odometry, relative(location.pose, np.zeros(3)))


@dataclass(frozen=True)
class Place:
    """A remembered place, and how it answers a query."""

    id: int
    pose: Array  # (3,) in the map frame
    latent: NDArray[np.float32]
    label: str
    note: str
    created: float
    last_seen: float
    visits: int
    episode: int = 0  # in which it was founded
    surprise: float = 0.0  # z score of the moment in which it was founded
    keep_away: float = 0.0  # [m] that the robot shall keep away from it; 0: it may go there
    covariance: NDArray[np.float32] | None = None  # (3, 3) of the pose when it was founded [m, rad]
    commands: NDArray[np.float32] | None = None  # (n, 2 or 3) driven from there on, one a model period
    thumbnail: bytes = b""
    similarity: float = float("nan")  # contrastive score to the query [-1, 1]
    distance: float = float("nan")  # to the query's pose [m]


@dataclass(frozen=True)
class SearchState:
    """How far the search for a goal has come. Points [m] in the map frame."""

    # (k, 2) from where it was looked for in vain, or that the robot did not get to
    looked_from: Array = field(default_factory=lambda: np.zeros((0, 2)))
    reach: float = 0.0  # [m] that the robot can drive in the time that is left; 0: nobody searches


@dataclass(frozen=True)
class View:
    """A picture that was taken where a goal is, by a robot that stood there and had turned."""

    latent: NDArray[np.float32]  # (latent_dim,)
    picture: NDArray[np.float32] | None = None  # its code beside the latent, where the model compares pictures
    turn: float = 0.0  # [rad] of base_link from the goal's heading, anticlockwise


@dataclass(frozen=True)
class GoalQuery:
    """A goal as memory can search it: exactly one of the first four is set."""

    latent: NDArray[np.float32] | None = None
    pose: Array | None = None  # in the map frame
    place_id: int = 0
    label: str = ""
    picture: NDArray[np.float32] | None = None  # code of the latent's picture, by which places have to be verified
    search: SearchState = field(default_factory=SearchState)  # for that picture, until now
    more: tuple[View, ...] = ()  # further pictures from the same place

    @property
    def views(self) -> tuple[View, ...]:
        """All pictures that were taken there, as the goal looks first."""
        return () if self.latent is None else (View(self.latent, self.picture), *self.more)


@dataclass(frozen=True)
class PlaceQuery:
    """Conditions of a recall; all that are given must hold."""

    label: str = ""
    latent: NDArray[np.float32] | None = None
    pose: Array | None = None  # in the map frame
    radius: float = 0.0  # [m] around `pose`
    since: float = float("-inf")  # [s], with `until`: only places that were founded or passed in that time ...
    until: float = float("inf")  # ... or before and after it
    surprise: float = 0.0  # least z score of the moment in which a place was founded
    episode: int | None = None  # stretch of unbroken odometry in which a place was founded
    max_results: int = 10  # at most MAX_RESULTS
    with_thumbnails: bool = False
    with_experience: bool = False  # covariance and commands


@dataclass(frozen=True)
class Route:
    """Places to pass on the way to a goal."""

    places: list[Place]  # first: nearest to the robot; last: nearest to the goal
    length: float  # [m]
    goal_pose: Array  # (3,) expected pose of the goal in the map frame
    goal_confidence: float  # share of this hypothesis among the matches of the goal; see `Recogniser.hypotheses`


@dataclass(frozen=True)
class Places:
    """Everything at once, for markers and pictures."""

    ids: NDArray[np.int64]
    poses: Array  # (n, 3) in the map frame
    labels: dict[int, str] = field(default_factory=dict)
    edges: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))  # (m, 2) place ids


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
    covariance: Array | None = None  # (3, 3) of `relative` [m, rad]; None: as odometry usually is
    is_loop: bool = False  # found by verification where the robot came back, not by driving from `start` to `stop`


@dataclass(frozen=True)
class Statistics:
    """What a memory holds."""

    places: int
    ways: int  # that were driven
    blocked: int  # ways that failed, and were not driven since
    labels: int
    episodes: int  # stretches of unbroken odometry in which places were founded
    visits: int  # of all places
    first: float  # stamp of the oldest place [s]; 0: there is none
    last: float  # stamp of the newest visit [s]
    size: int  # of the file in use [bytes]
