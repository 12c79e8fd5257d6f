"""Where places of another robot are in this map: as seen from those that are known here, and by scans."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ami_ros.geometry import Array, compose, inverse, pose_gap, relative
from ami_ros.places.index import Latents
from ami_ros.places.merging import MergeLimits
from ami_ros.places.place_map import PlaceMap
from ami_ros.places.replica import Replica
from ami_ros.places.rows import PlaceRow
from ami_ros.places.types import Edge
from ami_ros.slam.loop_closure import LoopCloser
from ami_ros.slam.origin import Origin
from ami_ros.slam.overlap import Found, Others, Overlap
from ami_ros.submaps import Submap

STRETCH = 1.0  # [m] of way since scans confirmed a place, from which the next one is compared
OFF, OFF_STRETCH = 0.05, 0.05  # [m] deviation of a place beside a confirmed one, and more for each metre


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
        if not self.scanned or (far < STRETCH and not must and not self.standing(origin, pose)):
            return found, far
        beside = self.overlap.beside(pose, lambda i: not origin.home(i))
        submap = _submap(replica, place_id) if beside else None
        if submap is None or len(submap) < self.overlap.loop_closure.config.count:
            return found, far
        match = self.overlap.compare(place_id, submap, pose, beside, OFF + OFF_STRETCH * far)
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
