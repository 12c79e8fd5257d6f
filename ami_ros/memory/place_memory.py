"""PlaceMemory: what others see of a robot's memory: experience goes in, questions are answered, files are written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan
from ami_ros.core.submaps import Submap
from ami_ros.memory.files import read_back, write_copy
from ami_ros.memory.front_end import ScanFrontEnd
from ami_ros.memory.growth import MemoryConfig, Picture
from ami_ros.memory.index import Latents
from ami_ros.memory.localiser import Localiser
from ami_ros.memory.merging import Merged, MergeLimits, merge
from ami_ros.memory.particle_filter import PlaceFilter
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.pose_graph import warm_up
from ami_ros.memory.queries import count, frontier_towards, locate, recall, statistics
from ami_ros.memory.sharing.joining import Joined, Joiner
from ami_ros.memory.types import Code, GoalQuery, Location, Place, PlaceQuery, Places, Route, Statistics

TOLD = 0.5, 0.5  # [m], [rad] that somebody may be off who says where the robot is


class PlaceMemory:
    """One robot's memory of places. Not thread-safe: one caller at a time.

    The frame `map` belongs to the memory: its origin is where the robot stood when the memory was empty.

    Args:
        model: gives meaning to latents (contrastive critic, relative pose).
        encoder_id: of the latents; a stored memory of another encoder is refused.
        path: of the SQLite file; None keeps everything in RAM.
        config: see there.
    """

    def __init__(self, model: Any, encoder_id: str, path: Path | None, config: MemoryConfig) -> None:
        self.config = config
        self.map = PlaceMap(model, encoder_id, path, config.graph)
        self._localiser = Localiser(self.map, config)
        self._joiner: Joiner | None = None

    @classmethod
    def copy_of(cls, model: Any, encoder_id: str, path: Path | None, config: MemoryConfig) -> PlaceMemory:
        """A memory in RAM that begins with what is in `path`, which stays as it is; thumbnails are left out."""
        memory = cls(model, encoder_id, None, config)
        if path is not None:
            memory.map.load_copy(path)
            memory._localiser.begin()
        return memory

    def __len__(self) -> int:
        return len(self.map)

    @property
    def filter(self) -> PlaceFilter:
        """Localises by latents."""
        return self._localiser.filter

    @property
    def front_end(self) -> ScanFrontEnd:
        """Localises by scans."""
        return self._localiser.front_end

    @property
    def takes_scans(self) -> bool:
        """Whether scans are of use to it: to say where the robot is, or to be kept for a map."""
        return self.config.learning or self._localiser.follows_scans

    # Experience

    def observe(
        self,
        stamp: float,
        latent: Latents | None,
        odometry: Array,
        thumbnail: Picture = None,
        command: ArrayLike | None = None,
        surprise: float = 0.0,
        scan: Scan | None = None,
        code: Latents | None = None,
    ) -> Location:
        """Takes in one moment: moves and weighs the filter, and grows the graph.

        Args:
            stamp: of the latent [s].
            latent: (latent_dim,); None where the model is a `LaserModel`, which takes it from the scan.
            odometry: (3,) pose in odom at that stamp.
            thumbnail: JPEG to keep should this become a new place, or what makes it then.
            command: (command_dim,) in force since the moment before; None: not known.
            surprise: z score of this moment; NaN and 0: not known.
            scan: of that moment, in base_link. With scans the map grows by what was driven, and places are linked that
                scans verify (`ScanFrontEnd`); without, by what latents say alone. A model that does not go by scans
                keeps that of each new place.
            code: (sight_code,) of the picture of that moment, where the model compares pictures. Where scans do not
                tell how the robot turned, pictures do.

        Raises:
            AmiError: a latent or pose that is not finite or of another length; nothing was changed.
        """
        return self._localiser.observe(stamp, latent, odometry, thumbnail, command, surprise, scan, code)

    def prepare(self, most: int = 4) -> bool:
        """Uses a free moment: searches for loops and optimises (some 10 ms each time), then prepares what the next goal
        will need (14 ms a place; see `Recogniser.prepare`). False: there is nothing to do."""
        if self.front_end.work() or (self._joiner is not None and self._joiner.step(self._now())):
            return True
        return self.map.recogniser is not None and self.map.recogniser.prepare(self.map.index.ids, most)

    def warm_up(self) -> None:
        """Before the robot drives: see `pose_graph.warm_up`, and prepares to look at what is near in a large map."""
        warm_up()
        self.map.near(np.zeros(2), 0.0)
        self.map.graph.edges.at(0)

    def finish(self) -> None:
        """A drive is over: looks for constraints of the last places, too, and optimises the pose graph."""
        self._localiser.finish()

    def location(self) -> Location | None:
        """The newest belief; None before the first moment."""
        return self._localiser.location

    def restart(self) -> None:
        """Odometry has a new origin: the robot may be anywhere."""
        self._localiser.restart()

    def set_initial_pose(self, pose: Array, reach: float = TOLD[0], turn: float = TOLD[1]) -> None:
        """Somebody says where the robot is: the next scan is compared with what is remembered there, and finds it
        exactly, or not at all. A memory without scans takes its word.

        Args:
            pose: (3,) in the map.
            reach: [m] that this may be off, to each side.
            turn: [rad] likewise.

        Raises:
            AmiError: with `Code.NOT_FOUND`, the map is empty; `INVALID_INPUT`, that is no pose.
        """
        self._localiser.set_initial_pose(pose, reach, turn)

    def optimise(self) -> None:
        """Moves all places so that what was measured between them agrees; the filter moves along."""
        self._localiser.optimise()

    # Questions

    def find_route(self, goal: GoalQuery, hypothesis: int = 0, avoid_edges: Sequence[tuple[int, int]] = ()) -> Route:
        """The places to pass on the way to `goal` from where the robot believes to be.

        Args:
            goal: what to look for.
            hypothesis: 0 for the best match of a latent goal, 1 for the next, ...; of a pose that no way is known to,
                which frontier to go on from: the route leads there, with a `goal_confidence` of 0.
            avoid_edges: pairs of place ids that were found blocked; they cost more from now on, until they are driven
                or time passes.

        Raises:
            AmiError: with `Code.NOT_LOCALISED`, `NOT_FOUND`, `NO_ROUTE` or `INVALID_INPUT`.
        """
        location = self._certain()
        pose, share = locate(self.map, goal, hypothesis, location.pose)
        if self.config.learning:
            for start, stop in avoid_edges:
                self.map.failed(start, stop, location.stamp)
        found = self.map.graph.shortest_path(location.pose, pose, avoid_edges, location.stamp)
        if found is None and goal.pose is not None:
            pose, share = frontier_towards(self.map, pose, hypothesis, location.pose), 0.0
            found = self.map.graph.shortest_path(location.pose, pose, avoid_edges, location.stamp)
        if found is None:
            raise AmiError("memory: no way to the goal's place is known", Code.NO_ROUTE)
        ids, length = found
        return Route(self.map.places_of(ids, with_experience=False), length, pose, share)

    def _certain(self) -> Location:
        """The newest belief, if it is firm."""
        location = self.location()
        if location is None or not location.localised:
            raise AmiError(
                "memory: the robot does not know where it is; let it drive or turn a little", Code.NOT_LOCALISED
            )
        return location

    def recall(self, query: PlaceQuery) -> list[Place]:
        """See `questions.recall`."""
        return recall(self.map, query)

    def keep_away(self) -> Array:
        """Circles (n, 3) that the robot shall keep out of: x, y [m] in the map frame, radius [m]."""
        return self.map.graph.keep_away()

    def count(self, query: PlaceQuery) -> int:
        """See `questions.count`."""
        return count(self.map, query)

    def places(self) -> Places:
        """Everything, for markers and pictures."""
        return self.map.places()

    def submaps(self, ids: Sequence[int] | None = None) -> list[tuple[Array, Submap]]:
        """Poses (3,) in the map frame of places (None: all), and what a laser saw around each, where one did."""
        index = self.map.index
        wanted = index.ids.tolist() if ids is None else [i for i in ids if i in index]
        known = self.front_end.loop_closure.submaps.many(wanted)
        return [(index.poses[index.row(i)].copy(), known[i]) for i in wanted if i in known]

    def statistics(self) -> Statistics:
        """See `questions.statistics`."""
        return statistics(self.map)

    # Commands

    def remember(
        self, label: str, note: str = "", overwrite: bool = False, place_id: int = 0, keep_away: float = 0.0
    ) -> int:
        """Labels a place (`PlaceMap.label`): where the robot is, unless `place_id` says another; returns its id.

        One that another robot founded is founded anew, so that the label is this robot's to share.
        """
        place_id = self.map.own(place_id or self._certain().place_id)
        self.map.label(place_id, label, note, overwrite, keep_away)
        return place_id

    def forget(self, ids: Sequence[int] = (), labels: Sequence[str] = (), everything: bool = False) -> int:
        """Erases places; returns how many. The robot is lost where nothing is left around it."""
        labelled = {label: i for i, label in self.map.labels.items()}
        unknown = [*(i for i in ids if i not in self.map.details), *(name for name in labels if name not in labelled)]
        if unknown or not (ids or labels or everything):
            raise AmiError(f"memory: no such place: {unknown}", Code.NOT_FOUND)
        chosen = set(self.map.details) if everything else {*ids, *(labelled[label] for label in labels)}
        self.map.forget(chosen)
        self._localiser.leave(chosen)
        return len(chosen)

    # Files

    def save(self, path: Path, overwrite: bool = False) -> int:
        """Writes a copy to `path`; see `files.write_copy`."""
        return write_copy(self.map, path, overwrite)

    def load(self, path: Path, overwrite: bool = False) -> None:
        """Begins anew with what is in `path`, which stays as it is; see `files.read_back`."""
        read_back(self.map, path, overwrite)
        self._localiser.begin()
        if self._joiner is not None:
            self.map.store.begin_sharing(anew=True)
            self.share_as(self._joiner.robot)

    def merge(self, path: Path) -> Merged:
        """Adds another robot's memory; see `merging.merge`."""
        config, empty = self.config, not len(self.map)
        merged = merge(self.map, path, MergeLimits(config.spacing, config.turn_spacing, config.max_places))
        if empty:
            self.restart()
        self.optimise()
        return merged

    def share_as(self, robot: str) -> None:
        """This robot shares what it remembers with others of its site, who call it so; see `take_in`."""
        config = self.config
        limits = MergeLimits(config.spacing, config.turn_spacing, config.max_places)
        self.map.store.begin_sharing()
        self._joiner = Joiner(self.map, self.front_end, limits, robot, self._erase)

    def take_in(self, robot: str, path: Path, whole: bool = True) -> None:
        """Queues what is new in another robot's memory, for free moments (`prepare`); see `Joiner.ask`."""
        if self._joiner is None:
            raise AmiError("memory: this robot does not share what it remembers", Code.INVALID_INPUT)
        self._joiner.ask(robot, path, whole)

    def join(self, robot: str, path: Path) -> Joined:
        """Takes in another memory at once, for who does not drive; after `share_as`. `joined` has the answer, too.

        Raises:
            AmiError: this memory does not share.
        """
        if self._joiner is None:
            raise AmiError("memory: this robot does not share what it remembers", Code.INVALID_INPUT)
        for _ in self._joiner.take_in(robot, path, math.inf):
            self.front_end.complete(everything=True)  # what is found moves the map before more is compared with it
            self.map.store.wait()
        self.finish()
        return self._joiner.joined[robot]

    @property
    def joined(self) -> dict[str, Joined]:
        """How far it is with each robot whose memory was taken in, by its name."""
        return {} if self._joiner is None else dict(self._joiner.joined)

    def _now(self) -> float:
        """[s]"""
        location = self.location()
        return float(self.map.index.column("last_seen").max(initial=0.0)) if location is None else location.stamp

    def _erase(self, ids: set[int]) -> None:
        """Places go that others forgot."""
        self.map.forget(ids, wait=False)
        self._localiser.leave(ids)

    def close(self) -> None:
        """Writes what is pending and closes the store."""
        self.front_end.stop()
        self.map.close()
