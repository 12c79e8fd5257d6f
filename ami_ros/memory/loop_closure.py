"""Loop constraints: where the robot has come back to a place that it knows, by what its laser sees.

A loop constraint is believed in three steps. Its geometry is verified: the two submaps lie on one another, nothing
stands where the other saw free space, and every direction is held by walls, so none is made along a bare corridor. It
is the best: a step on, along what holds it least, nothing fits better that the map leaves open. And it is consistent:
unless the map says already where the robot is, the places of a stretch of way must agree on one loop
(`LoopHypotheses`).

In a corridor whose doors are alike a place fits many others. Each is a hypothesis, and has a share of the place's one
vote: all of it where it is the only one, little where many fit as well. Hypotheses of places that follow one another
agree where the loop over both closes (pairwise consistent measurements, Mangelson et al., ICRA 2018); those that are
right agree along all of the way, those that are wrong now and then. A loop is believed when what agrees has votes
enough, and no other loop has nearly as many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra

from ami_ros.core.background import Slices
from ami_ros.core.geometry import Array, compose, inverse, pose_gap, relative
from ami_ros.core.installation import share
from ami_ros.core.scan_matching import Match, Matcher, Window
from ami_ros.core.submaps import Submap
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.surroundings import SubmapCache
from ami_ros.world_model.scan_pairs import load_scan_pairs

NONE = -3.0  # log odds of which a spot has half of the vote, and nowhere the other half


@dataclass(frozen=True)
class HypothesisConfig:
    """When loop constraints are accepted that the map did not expect."""

    votes: float = 3.0  # places that must agree; larger: fewer loops, safer; use 4.0 without models/scans
    lead: float = 1.5  # votes relative to any other loop, at least
    span: float = 3.0  # [m] driven between the first and the last vote, at least
    window: float = 40.0  # [m] driven during which votes count


@dataclass(frozen=True)
class LoopConstraint:
    """A place seen from another."""

    start: int  # place id
    stop: int
    relative: Array  # (3,) pose of `stop` in the frame of `start`
    covariance: Array  # (3, 3)
    way: float  # [m] driven when `start` was founded


@dataclass
class _Hypothesis:
    loop: LoopConstraint
    share: float  # of the vote of its place
    votes: float = 0.0  # of all that agreed when it was made


def shares(log_odds: Array) -> Array:
    """Of one vote (k,), of spots with such odds of being right (k,); some of it is for none of them."""
    most = max(log_odds.max(initial=NONE), NONE)
    weights = np.exp(log_odds - most)
    return np.asarray(weights / (weights.sum() + np.exp(NONE - most)))


class LoopHypotheses:
    """Suspected constraints of the newest stretch of way.

    Args:
        places: the map.
        config: see there.
    """

    def __init__(self, places: PlaceMap, config: HypothesisConfig) -> None:
        self.places, self.config = places, config
        self._pool: list[_Hypothesis] = []

    def restart(self) -> None:
        """Odometry begins anew: nothing that was suspected can be followed up."""
        self._pool.clear()

    def add(self, constraints: list[LoopConstraint], share: Array) -> list[LoopConstraint]:
        """The loop constraints that are believed now, of one place's and of those before it; [] while none can be.

        Args:
            constraints: (k) of one place.
            share: (k,) of its vote.
        """
        if not constraints:
            return []
        way, index = constraints[0].way, self.places.index
        self._pool = [
            h
            for h in self._pool
            if abs(way - h.loop.way) < self.config.window and h.loop.start in index and h.loop.stop in index
        ]
        new = [_Hypothesis(constraint, float(part)) for constraint, part in zip(constraints, share, strict=True)]
        pool = [h.loop for h in self._pool]
        agreeing = [self._agree(h.loop, pool) for h in new]
        for h, agree in zip(new, agreeing, strict=True):
            h.votes = h.share + sum(self._pool[k].share for k in self._one_each(agree))
        best = int(np.argmax([h.votes for h in new]))
        believed = self._believed(new, best, agreeing[best])
        self._pool = [] if believed else self._pool + new
        return believed

    def _believed(self, new: list[_Hypothesis], best: int, agree: NDArray[np.bool_]) -> list[LoopConstraint]:
        config, leader = self.config, new[best]
        if leader.votes < config.votes:
            return []
        others = [h.votes for k, h in enumerate(new) if k != best]
        others += [h.votes for h, agrees in zip(self._pool, agree, strict=True) if not agrees]
        if leader.votes < config.lead * max(others, default=0.0):
            return []
        group = [leader]
        for k in sorted(self._one_each(agree), key=lambda k: -self._pool[k].share):
            candidate = self._pool[k]
            if self._agree(candidate.loop, [member.loop for member in group]).all():
                group.append(candidate)
        ways = [h.loop.way for h in group]
        if sum(h.share for h in group) < config.votes or max(ways) - min(ways) < config.span:
            return []
        return [h.loop for h in group]

    def _one_each(self, agree: NDArray[np.bool_]) -> list[int]:
        """Of each place in the pool the hypothesis that agrees and has the largest share."""
        found: dict[int, int] = {}
        for k in np.flatnonzero(agree).tolist():
            start = self._pool[k].loop.start
            if start not in found or self._pool[k].share > self._pool[found[start]].share:
                found[start] = k
        return list(found.values())

    def _agree(self, a: LoopConstraint, others: list[LoopConstraint]) -> NDArray[np.bool_]:
        """Whether the loops over two constraints close (n,): from one to the other along the robot's way, and back by
        the map."""
        if not others:
            return np.zeros(0, bool)
        index = self.places.index
        starts = index.poses[index.rows(np.array([b.start for b in others]))]
        stops = index.poses[index.rows(np.array([b.stop for b in others]))]
        seen = np.array([b.relative for b in others])
        here = relative(np.broadcast_to(index.poses[index.row(a.start)], starts.shape), starts)
        there = relative(np.broadcast_to(index.poses[index.row(a.stop)], stops.shape), stops)
        gap, turn = pose_gap(compose(np.broadcast_to(a.relative, there.shape), there), compose(here, seen))
        length = np.hypot(*here[:, :2].T) + np.hypot(*there[:, :2].T)
        other_place = np.array([b.start != a.start for b in others])
        return np.asarray(other_place & (gap < 0.25 + 0.015 * length) & (turn < 0.08 + 0.005 * length))


@dataclass(frozen=True)
class LoopClosureConfig:
    """When two places are linked."""

    apart: float = 8.0  # [m] driven between two places of a loop, at least
    reach: float = 1.3  # [m] between linked places, at most
    support: float = 0.62  # share of points on walls of the other submap, at least; larger: fewer loops, safer
    conflict: float = 0.06  # share of points in free space of the other submap, at most; larger tolerates more change
    known_conflict: float = 0.20  # the same where the position is already known
    count: int = 50  # points on walls, at least
    looseness: float = 0.10  # [m] standard deviation in the worst direction, at most; larger: links in barer corridors
    firmness: float = 0.6  # support of the walls that hold the worst direction, at least
    sure: float = 0.35  # [m] standard deviation of the position up to which one constraint needs no others
    farthest: float = 30.0  # [m] error of odometry, at most; places farther away are not compared
    floor: tuple[float, float] = (0.03, 0.01)  # [m], [rad] least standard deviation; larger: a map nearer to odometry
    learned: bool = True  # models/scans compares submaps; false: the share of points that agree
    candidates: int = 40  # places compared at once; larger finds more loops in large maps, slower
    hypotheses: HypothesisConfig = field(default_factory=HypothesisConfig)


@dataclass
class Spot:
    """Where one look fits."""

    row: int  # of the place that it was compared with
    match: Match
    where: Array  # (3,) of the robot in the map
    scan: float  # log odds that the scan is right there
    picture: float | None = None  # log odds by what was seen from there, and is seen now; None: nothing was


@dataclass(frozen=True)
class LoopLimits:
    """How far ways are followed to tell where a place lies, and what fits are worth."""

    lever: float = 10.0  # [m] by which deviations of turns count as deviations of positions, to tell the surest way
    followed: int = 4000  # places, the fewest ways away first, among which the surest way to a place is looked for
    nearby: float = 10.0  # [m] around a place in which ways are followed to tell where one close by lies
    together: int = 4  # fits that are made in one slice of work
    fits: int = 16  # that are looked at where the map leaves open where the robot is
    scatter: float = 0.03  # [m] deviation of where a fit ends
    slack: float = 0.03  # of support that a fit's odds fall by two thirds with, where nothing that has learned compares


LIMITS = LoopLimits()


class LoopCloser:
    """Finds constraints in one robot's map.

    Args:
        places: the map.
        config: see there.
        way_sigma: [m], [rad] of a way whose covariance is not known.

    Attributes:
        submaps: of the places.
    """

    def __init__(self, places: PlaceMap, config: LoopClosureConfig, way_sigma: tuple[float, float]) -> None:
        self.places, self.config, self.way_sigma = places, config, way_sigma
        self.submaps = SubmapCache(places.store)
        self._hypotheses = LoopHypotheses(places, config.hypotheses)
        self._pairs = load_scan_pairs(share("models", "scans")) if config.learned else None
        self.restart()

    def restart(self) -> None:
        """Odometry begins anew: nothing that was suspected can be followed up."""
        self.ways: dict[int, float] = {}  # place id -> [m] driven when it was founded, the newest last
        self._islands: NDArray[np.int32] | None = None  # of each row, the number of the part of the map it is in
        self._hypotheses.restart()

    def look(self, place_id: int) -> Slices[list[LoopConstraint]]:
        """Loop constraints of a place that can be believed now; those of other places that it confirms, too."""
        submap = self.submaps.of(place_id)
        if submap is None or len(submap) < self.config.count:
            return []
        rows, expected, deviation, turn = self._candidates(place_id)
        if not len(rows):
            return []
        yield
        matcher = Matcher(submap)
        sure = deviation < self.config.sure
        if sure.any():
            constraint = yield from self._near(
                matcher, place_id, rows[sure], expected[sure], deviation[sure], turn[sure]
            )
            return [constraint] if constraint is not None else []
        constraints, share = yield from self._far(matcher, place_id, rows, expected, turn)
        return self._hypotheses.add(constraints, share)

    def is_recent(self, place_id: int) -> bool:
        """Whether the robot has driven too little since it was founded for a loop."""
        newest = next(reversed(self.ways.values()), 0.0)
        return newest - self.ways.get(place_id, -np.inf) < self.config.apart

    def leave(self, ids: set[int]) -> None:
        """Places were forgotten."""
        self._islands = None
        for place_id in ids:
            self.ways.pop(place_id, None)
        self.submaps.forget(ids)

    def deviation(self, here: int, place_id: int) -> tuple[float, float]:
        """How far the map may be off about where a place lies that is close to `here` [m], [rad]; inf where its
        surroundings are not known."""
        if self.submaps.of(place_id) is None:
            return np.inf, np.inf
        index = self.places.index
        row, other = index.row(here), index.row(place_id)
        near = self.places.near(index.poses[row, :2], LIMITS.nearby)
        if other not in near:
            return np.inf, np.inf
        at = np.searchsorted(near, other)
        off, turned = (float(np.sqrt(variance[at])) for variance in self._uncertainty(row, near))
        return off, turned

    def compare(self, submap: Submap, place_id: int, expected: Array, deviation: float) -> Match | None:
        """Where a place lies as seen from where `submap` was taken; None: not near where it is expected.

        Args:
            submap: of the robot.
            place_id: of that place.
            expected: (3,) where the map has it.
            deviation: [m] by which that may be off.
        """
        other = self.submaps.of(place_id)
        if other is None:
            return None
        return self._verified(Matcher(submap), other, expected, (min(0.7, 0.2 + 3 * deviation), 0.2))

    # What may be near

    def _candidates(self, place_id: int) -> tuple[NDArray[np.int64], Array, Array, Array]:
        """Rows (k,) of places that may be where `place_id` is, likeliest first, where they lie as seen from there
        (k, 3), and how far that may be off: deviations (k,) [m] and (k,) [rad]."""
        index, config, most = self.places.index, self.config, self.config.farthest / 2.5
        row, own = index.row(place_id), self.ways.get(place_id, 0.0)
        rows = self.places.near(index.poses[row, :2], config.reach + config.farthest)
        driven = np.array([abs(own - self.ways.get(i, -np.inf)) for i in index.ids[rows].tolist()])
        rows = rows[driven > config.apart]
        deviation, turn = self._deviations(row, rows)
        gap = np.hypot(*(index.poses[rows, :2] - index.poses[row, :2]).T)
        possible = (gap < config.reach + 2.5 * np.minimum(deviation, most)) & np.isfinite(deviation)
        rows, gap, turn, deviation = (
            rows[possible],
            gap[possible],
            turn[possible],
            np.minimum(deviation[possible], most),
        )
        order = np.argsort(gap / (config.reach + deviation))
        if len(order) > config.candidates:  # half of them for where they are, half for what they look like
            near, rest = np.split(order, [config.candidates // 2])
            alike = np.argsort(-(index.keys[rows[rest]] @ index.query(index.latents[row])))
            order = np.append(near, rest[alike[: config.candidates // 2]])
        rows = rows[order]
        return rows, relative(index.poses[row], index.poses[rows]), deviation[order], turn[order]

    def _deviations(self, row: int, rows: NDArray[np.int64]) -> tuple[Array, Array]:
        """Standard deviations (k,) [m] and (k,) [rad] of where places, rows (k,), lie as seen from one; inf where no
        way leads there."""
        index = self.places.index
        around = self.places.graph.edges.around([int(index.ids[row])], LIMITS.followed)
        followed = np.sort(index.rows(np.array(around)))
        variance, turn = self._uncertainty(row, followed)
        at = np.minimum(np.searchsorted(followed, rows), len(followed) - 1)
        is_followed = followed[at] == rows
        found, found_turn = (np.where(is_followed, values[at], np.inf) for values in (variance, turn))
        if len(around) >= LIMITS.followed:  # what is farther is as uncertain as can be, if a way leads there at all
            beyond = ~is_followed & self._is_linked(row, rows)
            found[beyond], found_turn[beyond] = self.config.farthest**2, turn[np.isfinite(turn)].max()
        return np.sqrt(found), np.sqrt(found_turn)

    def _is_linked(self, row: int, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether any way leads from a place to others, rows (k,); of places since the last look one does."""
        index, edges = self.places.index, self.places.graph.edges.columns
        if self._islands is None or len(index) > 1.1 * len(self._islands):
            ends = index.rows(np.append(edges["start"], edges["stop"])).reshape(2, -1)
            matrix = csr_matrix((np.ones(len(edges)), (ends[0], ends[1])), shape=(len(index), len(index)))
            self._islands = connected_components(matrix, directed=False)[1]
        islands = np.append(self._islands, np.full(max(0, len(index) - len(self._islands)), -1))
        return np.asarray((islands[rows] == islands[row]) | (islands[rows] < 0) | (islands[row] < 0))

    def _uncertainty(self, row: int, among: NDArray[np.int64]) -> tuple[Array, Array]:
        """Variances (k,) [m^2] and (k,) [rad^2] of where places lie as seen from one, along the surest ways.

        A turn that is off by some angle moves everything behind it by that angle times the distance.

        Args:
            row: of that place.
            among: rows (k,), rising, of those places; no way is followed by others.
        """
        index, table = self.places.index, self.places.graph.edges
        n, position = len(among), index.poses[among, :2] - index.poses[row, :2]
        edges = table.columns[table.within(index.ids[among].tolist())]
        edges = edges[(edges["traversals"] > 0) | (edges["loop"] > 0)]
        ends = index.rows(np.append(edges["start"], edges["stop"])).reshape(2, -1)
        local = np.minimum(np.searchsorted(among, ends), n - 1)
        inside = (among[local] == ends).all(axis=0)
        edges, ends = edges[inside], local[:, inside]
        known = edges["caa"] > 0
        along = np.where(known, edges["cxx"] + edges["cyy"], 2 * self.way_sigma[0] ** 2)
        turn = np.where(known, edges["caa"], self.way_sigma[1] ** 2)
        tails, heads, both = np.append(ends[0], ends[1]), np.append(ends[1], ends[0]), np.tile(np.arange(len(edges)), 2)
        cost = (along + LIMITS.lever**2 * turn)[both]
        cheapest = np.lexsort((cost, heads, tails))  # of several ways between the same places the surest counts
        first = (
            np.append(True, np.diff(tails[cheapest] * n + heads[cheapest]) != 0) if len(edges) else np.zeros(0, bool)
        )
        tails, heads, both, cost = (values[cheapest[first]] for values in (tails, heads, both, cost))
        matrix = csr_matrix((cost, (tails, heads)), shape=(n, n))
        distance, before = dijkstra(matrix, indices=int(np.searchsorted(among, row)), return_predecessors=True)
        reached = np.flatnonzero(before >= 0)
        by = both[np.searchsorted(tails * n + heads, before[reached] * n + reached)]
        sums, at = np.zeros((n, 5)), position[before[reached]]
        sums[reached] = np.column_stack([along[by], turn[by], turn[by, None] * at, turn[by] * np.square(at).sum(1)])
        parent = np.where(before < 0, np.arange(n), before)
        root = parent == np.arange(n)
        while not root[parent].all():  # doubles the length of the way that is added up each time
            sums += np.where(root[:, None], 0.0, sums[parent])
            parent = parent[parent]
            root = parent == np.arange(n)
        variance = sums[:, 0] + sums[:, 1] * np.square(position).sum(1)
        variance += sums[:, 4] - 2 * (sums[:, 2:4] * position).sum(1)
        unknown = ~np.isfinite(distance)
        variance[unknown] = np.inf
        return variance, np.where(unknown, np.inf, sums[:, 1])

    # What is there

    def _near(
        self, matcher: Matcher, place_id: int, rows: NDArray[np.int64], expected: Array, deviation: Array, turn: Array
    ) -> Slices[LoopConstraint | None]:
        """A constraint where the map says already where the robot is: it has to agree."""
        best: tuple[float, int, Match] | None = None
        for k in range(min(4, len(rows))):
            other = self.submaps.of(int(self.places.index.ids[rows[k]]))
            if other is None:
                continue
            yield
            match = self._verified(matcher, other, expected[k], (0.2 + 3 * deviation[k], 0.1 + 3 * turn[k]))
            if match is None or np.hypot(*match.pose[:2]) > self.config.reach:
                continue
            if best is None or match.support > best[0]:
                best = match.support, int(self.places.index.ids[rows[k]]), match
        return self._constrain(place_id, best[1], best[2]) if best else None

    def _far(
        self, matcher: Matcher, place_id: int, rows: NDArray[np.int64], expected: Array, turn: Array
    ) -> Slices[tuple[list[LoopConstraint], Array]]:
        """The loop constraints (k) that fit within what odometry leaves open, one for each spot, and their
        shares of the vote (k,)."""
        windows = [
            Window(at * [0.0, 0.0, 1.0], self.config.reach, min(np.pi, 0.15 + 2.5 * off))
            for at, off in zip(expected, turn, strict=True)
        ]
        spots = distinct((yield from self.spots(matcher, rows, windows, LIMITS.fits)))
        votes = shares(np.array([spot.scan for spot in spots]))
        good = [
            self.holds(spot.match, self.config.conflict) and np.hypot(*spot.match.pose[:2]) <= self.config.reach
            for spot in spots
        ]
        ids = self.places.index.ids[[spot.row for spot in spots]].tolist() if spots else []
        found = zip(ids, spots, good, strict=True)
        return [self._constrain(place_id, i, spot.match) for i, spot, is_good in found if is_good], votes[good]

    def spots(
        self, matcher: Matcher, rows: NDArray[np.int64], windows: Sequence[Window], most: int
    ) -> Slices[list[Spot]]:
        """Where a submap fits in the map, best first; several may be of one pose.

        Args:
            matcher: of that submap.
            rows: (k,) of the places that it is compared with.
            windows: of each, where it may lie as seen from there.
            most: fits that are looked at closely.
        """
        index = self.places.index
        asked = [(i, self.submaps.of(i), window) for i, window in zip(index.ids[rows].tolist(), windows, strict=True)]
        known = [(i, other, window) for i, other, window in asked if other is not None]
        fits: list[tuple[int, Submap, Match]] = []
        searched = yield from matcher.searching([other for _, other, _ in known], [w for *_, w in known], most)
        for number, (k, pose, _) in enumerate(searched):
            if number % LIMITS.together == 0:
                yield
            place_id, other, _ = known[k]
            match = matcher.fit(other, pose)
            if match is not None:
                fits.append((place_id, other, match))
        yield
        odds = self._scores(matcher, [(other, match) for _, other, match in fits])
        spots: list[Spot] = []
        for (place_id, _, match), log_odds in zip(fits, odds.tolist(), strict=True):
            row = index.row(place_id)
            spots.append(Spot(row, match, compose(index.poses[row], inverse(match.pose)), log_odds))
        return sorted(spots, key=lambda spot: -spot.scan)

    def _verified(self, matcher: Matcher, other: Submap, expected: Array, off: tuple[float, float]) -> Match | None:
        """Where another lies that is expected at (3,) and at most `off` [m], [rad] from there."""
        match = matcher.fit(other, expected)
        most = self.config.known_conflict
        if match is None or not self.holds(match, most):
            for _, pose, _ in matcher.search([other], [Window(expected, 0.5, 0.2)], most=1):
                match = matcher.fit(other, pose)
        if match is None or not self.holds(match, most):
            return None
        fits = [fit for fit in (match, *matcher.slipped(other, match)) if _within(pose_gap(fit.pose, expected), off)]
        if not fits:
            return None
        best = self._best(matcher, other, fits, (expected, off[0] / 3))
        return best if self.holds(best, most) else None

    def _best(
        self, matcher: Matcher, other: Submap, fits: list[Match], expected: tuple[Array, float] | None = None
    ) -> Match:
        """The likeliest of several fits of a submap that is `expected` at (3,), give or take so much [m]."""
        if len(fits) == 1:
            return fits[0]
        scores = self._scores(matcher, [(other, fit) for fit in fits])
        if expected is not None:
            gaps = np.array([pose_gap(fit.pose, expected[0])[0] for fit in fits])
            scores = scores - 0.5 * np.square(gaps / (expected[1] + LIMITS.scatter))
        return fits[int(np.argmax(scores))]

    def _scores(self, matcher: Matcher, fits: list[tuple[Submap, Match]]) -> Array:
        """Log odds (k,) that fits of submaps are right."""
        if self._pairs is None:
            return (
                np.array([match.support - match.conflict for _, match in fits]) - self.config.support
            ) / LIMITS.slack
        return np.asarray(self._pairs.log_odds(matcher.reference, fits), np.float64)

    def holds(self, match: Match, conflict: float) -> bool:
        """Whether a match is good enough, with that share of points at most where the other saw free space."""
        config = self.config
        enough = min(match.support / config.support, match.firmness / config.firmness, match.count / config.count) >= 1
        return enough and match.conflict <= conflict and match.looseness <= config.looseness

    def _constrain(self, start: int, stop: int, match: Match) -> LoopConstraint:
        return LoopConstraint(start, stop, match.pose, match.covariance + self.floor, self.ways.get(start, 0.0))

    @property
    def floor(self) -> Array:
        """(3, 3) least covariance of a constraint."""
        off, turned = self.config.floor
        return np.diag(np.square([off, off, turned]))


def _within(gap: Sequence[Array], most: tuple[float, float]) -> bool:
    return bool(gap[0] <= most[0] and gap[1] <= most[1])


def is_apart(a: Array, b: Array) -> bool:
    """Whether two poses (3,) are not the same."""
    return bool(np.greater(pose_gap(a, b), (0.7, 0.2)).any())  # [m], [rad]


def distinct(spots: Sequence[Spot]) -> list[Spot]:
    """The first one of each pose."""
    found: list[Spot] = []
    for spot in spots:
        if all(is_apart(spot.where, other.where) for other in found):
            found.append(spot)
    return found
