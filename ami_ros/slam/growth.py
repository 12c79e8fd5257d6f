"""How memory grows while the robot drives: places are founded and visited, and the ways between them noted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ami_ros.geometry import Array, compose, inverse, relative
from ami_ros.places.forgetting import Forgetter, ForgettingConfig
from ami_ros.places.graph import GraphConfig
from ami_ros.places.index import Latents
from ami_ros.places.place_map import PlaceMap
from ami_ros.places.recorder import CommandRecorder
from ami_ros.places.rows import Experience
from ami_ros.scan import Scan
from ami_ros.slam.continuity import ContinuityConfig
from ami_ros.slam.front_end import FrontEndConfig, ScanFrontEnd
from ami_ros.slam.particle_filter import FilterConfig
from ami_ros.slam.pose_graph import PoseGraphConfig
from ami_ros.submaps import Submap, free_distance, points_of, submap_of


@dataclass(frozen=True)
class MemoryConfig:
    """How memory grows."""

    learning: bool = True  # add places and ways; false: only localise
    spacing: float = 0.30  # [m] between places with similar headings; smaller: a finer map, a larger file
    turn_spacing: float = 0.5  # [rad] between places at one spot; smaller: more headings, a larger file
    confident: float = 0.85  # confidence needed to add new places; larger: fewer false ways, later
    surprising: float = 6.0  # z score at which a moment becomes a place of its own; larger: fewer places
    max_places: int = 100_000  # beyond it, places that were not passed for longest are forgotten; larger: more RAM
    optimise_growth: float = 1.2  # optimise the pose graph when the map has grown by this factor; larger: less often
    optimise_least: int = 20  # ... and by at least this many places; larger: less often
    continuity: ContinuityConfig = field(default_factory=ContinuityConfig)
    pose_graph: PoseGraphConfig = field(default_factory=PoseGraphConfig)
    filter: FilterConfig = field(default_factory=FilterConfig)
    graph: GraphConfig = field(default_factory=GraphConfig)
    forgetting: ForgettingConfig = field(default_factory=ForgettingConfig)
    front_end: FrontEndConfig = field(default_factory=FrontEndConfig)


Picture = Callable[[], bytes | None] | bytes | None  # JPEG, or what makes it once it is needed


@dataclass(frozen=True)
class Moment:
    """What memory takes in at one moment."""

    stamp: float  # [s]
    describe: Callable[[], Latents]  # makes the latent, which most moments with a scan do without
    odometry: Array  # (3,) in odom
    picture: Picture = None
    surprise: float = 0.0  # z score
    scan: Scan | None = None  # in base_link, to keep for a map where latents say where the robot is

    @cached_property
    def latent(self) -> Latents:
        """(latent_dim,)"""
        return self.describe()


class Growth:
    """Follows one robot through its map.

    Args:
        places: the map, which grows.
        config: of the memory.
        keep: takes what a laser saw around a place, by its id.
    """

    def __init__(self, places: PlaceMap, config: MemoryConfig, keep: Callable[[int, Submap], None]) -> None:
        self.places, self.config, self._keep = places, config, keep
        cell = config.spacing, config.turn_spacing
        self._forgetter = Forgetter(places, config.forgetting, config.max_places, cell)
        self._gone: set[int] = set()  # places that were forgotten when the newest was added
        spec = places.index.model.spec
        self._recorder = CommandRecorder(spec.period, spec.command_dim)
        self.restart()

    def restart(self) -> None:
        """Odometry has a new origin."""
        self.lose()
        self._recorder.restart()

    def lose(self) -> None:
        """Where the robot is is not certain: the next place is not linked with the last one."""
        self._here: tuple[int, float] | None = None  # place the robot is at, and since when
        self._anchor: tuple[int, Array, Array] | None = None  # a place, the robot there in its frame, and in odom

    def leave(self, ids: set[int]) -> None:
        """Places are no more."""
        if self._here is not None and self._here[0] in ids:
            self._here = None

    def command(self, stamp: float, command: ArrayLike | None) -> None:
        """The command that was in force until `stamp` [s]."""
        for place_id, commands in self._recorder.observe(stamp, command):
            if place_id in self.places.index:
                self.places.store.put_experience(place_id, Experience(commands=commands))

    def found(self, moment: Moment) -> None:
        """The first place is the origin of the map."""
        self._arrive(self._add(moment, np.zeros(3), np.zeros((3, 3))), np.zeros(3), moment)

    def grow(self, moment: Moment, pose: Array, covariance: Callable[[], Array]) -> int:
        """The robot is at `pose` (3,) in map: visits the place there, or founds one; returns its id.

        A moment that surprises is a place of its own even where one is known, unless that one was such a moment.
        """
        config = self.config
        nearest, distance, turn = self.places.nearest(pose, config.spacing, config.turn_spacing)
        known = distance < config.spacing and turn < config.turn_spacing
        if known and moment.surprise >= config.surprising:
            known = self.places.index.column("surprise")[self.places.index.row(nearest)] >= config.surprising
        here = nearest if known else self._add(moment, pose, covariance())
        if self._here is None or self._here[0] != here:
            if known:
                self.places.visit(here, moment.stamp)
            self._arrive(here, self._see(here, moment.latent) if known else np.zeros(3), moment)
        return here

    def follow(self, moment: Moment, front_end: ScanFrontEnd) -> int:
        """Where scans are there: the place that the robot is at, a new one if the last is a spacing behind."""
        surprising = moment.surprise >= self.config.surprising and not self._is_surprising(front_end.here)
        if front_end.here and not front_end.due() and not surprising:
            return front_end.here
        known = 0 if surprising and front_end.here else front_end.recognise(moment.stamp)
        if known:
            self.places.visit(known, moment.stamp)
        else:
            pose = front_end.pose if front_end.here else np.zeros(3)
            submap = front_end.surroundings()
            founded = self._add(moment, pose, front_end.covariance)
            front_end.leave(self._gone)
            front_end.founded(founded, moment.stamp, submap)
        self._record(front_end.here, moment.stamp)
        return front_end.here

    def _is_surprising(self, place_id: int) -> bool:
        index = self.places.index
        return place_id in index and bool(index.column("surprise")[index.row(place_id)] >= self.config.surprising)

    def _add(self, moment: Moment, pose: Array, covariance: Array) -> int:
        picture = moment.picture() if callable(moment.picture) else moment.picture
        surprise = moment.surprise if moment.surprise >= self.config.surprising else 0.0
        here = self.places.add(moment.stamp, moment.latent, pose, picture, surprise, covariance)
        self._gone = self._forgetter.added(here, moment.stamp)
        self.leave(self._gone)
        if moment.scan is not None:
            self._keep(here, submap_of(points_of(moment.scan), free_distance(moment.scan)))
        return here

    def _see(self, place_id: int, latent: Latents) -> Array:
        """The robot's pose (3,) in the frame of a place, by the relative-pose head."""
        index = self.places.index
        x, y, c, s = index.model.relative_pose(index.latents[index.row(place_id)], latent).tolist()
        return np.array([x, y, np.arctan2(s, c)])

    def _arrive(self, here: int, offset: Array, moment: Moment) -> None:
        """Notes the way from the last place to `here`, in whose frame the robot stands at `offset` (3,)."""
        if self._here is not None and self._anchor is not None:
            start, there, odometry = self._anchor
            driven = compose(there, relative(odometry, moment.odometry))
            measured = compose(driven, inverse(offset))
            self.places.link(start, here, measured, moment.stamp - self._here[1], moment.stamp)
        self._here, self._anchor = (here, moment.stamp), (here, offset, moment.odometry)
        self._record(here, moment.stamp)

    def _record(self, here: int, stamp: float) -> None:
        visits = int(self.places.index.column("visits")[self.places.index.row(here)])
        if visits & (visits - 1) == 0:  # 1, 2, 4, 8, ...: what is done there changes more slowly than it is done
            self._recorder.begin(here, stamp)
