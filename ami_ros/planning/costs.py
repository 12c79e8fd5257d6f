"""What makes one imagined future better than another: small terms, each with a weight, and which of them decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, Disc
from ami_ros.core.installation import COSTS, find_plugin, plugin_config
from ami_ros.core.scan import Scan
from ami_ros.planning.protocols import Cost, Futures, Scene
from ami_ros.planning.scan_geometry import surfaces
from ami_ros.world_model.layers import Floats

# Goals


@dataclass(frozen=True)
class GoalConfig:
    """Distance to the goal along the imagined path."""

    enabled: bool = True  # false: this cost is left out
    weight: float = 1.0  # of the distance [1/m]; larger drives straighter at the goal and minds the rest less
    path: float = 0.5  # weight of the mean over the path, beside 1 for its end; larger hurries
    heading: float = 0.25  # [m/rad] at a goal, a fifth at sub-goals; larger turns earlier


def _distance_cost(x: Floats, y: Floats, cos: Floats, config: GoalConfig) -> Floats:
    """Cost (batch,) of the goal's distance x, y [m] and heading at each step, (batch, steps) each. The error of the
    heading counts as a chord, so that it is smooth at pi."""
    chord = np.sqrt((2 - 2 * cos).clip(1e-6, None))
    distance = np.sqrt(x * x + y * y + 1e-6) + config.heading * chord
    return config.weight * (distance[:, -1] + config.path * distance.mean(1))


def _passed(config: GoalConfig, scene: Scene) -> GoalConfig:
    """Of a target that is perhaps a sub-goal, which is only passed."""
    on_the_way = 0.2  # of the heading's weight
    return config if scene.target.final else replace(config, heading=on_the_way * config.heading)


@dataclass(frozen=True)
class LatentGoal:
    """Energy: how far, in metres, the imagined latents are from the goal's, by the relative-pose head."""

    Config = GoalConfig

    head: Callable[[Floats, Floats], Floats]
    goal: Floats  # (latent_dim,)
    config: GoalConfig

    @classmethod
    def build(cls, config: GoalConfig, scene: Scene) -> LatentGoal | None:
        """Where the target has a latent."""
        if scene.target.latent is None:
            return None
        return cls(scene.dynamics.relative_pose, np.asarray(scene.target.latent), _passed(config, scene))

    def __call__(self, futures: Futures) -> Floats:
        seen = self.head(futures.latents, self.goal)
        return _distance_cost(seen[..., 0], seen[..., 1], seen[..., 2], self.config)


@dataclass(frozen=True)
class PoseGoal:
    """How far the imagined poses are from a known one."""

    Config = GoalConfig

    goal: Floats  # (3,) in the base frame of now
    config: GoalConfig

    @classmethod
    def build(cls, config: GoalConfig, scene: Scene) -> PoseGoal | None:
        """Where the target has a pose."""
        if scene.target.pose is None:
            return None
        return cls(np.asarray(scene.target.pose, np.float32), _passed(config, scene))

    def __call__(self, futures: Futures) -> Floats:
        away = futures.poses - self.goal
        return _distance_cost(away[..., 0], away[..., 1], np.cos(away[..., 2]), self.config)


# Smoothness


@dataclass(frozen=True)
class SmoothnessConfig:
    """Changes of command, reversing, effort."""

    enabled: bool = True  # false: this cost is left out
    weight: float = 1.0  # of all three; larger: smoother and slower
    change: float = 0.02  # of changes between commands; larger: smoother, less agile
    reverse: float = 0.1  # of driving backwards; larger turns around instead
    effort: float = 0.005  # of moving at all; larger stands still when little is gained


@dataclass(frozen=True)
class Smoothness:
    """See the module."""

    Config = SmoothnessConfig

    scale: Floats  # (width,) maxima of the commands
    config: SmoothnessConfig

    @classmethod
    def build(cls, config: SmoothnessConfig, scene: Scene) -> Smoothness:
        """Always."""
        return cls(scene.kinematics.high.clip(1e-6, None), config)

    def __call__(self, futures: Futures) -> Floats:
        config = self.config
        scale = np.asarray(self.scale)
        scaled = futures.commands / scale
        first = np.broadcast_to(futures.previous / scale, (len(scaled), 1, len(scale)))
        before = np.concatenate([first, scaled[:, :-1]], 1)
        change = np.square(scaled - before).sum(-1).mean(1)
        backwards = (-scaled[..., 0]).clip(0, None).mean(1)
        effort = np.square(scaled).sum(-1).mean(1)
        return config.weight * (config.change * change + config.reverse * backwards + config.effort * effort)


# What must not be touched


class LocalMap:
    """A distance field in base_link at the moment of the scan, for thousands of look-ups.

    Args:
        scan: of that moment.
        half_size: the field covers a square of twice this [m]; outside counts as free.
        resolution: of a cell [m].
    """

    def __init__(self, scan: Scan, half_size: float = 2.8, resolution: float = 0.02) -> None:
        self.half_size, self.resolution = half_size, resolution
        cells = round(2 * half_size / resolution)
        free: NDArray[np.uint8] = np.full((cells, cells), 255, np.uint8)
        for segment in surfaces(scan, 1.4 * half_size):
            a, b = (tuple(int(v) for v in np.rint((p + half_size) / resolution - 0.5)) for p in segment)
            cv2.line(free, a, b, 0)
        field = cv2.distanceTransform(free, cv2.DIST_L2, 5) * resolution if (free == 0).any() else free + 8.0
        self.field: Floats = np.ascontiguousarray(field, dtype=np.float32)

    def clearance(self, points: Floats) -> Floats:
        """Distance (...,) [m] from points (..., 2) [m] in base_link to the nearest thing seen."""
        size = len(self.field)
        at = (points + self.half_size) / self.resolution
        inside = np.asarray(((at >= 0) & (at < size)).all(-1))
        cells = np.where(inside[..., None], at, 0.0).astype(np.int64)
        return np.where(inside, self.field[cells[..., 1], cells[..., 0]], np.float32(self.half_size))


def with_halves(points: Floats, start: Floats) -> Floats:
    """Points (batch, steps, 2) of a path from `start` (1, 2), and those halfway between them: (batch, 2 * steps, 2)."""
    first = np.broadcast_to(np.asarray(start), (len(points), 1, 2))
    before = np.concatenate([first, points[:, :-1]], 1)
    return np.concatenate([points, (points + before) / 2], 1)


def disc_path(disc: Disc, poses: Floats) -> tuple[Floats, Floats]:
    """Where the middle of a robot's disc is now (1, 2), and at `poses` (batch, steps, 3) and halfway between them:
    (batch, 2 * steps, 2)."""
    start, middles = np.array([[disc.middle, 0.0]], np.float32), poses[..., :2]
    if disc.middle:
        ahead = np.stack([np.cos(poses[..., 2]), np.sin(poses[..., 2])], -1)
        middles = np.asarray(middles + np.float32(disc.middle) * ahead, np.float32)
    return start, with_halves(middles, start)


def nearness(clearance: Floats, now: float, margin: float, weight: float, collision: float) -> Floats:
    """Cost (batch,) of passing at `clearance` (batch, points) [m] from what must not be touched.

    Where the robot already is too close (`now` [m]), moving on must not look as bad as touching.
    """
    closeness = (1 - clearance / margin).clip(0, None)
    touching = np.asarray(clearance < min(0.02, now - 0.02), dtype=clearance.dtype)
    return weight * np.square(closeness).mean(1) + collision * touching.mean(1)


@dataclass(frozen=True)
class ObstaclesConfig:
    """Nearness to what the scan sees."""

    enabled: bool = True  # false: this cost is left out
    weight: float = 3.0  # of being close; larger keeps farther away and passes fewer gaps
    margin: float = 0.10  # [m] beyond the robot within which closeness costs; larger avoids narrow gaps
    collision: float = 20.0  # cost of a path that touches something at every step; too small trades contact for speed


@dataclass(frozen=True)
class Obstacles:
    """Keeps the imagined path away from everything in the newest scan; not learned."""

    Config = ObstaclesConfig

    local_map: LocalMap
    disc: Disc  # that holds the robot
    config: ObstaclesConfig

    @classmethod
    def build(cls, config: ObstaclesConfig, scene: Scene) -> Obstacles | None:
        """Where there is a scan."""
        return None if scene.scan is None else cls(LocalMap(scene.scan), scene.disc, config)

    def __call__(self, futures: Futures) -> Floats:
        config = self.config
        start, path = disc_path(self.disc, futures.poses)
        clearance = self.local_map.clearance(path) - self.disc.radius
        now = float(self.local_map.clearance(start)[0]) - self.disc.radius
        return nearness(clearance, now, config.margin, config.weight, config.collision)


@dataclass(frozen=True)
class KeepAwayConfig:
    """Nearness to places that must not be entered."""

    enabled: bool = True  # false: this cost is left out
    weight: float = 3.0  # of being close; larger keeps farther away and passes fewer gaps
    margin: float = 0.2  # [m] outside the radius within which closeness costs; larger keeps farther away
    inside: float = 20.0  # cost of a path that is inside at every step; too small cuts through


@dataclass(frozen=True)
class KeepAway:
    """Places that the robot must not enter: discs around named poses. The middle of the robot stays out of them."""

    Config = KeepAwayConfig

    discs: Floats  # (n, 3): x, y in the base frame of now, radius [m]; n > 0
    config: KeepAwayConfig

    @classmethod
    def build(cls, config: KeepAwayConfig, scene: Scene) -> KeepAway | None:
        """Where there are such places."""
        return cls(np.asarray(scene.keep_away, np.float32), config) if len(scene.keep_away) else None

    def __call__(self, futures: Futures) -> Floats:
        here, config = np.zeros((1, 2), np.float32), self.config
        clearance = self._clearance(with_halves(futures.poses[..., :2], here))
        now = float(self._clearance(here[None])[0, 0])
        return nearness(clearance, now, config.margin, config.weight, config.inside)

    def _clearance(self, points: Floats) -> Floats:
        """Distance (batch, points) [m] of points (batch, points, 2) from the nearest edge, negative inside."""
        distance = np.sqrt(np.square(points[..., None, :] - self.discs[:, :2]).sum(-1).clip(1e-8, None))
        return np.amin(distance - self.discs[:, 2], -1)


@dataclass(frozen=True)
class PeopleConfig:
    """Nearness to where things that move will be."""

    enabled: bool = True  # false: this cost is left out
    weight: float = 1.0  # of comfort; larger passes at a greater distance, or waits
    contact: float = 20.0  # [m] of a touch that is certain and at once, less the later; larger makes way sooner
    comfort: float = 0.5  # [m] between both edges within which nearness costs; personal space begins at 0.45 m (Hall)
    ahead: float = 1.0  # [s] of their way by which comfort reaches farther in front of them (Kirby 2010)


@dataclass(frozen=True)
class People:
    """Stays away from where others may be, and does not pass people closely.

    What a future costs, of each thing, is the share of time from a touch on, as likely as that is, and the mean
    discomfort: a later touch is better than an early one, for who walks on blindly may yet turn off.
    """

    Config = PeopleConfig

    positions: Floats  # (m, t, 2) expected at the end of each step, then halfway [m], in the base frame of now
    deviations: Floats  # (m, t) [m]
    headings: Floats  # (m, 2) unit vectors
    reach: Floats  # (m, 1) [m] between both middles when they touch
    front: Floats  # (m, 1) share by which comfort reaches farther in front
    disc: Disc
    config: PeopleConfig

    @classmethod
    def build(cls, config: PeopleConfig, scene: Scene) -> People | None:
        """Where something moves near by."""
        far, most = (
            4.0,
            8,
        )  # [m] beyond which nobody comes near within the horizon; the nearest that a plan has time for
        if scene.forecast is None:
            return None
        forecast = scene.forecast
        distance = np.hypot(*forecast.positions[:, 0].T)
        chosen = distance.argsort()[:most]
        chosen = chosen[distance[chosen] < far]
        if not len(chosen):
            return None
        headings = forecast.headings[chosen]
        return cls(
            np.asarray(forecast.positions[chosen], np.float32),
            np.asarray(forecast.deviations[chosen], np.float32),
            np.stack([np.cos(headings), np.sin(headings)], -1).astype(np.float32),
            np.asarray(forecast.radii[chosen, None] + scene.disc.radius, np.float32),
            np.asarray(config.ahead * forecast.speeds[chosen, None] / config.comfort, np.float32),
            scene.disc,
            config,
        )

    def __call__(self, futures: Futures) -> Floats:
        steps, horizon, config = futures.poses.shape[1], self.positions.shape[1] // 2, self.config
        rows = np.r_[0:steps, horizon : horizon + steps]
        in_time = np.column_stack([np.arange(steps, 2 * steps), np.arange(steps)]).ravel()  # halves come before ends
        _, points = disc_path(self.disc, futures.poses)
        touch = near = np.zeros(len(points), np.float32)
        for k in range(len(self.positions)):  # one by one: arrays of all would not stay in the cache
            reach, apart = float(self.reach[k, 0]), points - self.positions[k, rows]
            distance = np.sqrt(np.square(apart).sum(-1) + 1e-8)
            # The chance of a touch: the share of the thing's normal distribution in a square as wide as both discs. The
            # logistic function stands for the normal one, and is at most 0.01 off (Bowling et al. 2009).
            scale = 1.702 / self.deviations[k, rows]
            along = _logistic((reach - distance) * scale) - _logistic(-(reach + distance) * scale)
            chance = along * (2 * _logistic(reach * scale) - 1)
            touch = touch + np.maximum.accumulate(chance[:, in_time], 1).mean(1)
            # Discomfort is 1 at a touch, and 0 where comfort ends, which is farther off in front of the thing.
            facing = ((apart * self.headings[k]).sum(-1) / distance).clip(0, None)
            ends = config.comfort * (1 + float(self.front[k, 0]) * facing)
            gap = (distance - reach).clip(0, None)
            near = near + ((1 - gap / ends).clip(0, None) ** 2).mean(1)
        return np.asarray(config.contact * touch + config.weight * near)


def _logistic(x: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(0.5 * x))


def times(steps: int, step_duration: float) -> Array:
    """When (2 * steps,) [s] a forecast is wanted: at the end of each step of a plan, then halfway through each."""
    ends = step_duration * np.arange(1, steps + 1)
    return np.concatenate([ends, ends - step_duration / 2])


BUILT_IN: dict[str, Any] = {
    "smoothness": Smoothness,
    "latent_goal": LatentGoal,
    "pose_goal": PoseGoal,
    "obstacles": Obstacles,
    "keep_away": KeepAway,
    "people": People,
}


@dataclass(frozen=True)
class CostsConfig:
    """What makes one future better than another; each has `enabled` and `weight`."""

    latent_goal: GoalConfig = field(default_factory=GoalConfig)
    pose_goal: GoalConfig = field(default_factory=GoalConfig)
    obstacles: ObstaclesConfig = field(default_factory=ObstaclesConfig)
    smoothness: SmoothnessConfig = field(default_factory=SmoothnessConfig)
    keep_away: KeepAwayConfig = field(default_factory=KeepAwayConfig)
    people: PeopleConfig = field(default_factory=PeopleConfig)
    plugins: tuple[str, ...] = ()  # costs of other packages, each as "name" or "name key=value key=value"


class Costs:
    """The enabled costs of a configuration.

    Raises:
        AmiError: a cost of another package is unknown, or its options do not fit.
    """

    def __init__(self, config: CostsConfig) -> None:
        self._enabled = [(name, plugin, getattr(config, name)) for name, plugin in BUILT_IN.items()]
        for text in config.plugins:
            name, *options = text.split() or [""]
            if name in BUILT_IN:
                raise AmiError(f"planner: the cost '{name}' comes with ami_ros; set its parameters costs.{name}.*")
            plugin = find_plugin(COSTS, name, BUILT_IN)
            self._enabled.append((name, plugin, plugin_config(plugin, options, name)))
        self._enabled = [(name, plugin, own) for name, plugin, own in self._enabled if own.enabled]

    def at(self, scene: Scene) -> dict[str, Cost]:
        """The costs that apply at this moment, by name."""
        built = {name: plugin.build(config, scene) for name, plugin, config in self._enabled}
        return {name: cost for name, cost in built.items() if cost is not None}


@dataclass(frozen=True)
class CostShare:
    """One cost's part in a decision."""

    name: str
    value: float  # of the chosen future [m]
    pull: float  # [m] by which another future would have been better without this cost; 0: it changed nothing


def cost_shares(names: Sequence[str], chosen: Floats, others: Floats) -> tuple[CostShare, ...]:
    """How each cost took part.

    Args:
        names: of the costs (k,).
        chosen: costs (k,) of the future that was chosen.
        others: costs (k, n) of futures that were not.
    """
    without = others.sum(0) - others  # (k, n): the sum of all costs but one
    best = np.where(np.isfinite(without), without, np.inf).min(1)
    pull = (chosen.sum() - chosen - best).clip(0, None)
    return tuple(CostShare(n, v, p) for n, v, p in zip(names, chosen.tolist(), pull.tolist(), strict=True))


def deciding(shares: Iterable[CostShare]) -> str:
    """Name of the cost without which the choice would have been most different; empty if any would have been the
    same."""
    return max((s for s in shares if s.pull > 0), key=lambda s: s.pull, default=CostShare("", 0.0, 0.0)).name
