"""What this robot knows of another one's memory, and where its places lie in this map."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from ami_ros.core.background import Slices
from ami_ros.core.geometry import Array, combined, compose, inverse, inverted, pose_gap, relative
from ami_ros.core.submaps import Submap
from ami_ros.memory.index import Latents
from ami_ros.memory.loop_closure import LoopCloser
from ami_ros.memory.merging import MergeLimits
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.sharing.overlap import Found, Others, Overlap
from ami_ros.memory.sharing.replica import Mark, Replica
from ami_ros.memory.types import OWN, Edge, PlaceRow, key_of, local_id

# What this robot knows of another one's memory: which version of what, and where that lies in its own map.

TOGETHER, LINKED = 64, 500  # rows that are read, and ways that are looked at, in one slice


@dataclass(frozen=True)
class Stand:
    """A place of the other that stands where this map has one."""

    place_id: int  # of this map
    aside: Array  # (3,) of the other's place as seen from it
    covariance: Array | None  # (3, 3) of that; None: it was not measured


@dataclass
class Origin:
    """One other robot. Its places go by their ids at home, the ends of its ways by those that they have here.

    Attributes:
        rows: places as they are at home, without latents.
        ways: by their ends.
        beside: the other ends of the ways of each place.
        stands: places that are not taken in, for one of this map stands there.
        dropped: places that were here, and were forgotten here.
        adopted: places that are in this map.
        damaged: places that could not be read the last time.
        changed, gone, cut: places, and ways, of which that is not yet taken in.
        sought: sizes of both maps when they were compared in vain.
        seen, linked: versions of the file that were read, and whose ways are in this map.
        added: ways that its ways became between places that are none of its.
        compared, held: scans of its places with those of others here, and those that lay on one another.
    """

    name: str
    robot: str  # this one
    rows: dict[int, PlaceRow] = field(default_factory=dict)
    marks: dict[int, Mark] = field(default_factory=dict)
    ways: dict[tuple[int, int], Edge] = field(default_factory=dict)
    beside: dict[int, set[int]] = field(default_factory=dict)
    stands: dict[int, Stand] = field(default_factory=dict)
    adopted: set[int] = field(default_factory=set)
    dropped: set[int] = field(default_factory=set)
    damaged: set[int] = field(default_factory=set)
    changed: dict[int, PlaceRow | None] = field(default_factory=dict)  # as it was known before; None: not at all
    gone: dict[int, PlaceRow] = field(default_factory=dict)
    cut: list[tuple[int, int]] = field(default_factory=list)
    sought: tuple[int, int] = (0, 0)
    compared: int = 0
    held: int = 0
    seen: tuple = ()
    linked: tuple = ()
    added: set[tuple[int, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.base = key_of(self.name) * OWN

    def here(self, place_id: int) -> int:
        """What a place is called here."""
        return self.base + place_id

    def home(self, place_id: int) -> int:
        """The id at home of what is called so here; 0: it is no place of this robot."""
        return place_id - self.base if self.base < place_id < self.base + OWN else 0

    def ways_of(self, place_id: int) -> list[tuple[int, int]]:
        """Of one place, by their ends."""
        here = self.here(place_id)
        ends = (key for other in self.beside.get(here, ()) for key in ((here, other), (other, here)))
        return [key for key in ends if key in self.ways]

    def resolved(self, place_id: int, places: PlaceMap) -> tuple[int, Array, Array | None] | None:
        """The place of this map that an end of a way is, or stands on, where that end lies as seen from it, and the
        covariance of that."""
        if place_id in places.index:
            return place_id, np.zeros(3), np.zeros((3, 3))
        stand = self.stands.get(self.home(place_id))
        if stand is None or stand.place_id not in places.index:
            return None
        return stand.place_id, stand.aside, stand.covariance

    def pose(self, place_id: int, places: PlaceMap) -> Array | None:
        """Where (3,) an end of a way is in this map; None: that is not known."""
        found = self.resolved(place_id, places)
        return None if found is None else compose(places.index.poses[places.index.row(found[0])], found[1])

    def way(self, edge: Edge, places: PlaceMap) -> Edge | None:
        """A way of the other as one between places of this map; None: that is none."""
        start, stop = self.resolved(edge.start, places), self.resolved(edge.stop, places)
        if start is None or stop is None or start[0] == stop[0]:
            return None
        if start[0] == edge.start and stop[0] == edge.stop:
            return edge
        step = compose(compose(start[1], edge.relative), inverse(stop[1]))
        covariance = None
        if edge.covariance is not None and start[2] is not None and stop[2] is not None:
            first = combined((start[1], start[2]), (edge.relative, edge.covariance))
            covariance = combined(first, inverted((stop[1], stop[2])))[1]
        return replace(edge, start=start[0], stop=stop[0], relative=step, covariance=covariance)


def read(origin: Origin, replica: Replica) -> Slices[None]:
    """Finds out what is new, changed or gone since the last time; nothing of `origin` is changed where that fails."""
    marks = yield from replica.marks()
    yield
    new = [i for i, mark in marks.items() if origin.marks.get(i) != mark]
    rows: dict[int, PlaceRow] = {}
    for first in range(0, len(new), TOGETHER):
        rows |= {
            row.id: replace(row, latent=np.zeros(0, np.float32))
            for row in replica.places(new[first : first + TOGETHER])
        }
        yield
    ways, beside = yield from _ways(origin, replica)
    origin.damaged = set(new) - rows.keys()
    for place_id in origin.damaged:  # it is read again the next time
        marks.pop(place_id)
    for place_id in origin.rows.keys() - marks.keys() - origin.damaged:
        origin.gone[place_id] = origin.rows.pop(place_id)
        origin.changed.pop(place_id, None)
    for place_id, row in rows.items():
        origin.changed.setdefault(place_id, origin.rows.get(place_id))
        origin.gone.pop(place_id, None)
        origin.rows[place_id] = row
    origin.marks = marks
    origin.cut += origin.ways.keys() - ways.keys()
    origin.ways, origin.beside = ways, beside


def _ways(origin: Origin, replica: Replica) -> Slices[tuple[dict[tuple[int, int], Edge], dict[int, set[int]]]]:
    """Ways with the ids that their ends have here, and the other ends of each place's."""
    found = yield from replica.ways()
    ways: dict[tuple[int, int], Edge] = {}
    beside: dict[int, set[int]] = {}
    for number, edge in enumerate(found.values()):
        start, stop = (local_id(end, origin.name, origin.robot) for end in (edge.start, edge.stop))
        if start != stop:
            ways[start, stop] = replace(edge, start=start, stop=stop)
            beside.setdefault(start, set()).add(stop)
            beside.setdefault(stop, set()).add(start)
        if number % LINKED == LINKED - 1:
            yield
    return ways, beside


# Where places of another robot are in this map: as seen from those that are known here, and by scans.


@dataclass(frozen=True)
class PlacingConfig:
    """How sure a place is as seen from its neighbours, and when scans are asked."""

    stretch: float = 1.0  # [m] of way since scans confirmed a place, from which the next one is compared
    off: float = 0.05  # [m] deviation of a place beside a confirmed one ...
    off_stretch: float = 0.05  # ... and more for each metre


PLACING = PlacingConfig()


class Placing:
    """Places what others remember.

    Args:
        places: this map.
        loop_closure: compares scans.
        limits: when two places are one.
    """

    def __init__(self, places: PlaceMap, loop_closure: LoopCloser, limits: MergeLimits) -> None:
        self.places, self.limits = places, limits
        self.overlap = Overlap(places, loop_closure)

    @property
    def scanned(self) -> bool:
        """Whether scans say where the robot is in this map."""
        return self.places.graph.free is not None

    def outside(self, origin: Origin, place_id: int) -> list[Edge]:
        """Ways that another robot verified from a place of it to places of this map that are not its own."""
        here = origin.here(place_id)
        ends = [i for i in origin.beside.get(here, ()) if not origin.home(i) and i in self.places.index]
        keys = [key for i in ends for key in ((here, i), (i, here)) if key in origin.ways]
        return [origin.ways[key] for key in keys]

    def neighbour(self, origin: Origin, place_id: int) -> int:
        """A place at home that a way leads to from there, and that is known here; 0: there is none."""
        for other in sorted(origin.beside.get(origin.here(place_id), ())):
            home = origin.home(other)
            if home and (home in origin.adopted or home in origin.stands):
                return home
        return 0

    def by_ways(
        self, origin: Origin, replica: Replica, place_id: int, stretch: dict[int, float]
    ) -> tuple[Found | None, float]:
        """Where a place is as seen from its neighbours, and by scans where these can be compared; and the way since one
        was [m]. None: that is open."""
        places = self.places
        if neighbour := self.neighbour(origin, place_id):
            step = relative(origin.rows[neighbour].pose, origin.rows[place_id].pose)
            start = origin.pose(origin.here(neighbour), places)
            if start is None:
                return None, 0.0
            pose, far = compose(start, step), stretch.get(neighbour, 0.0) + float(np.hypot(*step[:2]))
            must = False
        else:
            ways = self.outside(origin, place_id)
            if not ways:
                return None, 0.0
            way, here = ways[0], origin.here(place_id)
            other, step = (way.start, way.relative) if way.stop == here else (way.stop, inverse(way.relative))
            pose, far, must = compose(places.index.poses[places.index.row(other)], step), 0.0, True
        found = Found(place_id, pose)
        if not self.scanned or (far < PLACING.stretch and not must and not self.standing(origin, pose)):
            return found, far
        beside = self.overlap.beside(pose, lambda i: not origin.home(i))
        submap = _submap(replica, place_id) if beside else None
        if submap is None or len(submap) < self.overlap.loop_closure.config.count:
            return found, far
        match = self.overlap.compare(place_id, submap, pose, beside, PLACING.off + PLACING.off_stretch * far)
        if isinstance(match, Found):
            origin.compared += 1
            origin.held += 1
            return match, far
        origin.compared += not match
        return (None if must else found), far

    def standing(self, origin: Origin, pose: Array) -> int:
        """The place of this map, but none of the other's, that stands at `pose` (3,); 0: there is none."""
        index, limits = self.places.index, self.limits
        rows = self.places.near(pose[:2], limits.spacing)
        gap, turn = pose_gap(index.poses[rows], pose)
        good = (gap < limits.spacing) & (turn < limits.turn_spacing)
        order = np.argsort(gap + turn * limits.spacing / limits.turn_spacing)
        return next((i for i in index.ids[rows[order[good[order]]]].tolist() if not origin.home(i)), 0)

    def others(self, origin: Origin, replica: Replica) -> Others:
        recogniser = self.places.recogniser

        def latents(ids: Iterable[int]) -> dict[int, PlaceRow]:
            return {row.id: row for row in replica.places(ids)}

        def code(place_id: int) -> Latents | None:
            jpeg = replica.whole(origin.rows[place_id]).thumbnail
            return recogniser.code(jpeg) if recogniser is not None and jpeg else None

        return Others(origin.rows, latents, lambda i: _submap(replica, i), code)


def _submap(replica: Replica, place_id: int) -> Submap | None:
    known = replica.experience([place_id]).get(place_id)
    return Submap.unpack(known.submap) if known is not None and known.submap else None
