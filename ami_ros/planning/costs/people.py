"""Stays away from where others may be, and does not pass people closely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ami_ros.disc import Disc
from ami_ros.geometry import Array
from ami_ros.planning.costs.obstacles import with_halves
from ami_ros.planning.protocols import Futures, Scene
from ami_ros.world_model.arrays import Floats

MOST = 8  # things that count, the nearest: more do not fit the time of a plan
FAR = 4.0  # [m] farther off nobody comes near within the horizon of a plan
NORMAL = 1.702  # logistic function for the normal one: at most 0.01 off (Bowling et al. 2009)


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
    """See the module. What a future costs, of each thing, is the share of time from a touch on, as likely as that is,
    and the mean discomfort: a later touch is better than an early one, for who walks on blindly may yet turn off."""

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
        if scene.forecast is None:
            return None
        forecast = scene.forecast
        distance = np.hypot(*forecast.positions[:, 0].T)
        chosen = distance.argsort()[:MOST]
        chosen = chosen[distance[chosen] < FAR]
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
        steps, horizon = futures.poses.shape[1], self.positions.shape[1] // 2
        rows = np.r_[0:steps, horizon : horizon + steps]
        in_time = np.column_stack([np.arange(steps, 2 * steps), np.arange(steps)]).ravel()  # halves come before ends
        points = with_halves(self._middles(futures.poses), np.array([[self.disc.middle, 0.0]], np.float32))
        touch = near = np.zeros(len(points), np.float32)
        for k in range(len(self.positions)):  # one by one: arrays of all would not stay in the cache
            apart = points - self.positions[k, rows]
            distance = np.sqrt(np.square(apart).sum(-1) + 1e-8)
            chance = self._contact(distance, self.deviations[k, rows], float(self.reach[k, 0]))
            touch = touch + np.maximum.accumulate(chance[:, in_time], 1).mean(1)
            near = near + self._discomfort(apart, distance, k).mean(1)
        return np.asarray(self.config.contact * touch + self.config.weight * near)

    def _contact(self, distance: Floats, deviation: Floats, reach: float) -> Floats:
        """The chance (batch, t) to touch a thing that is expected `distance` (batch, t) [m] away: the share of its
        normal distribution in a square as wide as both discs."""
        scale = NORMAL / deviation
        along = _logistic((reach - distance) * scale) - _logistic(-(reach + distance) * scale)
        return along * (2 * _logistic(reach * scale) - 1)

    def _discomfort(self, apart: Floats, distance: Floats, k: int) -> Floats:
        """How near (batch, t) the robot is to one, squared: 1 at a touch, 0 where comfort ends."""
        heading = self.headings[k]
        facing = ((apart * heading).sum(-1) / distance).clip(0, None)  # cosine of where the robot is from its front
        ends = self.config.comfort * (1 + float(self.front[k, 0]) * facing)
        gap = (distance - float(self.reach[k, 0])).clip(0, None)
        return (1 - gap / ends).clip(0, None) ** 2

    def _middles(self, poses: Floats) -> Floats:
        """Of the robot's disc (..., 2) at `poses` (..., 3)."""
        if not self.disc.middle:
            return poses[..., :2]
        ahead = np.stack([np.cos(poses[..., 2]), np.sin(poses[..., 2])], -1)
        return np.asarray(poses[..., :2] + np.float32(self.disc.middle) * ahead)


def _logistic(x: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(0.5 * x))


def times(steps: int, step_duration: float) -> Array:
    """When (2 * steps,) [s] a forecast is wanted: at the end of each step of a plan, then halfway through each."""
    ends = step_duration * np.arange(1, steps + 1)
    return np.concatenate([ends, ends - step_duration / 2])
