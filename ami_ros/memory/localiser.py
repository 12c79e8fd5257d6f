"""Where the robot is in its map: by scans where they are of use, else by latents; the map grows there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, pose_gap, relative
from ami_ros.core.scan import Scan
from ami_ros.memory.front_end import ScanFrontEnd
from ami_ros.memory.growth import Continuity, Growth, MemoryConfig, Moment, Picture
from ami_ros.memory.index import Latents
from ami_ros.memory.laser_model import LaserModel, describe
from ami_ros.memory.particle_filter import Estimate, PlaceFilter
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.pose_graph import carry, optimise_map
from ami_ros.memory.queries import check_latent, check_pose
from ami_ros.memory.relocalisation import Compare
from ami_ros.memory.types import Code, Location

LOOK_AGAIN = 0.3  # [m] or [rad] that a lost robot moves before its laser is compared with the whole map again


class Localiser:
    """Follows one robot through its map, which grows if it is configured to.

    Args:
        places: the map.
        config: of the memory.
    """

    def __init__(self, places: PlaceMap, config: MemoryConfig) -> None:
        self.map, self.config = places, config
        self.filter = PlaceFilter(config.filter)
        self.front_end = ScanFrontEnd(
            self.map, config.front_end, (config.spacing, config.turn_spacing), config.pose_graph
        )
        self._continuity = Continuity(config.continuity)
        self._growth = Growth(self.map, config, self.front_end.keep)
        self._odometry: Array | None = None
        self.location: Location | None = None  # the newest belief; None before the first moment
        self._waits_at: Array | None = None  # (3,) in odom of the only place, from before the first scan
        self._initial_pose: tuple[Array, float, float] | None = None  # where it is said to be; see `set_initial_pose`
        self.begin()

    @property
    def follows_scans(self) -> bool:
        """Whether scans can say where the robot is: with the model of this map, as it is configured."""
        use, model = self.config.front_end.use, self.map.index.model
        # Scans alone find a lost robot too late: docs/design/localisation.md.
        exact = model.pairs is not None or not model.spec.inputs.image_size
        return use == "always" or (use == "auto" and exact)

    def begin(self) -> None:
        """The map is another one, with its poses as they were stored."""
        self.restart()
        self._optimised = len(self.map)

    def restart(self) -> None:
        """Odometry has a new origin: the robot may be anywhere."""
        self._odometry = self.location = None
        self._waits_at = self._initial_pose = None
        self._unsought = LOOK_AGAIN  # [m] and [rad] that a lost robot has moved since it was looked for
        # A memory that was made without scans has nothing that they could be compared with.
        # Where latents placed what is remembered, scans of places are kept for a map only, and no way was measured.
        edges = self.map.graph.edges.columns
        was_measured = not len(edges) or bool((edges["caa"] > 0).any())
        self._was_scanned = len(self.map) > 0 and not self.front_end.loop_closure.submaps.is_empty() and was_measured
        self._use_scans(self.follows_scans and (not len(self.map) or self._was_scanned))
        self._continuity.restart()
        self._growth.restart()
        self.front_end.restart()
        self.map.begin_episode()
        if len(self.map):
            self.filter.start_lost(self.map.index)

    def _use_scans(self, use: bool) -> None:
        """From now on scans say where the robot is and which ways are free, or latents and what was driven alone."""
        self._uses_scans = use
        self.map.graph.free = self.front_end.ways if use else None

    def set_initial_pose(self, pose: Array, reach: float, turn: float) -> None:
        """See `PlaceMemory.set_initial_pose`."""
        check_pose(pose)
        if not len(self.map):
            raise AmiError("memory: it is empty, so there is no map to be in", Code.NOT_FOUND)
        self.restart()
        self._initial_pose = np.asarray(pose, np.float64), reach, turn
        if not self._uses_scans:
            self.filter.start_at(self._initial_pose[0])

    def observe(
        self, stamp: float, latent: Latents | None, odometry: Array, thumbnail: Picture, command: ArrayLike | None,
        surprise: float, scan: Scan | None, code: Latents | None = None,
    ) -> Location:  # fmt: skip
        """One moment; see `PlaceMemory.observe`."""
        check_pose(odometry)
        if latent is not None:
            check_latent(latent, self.map.latent_dim)
        kept = None
        if not self._uses_scans:
            kept, scan = scan, None
        if scan is not None:
            knew = self.front_end.here
            self.front_end.move(odometry, scan, code)
            if knew and not self.front_end.here:  # scans say that it was carried
                self._lose()
        describe_it = self._latent_of(latent, scan)
        before, self._odometry = self._odometry, np.array(odometry, dtype=np.float64)
        moment = Moment(stamp, describe_it, self._odometry, thumbnail, float(np.nan_to_num(surprise)), kept)
        if self.config.learning:
            self._growth.command(stamp, command)
        if scan is not None and self._is_scanned(moment):
            self.location = self._follow_scans(moment, before)
            return self.location
        if self._uses_scans and (self.front_end.here or self._was_scanned):
            self.location = self._moved_on(moment)
            return self.location
        if len(self.map) and before is not None:
            self.filter.move(relative(before, odometry))
        elif not len(self.map) and self.config.learning:
            self.filter.start_at(np.zeros(3))
            self._growth.found(moment)
            self._waits_at = moment.odometry if self._uses_scans else None
        self._continuity.move(self._odometry)
        self.filter.observe(self.map.index, moment.latent)
        self.location = self._believe(moment)
        return self.location

    def _is_scanned(self, moment: Moment) -> bool:
        """Whether this memory is of scans, as one is that has a place from before the first scan came, if the robot has
        stood there since; else it has gone on without."""
        if self._waits_at is None:
            return True
        waited, self._waits_at = self._waits_at, None
        if not len(self.map):  # that place was forgotten
            return True
        if len(self.map) != 1 or np.greater(pose_gap(waited, moment.odometry), 0.05).any():  # [m], [rad]
            self._use_scans(False)
            return False
        self.front_end.founded(int(self.map.index.ids[0]), moment.stamp, self.front_end.surroundings())
        return True

    def _moved_on(self, moment: Moment) -> Location:
        """A moment without its scan: the robot is where odometry has it, and nothing is learned."""
        last = self.location
        if last is None:
            return self._location_at(moment, self.filter.estimate(), False, 0)
        pose = compose(last.pose, relative(last.odometry, moment.odometry))
        return replace(last, stamp=moment.stamp, pose=pose, odometry=moment.odometry)

    def _lose(self) -> None:
        """The robot may be anywhere."""
        self._growth.lose()
        self.filter.start_lost(self.map.index)
        self._unsought = LOOK_AGAIN

    def _latent_of(self, latent: Latents | None, scan: Scan | None) -> Callable[[], Latents]:
        if latent is not None:
            return lambda: latent
        if scan is None or not isinstance(self.map.index.model, LaserModel):
            raise AmiError("memory: a moment needs a latent, or a scan where there is no model", Code.INVALID_INPUT)
        return lambda: describe(self.front_end.surroundings())

    def _follow_scans(self, moment: Moment, before: Array | None) -> Location:
        """Where the robot is by scans; grows the graph there. Who is lost is looked for by the filter first."""
        front_end, learning = self.front_end, self.config.learning
        if len(self.map) and not (front_end.here and front_end.settled):
            self._look_around(moment, before)
            if not front_end.here:
                return self._location_at(moment, self.filter.estimate(), False, 0)
        if learning and front_end.settled:
            self._growth.follow(moment, front_end)
            front_end.keep_up()
            front_end.complete()
        elif front_end.due():
            front_end.recognise(moment.stamp, doubting=True)
        if not front_end.here:
            self._lose()
            return self._location_at(moment, self.filter.estimate(), False, 0)
        estimate = Estimate(front_end.pose, front_end.confidence, 0.0)
        return self._location_at(moment, estimate, True, front_end.here)

    def _look_around(self, moment: Moment, before: Array | None) -> None:
        """Looks for a robot that is lost, or was just found, where it is said to be, or once it has moved enough to see
        something new."""
        front_end, initial, self._initial_pose = self.front_end, self._initial_pose, None
        if initial is not None and front_end.look_near(*initial, moment.stamp):
            return
        self._unsought += LOOK_AGAIN if before is None else float(np.abs(relative(before, moment.odometry)).sum())
        if self._unsought < LOOK_AGAIN:
            return
        self._unsought = 0.0
        if front_end.here or not front_end.go_on(moment.odometry, moment.stamp):
            latent = None if front_end.here else moment.latent
            front_end.look_around(latent, moment.odometry, moment.stamp, self._comparison(moment))

    def _comparison(self, moment: Moment) -> Compare:
        """Compares the picture of a moment with those of places."""
        recogniser = self.map.recogniser

        @cache  # several spots may have to be compared with one picture
        def code() -> Latents | None:
            jpeg = moment.picture() if callable(moment.picture) else moment.picture
            return recogniser.code(jpeg) if recogniser is not None and jpeg else None

        def alike(ids: list[int]) -> Array | None:
            own = code()
            return recogniser.alike(ids, own) if recogniser is not None and own is not None else None

        return alike

    def _location_at(self, moment: Moment, estimate: Estimate, localised: bool, place_id: int) -> Location:
        confidence, entropy = estimate.confidence, estimate.entropy
        return Location(moment.stamp, estimate.pose, moment.odometry, confidence, entropy, localised, place_id)

    def _believe(self, moment: Moment) -> Location:
        """Where the robot is now; grows the graph there if that is sure."""
        estimate, known = self.filter.estimate(), len(self.map) > 0
        localised = known and estimate.confidence >= self.config.filter.confident
        sure = known and estimate.confidence >= self.config.confident
        follows = sure and self._continuity.allows(estimate.pose)
        if self.config.learning and follows:
            nearest = self._growth.grow(moment, estimate.pose, self.filter.covariance)
            grown = len(self.map) - self._optimised
            if grown >= max(self.config.optimise_least, (self.config.optimise_growth - 1) * self._optimised):
                self.optimise()
                estimate = self.filter.estimate()
        else:
            nearest, _, _ = self.map.nearest(estimate.pose, self.config.spacing, self.config.turn_spacing)
            if not localised or sure:
                self._growth.lose()
        return self._location_at(moment, estimate, localised, nearest)

    def finish(self) -> None:
        """A drive is over: looks for constraints of the last places, too, and optimises the pose graph."""
        self.front_end.stop()
        self.front_end.complete(everything=True)
        self.optimise()

    def optimise(self) -> None:
        """Moves all places so that what was measured between them agrees; the filter moves along."""
        if len(self.map) < 3:
            return
        old, new = optimise_map(self.map, self.config.pose_graph)
        self.filter.transform(lambda poses: carry(poses, old, new))
        self._continuity.restart()
        self._optimised = len(self.map)

    def leave(self, ids: set[int]) -> None:
        """Places are no more; the robot is lost where nothing is left around it."""
        self._growth.leave(ids)
        self.front_end.leave(ids)
        if self.location is not None and self.location.place_id in ids:
            nearest, _, _ = self.map.nearest(self.location.pose, self.config.spacing, self.config.turn_spacing)
            localised = self.location.localised and nearest > 0
            self.location = replace(self.location, place_id=nearest, localised=localised)
