"""What a memory of places is tried on: cold starts, kidnappings and pictures of goals, each against the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.evaluation.expedition import Belief, Expedition
from ami_ros.evaluation.map_quality import frame_of, is_right
from ami_ros.geometry import Array, compose, pose_gap
from ami_ros.places.questions import locate
from ami_ros.places.types import GoalQuery
from ami_ros.simulation.exploration import PERIOD
from ami_ros.simulation.free_space import FreeSpace

Progress = Callable[[int, int], None]  # done, of so many

COLD_MOTION = 3.0  # [s] after which a robot that was switched on somewhere should know where
COLD_WATCHED = 10.0  # [s] that each cold start is watched
KIDNAP_DISTANCE = 2.0  # [m] that a kidnapped robot is carried, at least
KIDNAP_WATCHED = 20.0  # [s]
SETTLED = 2.0  # [s] that a robot must be right and sure of it, to count as having found itself
FRAME_EVERY = 25  # moments between two looks at where the map lies, which optimising moves


@dataclass(frozen=True)
class Judged:
    """Moments, and which of them were right."""

    moments: list[Belief]
    right: list[bool]

    def found_after(self) -> float:
        """Seconds until the robot was right and sure of it for SETTLED; inf if it never was."""
        good = [r and m.location.localised for m, r in zip(self.moments, self.right, strict=True)]
        count = round(SETTLED / PERIOD)
        for k in range(len(good) - count + 1):
            if all(good[k : k + count]):
                return self.moments[k].time - self.moments[0].time
        return float("inf")

    def fooled(self) -> float:
        """Seconds during which the robot was sure of a wrong place."""
        pairs = zip(self.moments, self.right, strict=True)
        return PERIOD * sum(m.location.localised and not r for m, r in pairs)


def drive(expedition: Expedition, space: FreeSpace, seconds: float, progress: Progress | None = None) -> Judged:
    """Explores on, judging each moment by where the map lies then."""
    moments: list[Belief] = []
    right: list[bool] = []
    total = round(seconds / PERIOD)
    for k in range(total):
        if k % FRAME_EVERY == 0:
            frame = frame_of(expedition.memory, expedition.truths)
        moments.append(expedition.step())
        right.append(is_right(moments[-1].location.pose, moments[-1].truth, frame, space))
        if progress and (k % FRAME_EVERY == 0 or k + 1 == total):
            progress(k + 1, total)
    return Judged(moments, right)


def cold_starts(expedition: Expedition, space: FreeSpace, count: int, progress: Progress) -> Iterator[Judged]:
    """The robot is switched on at random poses, without a pose and with a new origin of odometry."""
    for k in range(count):
        expedition.begin(space.sample_pose(expedition.rng))
        yield drive(expedition, space, COLD_WATCHED)
        progress(k + 1, count)


def kidnappings(expedition: Expedition, space: FreeSpace, count: int, progress: Progress) -> Iterator[Judged]:
    """A robot that knows where it is gets carried elsewhere while it looks away, again and again."""
    expedition.begin(space.sample_pose(expedition.rng))
    drive(expedition, space, KIDNAP_WATCHED)
    for k in range(count):
        here = expedition.robot.ground_truth().pose
        there = here
        for _ in range(100):
            if np.hypot(*(there - here)[:2]) >= KIDNAP_DISTANCE:
                break
            there = space.sample_pose(expedition.rng)
        expedition.kidnap(there)
        yield drive(expedition, space, KIDNAP_WATCHED)
        progress(k + 1, count)


def goals_placed(expedition: Expedition, space: FreeSpace, count: int, progress: Progress) -> Array:
    """Error (count, 2) [m], [rad] of where memory places pictures taken at random poses; inf where it knows nothing."""
    frame = frame_of(expedition.memory, expedition.truths)
    errors = np.full((count, 2), np.inf)
    for k in range(count):
        pose = space.sample_pose(expedition.rng)
        image, perception = expedition.loop.photograph(pose), expedition.loop.perception
        goal = GoalQuery(latent=perception.encode_goal(image), picture=perception.encode_picture(image))
        progress(k + 1, count)
        try:
            placed, _ = locate(expedition.memory.map, goal, 0, np.zeros(3))
        except AmiError:
            continue
        errors[k] = pose_gap(compose(frame, placed), pose)
    return errors
