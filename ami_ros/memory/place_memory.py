"""PlaceMemory: the graph of places that grows while driving, and the filter that localises in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ami_ros.errors import AmiError
from ami_ros.geometry import Array, compose, pose_gap, relative
from ami_ros.memory.codes import Code
from ami_ros.memory.continuity import Continuity
from ami_ros.memory.files import read_back, write_copy
from ami_ros.memory.growth import Growth, MemoryConfig, Moment, Picture
from ami_ros.memory.index import Latents
from ami_ros.memory.laser_model import LaserModel, describe
from ami_ros.memory.localisation import Estimate, PlaceFilter
from ami_ros.memory.merging import Merged, MergeLimits, merge
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.questions import check_latent, check_pose, count, locate, recall, statistics
from ami_ros.memory.relaxation import carry
from ami_ros.memory.survey import Survey
from ami_ros.memory.types import GoalQuery, Location, Place, PlaceQuery, Places, Route, Statistics
from ami_ros.scan import Scan

STOOD = 0.05  # [m], [rad] within which a robot stands that waits for its first scan
LOOK_AGAIN = 0.3  # [m] or [rad] that a lost robot moves before its laser is compared with the whole map again


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
        self.filter = PlaceFilter(config.filter)
        self._continuity = Continuity(config.continuity)
        self._growth = Growth(self.map, config)
        self.survey = Survey(self.map, config.survey, (config.spacing, config.turn_spacing), config.relaxation)
        self._odometry: Array | None = None
        self._location: Location | None = None
        self._waits_at: Array | None = None  # (3,) in odom of the only place, from before the first scan
        self.restart()
        self._relaxed = len(self.map)  # as it was stored, the map was relaxed

    @classmethod
    def copy_of(cls, model: Any, encoder_id: str, path: Path | None, config: MemoryConfig) -> PlaceMemory:
        """A memory in RAM that begins with what is in `path`, which stays as it is; thumbnails are left out."""
        memory = cls(model, encoder_id, None, config)
        if path is not None:
            memory.map.load_copy(path)
            memory.restart()
            memory._relaxed = len(memory.map)
        return memory

    def __len__(self) -> int:
        return len(self.map)

    @property
    def takes_scans(self) -> bool:
        """Whether scans are of use to it: with its model, as it is configured."""
        use, model = self.config.survey.use, self.map.index.model
        exact = isinstance(model, LaserModel) or model.pairs is not None
        return use == "always" or (use == "auto" and exact)

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
    ) -> Location:
        """Takes in one moment: moves and weighs the filter, and grows the graph.

        Args:
            stamp: of the latent [s].
            latent: (latent_dim,); None where the model is a `LaserModel`, which takes it from the scan.
            odometry: (3,) pose in odom at that stamp.
            thumbnail: JPEG to keep should this become a new place, or what makes it then.
            command: (command_dim,) in force since the moment before; None: not known.
            surprise: z score of this moment; NaN and 0: not known.
            scan: of that moment, in base_link. With scans the map grows by what was driven, and places are joined that
                scans verify (`Survey`); without, by what latents say alone.

        Raises:
            AmiError: a latent or pose that is not finite or of another length; nothing was changed.
        """
        check_pose(odometry)
        if latent is not None:
            check_latent(latent, self.map.latent_dim)
        if not self._surveys:
            scan = None
        if scan is not None:
            self._move(odometry, scan)
        latent = self._latent_of(latent, scan)
        before, self._odometry = self._odometry, np.array(odometry, dtype=np.float64)
        moment = Moment(stamp, latent, self._odometry, thumbnail, float(np.nan_to_num(surprise)))
        if self.config.learning:
            self._growth.command(stamp, command)
        if scan is not None and self._is_surveyed(moment):
            self._location = self._survey(moment, before)
            return self._location
        if self._surveys and (self.survey.here or self._was_surveyed):
            self._location = self._moved_on(moment)
            return self._location
        if len(self.map) and before is not None:
            self.filter.move(relative(before, odometry))
        elif not len(self.map) and self.config.learning:
            self.filter.start_at(np.zeros(3))
            self._growth.found(moment)
            self._waits_at = moment.odometry if self._surveys else None
        self._continuity.move(self._odometry)
        self.filter.observe(self.map.index, latent)
        self._location = self._believe(moment)
        return self._location

    def prepare(self, most: int = 1) -> None:
        """Uses a free moment for what the next goal will need: pictures of `most` places; see `Recogniser.prepare`."""
        if self.map.recogniser is not None:
            self.map.recogniser.prepare(self.map.index.ids, most)

    def _move(self, odometry: Array, scan: Scan) -> None:
        """Follows the robot by its scan; one that they say was carried is lost."""
        knew = self.survey.here
        self.survey.move(odometry, scan)
        if knew and not self.survey.here:
            self._lose()

    def _is_surveyed(self, moment: Moment) -> bool:
        """Whether this memory is of scans, as one is that has a place from before the first scan came, if the robot has
        stood there since; else it has gone on without."""
        if self._waits_at is None:
            return True
        waited, self._waits_at = self._waits_at, None
        if not len(self.map):  # that place was forgotten
            return True
        if len(self.map) != 1 or np.greater(pose_gap(waited, moment.odometry), STOOD).any():
            self._surveys = False
            return False
        self.survey.founded(int(self.map.index.ids[0]), moment.stamp, self.survey.surroundings())
        return True

    def _moved_on(self, moment: Moment) -> Location:
        """A moment without its scan: the robot is where odometry has it, and nothing is learned."""
        last = self._location
        if last is None:
            return self._location_at(moment, self.filter.estimate(), False, 0)
        pose = compose(last.pose, relative(last.odometry, moment.odometry))
        return replace(last, stamp=moment.stamp, pose=pose, odometry=moment.odometry)

    def _lose(self) -> None:
        """The robot may be anywhere."""
        self._growth.lose()
        self.filter.start_lost(self.map.index)
        self._unsought = LOOK_AGAIN

    def _latent_of(self, latent: Latents | None, scan: Scan | None) -> Latents:
        if latent is not None:
            return latent
        if scan is None or not isinstance(self.map.index.model, LaserModel):
            raise AmiError("memory: a moment needs a latent, or a scan where there is no model", Code.INVALID_INPUT)
        return describe(self.survey.surroundings())

    def _survey(self, moment: Moment, before: Array | None) -> Location:
        """Where the robot is by scans; grows the graph there. Who is lost is looked for by the filter first."""
        survey, learning = self.survey, self.config.learning
        if not survey.here and len(self.map) and not self._relocate(moment, before):
            return self._location_at(moment, self.filter.estimate(), False, 0)
        if learning:
            self._growth.follow(moment, survey)
            survey.complete()
        elif survey.due():
            survey.recognise(moment.stamp, doubting=True)
        if not survey.here:
            self._lose()
            return self._location_at(moment, self.filter.estimate(), False, 0)
        estimate = Estimate(survey.pose, survey.confidence, 0.0)
        return self._location_at(moment, estimate, True, survey.here)

    def _relocate(self, moment: Moment, before: Array | None) -> bool:
        """Looks for a lost robot, once it has moved enough to have seen something new."""
        self._unsought += LOOK_AGAIN if before is None else float(np.abs(relative(before, moment.odometry)).sum())
        if self._unsought < LOOK_AGAIN:
            return False
        self._unsought = 0.0
        if self.survey.go_on(moment.odometry, moment.stamp):
            return True
        recogniser = self.map.recogniser

        @cache  # several spots may have to be compared with one picture
        def code() -> Latents | None:
            jpeg = moment.picture() if callable(moment.picture) else moment.picture
            return recogniser.code(jpeg) if recogniser is not None and jpeg else None

        def alike(ids: list[int]) -> Array | None:
            own = code()
            return recogniser.alike(ids, own) if recogniser is not None and own is not None else None

        return self.survey.relocate(moment.latent, moment.odometry, moment.stamp, alike)

    def _location_at(self, moment: Moment, estimate: Estimate, localised: bool, place_id: int) -> Location:
        confidence, entropy = estimate.confidence, estimate.entropy
        return Location(moment.stamp, estimate.pose, moment.odometry, confidence, entropy, localised, place_id)

    def finish(self) -> None:
        """A drive is over: looks for joins of the last places, too, and relaxes the map."""
        self.survey.complete(everything=True)
        self.relax()

    def _believe(self, moment: Moment) -> Location:
        """Where the robot is now; grows the graph there if that is sure."""
        estimate, known = self.filter.estimate(), len(self.map) > 0
        localised = known and estimate.confidence >= self.config.filter.confident
        sure = known and estimate.confidence >= self.config.confident
        follows = sure and self._continuity.allows(estimate.pose)
        if self.config.learning and follows:
            nearest = self._growth.grow(moment, estimate.pose, self.filter.covariance)
            if self._relax_due():
                self.relax()
                estimate = self.filter.estimate()
        else:
            nearest, _, _ = self.map.nearest(estimate.pose, self.config.spacing, self.config.turn_spacing)
            if not localised or sure:
                self._growth.lose()
        return Location(
            moment.stamp,
            estimate.pose,
            moment.odometry,
            estimate.confidence,
            estimate.entropy,
            localised,
            nearest,
        )

    def restart(self) -> None:
        """Odometry has a new origin: the robot may be anywhere."""
        self._odometry = self._location = None
        self._waits_at = None
        self._unsought = LOOK_AGAIN  # [m] and [rad] that a lost robot has moved since it was looked for
        # A memory that was made without scans has nothing that they could be compared with.
        self._was_surveyed = len(self.map) > 0 and self.survey.closures.count() > 0
        self._surveys = self.takes_scans and (not len(self.map) or self._was_surveyed)
        self._continuity.restart()
        self._growth.restart()
        self.survey.restart()
        self.map.begin_episode()
        if len(self.map):
            self.filter.start_lost(self.map.index)

    def location(self) -> Location | None:
        """The newest belief; None before the first moment."""
        return self._location

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
        pose, share = locate(self.map, goal, hypothesis, location.pose)
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

    def keep_away(self) -> Array:
        """Circles (n, 3) that the robot shall keep out of: x, y [m] in the map frame, radius [m]."""
        return self.map.keep_away()

    def count(self, query: PlaceQuery) -> int:
        """See `questions.count`."""
        return count(self.map, query)

    def places(self) -> Places:
        """Everything, for markers and pictures."""
        return self.map.places()

    def statistics(self) -> Statistics:
        """See `questions.statistics`."""
        return statistics(self.map)

    # Commands

    def remember(
        self, label: str, note: str = "", overwrite: bool = False, place_id: int = 0, keep_away: float = 0.0
    ) -> int:
        """Labels a place (`PlaceMap.label`): where the robot is, unless `place_id` says another; returns its id."""
        place_id = place_id or self._certain().place_id
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
        self._growth.leave(chosen)
        self.survey.leave(chosen)
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
