"""Which fits of what a laser saw around two spots are right: simulated drives to learn from, and the training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu
from torch import Tensor
from torch.nn import functional

from ami_ros.core.geometry import Array, pose_gap, relative
from ami_ros.core.scan import Scan
from ami_ros.core.scan_matching import Matcher, Window
from ami_ros.core.submaps import Submap
from ami_ros.simulation.corridors import Corridors
from ami_ros.simulation.floor_plan import Doors, FloorPlan
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.world import World
from ami_ros.world_model.learning.descent import Descent, descend
from ami_ros.world_model.scan_odometry import ScanOdometry, ScanOdometryConfig
from ami_ros.world_model.scan_pairs import FEATURES, NUMBERS, POINTS, ScanPairNetwork, match_numbers, point_features


@dataclass(frozen=True)
class DriveConfig:
    """What is driven, and which places are compared."""

    noise: tuple[float, float] = (0.005, 0.02)  # [m] of a beam
    lost: float = 0.01  # share of beams that do not return
    slip: float = 0.03  # of the wheels, as a share of a step
    spacing: float = 0.8  # [m] between places
    beyond: float = 3.0  # [m] driven beyond one after which its surroundings are whole
    asked: int = 40  # places of the second time that are compared with those of the first
    near: float = 1.2  # [m] within which a place is the same ...
    far: float = 25.0  # [m] ... and up to which it may be taken for it
    same: int = 4  # places of either kind that one is compared with
    other: int = 14
    reach: float = 1.3  # [m] of the search
    turn: float = 0.4  # [rad] likewise
    fits: int = 20  # that it finds
    right: tuple[float, float] = (0.3, 0.1)  # [m], [rad] off the truth up to which a fit is right ...
    wrong: tuple[float, float] = (0.5, 0.2)  # ... and from which it is wrong; in between nothing is said


DRIVES = DriveConfig()


@dataclass(frozen=True)
class FittedPairs:
    """Fits of one submap in another.

    Attributes:
        points: (n, 2, POINTS, FEATURES), see `point_features`.
        numbers: (n, NUMBERS), see `match_numbers`.
        same: (n,) whether the fit is the truth.
        asked: (n,) number of the place that was looked for; the fits of one compete.
    """

    points: NDArray[np.float32]
    numbers: NDArray[np.float32]
    same: NDArray[np.bool_]
    asked: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.same)


@dataclass(frozen=True)
class Place:
    """Where a submap was seen."""

    pose: Array  # (3,), the truth
    submap: Submap


@dataclass(frozen=True)
class Laser:
    """A scanner."""

    beams: int
    field: float  # [rad]
    farthest: float  # [m]
    noise: float  # [m]

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Laser:
        """Another one each time."""
        beams, field = int(rng.choice((180, 360))), float(rng.choice((math.pi, 1.5 * math.pi, 2 * math.pi)))
        return cls(beams, field, float(rng.choice((8.0, 12.0, 30.0))), rng.uniform(*DRIVES.noise))

    def scan(
        self, plan: FloorPlan, pose: Array, rng: np.random.Generator, ground: Callable[[Array], Array] | None = None
    ) -> Scan:
        """What it sees from `pose` (3,); `ground`: how far off it meets the ground in directions of the robot."""
        angles = -self.field / 2 + self.field / self.beams * np.arange(self.beams, dtype=np.float64)
        met = plan.returned(pose[:2], angles + pose[2])
        met = met if ground is None else np.minimum(met, ground(angles))
        ranges = met + rng.normal(0.0, self.noise, self.beams)
        seen = (ranges < self.farthest) & (rng.random(self.beams) > DRIVES.lost)
        returned = np.where(seen, ranges, np.inf).astype(np.float32)
        return Scan(returned, float(angles[0]), self.field / self.beams, max_range=self.farthest)


def corridor_pairs(drawn: Corridors, rng: np.random.Generator) -> FittedPairs:
    """What is alike and what is the same in corridors that were driven twice."""
    half, laser = len(drawn.route) // 2, Laser.drawn(rng)
    first = places_of(drawn.first, drawn.route[:half], laser, rng)
    return pairs_of(first, places_of(drawn.second, drawn.route[half:], laser, rng), rng)


def building_pairs(world: World, rng: np.random.Generator, length: float = 80.0) -> FittedPairs:
    """The same in a building, on two ways through it of some `length` [m]."""
    laser, plan = Laser.drawn(rng), Doors(world, 0.18, rng.uniform(0.15, 0.4)).seen
    space = FreeSpace(world)
    first, second = (places_of(plan, route_in(space, rng, length), laser, rng) for _ in range(2))
    return pairs_of(first, second, rng)


def route_in(space: FreeSpace, rng: np.random.Generator, length: float) -> Array:
    """Poses (n, 3), 0.3 m apart, along the shortest ways between spots that are drawn, some `length` [m] long."""
    spots, at, so_far = [], space.sample_start(rng), 0.0
    while so_far < length:
        to = space.sample_start(rng)
        way = space.path(at, to)
        if len(way) > 1:
            spots.append(way)
            so_far += float(np.hypot(*np.diff(way, axis=0).T).sum())
        if len(way) > 1 or not spots:  # it may have begun in a corner that has no way out
            at = to
    corners = np.concatenate(spots)
    driven = np.append(0.0, np.cumsum(np.hypot(*np.diff(corners, axis=0).T)))
    steps = np.arange(0.0, driven[-1], 0.3)
    found = np.column_stack([np.interp(steps, driven, corners[:, k]) for k in (0, 1)])
    ahead = np.diff(found, axis=0, append=2 * found[-1:] - found[-2:-1])
    return np.column_stack([found, np.arctan2(ahead[:, 1], ahead[:, 0])])


def places_of(plan: FloorPlan, route: Array, laser: Laser, rng: np.random.Generator) -> list[Place]:
    """A place each 0.8 m, with all that was seen around it by a robot that follows its scans and its wheels."""
    odometry, wheels = ScanOdometry(ScanOdometryConfig()), relative(route[:1], route)
    wheels[:, 2] = np.unwrap(wheels[:, 2])
    steps = np.diff(wheels, axis=0, prepend=wheels[:1])
    wheels = wheels + np.cumsum(steps * rng.normal(0.0, DRIVES.slip, steps.shape), axis=0)
    places: list[Place] = []
    waiting: list[tuple[float, Array, Array, Array]] = []  # way, track, pose, what was seen to be free
    last = -math.inf
    for k, pose in enumerate(route):
        odometry.move(wheels[k], laser.scan(plan, pose, rng))
        if odometry.way - last >= DRIVES.spacing:
            last = odometry.way
            waiting.append((last, odometry.pose, pose, odometry.surroundings(odometry.pose).free))
        while waiting and (odometry.way - waiting[0][0] > DRIVES.beyond or k == len(route) - 1):
            _, track, at, free = waiting.pop(0)
            whole = odometry.surroundings(track)
            places.append(Place(at, Submap(whole.points, free)))
    return places


def pairs_of(first: list[Place], second: list[Place], rng: np.random.Generator) -> FittedPairs:
    """Fits of places of the first time in those of the second, right and wrong ones; of those that are neither nothing
    is said."""
    there = np.array([place.pose for place in first]).reshape(-1, 3)
    points, numbers, same, asked = [], [], [], []
    for k in rng.permutation(len(second))[: DRIVES.asked].tolist():
        here = second[k]
        gap = np.hypot(*(there[:, :2] - here.pose[:2]).T)
        others = np.flatnonzero((gap >= DRIVES.near) & (gap < DRIVES.far))
        rows = np.append(np.flatnonzero(gap < DRIVES.near)[: DRIVES.same], rng.permutation(others)[: DRIVES.other])
        submaps = [first[row].submap for row in rows]
        truth = relative(np.broadcast_to(here.pose, (len(rows), 3)), there[rows])
        matcher = Matcher(here.submap)
        windows = [Window(np.array([0.0, 0.0, pose[2]]), DRIVES.reach, DRIVES.turn) for pose in truth]
        for j, pose, _ in matcher.search(submaps, windows, most=DRIVES.fits):
            if (match := matcher.fit(submaps[j], pose)) is None:
                continue
            off, turned = pose_gap(match.pose, truth[j])
            is_right = off <= DRIVES.right[0] and turned <= DRIVES.right[1]
            is_wrong = off > DRIVES.wrong[0] or turned > DRIVES.wrong[1]
            if is_right or is_wrong:
                points.append(point_features(here.submap, submaps[j], match))
                numbers.append(match_numbers(match))
                same.append(is_right)
                asked.append(k)
    return FittedPairs(
        np.array(points, np.float32).reshape(-1, 2, POINTS, FEATURES),
        np.array(numbers, np.float32).reshape(-1, NUMBERS),
        np.array(same, bool),
        np.array(asked, np.int64),
    )


def joined_pairs(parts: list[FittedPairs]) -> FittedPairs:
    """All together; places keep numbers of their own."""
    firsts = np.cumsum([0, *(part.asked.max(initial=-1) + 1 for part in parts)])
    asked = [part.asked + first for part, first in zip(parts, firsts, strict=False)]
    points, numbers, same = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("points", "numbers", "same")
    )
    return FittedPairs(points, numbers, same, np.concatenate(asked))


@dataclass(frozen=True)
class ScanConfig:
    """How fits are learned."""

    steps: int = 4000  # of the optimiser
    batch: int = 256  # fits in a step
    learning_rate: float = 1e-3  # at its highest; it falls to zero along half a cosine
    seed: int = 0
    weight_decay: float = 0.01
    clip: float = 1.0  # norm of the gradient
    warm_up: int = 100  # steps


@dataclass(frozen=True)
class ScanQuality:
    """How well right fits are told from wrong ones."""

    fits: int
    right: float  # share of them
    area: float  # under the curve of right fits found over wrong ones taken for right
    area_by_share: float  # the same by the share of points that agree, which is not learned
    best_right: float  # share of places, which have both, whose likeliest fit is right
    best_right_by_share: float


def fit_scans(
    network: ScanPairNetwork, pairs: FittedPairs, config: ScanConfig, report: Callable[[int, float], None],
    keep: Path | None = None,
) -> None:  # fmt: skip
    """Trains `network`; it is left in evaluation mode.

    Args:
        network: see there.
        pairs: to learn from.
        config: see there.
        report: called with the steps done and the loss.
        keep: see `descend`.
    """
    same = torch.from_numpy(pairs.same).float()
    points, numbers = torch.from_numpy(pairs.points), torch.from_numpy(pairs.numbers)

    def loss(step: int) -> Tensor:
        rng = np.random.default_rng((config.seed, step, 5))
        rows = torch.from_numpy(rng.integers(0, len(pairs), config.batch))
        seen = points[rows].clone()  # whose columns change their sign where the worst direction does:
        seen[..., 9:12] *= torch.from_numpy(rng.choice([-1.0, 1.0], (config.batch, 1, 1, 3))).float()
        return functional.binary_cross_entropy_with_logits(network(seen, numbers[rows]), same[rows])

    descend(
        network,
        loss,
        Descent(config.steps, config.learning_rate, report, keep, config.weight_decay, config.warm_up, config.clip),
    )


def judge_scans(network: ScanPairNetwork, pairs: FittedPairs) -> ScanQuality:
    """How good `network` is on fits that it has not learned from."""
    same = pairs.same
    with torch.inference_mode():
        points, numbers = torch.from_numpy(pairs.points), torch.from_numpy(pairs.numbers)
        said = torch.cat([network(*part) for part in zip(points.split(512), numbers.split(512), strict=True)]).numpy()
    share = pairs.numbers[:, 0] - pairs.numbers[:, 1]  # support without conflict, see `match_numbers`
    area, by_share = (
        float(mannwhitneyu(by[same], by[~same]).statistic / max(1, same.sum() * (~same).sum())) for by in (said, share)
    )
    best = [
        [bool(same[rows[by[rows].argmax()]]) for by in (said, share)]
        for rows in (np.flatnonzero(pairs.asked == place) for place in np.unique(pairs.asked))
        if same[rows].any() and not same[rows].all()
    ]
    best_right, best_by_share = np.mean(best, axis=0).tolist() if best else (math.nan, math.nan)
    return ScanQuality(len(pairs), float(same.mean()), area, by_share, best_right, best_by_share)
