"""What other robots remember is taken into this robot's map while it drives, in short slices.

Where another map lies is found once (`Overlap`). From there on places are taken in along its ways, each where it is as
seen from one that is known here already, and wherever this map knows the surroundings, too, scans have to confirm it:
they make the constraints that hold both maps together, and that the pose graph weighs with all others. So maps that are
bent each in its own way are joined like a zip, and what is corrected at home later tears nothing. Where scans of the
two contradict each other again and again, the join was false: all of it is given up.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ami_ros.core.background import Slices, finished
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import inverted, relative
from ami_ros.core.submaps import Submap
from ami_ros.memory.front_end import ScanFrontEnd
from ami_ros.memory.loop_closure import LoopConstraint
from ami_ros.memory.merging import MergeLimits
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.records import MAX_LABEL
from ami_ros.memory.sharing.overlap import Found
from ami_ros.memory.sharing.placing import LINKED, Origin, Placing, Stand, read
from ami_ros.memory.sharing.replica import Replica, signature
from ami_ros.memory.types import Edge, Experience, PlaceRow, is_own, key_of

FLOOR = np.diag([0.03**2, 0.03**2, 0.01**2])  # added to the covariance of a fit, as `LoopCloser` does


@dataclass(frozen=True)
class JoinConfig:
    """How far another map is taken in, and what refutes that."""

    room: float = 0.9  # share of `max_places` that others may fill: what this robot founds next needs some
    grown: float = 1.25  # times as large as it was is a map in which another is sought again
    doubted: int = 5  # comparisons from which ...
    least_held: float = 0.5  # ... so few of them that hold refute a join
    solved: int = 24  # constraints after which the pose graph is relaxed


JOINS = JoinConfig()


@dataclass(frozen=True)
class Joined:
    """How far it is with one other robot."""

    taken: int = 0  # of its places that are in this map
    known: int = 0  # that are not, for this robot has a place of its own there
    left: int = 0  # that are not, for another reason
    message: str = ""  # that reason, one line; or what else a user should know


class Joiner:
    """Takes in what others remember.

    Args:
        places: of this robot.
        front_end: of the same; it optimises.
        limits: when two places are one, and how many there may be.
        robot: name of this robot.
        erase: erases places of this map, also for who follows the robot through it.

    Attributes:
        joined: by the names of other robots.
    """

    def __init__(
        self, places: PlaceMap, front_end: ScanFrontEnd, limits: MergeLimits, robot: str,
        erase: Callable[[set[int]], None],
    ) -> None:  # fmt: skip
        self.places, self.front_end, self.limits, self.robot, self._erase = places, front_end, limits, robot, erase
        self._placing = Placing(places, front_end.loop_closure, limits)
        self._origins: dict[str, Origin] = {}
        self._waiting: dict[str, tuple[Path, bool]] = {}
        self._begun: tuple[str, Path, bool] | None = None
        self._work: Slices[None] | None = None
        self._removals = places.index.removals
        self.joined: dict[str, Joined] = {}

    def ask(self, name: str, path: Path, whole: bool = True) -> None:
        """Queues what is new in another robot's memory.

        Args:
            name: of the other robot.
            path: of the replica, an ordinary memory file, which stays as it is.
            whole: it holds all that the other remembers, so what is not in it is forgotten there.
        """
        self._waiting[name] = path, whole

    def step(self, now: float) -> bool:
        """Does one slice at a time [s], later than which nothing is said to be seen; False: there is nothing to do."""
        if self._removals != self.places.index.removals and self._begun is not None:
            self._work = None  # what it knows of places may be wrong
        self._removals = self.places.index.removals
        if self._work is None:
            if self._begun is None:
                if not self._waiting:
                    return False
                name = next(iter(self._waiting))
                self._begun = (name, *self._waiting.pop(name))
            self._work = self.take_in(*self._begun[:2], now, self._begun[2])
        try:
            next(self._work)
        except StopIteration:
            self._work = self._begun = None
        except BaseException:
            self._work = self._begun = None
            raise
        return True

    def _forget(self, ids: set[int]) -> None:
        self._erase(ids)
        self._removals = self.places.index.removals

    def take_in(self, name: str, path: Path, now: float, whole: bool = True) -> Slices[None]:
        """What `ask` queues; it can be begun again at any time."""
        origin = self._origins.get(name) or Origin(name, self.robot)
        try:
            self._check(name)
            self._origins[name] = origin
            message = yield from self._take_in(origin, path, now, whole)
        except AmiError as error:
            message = str(error)
        index = self.places.index
        taken = sum(origin.here(i) in index for i in origin.rows)
        known = sum(i in origin.stands for i in origin.rows)
        self.joined[name] = Joined(taken, known, len(origin.rows) - taken - known, message)

    def _check(self, name: str) -> None:
        """Raises AmiError where ids would collide."""
        for other in (self.robot, *self._origins):
            if (other != name or other == self.robot) and key_of(other) == key_of(name):
                raise AmiError(f"memory: the robots '{other}' and '{name}' cannot be told apart: give one another name")

    def _take_in(self, origin: Origin, path: Path, now: float, whole: bool) -> Slices[str]:
        with closing(Replica(path, self.places.encoder_id, self.places.latent_dim)) as replica:
            seen = signature(path)
            if seen != origin.seen:
                yield from read(origin, replica)
                origin.seen = seen
            if not len(self.places):
                return "this robot remembers nothing yet"
            yield from self._follow(origin, replica, now, whole)
            message = ""
            if not self._placed(origin):
                message = yield from self._seek(origin, replica, now)
            if not message:
                message = yield from self._grow(origin, replica, now)
            self.front_end.relax()
            if origin.linked != origin.seen:
                yield from self._link(origin, origin.ways)
                origin.linked = origin.seen
            renamed = settle_labels(self.places, self._origins.values(), self.robot, self.limits.spacing)
            return "; ".join(part for part in (message, renamed) if part)

    # What is known here already

    def _follow(self, origin: Origin, replica: Replica, now: float, whole: bool) -> Slices[None]:
        """Places that are here follow what is known of them at home."""
        index = self.places.index
        origin.stands = {i: stand for i, stand in origin.stands.items() if stand.place_id in index}
        here = {origin.home(i) for i in index.ids[~is_own(index.ids)].tolist()} - {0}
        origin.dropped |= origin.adopted - here
        origin.adopted = here
        if whole:
            lost = {i for i in here - origin.rows.keys() - origin.damaged if not self._passed(origin, i)}
            if lost:
                self._forget({origin.here(i) for i in lost})
                origin.adopted -= lost
        origin.stands = {i: stand for i, stand in origin.stands.items() if i in origin.rows}
        origin.gone.clear()
        changed, origin.changed = origin.changed, {}
        for number, (place_id, before) in enumerate(changed.items()):
            if place_id in origin.adopted and place_id in origin.rows:
                self._change(origin, replica, place_id, before, now)
            elif place_id in origin.stands:
                row = origin.rows[place_id]
                if _says(row) or before is None or before.created != row.created:
                    del origin.stands[place_id]  # it is placed again, or taken in with what somebody said of it
            if number % 8 == 7:
                yield
        for start, stop in origin.cut:
            ends = origin.home(start), origin.home(stop)
            old = self.places.graph.edges.get((start, stop))
            if all(ends) and old is not None and old.is_loop:
                self.places.drop_edge(start, stop)
        origin.cut.clear()

    def _passed(self, origin: Origin, place_id: int) -> bool:
        """Whether this robot has been at a place of the other itself."""
        here, before = self.places.details[origin.here(place_id)], origin.gone.get(place_id)
        if before is not None:
            return here.visits > before.visits or here.last_seen > before.last_seen
        table = self.places.graph.edges
        ways = [table.columns[row] for row in table.at(here.id)[1::2]]
        own = [way for way in ways if is_own(int(way["start"])) or is_own(int(way["stop"]))]
        return any(way["traversals"] > 0 and not way["loop"] for way in own)

    def _change(self, origin: Origin, replica: Replica, place_id: int, before: PlaceRow | None, now: float) -> None:
        there, here = origin.rows[place_id], self.places.details[origin.here(place_id)]
        latent = next((row.latent for row in replica.places([place_id])), here.latent)
        if not np.array_equal(latent, here.latent):  # another place, which got the same id
            self._forget({here.id})
            origin.adopted.discard(place_id)
            return
        known, more = self.places.store.experience([here.id]).get(here.id), replica.whole(there)
        seen = more.experience.submap if more.experience is not None else b""
        if seen != (known.submap if known is not None else b"") or before is not None:
            self._keep_submap(here.id, more.experience)
        else:
            more = there
        visits, last = max(here.visits, there.visits), max(here.last_seen, min(there.last_seen, now))
        told = replace(here, visits=visits, last_seen=last, note=there.note, keep_away=there.keep_away)
        facts = [(row.visits, row.last_seen, row.note, row.keep_away) for row in (told, here)]
        if more is there and facts[0] == facts[1]:
            return
        changed = [replace(told, thumbnail=more.thumbnail, experience=more.experience)]
        self.places.update(changed, is_seen=told.keep_away != here.keep_away)

    def _keep_submap(self, place_id: int, known: Experience | None) -> None:
        """The store is written in a thread of its own: who asks for a submap now would find none."""
        submap = Submap.unpack(known.submap) if known is not None and known.submap else None
        if submap is not None:
            self.front_end.loop_closure.submaps.put(place_id, submap)

    # Where the other map lies

    def _placed(self, origin: Origin) -> bool:
        """Whether any of it is known here."""
        return (
            bool(origin.adopted & origin.rows.keys())
            or bool(origin.stands)
            or any(self._placing.outside(origin, i) for i in origin.rows)
        )

    def _seek(self, origin: Origin, replica: Replica, now: float) -> Slices[str]:
        """Looks for the other map; why it was not found, or nothing."""
        sizes = len(origin.rows), len(self.places)
        if sizes[0] < JOINS.grown * origin.sought[0] and sizes[1] < JOINS.grown * origin.sought[1]:
            return self.joined[origin.name].message if origin.name in self.joined else ""
        scanned = self._placing.scanned and replica.has_submaps()
        found = yield from self._placing.overlap.search(self._placing.others(origin, replica), scanned)
        if isinstance(found, str):
            origin.sought = sizes
            return found
        origin.compared = origin.held = sum(place.match is not None for place in found)
        for place in found:
            self._settle(origin, replica, place, now)
            yield
        return ""

    # Places are taken in

    def _grow(self, origin: Origin, replica: Replica, now: float) -> Slices[str]:
        """Takes in what a way leads to from what is known; what is left out and why."""
        left = origin.rows.keys() - origin.adopted - origin.stands.keys() - origin.dropped
        queue = deque[int]()
        for number, place_id in enumerate(sorted(left)):
            if self._placing.neighbour(origin, place_id) or self._placing.outside(origin, place_id):
                queue.append(place_id)
            if number % LINKED == LINKED - 1:
                yield
        queued, stretch, constraints = set(queue), dict[int, float](), 0
        most = int(JOINS.room * self.limits.max_places)
        while queue:
            place_id = queue.popleft()
            place, far = self._placing.by_ways(origin, replica, place_id, stretch)
            if place is None:
                queued.discard(place_id)
                continue
            if len(self.places) >= most:
                return f"{len(left)} places have no room: memory may have {self.limits.max_places}, {most} with others"
            stretch[place_id] = 0.0 if place.match is not None else far
            self._settle(origin, replica, place, now)
            left.discard(place_id)
            constraints += place.match is not None
            if constraints == JOINS.solved:
                constraints = 0
                self.front_end.relax()
            if origin.compared >= JOINS.doubted and origin.held < JOINS.least_held * origin.compared:
                return self._give_up(origin)
            for other in map(origin.home, origin.beside.get(origin.here(place_id), ())):
                if other in left and other not in queued:
                    queued.add(other)
                    queue.append(other)
            yield
        return f"{len(left)} places are not linked to others yet" if left else ""

    def _settle(self, origin: Origin, replica: Replica, place: Found, now: float) -> None:
        """A place is known here from now on: where one of this map stands, as that one; else as one more. Its ways are,
        too: until then the pose graph would move it alone.

        Args:
            origin: whose.
            replica: what has the rest of it.
            place: where it was found.
            now: [s].
        """
        row, index = origin.rows[place.place_id], self.places.index
        known = place.place_id in origin.adopted or place.place_id in origin.stands
        if known or (place.here and place.here not in index):  # that was forgotten meanwhile
            return
        # Without scans that confirm it, ways of the other would bend what this robot has driven itself.
        sure = place.match is not None or not self._placing.scanned
        standing = self._placing.standing(origin, place.pose) if sure and not _says(row) else 0
        if standing:
            aside, covariance = relative(index.poses[index.row(standing)], place.pose), None
            if place.match is not None:
                back, covariance = inverted((place.match.pose, place.match.covariance + FLOOR))
                aside = back if standing == place.here else aside
            origin.stands[place.place_id] = Stand(standing, aside, covariance)
            finished(self._link(origin, origin.ways_of(row.id)))
            return
        whole = next(iter(replica.places([place.place_id])), None)
        if whole is None:
            return
        whole = replica.whole(whole)
        here = origin.here(row.id)
        self._keep_submap(here, whole.experience)
        created, seen = min(row.created, now), min(row.last_seen, now)
        made = replace(whole, id=here, pose=place.pose, label="", episode=origin.here(row.episode))
        self.places.adopt([replace(made, created=created, last_seen=seen)], [])
        origin.adopted.add(row.id)
        finished(self._link(origin, origin.ways_of(row.id)))
        if place.match is not None:
            covariance = place.match.covariance + FLOOR
            self.front_end.constrain(LoopConstraint(here, place.here, place.match.pose, covariance, 0.0))

    def _link(self, origin: Origin, keys: Iterable[tuple[int, int]]) -> Slices[None]:
        """Ways of the other between what is known here, where none is or it was driven more often since."""
        edges, new = self.places.graph.edges, dict[tuple[int, int], Edge]()
        for number, ends in enumerate([*keys]):
            edge = origin.way(origin.ways[ends], self.places)
            key = (0, 0) if edge is None else (edge.start, edge.stop)
            old = edges.get(key)
            is_newer = old is None or (key == ends and edge is not None and edge.traversals > old.traversals)
            if edge is not None and key not in new and is_newer:
                new[key] = edge if self._placing.scanned else replace(edge, covariance=None)
                if not any(map(origin.home, key)):
                    origin.added.add(key)
            if number % LINKED == LINKED - 1:
                self._add(new)
                yield
        self._add(new)

    def _add(self, ways: dict[tuple[int, int], Edge]) -> None:
        if ways:
            self.places.adopt([], list(ways.values()))
            ways.clear()

    def _give_up(self, origin: Origin) -> str:
        """The join was false: all that was taken in goes."""
        why = f"given up: of {origin.compared} places of both, scans confirm {origin.held}"
        self._forget({origin.here(i) for i in origin.adopted if origin.here(i) in self.places.index})
        for start, stop in origin.added:
            self.places.drop_edge(start, stop)
        for known in (origin.adopted, origin.stands, origin.added):
            known.clear()
        origin.compared = origin.held = 0
        origin.sought = len(origin.rows), len(self.places)
        return why


def _says(row: PlaceRow) -> bool:
    """Whether somebody has said something of a place."""
    return bool(row.label or row.note or row.keep_away)


# Labels that several robots gave: each is at one place, and all robots agree on which.

Claim = tuple[int, float, str, int]  # visits, negative, and when it was founded [s], its robot, and its id here


def settle_labels(places: PlaceMap, origins: Iterable[Origin], robot: str, spacing: float) -> str:
    """Of different places of one label that keeps it which was passed most, then the oldest; each other one gets the
    name of its robot behind it. So two robots never rename both: what one knows of the other's visits is never more
    than there are.

    Args:
        places: of this robot, which are renamed, too.
        origins: other robots.
        robot: name of this one.
        spacing: [m] from which places are different.

    Returns:
        What was renamed of this robot's own, one line.
    """
    claims = _claims(places, origins, robot)
    wanted = {place_id: "" for place_id in places.labels if not is_own(place_id)}
    for label, claimed in claims.items():
        kept: list[int] = []
        for number, (_, _, name, place_id) in enumerate(sorted(claimed)):
            if any(_apart(places, place_id, other) < spacing for other in kept):
                wanted[place_id] = label if is_own(place_id) else ""
            else:
                wanted[place_id] = label_of(label, name) if number else label
            kept.append(place_id)
    old = {row.id: row for row in places.details.of(list(wanted))}
    changed = [replace(old[i], label=label) for i, label in wanted.items() if label != old[i].label]
    if changed:
        places.update(changed, is_seen=True)
    own = [f"'{old[row.id].label}' is '{row.label}' now" for row in changed if is_own(row.id)]
    return "; ".join(own)


def label_of(label: str, robot: str) -> str:
    """What a place is called that has lost its label to another one."""
    return f"{label[: MAX_LABEL - len(robot) - 1]}@{robot}"


def _claims(places: PlaceMap, origins: Iterable[Origin], robot: str) -> dict[str, list[Claim]]:
    """Who gave each label."""
    found: dict[str, list[Claim]] = {}
    for row in places.details.of([place_id for place_id in places.labels if is_own(place_id)]):
        found.setdefault(row.label, []).append((-row.visits, row.created, robot, row.id))
    for origin in origins:
        for place_id in origin.adopted & origin.rows.keys():
            there, here = origin.rows[place_id], origin.here(place_id)
            if there.label and here in places.index:
                found.setdefault(there.label, []).append((-there.visits, there.created, origin.name, here))
    return found


def _apart(places: PlaceMap, a: int, b: int) -> float:
    index = places.index
    return math.dist(index.poses[index.row(a), :2], index.poses[index.row(b), :2])
