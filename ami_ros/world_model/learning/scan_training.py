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
from ami_ros.world_model.learning.descent import descend
from ami_ros.world_model.scan_odometry import ScanOdometry, ScanOdometryConfig
from ami_ros.world_model.scan_pairs import FEATURES, NUMBERS, POINTS, ScanPairNetwork, match_numbers, point_features

# Pairs of submaps to learn from: simulated drives, and the fits that a search finds between what they saw.

BEAMS, FIELDS, FARTHEST = (180, 360), (math.pi, 1.5 * math.pi, 2 * math.pi), (8.0, 12.0, 30.0)
NOISE, LOST = (0.005, 0.02), 0.01  # [m] of a beam; share of beams that do not return
SLIP = 0.03  # of the wheels, as a share of a step
SPACING, BEYOND = 0.8, 3.0  # [m] between places; driven beyond one after which its surroundings are whole
ASKED = 40  # places of the second time that are compared with those of the first
NEAR, FAR = 1.2, 25.0  # [m] within which a place is the same; and up to which it may be taken for it
SAME, OTHER = 4, 14  # places of either kind that one is compared with
REACH, TURN = 1.3, 0.4  # [m], [rad] of the search
FITS = 20  # that it finds
RIGHT, WRONG = (0.3, 0.1), (0.5, 0.2)  # [m], [rad] off the truth up to, and from which; in between nothing is said
WAY, STEP = 80.0, 0.3  # [m] of a drive through a building, twice


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
        return cls(int(rng.choice(BEAMS)), float(rng.choice(FIELDS)), float(rng.choice(FARTHEST)), rng.uniform(*NOISE))

    def scan(
        self, plan: FloorPlan, pose: Array, rng: np.random.Generator, ground: Callable[[Array], Array] | None = None
    ) -> Scan:
        """What it sees from `pose` (3,); `ground`: how far off it meets the ground in directions of the robot."""
        angles = -self.field / 2 + self.field / self.beams * np.arange(self.beams, dtype=np.float64)
        met = plan.returned(pose[:2], angles + pose[2])
        met = met if ground is None else np.minimum(met, ground(angles))
        ranges = met + rng.normal(0.0, self.noise, self.beams)
        seen = (ranges < self.farthest) & (rng.random(self.beams) > LOST)
        returned = np.where(seen, ranges, np.inf).astype(np.float32)
        return Scan(returned, float(angles[0]), self.field / self.beams, max_range=self.farthest)


def corridor_pairs(drawn: Corridors, rng: np.random.Generator) -> FittedPairs:
    """What is alike and what is the same in corridors that were driven twice."""
    half, laser = len(drawn.route) // 2, Laser.drawn(rng)
    first = places_of(drawn.first, drawn.route[:half], laser, rng)
    return pairs_of(first, places_of(drawn.second, drawn.route[half:], laser, rng), rng)


def building_pairs(world: World, rng: np.random.Generator) -> FittedPairs:
    """The same in a building, on two ways through it."""
    laser, plan = Laser.drawn(rng), Doors(world, 0.18, rng.uniform(0.15, 0.4)).seen
    space = FreeSpace(world)
    first, second = (places_of(plan, route_in(space, rng), laser, rng) for _ in range(2))
    return pairs_of(first, second, rng)


def route_in(space: FreeSpace, rng: np.random.Generator) -> Array:
    """Poses (n, 3) along the shortest ways between spots that are drawn, some WAY long."""
    spots, at, length = [], space.sample_start(rng), 0.0
    while length < WAY:
        to = space.sample_start(rng)
        way = space.path(at, to)
        if len(way) > 1:
            spots.append(way)
            length += float(np.hypot(*np.diff(way, axis=0).T).sum())
        if len(way) > 1 or not spots:  # it may have begun in a corner that has no way out
            at = to
    corners = np.concatenate(spots)
    driven = np.append(0.0, np.cumsum(np.hypot(*np.diff(corners, axis=0).T)))
    steps = np.arange(0.0, driven[-1], STEP)
    found = np.column_stack([np.interp(steps, driven, corners[:, k]) for k in (0, 1)])
    ahead = np.diff(found, axis=0, append=2 * found[-1:] - found[-2:-1])
    return np.column_stack([found, np.arctan2(ahead[:, 1], ahead[:, 0])])


def places_of(plan: FloorPlan, route: Array, laser: Laser, rng: np.random.Generator) -> list[Place]:
    """A place each SPACING, with all that was seen around it by a robot that follows its scans and its wheels."""
    odometry, wheels = ScanOdometry(ScanOdometryConfig()), relative(route[:1], route)
    wheels[:, 2] = np.unwrap(wheels[:, 2])
    steps = np.diff(wheels, axis=0, prepend=wheels[:1])
    wheels = wheels + np.cumsum(steps * rng.normal(0.0, SLIP, steps.shape), axis=0)
    places: list[Place] = []
    waiting: list[tuple[float, Array, Array, Array]] = []  # way, track, pose, what was seen to be free
    last = -math.inf
    for k, pose in enumerate(route):
        odometry.move(wheels[k], laser.scan(plan, pose, rng))
        if odometry.way - last >= SPACING:
            last = odometry.way
            waiting.append((last, odometry.pose, pose, odometry.surroundings(odometry.pose).free))
        while waiting and (odometry.way - waiting[0][0] > BEYOND or k == len(route) - 1):
            _, track, at, free = waiting.pop(0)
            whole = odometry.surroundings(track)
            places.append(Place(at, Submap(whole.points, free)))
    return places


def pairs_of(first: list[Place], second: list[Place], rng: np.random.Generator) -> FittedPairs:
    """Fits of places of the first time in those of the second, right and wrong ones."""
    there = np.array([place.pose for place in first]).reshape(-1, 3)
    points, numbers, same, asked = [], [], [], []
    for k in rng.permutation(len(second))[:ASKED].tolist():
        here = second[k]
        gap = np.hypot(*(there[:, :2] - here.pose[:2]).T)
        others = np.flatnonzero((gap >= NEAR) & (gap < FAR))
        rows = np.append(np.flatnonzero(gap < NEAR)[:SAME], rng.permutation(others)[:OTHER])
        submaps = [first[row].submap for row in rows]
        truth = relative(np.broadcast_to(here.pose, (len(rows), 3)), there[rows])
        matcher = Matcher(here.submap)
        windows = [Window(np.array([0.0, 0.0, pose[2]]), REACH, TURN) for pose in truth]
        for j, pose, _ in matcher.search(submaps, windows, most=FITS):
            match = matcher.fit(submaps[j], pose)
            off = None if match is None else pose_gap(match.pose, truth[j])
            if match is None or off is None or not (_within(off, RIGHT) or not _within(off, WRONG)):
                continue
            points.append(point_features(here.submap, submaps[j], match))
            numbers.append(match_numbers(match))
            same.append(_within(off, RIGHT))
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


def _within(off: tuple[Array, Array], most: tuple[float, float]) -> bool:
    return bool(off[0] <= most[0] and off[1] <= most[1])


# A phase of training: which fits of what a laser saw around two spots are right, on simulated drives.

SUPPORT, CONFLICT = 0, 1  # columns of `match_numbers`
MIRRORED = slice(9, 12)  # columns of `point_features` that change their sign where the worst direction does
WEIGHT_DECAY, WARM_UP, CLIP = 0.01, 100, 1.0


@dataclass(frozen=True)
class ScanConfig:
    """How fits are learned."""

    steps: int = 4000  # of the optimiser
    batch: int = 256  # fits in a step
    learning_rate: float = 1e-3  # at its highest; it falls to zero along half a cosine
    seed: int = 0


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
    network: ScanPairNetwork,
    pairs: FittedPairs,
    config: ScanConfig,
    report: Callable[[int, float], None],
    keep: Path | None = None,
) -> None:
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
        seen = points[rows].clone()
        seen[..., MIRRORED] *= torch.from_numpy(rng.choice([-1.0, 1.0], (config.batch, 1, 1, 3))).float()
        return functional.binary_cross_entropy_with_logits(network(seen, numbers[rows]), same[rows])

    descend(network, loss, config.steps, config.learning_rate, report, WEIGHT_DECAY, WARM_UP, CLIP, keep)


def judge_scans(network: ScanPairNetwork, pairs: FittedPairs) -> ScanQuality:
    """How good `network` is on fits that it has not learned from."""
    with torch.inference_mode():
        points, numbers = torch.from_numpy(pairs.points), torch.from_numpy(pairs.numbers)
        said = torch.cat([network(*part) for part in zip(points.split(512), numbers.split(512), strict=True)]).numpy()
    share = pairs.numbers[:, SUPPORT] - pairs.numbers[:, CONFLICT]
    return ScanQuality(
        len(pairs),
        float(pairs.same.mean()),
        _area(said, pairs.same),
        _area(share, pairs.same),
        _best_right(said, pairs),
        _best_right(share, pairs),
    )


def _area(said: NDArray[np.float32], same: NDArray[np.bool_]) -> float:
    return float(mannwhitneyu(said[same], said[~same]).statistic / max(1, same.sum() * (~same).sum()))


def _best_right(said: NDArray[np.float32], pairs: FittedPairs) -> float:
    found = []
    for place in np.unique(pairs.asked):
        rows = np.flatnonzero(pairs.asked == place)
        if pairs.same[rows].any() and not pairs.same[rows].all():
            found.append(bool(pairs.same[rows[said[rows].argmax()]]))
    return float(np.mean(found)) if found else float("nan")
