"""Where another robot's map lies in this one, if the two have anything in common.

Some of its places are looked for all over this map, by scans or, without any, by latents. Each that is found votes for
where the other map lies. What most agree on is then verified where both maps have been: there scans have to lie on one
another, and pictures must not differ. Rooms that are alike get votes, too. So it has to be much likelier that both maps
show one place than two that are alike, and than that the other lies where else many votes agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.background import Slices
from ami_ros.core.geometry import (
    Array,
    agreeing,
    compose,
    inverse,
    pose_gap,
    register,
    relative,
    transform_points,
    wrap,
)
from ami_ros.core.scan_matching import Match, Matcher, Window
from ami_ros.core.submaps import Submap
from ami_ros.memory.coverage import one_a_square
from ami_ros.memory.index import Latents, cluster, match
from ami_ros.memory.loop_closure import LoopCloser, distinct, is_apart, shares
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.types import PlaceRow


@dataclass(frozen=True)
class OverlapConfig:
    """How another map is sought, and what it takes to be believed."""

    grain: float = 0.8  # [m] side of the squares of which each gives one place of this map to compare with ...
    most: int = 80  # ... those that look most alike
    reach: float = 0.8  # [m] around them
    probes: int = 48  # places of the other that are looked for, at most
    stride: float = 2.0  # [m] between them
    votes: float = 2.5  # that must agree on a frame
    lead: float = 1.5  # times as many as for another one from which that is no rival
    tried: int = 4  # frames that are verified
    checked: int = 30  # places that are verified
    # Conflict is the share of a scan's points where the other saw free space; it is about exponential. Its mean in one
    # building, in one of which a third of the furniture was moved meanwhile, and in rooms that are alike.
    same: float = 0.003
    changed: float = 0.02
    alike: float = 0.045
    goes_on: float = 0.5  # share of alike rooms that go on to be alike where other walls come into sight, ...
    missed: float = 0.05  # ... and of the same place that look like another: all was moved
    sight: float = 6.0  # [m] around a place to walls that its scan is about, or to the nearer half ...
    square: float = 1.0  # ... and their grain
    certain: float = 2.0  # log odds [nat] from which it is one place
    off: float = 0.17  # [m] deviation of where a frame has a place, near those that voted for it
    least_support: float = 0.35  # share of points on walls of the other submap, below which scans contradict
    beside: float = 1.0  # [m] between places whose scans are compared
    pictures: int = 8  # pairs compared
    most_odds: float = 3.0  # log odds of one of them, at most; in the mean they must be positive
    seen: tuple[float, float] = (0.7, 0.5)  # [m], [rad] within which two pictures show the same
    likely: float = 0.85  # probability that two pictures show the same ...
    trusted: float = 0.35  # ... and [m] of error, for them to vote
    shown: int = 96  # places whose pictures are looked for ...
    shown_stride: float = 0.7  # ... [m] between them ...
    shown_by: int = 8  # ... in so many others
    early: int = 4  # of them after which votes are counted, again and again
    shown_votes: float = 6.0  # that must agree where there are no scans
    span: float = 2.0  # [m] that places span which agree without scans
    compared: int = 400  # by latents: places looked for
    recognised: float = 0.3  # weight from which one is found
    least_agreeing: int = 12  # places, and ...
    share_agreeing: float = 0.6  # ... share of those found that agree


@dataclass(frozen=True)
class Found:
    """A place of the other map that was found in this one."""

    place_id: int  # of the other
    pose: Array  # (3,) in this map
    here: int = 0  # place of this map that its scan was compared with; 0: none
    match: Match | None = None  # where that lies as seen from it


@dataclass(frozen=True)
class Others:
    """The other map."""

    rows: dict[int, PlaceRow]  # of home
    latents: Callable[[Sequence[int]], dict[int, PlaceRow]]  # the same with latents
    submap: Callable[[int], Submap | None]
    code: Callable[[int], Latents | None]  # of a place's picture, as `Recogniser.code` makes it


@dataclass(frozen=True)
class _Vote:
    place_id: int
    home: Array
    pose: Array
    share: float


@dataclass(frozen=True)
class _Look:
    """What came of comparing scans of both at one place."""

    squares: Array  # see `_squares`
    conflict: float | None  # None: they contradict one another


class Overlap:
    """Looks for another map.

    Args:
        places: this map.
        loop_closure: compares scans.
        config: see there.
    """

    def __init__(self, places: PlaceMap, loop_closure: LoopCloser, config: OverlapConfig | None = None) -> None:
        self.places, self.loop_closure, self.config = places, loop_closure, config or OverlapConfig()

    def search(self, others: Others, scanned: bool) -> Slices[list[Found] | str]:
        """Places of the other map that were found here, or in one line why none was.

        Args:
            others: the map.
            scanned: both go by scans.
        """
        if scanned:
            return (yield from self._by_scans(others))
        found = yield from self._by_pictures(others)
        return found if isinstance(found, list) else (yield from self._by_latents(others))

    # By scans

    def _by_scans(self, others: Others) -> Slices[list[Found] | str]:
        votes: list[_Vote] = []
        looked = 0
        for place_id in _spread(others.rows, self.config.probes, self.config.stride):
            submap = others.submap(place_id)
            yield
            if submap is None or len(submap) < self.loop_closure.config.count:
                continue
            row = others.latents([place_id]).get(place_id)
            if row is not None:
                votes += yield from self._spots(row, submap)
            looked += 1
        if not looked:
            return "nothing was seen there yet"
        tried: list[tuple[float, list[Found]]] = []
        least = self.config.votes
        while len(tried) < self.config.tried:
            group, votes = _agreed(votes)
            if _votes_of(group) < least:
                break
            tried.append((yield from self._verified(others, group)))
            if tried[-1][0] >= self.config.certain:
                least = max(least, _votes_of(group) / self.config.lead)
        best, found = max(tried, key=lambda each: each[0], default=(0.0, []))
        rivals = []  # odds of frames that have most of the places elsewhere that were found by both, if any
        for odds, places in tried:
            there = {place.place_id: place.pose for place in found}
            apart = [is_apart(place.pose, there[place.place_id]) for place in places if place.place_id in there]
            if 2 * sum(apart) >= len(apart):
                rivals.append(odds)
        if best >= self.config.certain and best - max(rivals, default=0.0) < self.config.certain:
            return "nothing is sure yet: there is more than one place in this map where it may lie"
        if best >= self.config.certain and (yield from self._look_alike(others, found)):
            return found
        what = f", {len(tried)} that seemed to be were refuted" if tried else ""
        return f"nothing in common yet: {looked} of its places were looked for{what}"

    def _spots(self, row: PlaceRow, submap: Submap) -> Slices[list[_Vote]]:
        loop, index = self.loop_closure, self.places.index
        rows = one_a_square(index.poses, self.config.grain)
        if len(rows) > self.config.most:
            rows = rows[np.argsort(-index.scores(row.latent)[rows])[: self.config.most]]
        windows = [Window(np.zeros(3), self.config.reach, np.pi)] * len(rows)
        spots = distinct((yield from loop.spots(Matcher(submap), rows, windows, 16)))
        share = shares(np.array([spot.scan for spot in spots]))
        good = [loop.holds(spot.match, loop.config.conflict) for spot in spots]
        return [
            _Vote(row.id, row.pose, spot.where, float(part))
            for spot, part, is_good in zip(spots, share, good, strict=True)
            if is_good
        ]

    def _verified(self, others: Others, group: list[_Vote]) -> Slices[tuple[float, list[Found]]]:
        """How likely the frame is right that votes agree on, by the places around them (see `_odds`), and those of them
        that scans confirm."""
        frame = _frame(group)
        near = np.mean([vote.home[:2] for vote in group], axis=0)
        ids = _spread(others.rows, len(others.rows), self.config.beside)
        ids.sort(key=lambda i: float(np.hypot(*(others.rows[i].pose[:2] - near))))
        found: list[Found] = []
        looks: list[_Look] = []
        for place_id in ids:
            pose = compose(frame, others.rows[place_id].pose)
            here = self.beside(pose, lambda place: True)
            submap = others.submap(place_id) if here else None
            if submap is None or len(submap) < self.loop_closure.config.count:
                continue
            yield
            place = self.compare(place_id, submap, pose, here, self.config.off)
            if isinstance(place, Found):
                found.append(place)
                assert place.match is not None
                looks.append(_Look(_squares(place.pose, submap, self.config), place.match.conflict))
            elif not place:
                looks.append(_Look(_squares(pose, submap, self.config), None))
            if len(looks) == self.config.checked or _odds(looks, self.config) < -self.config.certain:
                break
        return _odds(looks, self.config), found

    def beside(self, pose: Array, counts: Callable[[int], bool]) -> int:
        """The place of this map nearest to `pose` (3,) that has a scan and `counts`; 0: there is none."""
        index = self.places.index
        rows = self.places.near(pose[:2], self.config.beside)
        gap, turn = pose_gap(index.poses[rows], pose)
        for row in rows[np.argsort(gap + 0.3 * turn)].tolist():
            place_id = int(index.ids[row])
            if counts(place_id) and self.loop_closure.submaps.free(place_id) is not None:
                return place_id
        return 0

    def compare(self, place_id: int, submap: Submap, pose: Array, here: int, off: float) -> Found | bool:
        """Where scans have a place of the other that is expected at `pose` (3,), by what was seen at the place `here`;
        false: they contradict that, true: they do not, but show too little in common to tell.

        Args:
            place_id: of the other.
            submap: what it saw.
            pose: in this map.
            here: see `beside`.
            off: [m] deviation of `pose`.
        """
        loop, at = self.loop_closure, self.places.index.poses[self.places.index.row(here)]
        match = loop.compare(submap, here, relative(pose, at), off)
        if match is not None:
            return Found(place_id, compose(at, inverse(match.pose)), here, match)
        other = loop.submaps.of(here)
        fit = None if other is None else Matcher(submap).fit(other, relative(pose, at))
        return fit is None or (fit.conflict <= loop.config.known_conflict and fit.support >= self.config.least_support)

    def _look_alike(self, others: Others, found: list[Found]) -> Slices[bool]:
        """Whether pictures do not say that places are others."""
        recogniser, index = self.places.recogniser, self.places.index
        odds: list[float] = []
        for k in np.linspace(0, len(found) - 1, min(len(found), 3 * self.config.pictures)).astype(int):
            if recogniser is None or len(odds) == self.config.pictures:
                break
            gap, turn = pose_gap(index.poses, found[k].pose)
            near = np.flatnonzero((gap < self.config.seen[0]) & (turn < self.config.seen[1]))
            code = others.code(found[k].place_id) if len(near) else None
            yield
            if code is None:
                continue
            same: list[float] = []
            for here in index.ids[near[np.argsort(gap[near] + turn[near])[:2]]].tolist():
                same += [likely for *_, likely in recogniser.seen_from([here], code)]
                yield
            if same:
                best = float(np.clip(max(same), 1e-6, 1 - 1e-6))
                odds.append(float(np.clip(np.log(best / (1 - best)), -self.config.most_odds, self.config.most_odds)))
        return not odds or float(np.mean(odds)) >= 0.0

    # By pictures

    def _by_pictures(self, others: Others) -> Slices[list[Found] | str]:
        index, recogniser = self.places.index, self.places.recogniser
        votes: list[_Vote] = []
        if recogniser is None:
            return "nothing compares pictures"
        for number, place_id in enumerate(_spread(others.rows, self.config.shown, self.config.shown_stride), 1):
            row, code = others.latents([place_id]).get(place_id), others.code(place_id)
            yield
            if row is None or code is None:
                continue
            for here in index.ids[index.most_similar(row.latent, self.config.shown_by)[0]].tolist():
                for _, seen, error, same in recogniser.seen_from([here], code):
                    if same > self.config.likely and error < self.config.trusted:
                        pose = compose(index.poses[index.row(here)], seen)
                        votes.append(_Vote(place_id, row.pose, pose, same))
                yield
            if number % self.config.early:
                continue
            group, rest = _agreed(votes, (0.5, 0.25))
            rival, _ = _agreed(rest, (0.5, 0.25))
            if _votes_of(group) < max(self.config.shown_votes, self.config.lead * _votes_of(rival)):
                continue
            at = np.array([vote.home[:2] for vote in group])
            if np.hypot(*np.ptp(at, axis=0)) < self.config.span:
                continue
            frame = _frame(group)
            ids = _spread(others.rows, len(others.rows), self.config.shown_stride)
            found = [Found(i, compose(frame, others.rows[i].pose)) for i in ids]
            if (yield from self._look_alike(others, found)):
                return [Found(i, compose(frame, others.rows[i].pose)) for i in sorted({v.place_id for v in group})]
            votes.clear()
        return "nothing in common yet: no pictures show the same"

    # By latents

    def _by_latents(self, others: Others) -> Slices[list[Found] | str]:
        index, ids = self.places.index, sorted(others.rows)
        sought: list[int] = []
        here: list[Array] = []
        for k in np.linspace(0, len(ids) - 1, min(self.config.compared, len(ids))).astype(int).tolist():
            row = others.latents([ids[k]]).get(ids[k])
            if row is None:
                continue
            matches = match(index, row.latent)
            clusters = cluster(matches)
            if clusters and clusters[0].share * matches.weights.sum() > self.config.recognised:
                sought.append(ids[k])
                here.append(clusters[0].pose)
            yield
        there, true = np.array([others.rows[i].pose for i in sought]).reshape(-1, 3), np.array(here).reshape(-1, 3)
        frame = register(there, true)
        if frame is None:
            return "nothing in common yet: none of its places looks known"
        agree = agreeing(frame, there, true)
        yield
        chosen = [i for i, agrees in zip(sought, agree.tolist(), strict=True) if agrees]
        span = float(np.hypot(*np.ptp(there[agree][:, :2], axis=0))) if len(chosen) else 0.0
        found = [Found(i, compose(frame, others.rows[i].pose)) for i in chosen]
        config = self.config
        enough = len(found) >= max(config.least_agreeing, config.share_agreeing * len(sought)) and span >= config.span
        if enough and (yield from self._look_alike(others, found)):
            return found
        return f"nothing in common yet: of {len(sought)} places that look known, {len(found)} agree"


def _odds(looks: list[_Look], config: OverlapConfig) -> float:
    """Log odds [nat] that maps show one place, and not two that are alike.

    There a little is wrong everywhere, and beyond the room they soon differ; here only what was moved does. All scans
    of a room show the same walls, so what several show counts as much as if one did.
    """
    if not looks:
        return 0.0
    of = np.repeat(np.arange(len(looks)), [len(look.squares) for look in looks])
    _, square, count = np.unique(
        np.concatenate([look.squares for look in looks]), axis=0, return_inverse=True, return_counts=True
    )
    each = np.bincount(of, 1.0 / count[square.ravel()], len(looks)) / np.bincount(of, minlength=len(looks))
    conflict = np.array([np.nan if look.conflict is None else look.conflict for look in looks])
    fails = np.isnan(conflict)
    holds, conflict = each[~fails], conflict[~fails]
    alike, lasting, missed = config.alike, config.goes_on, config.missed
    same, changed = (
        float((holds * (np.log(alike / mean) + conflict * (1 / alike - 1 / mean))).sum())
        for mean in (config.same, config.changed)
    )
    goes_on = holds.sum() * np.log((1 - missed) / lasting) + each[fails].sum() * np.log(missed / (1 - lasting))
    return float(np.logaddexp(same, changed) - np.log(2) + goes_on)


def _squares(pose: Array, submap: Submap, config: OverlapConfig) -> Array:
    """Which squares (n, 2) of the map are walls that a submap with points shows near its place at `pose` (3,)."""
    distance = np.hypot(*submap.points.T)
    near = submap.points[distance <= max(config.sight, float(np.median(distance)))]
    return np.unique(np.floor(transform_points(pose, near) / config.square), axis=0)


def _spread(rows: dict[int, PlaceRow], most: int, stride: float) -> list[int]:
    """Ids of places, one in each square, at most so many of them; the same each time."""
    ids = np.array(sorted(rows), np.int64)
    squares = np.floor(np.array([rows[i].pose[:2] for i in ids.tolist()]).reshape(-1, 2) / stride).astype(np.int64)
    ids = ids[np.sort(np.unique(squares, axis=0, return_index=True)[1])] if len(ids) else ids
    chosen: NDArray[np.int64] = np.random.default_rng(0).permutation(ids)[:most]
    return chosen.tolist()


def _agreed(votes: list[_Vote], off: tuple[float, float] = (0.25, 0.08)) -> tuple[list[_Vote], list[_Vote]]:
    """The votes for where the other map lies that most of its places have in common, and those for other frames.

    Args:
        votes: of all places.
        off: [m], [rad] that two may be off; more with the distance between them, for maps are bent.
    """
    if not votes:
        return [], []
    home, pose = np.array([vote.home for vote in votes]), np.array([vote.pose for vote in votes])
    place, share = np.array([vote.place_id for vote in votes]), np.array([vote.share for vote in votes])
    gap, turn = pose_gap(relative(pose[:, None], pose[None]), relative(home[:, None], home[None]))
    apart = np.hypot(*np.moveaxis(home[:, None, :2] - home[None, :, :2], 2, 0))
    agree = (gap < off[0] + 0.015 * apart) & (turn < off[1] + 0.005 * apart) & (place[:, None] != place[None])
    np.fill_diagonal(agree, True)
    groups = [_one_each(np.flatnonzero(row), place, share) for row in agree]
    sums = np.array([share[group].sum() for group in groups])
    best = int(np.argmax(sums))
    rest = [vote for vote, agrees in zip(votes, agree[best].tolist(), strict=True) if not agrees]
    return [votes[k] for k in groups[best]], rest


def _votes_of(group: list[_Vote]) -> float:
    return sum(vote.share for vote in group)


def _one_each(rows: NDArray[np.int64], place: NDArray[np.int64], share: Array) -> NDArray[np.int64]:
    """Of each place the vote with the largest share."""
    rows = rows[np.argsort(-share[rows], kind="stable")]
    return rows[np.unique(place[rows], return_index=True)[1]]


def _frame(group: list[_Vote]) -> Array:
    """Where (3,) the other map lies, by votes that agree."""
    home, pose = np.array([vote.home for vote in group]), np.array([vote.pose for vote in group])
    turn = wrap(pose[:, 2] - home[:, 2])
    yaw = float(np.arctan2(np.sin(turn).mean(), np.cos(turn).mean()))
    turned = compose(np.array([0.0, 0.0, yaw]), home)
    return np.array([*(pose[:, :2] - turned[:, :2]).mean(axis=0), yaw])
