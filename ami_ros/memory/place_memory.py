"""PlaceMemory: the graph of places that grows while driving, the filter that localises in it, the store below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from ami_ros.errors import AmiError
from ami_ros.geometry import Array, compose, inverse, relative
from ami_ros.memory.codes import Code
from ami_ros.memory.graph import Edge, GraphConfig, PlaceGraph
from ami_ros.memory.index import Latents, PlaceIndex
from ami_ros.memory.localisation import FilterConfig, PlaceFilter
from ami_ros.memory.matching import cluster, match, pose_gap, scores
from ami_ros.memory.relaxation import RelaxationConfig, compare_places, driven_ways, relax
from ami_ros.memory.store import EdgeRow, PlaceRow, Store
from ami_ros.memory.types import GoalQuery, Location, Place, PlaceQuery, Places, Route
from ami_ros.world_model.model import WorldModel


@dataclass(frozen=True)
class MemoryConfig:
    """How memory grows."""

    learning: bool = True
    spacing: float = 0.30  # [m] between places of like heading
    turn_spacing: float = 0.5  # [rad]
    confident: float = 0.85  # mass from which a new place is added to what is known
    max_places: int = 50_000
    relax_growth: float = 1.2  # the map is relaxed each time that it has grown by this factor ...
    relax_least: int = 20  # ... and by this many places
    relaxation: RelaxationConfig = field(default_factory=RelaxationConfig)
    filter: FilterConfig = field(default_factory=FilterConfig)
    graph: GraphConfig = field(default_factory=GraphConfig)


class PlaceMemory:
    """One robot's memory of places. Not thread-safe: one caller at a time.

    The frame `map` belongs to the memory: its origin is where the robot stood when the memory was empty.

    Args:
        model: gives meaning to latents (contrastive critic, relative pose).
        encoder_id: of the latents; a stored memory of another encoder is refused.
        path: of the SQLite file; None keeps everything in RAM.
        config: see there.
    """

    def __init__(self, model: WorldModel, encoder_id: str, path: Path | None, config: MemoryConfig) -> None:
        self.config, self.encoder_id = config, encoder_id
        self.latent_dim = model.spec.latent_dim
        self.index = PlaceIndex(model)
        self.graph = PlaceGraph(self.index, config.graph)
        self.filter = PlaceFilter(config.filter)
        self.store = Store(path, encoder_id, self.latent_dim)
        self.details: dict[int, PlaceRow] = {}
        self._odometry: Array | None = None
        self._location: Location | None = None
        self._here: tuple[int, float] | None = None  # place the robot is at, and since when
        self._anchor: tuple[int, Array, Array] | None = None  # a place, and the robot there: in its frame, and in odom
        self._take(*self.store.load())

    @classmethod
    def copy_of(cls, model: WorldModel, encoder_id: str, path: Path | None, config: MemoryConfig) -> PlaceMemory:
        """A memory in RAM that begins with what is in `path`, which stays as it is; thumbnails are left out."""
        memory = cls(model, encoder_id, None, config)
        if path is not None:
            source = Store(path, encoder_id, memory.latent_dim, read_only=True)
            try:
                rows = source.load()
            finally:
                source.close()
            memory.store.put_places(rows[0])
            memory.store.put_edges(rows[1])
            memory._take(*rows)
        return memory

    def _take(self, places: list[PlaceRow], edges: list[EdgeRow]) -> None:
        """Fills index and graph with stored rows; the robot may be at any of the places."""
        if places:
            self.index.extend(
                np.array([p.id for p in places]),
                np.stack([p.latent for p in places]),
                np.stack([p.pose for p in places]),
            )
            self.details = {p.id: p for p in places}
            self.filter.start_lost(self.index)
        for edge in edges:
            self.graph.add(
                Edge(
                    edge.start, edge.stop, edge.relative, edge.traversals, edge.duration, edge.failures, edge.last_used
                )
            )
        self._relaxed = len(self.index)  # as it was stored, the map was relaxed

    def __len__(self) -> int:
        return len(self.index)

    # Experience

    def observe(self, stamp: float, latent: Latents, odometry: Array, thumbnail: bytes | None = None) -> Location:
        """Takes in one moment: moves and weighs the filter, and grows the graph.

        Args:
            stamp: of the latent [s].
            latent: (latent_dim,).
            odometry: (3,) pose in odom at that stamp.
            thumbnail: JPEG to keep should this become a new place.

        Raises:
            AmiError: a latent or pose that is not finite or of another length; nothing was changed.
        """
        self._check_latent(latent)
        self._check_pose(odometry)
        if not len(self.index):
            if self.config.learning:
                self._found(stamp, latent, np.array(odometry, dtype=np.float64), thumbnail)
        elif self._odometry is not None:
            self.filter.move(relative(self._odometry, odometry))
        self._odometry = np.array(odometry, dtype=np.float64)
        self.filter.observe(self.index, latent)
        estimate = self.filter.estimate()
        nearest, distance, turn = self._nearest(estimate.pose)
        known = len(self.index) > 0
        localised = known and estimate.confidence >= self.config.filter.confident
        if self.config.learning and known and estimate.confidence >= self.config.confident:
            nearest = self._grow(stamp, latent, estimate.pose, nearest, distance, turn, thumbnail)
            if len(self.index) >= max(
                self.config.relax_growth * self._relaxed, self._relaxed + self.config.relax_least
            ):
                self.relax()
                estimate = self.filter.estimate()
        elif not localised:
            self._here = self._anchor = None
        self._location = Location(
            stamp, estimate.pose, self._odometry, estimate.confidence, estimate.entropy, localised, nearest
        )
        return self._location

    def restart(self) -> None:
        """Odometry has a new origin: the robot may be anywhere."""
        self._odometry = self._here = self._anchor = self._location = None
        if len(self.index):
            self.filter.start_lost(self.index)

    def location(self) -> Location | None:
        """The newest belief; None before the first moment."""
        return self._location

    def _check_latent(self, latent: Latents) -> None:
        if np.shape(latent) != (self.latent_dim,) or not np.isfinite(latent).all():
            raise AmiError(f"memory: a latent must be {self.latent_dim} finite numbers", Code.INVALID_INPUT)

    @staticmethod
    def _check_pose(pose: Array) -> None:
        if np.shape(pose) != (3,) or not np.isfinite(pose).all():
            raise AmiError("memory: a pose must be three finite numbers", Code.INVALID_INPUT)

    def _found(self, stamp: float, latent: Latents, odometry: Array, thumbnail: bytes | None) -> None:
        """The first place is the origin of the map."""
        self.filter.start_at(np.zeros(3))
        self._odometry = odometry
        self._arrive(self._add(stamp, latent, np.zeros(3), thumbnail), np.zeros(3), stamp)

    def _nearest(self, pose: Array) -> tuple[int, float, float]:
        """Id of the place that is nearest in position and heading, its distance [m] and turn [rad]."""
        if not len(self.index):
            return 0, np.inf, np.inf
        distance, turn = pose_gap(self.index.poses, pose)
        row = int(np.argmin(distance / self.config.spacing + turn / self.config.turn_spacing))
        return int(self.index.ids[row]), float(distance[row]), float(turn[row])

    def _grow(
        self,
        stamp: float,
        latent: Latents,
        pose: Array,
        nearest: int,
        distance: float,
        turn: float,
        thumbnail: bytes | None,
    ) -> int:
        """Visits the nearest place or founds a new one; returns where the robot is now."""
        near = distance < self.config.spacing and turn < self.config.turn_spacing
        if near:
            here = nearest
        elif len(self.index) < self.config.max_places:
            here = self._add(stamp, latent, pose, thumbnail)
        else:
            return nearest
        if self._here is None or self._here[0] != here:
            if near:
                self._visit(here, stamp)
            self._arrive(here, self._see(here, latent) if near else np.zeros(3), stamp)
        return here

    def _see(self, place_id: int, latent: Latents) -> Array:
        """The robot's pose (3,) in the frame of a place, by the relative-pose head."""
        place = torch.from_numpy(self.index.latents[self.index.row(place_id)])
        with torch.inference_mode():
            x, y, c, s = self.index.model.relative_pose(place, torch.from_numpy(latent)).tolist()
        return np.array([x, y, np.arctan2(s, c)])

    def _arrive(self, here: int, offset: Array, stamp: float) -> None:
        """Notes the way from the last place to `here`, in whose frame the robot stands at `offset` (3,)."""
        assert self._odometry is not None
        if self._here is not None and self._anchor is not None:
            start, there, odometry = self._anchor
            driven = compose(there, relative(odometry, self._odometry))
            measured = compose(driven, inverse(offset))
            edge = self.graph.traversed(start, here, measured, stamp - self._here[1], stamp)
            self.store.put_edges([EdgeRow(**vars(edge))])
        self._here, self._anchor = (here, stamp), (here, offset, self._odometry)

    def relax(self) -> None:
        """Moves all places so that what was measured between them agrees; the filter moves along."""
        if len(self.index) < 3:
            return
        config, old = self.config.relaxation, self.index.poses.copy()
        ways = driven_ways(self.index, ((e.start, e.stop, e.relative) for e in self.graph.edges.values()), config)
        new = relax(old, [compare_places(self.index, config), ways], config)
        self.index.move(new)
        self.graph.changed()
        self.filter.transform(lambda poses: _carry(poses, old, new))
        self.details = {i: replace(p, pose=new[self.index.row(i)]) for i, p in self.details.items()}
        self.store.put_places(list(self.details.values()))
        self._relaxed = len(self.index)

    def _add(self, stamp: float, latent: Latents, pose: Array, thumbnail: bytes | None) -> int:
        place_id = int(self.index.ids.max()) + 1 if len(self.index) else 1
        row = PlaceRow(place_id, latent, pose, stamp, stamp, 1, "", "", thumbnail or b"")
        self.index.extend(np.array([place_id]), latent[None], pose[None])
        self.graph.changed()
        self.store.put_places([row])
        self.details[place_id] = replace(row, thumbnail=b"")
        return place_id

    def _visit(self, place_id: int, stamp: float) -> None:
        old = self.details[place_id]
        self.details[place_id] = replace(old, visits=old.visits + 1, last_seen=stamp)
        self.store.put_places([self.details[place_id]])

    # Questions

    def find_route(self, goal: GoalQuery, hypothesis: int = 0, avoid_edges: Sequence[tuple[int, int]] = ()) -> Route:
        """The places to pass on the way to `goal` from where the robot believes to be.

        Args:
            goal: what to look for.
            hypothesis: 0 for the best match of a latent goal, 1 for the next, ...
            avoid_edges: pairs of place ids that were found blocked.

        Raises:
            AmiError: with `Code.NOT_LOCALISED`, `NOT_FOUND`, `NO_ROUTE` or `INVALID_INPUT`.
        """
        location = self._location
        if location is None or not location.localised:
            raise AmiError(
                "memory: the robot does not know where it is; let it drive or turn a little", Code.NOT_LOCALISED
            )
        pose, share = self._locate(goal, hypothesis)
        found = self.graph.shortest_path(location.pose, pose, avoid_edges)
        if found is None:
            raise AmiError("memory: no way to the goal's place is known", Code.NO_ROUTE)
        ids, length = found
        return Route([self._place(i) for i in ids], length, pose, share)

    def _locate(self, goal: GoalQuery, hypothesis: int) -> tuple[Array, float]:
        """Pose of a goal in the map frame, and how sure that is."""
        if goal.latent is not None:
            self._check_latent(goal.latent)
            hypotheses = cluster(match(self.index, goal.latent, 48))
            if hypothesis >= len(hypotheses):
                raise AmiError(f"memory: the goal has only {len(hypotheses)} hypotheses", Code.NOT_FOUND)
            return hypotheses[hypothesis].pose, hypotheses[hypothesis].share
        if goal.pose is not None:
            self._check_pose(goal.pose)
            return np.asarray(goal.pose, np.float64), 1.0
        wanted = [i for i, p in self.details.items() if i == goal.place_id or (goal.label and p.label == goal.label)]
        if not wanted:
            name = f"'{goal.label}'" if goal.label else str(goal.place_id)
            raise AmiError(f"memory: no place {name} is remembered", Code.NOT_FOUND)
        return self.index.poses[self.index.row(wanted[0])].copy(), 1.0

    def recall(self, query: PlaceQuery) -> list[Place]:
        """Places that fit all conditions: most similar first, else nearest first, else newest first."""
        if query.max_results < 1:
            raise AmiError("memory: max_results must be at least 1", Code.INVALID_INPUT)
        keep = np.ones(len(self.index), bool)
        rank = -np.array([self.details[int(i)].last_seen for i in self.index.ids])
        distance = similarity = np.full(len(self.index), np.nan)
        if query.label:
            keep &= np.array([self.details[int(i)].label == query.label for i in self.index.ids], bool)
        if query.pose is not None:
            self._check_pose(query.pose)
            distance, _ = pose_gap(self.index.poses, np.asarray(query.pose, np.float64))
            keep, rank = keep & (distance <= query.radius), distance
        if query.latent is not None:
            self._check_latent(query.latent)
            similarity = scores(self.index, np.asarray(query.latent, np.float32))
            rank = -similarity
        rows = np.flatnonzero(keep)
        rows = rows[np.argsort(rank[rows], kind="stable")][: query.max_results]
        found = [
            replace(self._place(int(self.index.ids[r])), similarity=float(similarity[r]), distance=float(distance[r]))
            for r in rows
        ]
        if query.with_thumbnails:
            found = [replace(p, thumbnail=self.store.thumbnail(p.id)) for p in found]
        return found

    def _place(self, place_id: int) -> Place:
        row = self.details[place_id]
        return Place(row.id, row.pose, row.latent, row.label, row.note, row.created, row.last_seen, row.visits)

    def places(self) -> Places:
        """Everything, for markers and pictures."""
        edges = np.array(list(self.graph.edges), np.int64).reshape(-1, 2)
        labels = {i: p.label for i, p in self.details.items() if p.label}
        return Places(self.index.ids.copy(), self.index.poses.copy(), labels, edges)

    # Commands

    def remember(self, label: str, note: str = "", overwrite: bool = False) -> int:
        """Labels the place where the robot is; returns its id."""
        location = self._location
        if location is None or not location.localised or not location.place_id:
            raise AmiError(
                "memory: the robot does not know where it is; let it drive or turn a little", Code.NOT_LOCALISED
            )
        if len(label) > 128 or len(note) > 1024:
            raise AmiError("memory: a label has at most 128 characters, a note 1024", Code.INVALID_INPUT)
        holders = [i for i, p in self.details.items() if label and p.label == label and i != location.place_id]
        if holders and not overwrite:
            raise AmiError(f"memory: '{label}' is another place; set overwrite to move it here", Code.LABEL_EXISTS)
        changed = [replace(self.details[i], label="") for i in holders]
        changed.append(replace(self.details[location.place_id], label=label, note=note))
        self.store.put_places(changed)
        self.details |= {r.id: r for r in changed}
        self.store.flush()
        return location.place_id

    def forget(self, ids: Sequence[int] = (), labels: Sequence[str] = (), everything: bool = False) -> int:
        """Erases places; returns how many. The robot is lost where nothing is left around it."""
        labelled = {p.label: i for i, p in self.details.items() if p.label}
        unknown = [*(i for i in ids if i not in self.details), *(label for label in labels if label not in labelled)]
        if unknown or not (ids or labels or everything):
            raise AmiError(f"memory: no such place: {unknown}", Code.NOT_FOUND)
        chosen = set(self.details) if everything else {*ids, *(labelled[label] for label in labels)}
        self.store.erase(sorted(chosen))
        self.index.remove(chosen)
        self.graph.drop(chosen)
        self.details = {i: p for i, p in self.details.items() if i not in chosen}
        if self._here is not None and self._here[0] in chosen:
            self._here = None
        if self._location is not None and self._location.place_id in chosen:
            nearest, _, _ = self._nearest(self._location.pose)
            self._location = replace(
                self._location, place_id=nearest, localised=self._location.localised and nearest > 0
            )
        return len(chosen)

    def close(self) -> None:
        """Writes what is pending and closes the store."""
        self.store.close()


def _carry(poses: Array, old: Array, new: Array) -> Array:
    """Moves poses (k, 3) as the nearest of the places moved, whose poses were `old` and are `new` (n, 3)."""
    distance, turn = pose_gap(poses[:, None], old[None])
    nearest = np.argmin(distance + 0.5 * turn, axis=1)
    return compose(new[nearest], relative(old[nearest], poses))


def map_to_odom(location: Location) -> Array:
    """The pose (3,) of the map's frame in odom, by the newest belief."""
    return compose(location.odometry, relative(location.pose, np.zeros(3)))
