"""Tracks of what moves, from the scans of a robot that moves itself.

Each scan is cut into segments. What lies where earlier scans saw free space, and what has left a place that is free
now, moves; what stands where it stood does not. That evidence adds up in each track's log-odds.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array, transform_points
from ami_ros.core.scan import Scan, is_full_turn, moved
from ami_ros.safety.moving_things import MOST_THINGS, Kind, MovingThing, MovingThings
from ami_ros.safety.recent_scans import RecentScans, StandingSpots, looked
from ami_ros.safety.tracks import Segments, TrackerConfig, Tracks, ends_of, segments_of


class Tracker:
    """Feed it every scan with the pose that it was taken at; not thread-safe."""

    def __init__(self, config: TrackerConfig | None = None) -> None:
        self.config = config or TrackerConfig()
        self._tracks, self._recent, self._spots = Tracks(), RecentScans(self.config), StandingSpots()
        self._stamp, self._next = -math.inf, 1
        self._scanner = np.zeros(2)
        self._owned: tuple[Array, NDArray[np.int64]] = (np.zeros((0, 2)), np.zeros(0, np.int64))  # by whom

    def clear(self) -> None:
        """Forgets all, as where odometry begins anew."""
        self._tracks = Tracks()
        self._recent.clear()
        self._spots.clear()
        self._stamp = -math.inf

    def take(self, stamp: float, scan: Scan, pose: Array) -> MovingThings:
        """What moves at `stamp` [s].

        Args:
            stamp: of the scan; one that is not newer than the last is ignored, unless time was turned back.
            scan: in base_link.
            pose: (3,) of base_link in odom.
        """
        elapsed = stamp - self._stamp
        if -self.config.pause < elapsed <= 0:
            return self._report(pose)
        if abs(elapsed) > self.config.pause:
            self.clear()
            elapsed = math.inf
        seen = moved(scan, pose)
        self._scanner = np.array(seen.origin)
        self._stamp = stamp
        self._recent.go(pose, elapsed)
        ends = ends_of(seen, self.config)
        free, still = self._recent.compare(stamp, ends.points)
        stays = np.roll(still, 1) + still + np.roll(still, -1) > 1.5  # by the majority of each end and its neighbours
        segments = segments_of(ends, stays, is_full_turn(scan), self.config)
        thin = segments.order[(segments.width < self.config.widest)[segments.of]]
        stood, stands = np.full((2, len(ends.points)), -np.inf)
        stood[thin], stands[thin] = self._spots.odds(ends.points[thin])
        news = 1 / (1 + np.exp(stands))  # a second return from one spot is none
        self._spots.add(stamp, seen, ends.points[thin], self._recent.slack, self.config.depth_share)
        wall = (segments.width > self.config.wall)[segments.of]
        if wall.sum() >= self.config.wall_points and free[segments.order][wall].mean() > self.config.wall_moves:
            # Odometry has been off.
            self._recent.clear()
            self._spots.clear()
            free, still = np.zeros_like(free), np.zeros_like(still)
        if not math.isinf(elapsed):
            thin_stood = (stood > self._spots.config.stands).astype(np.float64)
            shares = (segments.mean(share) for share in (free, still, thin_stood, news))
            self._follow(stamp, min(elapsed, 0.5), segments, *shares)
            self._judge_places(stamp, elapsed, seen)
        self._recent.add(stamp, seen)
        return self._report(pose)

    def _follow(
        self, stamp: float, elapsed: float, segments: Segments, free: Array, still: Array, stood: Array,
        news: Array,
    ) -> None:  # fmt: skip
        """Predicts, gives each track its segments, begins tracks of those that have none."""
        config, spots, tracks = self.config, self._spots.config, self._tracks
        tracks.predict(elapsed, config)
        beams = 0.75 * config.leg / np.maximum(segments.spacing, 1e-3)  # that meet a leg: this many, or one fewer
        small = (segments.width < config.widest) & (segments.spacing < config.coarsest)
        thing = small & (segments.count >= np.floor(beams).clip(1, config.least_points))
        clear = small & (segments.count >= np.ceil(beams).clip(1, config.least_points))
        owner = np.full(len(thing), -1)
        thin_stands = (news < 1 / (1 + math.exp(spots.stands))) & (segments.width < 2 * spots.width)
        stands = (still > 0.5) | thin_stands
        near, owner[thing] = self._nearest(segments.centre[thing], segments.middle[thing], stands[thing])
        owner[thing] = np.where(near, owner[thing], -1)
        thin = stood > 0.5  # there nothing moves
        free, still = np.where(thin, 0.0, free), np.where(thin, 1.0, still)
        # What one beam too few met may be the leg of a table that beams missed before, until it has come along.
        counts = clear if not len(tracks) else clear | (tracks.came > config.step)[owner]
        self._measure(stamp, elapsed, segments, owner, free, still, counts * news)
        fresh = np.flatnonzero(clear & (owner < 0) & (still < 0.5))
        if len(fresh):
            # Those near one another are one thing, by one step of linkage: two legs, not a row of them.
            apart = np.hypot(*(segments.centre[fresh, None] - segments.centre[None, fresh]).transpose(2, 0, 1))
            heads = (apart < 2 * config.gap + config.apart / 2).argmax(1)
            ids = np.unique(heads)
            weight = np.bincount(heads, minlength=ids[-1] + 1)[ids]
            centres = np.column_stack(
                [np.bincount(heads, segments.centre[fresh, axis], ids[-1] + 1)[ids] / weight for axis in (0, 1)]
            )
            widths = np.zeros(ids[-1] + 1)
            np.maximum.at(widths, heads, segments.width[fresh])
            new = np.arange(self._next, self._next + len(ids))
            self._next += len(ids)
            tracks.begin(new, centres, widths[ids], stamp, config)
        self._merge()
        tracks.note(stamp)

    def _nearest(
        self, centres: Array, middles: Array, stands: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
        """Whether a track may own segments at `centres` (k, 2), and which: those that surely move come first.

        What `stands` (k,) where it stood is a person who has stopped if the track owned it before, with `middles`
        (k, 2) nearly there; else it is what the person passes.
        """
        tracks, config = self._tracks, self.config
        if not len(tracks) or not len(centres):
            return np.zeros(len(centres), bool), np.full(len(centres), -1)
        apart = np.hypot(*(centres[:, None] - tracks.state[None, :, :2]).transpose(2, 0, 1))
        doubt = np.sqrt(tracks.covariance[:, 0, 0] + tracks.covariance[:, 1, 1])
        reach = config.gate + np.minimum(doubt, config.gate)
        owned, owner = self._owned
        stayed = np.full((len(centres), len(tracks)), np.inf)
        if len(owned):
            steps = np.hypot(*(middles[:, None] - owned[None]).transpose(2, 0, 1))
            for k in range(len(tracks)):
                stayed[:, k] = steps[:, owner == tracks.id[k]].min(1, initial=np.inf)
        barred = (apart > reach) | (stands[:, None] & (stayed > config.stayed))
        cost = apart - 0.1 * (tracks.moving > config.report) + np.where(barred, 1e3, 0.0)
        best = cost.argmin(1)
        return cost[np.arange(len(centres)), best] < 1e2, best

    def _measure(
        self, stamp: float, elapsed: float, segments: Segments, owner: NDArray[np.intp], free: Array, still: Array,
        counts: Array,
    ) -> None:  # fmt: skip
        """Updates tracks by the segments that they own; what each says of whether it moves `counts` so much (k,)."""
        tracks, config, count = self._tracks, self.config, len(self._tracks)
        mine = owner >= 0
        best = np.zeros(count)
        np.maximum.at(best, owner[mine], free[mine])
        mine[mine] = free[mine] >= best[owner[mine]] / 2  # beside what moves that it passes does not
        pieces = np.bincount(owner[mine], minlength=count)
        which = np.flatnonzero(pieces)
        self._owned = np.zeros((0, 2)), np.zeros(0, np.int64)
        if not len(which):
            return
        of, weight = owner[mine], segments.count[mine].astype(np.float64)
        total = np.bincount(of, weight, count)[which]
        centre = np.column_stack(
            [np.bincount(of, segments.centre[mine, axis], count)[which] / pieces[which] for axis in (0, 1)]
        )
        shares = (free * counts, still)
        lies_free, stays = (np.bincount(of, weight * share[mine], count)[which] / total for share in shares)
        widest, spread = np.zeros(count), np.zeros(count)
        np.maximum.at(widest, of, segments.width[mine])
        out = np.hypot(*(segments.centre[mine] - tracks.state[of, :2]).T) + segments.width[mine] / 2
        np.maximum.at(spread, of, out)
        spacing = np.bincount(of, segments.spacing[mine], count)[which] / pieces[which]
        away = centre - self._scanner
        centre += away * (config.leg / 2 / np.maximum(np.hypot(*away.T), config.leg))[:, None]  # behind its surface
        own = config.deviation * np.where(pieces[which] > 1, 1.0, config.one_leg)
        tracks.update(which, centre, np.hypot(own, 0.4 * spacing))
        tracks.spacing[which] = spacing
        stays = np.maximum(stays, np.hypot(*tracks.state[which, 2:].T) < config.slow)
        clear = (config.leg / np.maximum(spacing, 1e-3)).clip(0.0, 1.0) ** 2  # beams farther apart than a leg miss some
        gained = config.gain * clear * lies_free * (lies_free > 0.3) - config.loss * stays
        tracks.moving[which] = (tracks.moving[which] + elapsed * gained).clip(-config.most, config.most)
        tracks.width[which] += config.smooth * (widest[which] - tracks.width[which])
        tracks.extent[which] += config.smooth * (2 * spread[which] - tracks.extent[which])
        tracks.seen[which] = stamp
        self._owned = segments.middle[mine], tracks.id[of]
        largest = np.lexsort((weight, of))  # the last of each track is its largest
        tracks.surface[of[largest]] = segments.middle[mine][largest]

    def _judge_places(self, stamp: float, elapsed: float, scan: Scan) -> None:
        """What has left a place that is free now has moved; what is looked through is gone."""
        tracks, config = self._tracks, self.config
        if not len(tracks):
            return
        here = np.concatenate([tracks.state[:, None, :2], np.nan_to_num(tracks.trail, nan=1e6)], 1)
        places = here.reshape(-1, 2)
        through = looked(scan, places, self._recent.slack, config.depth_share)[0].reshape(len(tracks), -1)
        come = np.hypot(*(tracks.trail - tracks.surface[:, None]).transpose(2, 0, 1))  # from each point of the trail
        left = np.nan_to_num(come, nan=0.0) > config.step  # 0 before its time
        # Beams pass beside what one beam met.
        sure = (tracks.width / np.maximum(2 * tracks.spacing, 1e-3)).clip(0.0, 1.0)
        has_left = (through[:, 1:] & left).any(1) & (tracks.seen == stamp)
        added = np.where(has_left & (tracks.moving < config.most), elapsed * config.gain / 2 * sure, 0.0)
        tracks.moving = np.minimum(tracks.moving + added, config.most)
        unseen = tracks.seen < stamp
        tracks.through = np.where(through[:, 0] & unseen, tracks.through + elapsed, 0.0)
        dull = (tracks.moving < 0.3) & (stamp - tracks.seen > config.gone)
        fast = np.hypot(*tracks.state[:, 2:].T) > config.fastest
        tracks.keep(
            (stamp - tracks.seen < config.lost) & (tracks.through < config.gone) & ~dull & ~fast
            & (tracks.moving > -0.5)
        )  # fmt: skip

    def _merge(self) -> None:
        """Of two tracks of one thing that stays which is surer."""
        tracks, config = self._tracks, self.config
        if len(tracks) < 2:
            return
        apart = np.hypot(*(tracks.state[:, None, :2] - tracks.state[None, :, :2]).transpose(2, 0, 1))
        rank = np.lexsort((tracks.id, -tracks.moving)).argsort()
        worse = (apart < config.apart) & (rank[:, None] > rank[None])
        tracks.keep(~worse.any(1))

    def _report(self, pose: Array) -> MovingThings:
        tracks, config = self._tracks, self.config
        sure = (tracks.moving > config.report) & ((tracks.came > config.step) | (tracks.moving > config.certain))
        told = np.flatnonzero(sure & (self._stamp - tracks.seen < config.hidden))
        nearest = np.hypot(*(tracks.state[told, :2] - pose[:2]).T).argsort()[:MOST_THINGS]
        person = (tracks.width < 2 * config.leg_width) & (tracks.extent < 2 * config.person_width)
        things = [
            MovingThing(
                id=int(tracks.id[k]),
                position=tracks.state[k, :2].copy(),
                velocity=tracks.state[k, 2:].copy(),
                covariance=tracks.covariance[k].copy(),
                radius=float(np.clip(tracks.extent[k] / 2, config.radius, 1.0)),
                kind=Kind.PERSON if person[k] else Kind.OTHER,
                confidence=1 / (1 + math.exp(-float(tracks.moving[k]))),
            )
            for k in told[nearest]
        ]
        return MovingThings(self._stamp, tuple(things))


def moving_beams(scan: Scan, pose: Array, things: MovingThings, margin: float = 0.15) -> NDArray[np.bool_]:
    """Which beams (n,) of a `scan` in base_link, taken at `pose` (3,) in odom, end on something that moves.

    Args:
        scan: of about the time of `things`.
        pose: where it was taken.
        things: what moves.
        margin: [m] beyond a thing's radius; larger hides more of what stands beside a person.
    """
    hidden = np.zeros(len(scan.ranges), bool)
    if not things.things:
        return hidden
    returned = np.flatnonzero(np.isfinite(scan.ranges) & (scan.ranges > 0))
    ranges, angles = scan.ranges[returned].astype(np.float64), scan.angles[returned]
    ends = transform_points(pose, np.column_stack([ranges * np.cos(angles), ranges * np.sin(angles)]) + scan.origin)
    apart = np.hypot(*(ends[:, None] - things.positions[None]).transpose(2, 0, 1))
    hidden[returned] = (apart < things.radii + margin).any(1)
    return hidden


def without_moving(scan: Scan, pose: Array, things: MovingThings) -> Scan:
    """A `scan` without what moves, whose beams become NaN: what stands behind it is not known. See `moving_beams`."""
    hidden = moving_beams(scan, pose, things)
    if not hidden.any():
        return scan
    return replace(scan, ranges=np.where(hidden, np.nan, scan.ranges).astype(np.float32))
