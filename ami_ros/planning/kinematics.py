"""What commands a robot can carry out: bounds of speed, how it turns, and whether it drives sideways."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ami_ros.core.commands import Command, of_width
from ami_ros.core.geometry import Array
from ami_ros.world_model.layers import Floats

Drive = Literal["differential", "ackermann", "omnidirectional"]


@dataclass(frozen=True)
class Kinematics:
    """Limits of the commands that are searched. The safety gate has limits of its own."""

    drive: Drive = "differential"  # ackermann cannot turn without moving, like a car; omnidirectional: also sideways
    max_linear: float = 0.4  # [m/s] forwards; keep it below the gate's
    max_reverse: float = 0.15  # [m/s] backwards; larger backs up rather than turns
    max_retreat: float = 0.4  # [m/s] backwards from who comes, and to the goal itself; keep it below the gate's
    max_angular: float = 1.4  # [rad/s] either way; keep it below the gate's
    turning_radius: float = 0.5  # [m] of the tightest curve of an ackermann drive
    max_lateral: float = 0.3  # [m/s] to either side, of an omnidirectional drive
    deceleration: float = 0.8  # [m/s^2] that it surely reaches; smaller: slower before corners
    reaction: float = 0.25  # [s] until the wheels answer to a command; larger: slower before corners

    def __post_init__(self) -> None:
        least = min(self.max_linear, self.max_reverse, self.max_retreat, self.max_angular)
        if least < 0 or not self.turning_radius > 0:
            raise ValueError("speeds must not be negative, and the turning radius must be positive")
        if not (self.deceleration > 0 and self.reaction >= 0):
            raise ValueError("deceleration must be positive, and reaction not negative")
        if not self.max_lateral >= 0:
            raise ValueError(f"max_lateral must not be negative, not {self.max_lateral}")

    @property
    def width(self) -> int:
        """Numbers in a command, see `ami_ros.core.commands`."""
        return 3 if self.drive == "omnidirectional" else 2

    @property
    def turns_on_the_spot(self) -> bool:
        """Whether it can turn without moving."""
        return self.drive != "ackermann"

    @property
    def low(self) -> Floats:
        """Least command (width,)."""
        return np.array([-self.max_reverse, -self.max_angular, -self.max_lateral][: self.width], np.float32)

    @property
    def high(self) -> Floats:
        """Greatest command (width,)."""
        return np.array([self.max_linear, self.max_angular, self.max_lateral][: self.width], np.float32)

    @property
    def half_range(self) -> Floats:
        """Half the range of each command (width,): the unit of a search's noise."""
        return np.asarray((self.high - self.low) / 2)

    def limited(
        self, linear: float, angular: float, reverse: float = math.inf, lateral: float = math.inf
    ) -> Kinematics:
        """The same robot, at most `linear` [m/s] in any direction, `reverse` [m/s] back, `lateral` [m/s] to the sides,
        and `angular` [rad/s]."""
        return replace(
            self,
            max_linear=min(self.max_linear, linear),
            max_reverse=min(self.max_reverse, linear, reverse),
            max_angular=min(self.max_angular, angular),
            max_lateral=min(self.max_lateral, linear, lateral),
        )

    def stopping_from(self, ways: Array) -> Array:
        """The speeds [m/s] from which it comes to a stop within `ways` (n,) [m]; 0 where those are negative."""
        late = self.deceleration * self.reaction
        return np.asarray(np.sqrt(late**2 + 2 * self.deceleration * ways.clip(0, None)) - late)

    def project(self, commands: Floats) -> Floats:
        """Commands (..., width) clipped to what the robot can do; feasible ones stay as they are."""
        bounded = np.asarray(commands.clip(self.low, self.high))
        if self.turns_on_the_spot:
            return bounded
        linear, angular = bounded[..., 0], bounded[..., 1]
        most = np.abs(linear) / self.turning_radius
        return np.stack([linear, angular.clip(-most, most)], -1)

    def turn(self, angular: float) -> Command:
        """The command that turns it at `angular` [rad/s], moving as little as it can."""
        wanted = max(-self.max_angular, min(angular, self.max_angular))
        if self.turns_on_the_spot:
            return of_width((0.0, wanted), self.width)
        linear = min(abs(wanted) * self.turning_radius, self.max_linear)
        return linear, (1 if wanted > 0 else -1) * linear / self.turning_radius

    def primitives(self, steps: int) -> Floats:
        """Sequences (n, steps, width) that are always candidates: standing, turning either way, driving on, arcs,
        backing up, and for a robot that can, sideways and diagonally."""
        v, w, b = self.max_linear, self.max_angular, self.max_reverse
        chosen = [(0, 0), (0, w), (0, -w), (v, 0), (v, w / 3), (v, -w / 3), (v / 2, w / 2), (v / 2, -w / 2), (-b, 0)]
        if not self.turns_on_the_spot:
            chosen[1:3] = [(-b, w), (-b, -w)]
        sequences = [of_width(command, self.width) for command in chosen]
        if self.width == 3:
            side = self.max_lateral
            sequences += [(0.0, 0.0, side), (0.0, 0.0, -side), (v, 0.0, side), (v, 0.0, -side)]
        return self.project(np.array(sequences, np.float32))[:, None].repeat(steps, 1)
