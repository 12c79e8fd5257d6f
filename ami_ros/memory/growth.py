"""How memory grows while the robot drives, and what it lets go of: places, and the ways between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ami_ros.core.commands import STILL, Command, of_width
from ami_ros.core.geometry import Array, compose, inverse, pose_gap, relative
from ami_ros.core.scan import Scan
from ami_ros.core.submaps import Submap, free_distance, points_of, submap_of
from ami_ros.memory.front_end import FrontEndConfig, ScanFrontEnd
from ami_ros.memory.graph import GraphConfig
from ami_ros.memory.index import Latents
from ami_ros.memory.particle_filter import FilterConfig
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.pose_graph import PoseGraphConfig
from ami_ros.memory.types import Experience

# Whether a belief follows from odometry. One that jumped was carried, or looks at the double of a place it knows.
#
# False short-cuts are the classic failure of topological maps: two places that look alike become one. So a belief that
# odometry does not allow is used, but nothing is learned by it until it has proved itself over some metres; if it
# returns to where odometry said, it was the double of a place, and nothing has happened.


@dataclass(frozen=True)
class ContinuityConfig:
    """When a pose contradicts odometry, and how long it then takes to be trusted."""

    gate: tuple[float, float] = (0.6, 0.5)  # [m], [rad] from odometry at which a pose counts as a jump ...
    drift: float = 0.15  # ... plus this for each metre driven and radian turned; larger accepts worse odometry
    proof: float = 10.0  # [m] driven until a pose that jumped is trusted; larger: safer, learns later


class Continuity:
    """Follows one robot's odometry from the last belief that was trusted."""

    def __init__(self, config: ContinuityConfig) -> None:
        self.config = config
        self.restart()

    def restart(self) -> None:
        """Odometry began anew, or the map was moved: the next sure belief is trusted."""
        self._trusted: tuple[Array, Array] | None = None  # the robot in the map, and in odom
        self._odometry: Array | None = None
        self._length = self._turn = 0.0  # driven since then

    def move(self, odometry: Array) -> None:
        """The robot is at `odometry` (3,) now."""
        if self._odometry is not None:
            length, turn = pose_gap(self._odometry, odometry)
            self._length, self._turn = self._length + float(length), self._turn + float(turn)
        self._odometry = np.array(odometry)

    def allows(self, pose: Array) -> bool:
        """Whether a sure belief `pose` (3,) in the map may be learned from."""
        assert self._odometry is not None
        if self._trusted is not None:
            led = compose(self._trusted[0], relative(self._trusted[1], self._odometry))
            distance, turn = pose_gap(pose, led)
            config = self.config
            jumped = bool(
                distance > config.gate[0] + config.drift * (self._length + 0.3 * self._turn)
                or turn > config.gate[1] + config.drift * (self._length + self._turn)
            )
            if jumped and self._length < config.proof:
                return False
        self._trusted, self._length, self._turn = (np.array(pose), self._odometry), 0.0, 0.0
        return True


# What the robot was told to do from a place on: candidates for the planner when it comes by again.
#
# Memory-initialised search (IMWM) begins with what was done in similar situations.

LENGTH = 24  # model periods that are recorded from a place on


class CommandRecorder:
    """Follows one robot's commands.

    Args:
        period: of the model [s].
        width: numbers in a command, see `ami_ros.core.commands`.
    """

    def __init__(self, period: float, width: int = 2) -> None:
        self.period, self.width = period, width
        self.restart()

    def restart(self) -> None:
        """What comes does not follow from what was."""
        self._stamps: deque[float] = deque()  # ends of the stretches ...
        self._commands: deque[Command] = deque()  # ... that each command was in force
        self._open: deque[tuple[int, float]] = deque()  # places, and when the robot was there

    def begin(self, place_id: int, stamp: float) -> None:
        """The robot is at a place at `stamp` [s], not before the newest moment."""
        self._open.append((place_id, stamp))

    def observe(self, stamp: float, command: ArrayLike | None) -> list[tuple[int, NDArray[np.float32]]]:
        """A moment has come, until which `command` was in force since the one before; None: not known.

        Returns:
            Places whose recording is whole now, with their commands (LENGTH, width).
        """
        gap = stamp - self._stamps[-1] if self._stamps else 0.0
        # periods, beyond which nothing is known of what was in between
        if command is None or not np.isfinite(command).all() or not 0.0 <= gap <= 3.0 * self.period:
            self.restart()
        self._stamps.append(stamp)
        self._commands.append(of_width(STILL if command is None else np.asarray(command), self.width))
        if command is None:
            return []
        whole = []
        while self._open and stamp >= self._open[0][1] + LENGTH * self.period:
            place_id, start = self._open.popleft()
            # Commands (LENGTH, width) of each period from there on, as they were in its middle.
            middles = start + self.period * (np.arange(LENGTH) + 0.5)
            rows = np.minimum(np.searchsorted(np.array(self._stamps), middles), len(self._commands) - 1)
            whole.append((place_id, np.array(self._commands, np.float32)[rows]))
        oldest = self._open[0][1] if self._open else stamp
        while len(self._stamps) > 1 and self._stamps[1] <= oldest:
            self._stamps.popleft()
            self._commands.popleft()
        return whole


# What memory lets go of so that it fits its limits. Labelled places keep everything, whatever their age.

ROOM = 0.9  # share of the limit that is in use after pictures or places went


@dataclass(frozen=True)
class ForgettingConfig:
    """Limits of a memory."""

    # Pictures go first, since all that drives works without them; then places with a newer one at the same pose,
    # then those that were not passed for longest.
    size_limit: float = 500.0  # [MB] of the file; beyond it, old pictures are forgotten first, then places
    max_age: float = 0.0  # [days] until a place that was not seen again is forgotten; 0: never
    check_every: int = 200  # new places between two checks of the limits; larger lets the file grow beyond them


class Forgetter:
    """Keeps a map within its limits.

    Args:
        places: the map.
        config: its limits.
        most: places.
        cell: [m], [rad] within which poses count as the same.
    """

    def __init__(self, places: PlaceMap, config: ForgettingConfig, most: int, cell: tuple[float, float]) -> None:
        self.places, self.config, self.most, self.cell = places, config, most, cell
        self._added = 0

    def added(self, here: int, stamp: float) -> set[int]:
        """A place was added at `stamp` [s]; now and then pictures or places go, but not `here`, where the robot is.
        Returns the ids of these places."""
        self._added += 1
        kept, gone = {here, *self.places.labels}, set[int]()
        if len(self.places) > self.most:
            gone |= self._forget(self._least_missed(kept, ROOM * self.most / len(self.places)))
        if self._added % self.config.check_every or self.places.store.error:
            return gone
        index = self.places.index
        if self.config.max_age:
            outdated = index.column("last_seen") < stamp - 86_400.0 * self.config.max_age  # [s] of a day
            gone |= self._forget({int(i) for i in index.ids[outdated]} - kept)
        return gone | self._shrink(kept)

    def _shrink(self, kept: set[int]) -> set[int]:
        """Forgets pictures of places that were not passed for longest, but for those `kept`, then places."""
        store, limit, index = self.places.store, 1e6 * self.config.size_limit, self.places.index
        store.wait()
        excess = int(store.size() - ROOM * limit)
        if store.size() <= limit:
            return set()
        seen = dict(zip(index.ids.tolist(), index.column("last_seen").tolist(), strict=True))
        sizes, chosen = store.picture_sizes(), list[int]()
        for place_id in sorted(sizes, key=lambda i: seen.get(i, -np.inf)):
            if excess <= 0:
                break
            if place_id not in kept:
                chosen.append(place_id)
                excess -= sizes[place_id]
        store.drop_thumbnails(chosen)
        store.wait()
        size = store.size()
        return self._forget(self._least_missed(kept, ROOM * limit / size)) if size > limit else set()

    def _least_missed(self, kept: set[int], share: float) -> set[int]:
        """All but this share of the places, and those that stay: first those with a newer one at the same pose, then
        those not passed for longest."""
        index, (spacing, turn) = self.places.index, self.cell
        count = int(np.ceil(len(index) * (1.0 - share)))
        newest_first = np.argsort(-index.column("last_seen"), kind="stable")
        cells = np.floor(index.poses[newest_first] / [spacing, spacing, turn]).astype(np.int64)
        _, first = np.unique(cells, axis=0, return_index=True)
        has_newer = np.ones(len(index), bool)
        has_newer[newest_first[first]] = False
        order: NDArray[np.int64] = np.lexsort((index.column("last_seen"), ~has_newer))
        return set([int(i) for i in index.ids[order] if int(i) not in kept][:count])

    def _forget(self, ids: set[int]) -> set[int]:
        if ids:
            self.places.forget(ids, wait=False)
            self.places.let_go += len(ids)
        return ids


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
            known = self._is_surprising(nearest)
        here = nearest if known else self._add(moment, pose, covariance())
        if self._here is None or self._here[0] != here:
            if known:
                self.places.visit(here, moment.stamp)
            offset = np.zeros(3)
            if known:  # by the relative-pose head
                index = self.places.index
                x, y, c, s = index.model.relative_pose(index.latents[index.row(here)], moment.latent).tolist()
                offset = np.array([x, y, np.arctan2(s, c)])
            self._arrive(here, offset, moment)
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
