"""PlaceMemory: the graph of places that grows while driving, and the filter that localises in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from ami_ros.errors import AmiError
from ami_ros.geometry import Array, compose, inverse, relative
from ami_ros.memory.codes import Code
from ami_ros.memory.continuity import Continuity, ContinuityConfig
from ami_ros.memory.files import read_back, write_copy
from ami_ros.memory.forgetting import Forgetter, ForgettingConfig
from ami_ros.memory.graph import GraphConfig
from ami_ros.memory.index import Latents
from ami_ros.memory.localisation import FilterConfig, PlaceFilter
from ami_ros.memory.merging import Merged, MergeLimits, merge
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.questions import check_latent, check_pose, locate, recall, statistics
from ami_ros.memory.relaxation import RelaxationConfig, carry
from ami_ros.memory.types import GoalQuery, Location, Place, PlaceQuery, Places, Route, Statistics
from ami_ros.world_model.model import WorldModel


@dataclass(frozen=True)
class MemoryConfig:
    """How memory grows."""

    learning: bool = True  # add places and ways; false: only localise
    spacing: float = 0.30  # [m] between places of like heading
    turn_spacing: float = 0.5  # [rad] between places at one spot
    confident: float = 0.85  # confidence from which a new place is added to what is known
    max_places: int = 50_000  # no more are added then
    relax_growth: float = 1.2  # the map is relaxed each time that it has grown by this factor ...
    relax_least: int = 20  # ... and by this many places
    continuity: ContinuityConfig = field(default_factory=ContinuityConfig)
    relaxation: RelaxationConfig = field(default_factory=RelaxationConfig)
    filter: FilterConfig = field(default_factory=FilterConfig)
    graph: GraphConfig = field(default_factory=GraphConfig)
    forgetting: ForgettingConfig = field(default_factory=ForgettingConfig)


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
        self.config = config
        self.map = PlaceMap(model, encoder_id, path, config.graph)
        self._forgetter = Forgetter(self.map, config.forgetting, (config.spacing, config.turn_spacing))
        self.filter = PlaceFilter(config.filter)
        self._continuity = Continuity(config.continuity)
        self._odometry: Array | None = None
        self._location: Location | None = None
        self._here: tuple[int, float] | None = None  # place the robot is at, and since when
        self._anchor: tuple[int, Array, Array] | None = None  # a place, and the robot there: in its frame, and in odom
        self.restart()
        self._relaxed = len(self.map)  # as it was stored, the map was relaxed

    @classmethod
    def copy_of(cls, model: WorldModel, encoder_id: str, path: Path | None, config: MemoryConfig) -> PlaceMemory:
        """A memory in RAM that begins with what is in `path`, which stays as it is; thumbnails are left out."""
        memory = cls(model, encoder_id, None, config)
        if path is not None:
            memory.map.load_copy(path)
            memory.restart()
            memory._relaxed = len(memory.map)
        return memory

    def __len__(self) -> int:
        return len(self.map)

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
        check_latent(latent, self.map.latent_dim)
        check_pose(odometry)
        if not len(self.map):
            if self.config.learning:
                self._found(stamp, latent, np.array(odometry, dtype=np.float64), thumbnail)
        elif self._odometry is not None:
            self.filter.move(relative(self._odometry, odometry))
        self._odometry = np.array(odometry, dtype=np.float64)
        self._continuity.move(self._odometry)
        self.filter.observe(self.map.index, latent)
        estimate = self.filter.estimate()
        nearest, distance, turn = self.map.nearest(estimate.pose, self.config.spacing, self.config.turn_spacing)
        known = len(self.map) > 0
        localised = known and estimate.confidence >= self.config.filter.confident
        sure = known and estimate.confidence >= self.config.confident
        follows = sure and self._continuity.allows(estimate.pose)
        if self.config.learning and follows:
            nearest = self._grow(stamp, latent, estimate.pose, nearest, distance, turn, thumbnail)
            if self._relax_due():
                self.relax()
                estimate = self.filter.estimate()
        elif not localised or sure:
            self._here = self._anchor = None
        self._location = Location(
            stamp, estimate.pose, self._odometry, estimate.confidence, estimate.entropy, localised, nearest
        )
        return self._location

    def restart(self) -> None:
        """Odometry has a new origin: the robot may be anywhere."""
        self._odometry = self._here = self._anchor = self._location = None
        self._continuity.restart()
        self.map.begin_episode()
        if len(self.map):
            self.filter.start_lost(self.map.index)

    def location(self) -> Location | None:
        """The newest belief; None before the first moment."""
        return self._location

    def _found(self, stamp: float, latent: Latents, odometry: Array, thumbnail: bytes | None) -> None:
        """The first place is the origin of the map."""
        self.filter.start_at(np.zeros(3))
        self._odometry = odometry
        self._arrive(self.map.add(stamp, latent, np.zeros(3), thumbnail), np.zeros(3), stamp)

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
        elif len(self.map) < self.config.max_places:
            here = self.map.add(stamp, latent, pose, thumbnail)
            self._forgetter.added(here, stamp)
        else:
            return nearest
        if self._here is None or self._here[0] != here:
            if near:
                self.map.visit(here, stamp)
            self._arrive(here, self._see(here, latent) if near else np.zeros(3), stamp)
        return here

    def _see(self, place_id: int, latent: Latents) -> Array:
        """The robot's pose (3,) in the frame of a place, by the relative-pose head."""
        place = torch.from_numpy(self.map.index.latents[self.map.index.row(place_id)])
        with torch.inference_mode():
            x, y, c, s = self.map.index.model.relative_pose(place, torch.from_numpy(latent)).tolist()
        return np.array([x, y, np.arctan2(s, c)])

    def _arrive(self, here: int, offset: Array, stamp: float) -> None:
        """Notes the way from the last place to `here`, in whose frame the robot stands at `offset` (3,)."""
        assert self._odometry is not None
        if self._here is not None and self._anchor is not None:
            start, there, odometry = self._anchor
            driven = compose(there, relative(odometry, self._odometry))
            measured = compose(driven, inverse(offset))
            self.map.link(start, here, measured, stamp - self._here[1], stamp)
        self._here, self._anchor = (here, stamp), (here, offset, self._odometry)

    def _relax_due(self) -> bool:
        grown = len(self.map) - self._relaxed
        return grown >= max(self.config.relax_least, (self.config.relax_growth - 1) * self._relaxed)

    def relax(self) -> None:
        """Moves all places so that what was measured between them agrees; the filter moves along."""
        if len(self.map) < 3:
            return
        old, new = self.map.relax(self.config.relaxation)
        self.filter.transform(lambda poses: carry(poses, old, new))
        self._continuity.restart()
        self._relaxed = len(self.map)

    # Questions

    def find_route(self, goal: GoalQuery, hypothesis: int = 0, avoid_edges: Sequence[tuple[int, int]] = ()) -> Route:
        """The places to pass on the way to `goal` from where the robot believes to be.

        Args:
            goal: what to look for.
            hypothesis: 0 for the best match of a latent goal, 1 for the next, ...
            avoid_edges: pairs of place ids that were found blocked; they cost more from now on, until they are driven
                or time passes.

        Raises:
            AmiError: with `Code.NOT_LOCALISED`, `NOT_FOUND`, `NO_ROUTE` or `INVALID_INPUT`.
        """
        location = self._certain()
        pose, share = locate(self.map, goal, hypothesis)
        if self.config.learning:
            for start, stop in avoid_edges:
                self.map.failed(start, stop, location.stamp)
        found = self.map.graph.shortest_path(location.pose, pose, avoid_edges, location.stamp)
        if found is None:
            raise AmiError("memory: no way to the goal's place is known", Code.NO_ROUTE)
        ids, length = found
        return Route(self.map.places_of(ids), length, pose, share)

    def _certain(self) -> Location:
        """The newest belief, if it is firm."""
        if self._location is None or not self._location.localised:
            raise AmiError(
                "memory: the robot does not know where it is; let it drive or turn a little", Code.NOT_LOCALISED
            )
        return self._location

    def recall(self, query: PlaceQuery) -> list[Place]:
        """See `questions.recall`."""
        return recall(self.map, query)

    def places(self) -> Places:
        """Everything, for markers and pictures."""
        return self.map.places()

    def statistics(self) -> Statistics:
        """See `questions.statistics`."""
        return statistics(self.map)

    # Commands

    def remember(self, label: str, note: str = "", overwrite: bool = False) -> int:
        """Labels the place where the robot is; returns its id."""
        place_id = self._certain().place_id
        if len(label) > 128 or len(note) > 1024:
            raise AmiError("memory: a label has at most 128 characters, a note 1024", Code.INVALID_INPUT)
        if not overwrite and any(holder != place_id for holder in self.map.labelled(label)):
            raise AmiError(f"memory: '{label}' is another place; set overwrite to move it here", Code.LABEL_EXISTS)
        self.map.label(place_id, label, note)
        return place_id

    def forget(self, ids: Sequence[int] = (), labels: Sequence[str] = (), everything: bool = False) -> int:
        """Erases places; returns how many. The robot is lost where nothing is left around it."""
        labelled = {label: i for i, label in self.map.labels.items()}
        unknown = [*(i for i in ids if i not in self.map.details), *(name for name in labels if name not in labelled)]
        if unknown or not (ids or labels or everything):
            raise AmiError(f"memory: no such place: {unknown}", Code.NOT_FOUND)
        chosen = set(self.map.details) if everything else {*ids, *(labelled[label] for label in labels)}
        self.map.forget(chosen)
        if self._here is not None and self._here[0] in chosen:
            self._here = None
        if self._location is not None and self._location.place_id in chosen:
            nearest, _, _ = self.map.nearest(self._location.pose, self.config.spacing, self.config.turn_spacing)
            localised = self._location.localised and nearest > 0
            self._location = replace(self._location, place_id=nearest, localised=localised)
        return len(chosen)

    # Files

    def save(self, path: Path, overwrite: bool = False) -> int:
        """Writes a copy to `path`; see `files.write_copy`."""
        return write_copy(self.map, path, overwrite)

    def load(self, path: Path, overwrite: bool = False) -> None:
        """Begins anew with what is in `path`, which stays as it is; see `files.read_back`."""
        read_back(self.map, path, overwrite)
        self.restart()
        self._relaxed = len(self.map)

    def merge(self, path: Path) -> Merged:
        """Adds another robot's memory; see `merging.merge`."""
        config, empty = self.config, not len(self.map)
        merged = merge(self.map, path, MergeLimits(config.spacing, config.turn_spacing, config.max_places))
        if empty:
            self.restart()
        self.relax()
        return merged

    def close(self) -> None:
        """Writes what is pending and closes the store."""
        self.map.store.close()


def map_to_odom(location: Location) -> Array:
    """The pose (3,) of the map's frame in odom, by the newest belief."""
    return compose(location.odometry, relative(location.pose, np.zeros(3)))
