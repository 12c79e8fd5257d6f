"""What commands a robot can carry out: bounds of speed, and how it turns."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

Drive = Literal["differential", "ackermann"]


@dataclass(frozen=True)
class Kinematics:
    """Limits of the commands that are searched. The safety gate has limits of its own."""

    drive: Drive = "differential"  # ackermann: like a car, it cannot turn without moving
    max_linear: float = 0.4  # [m/s] forwards
    max_reverse: float = 0.15  # [m/s] backwards
    max_angular: float = 1.4  # [rad/s] either way
    turning_radius: float = 0.5  # [m] of the tightest curve of an ackermann drive

    def __post_init__(self) -> None:
        if min(self.max_linear, self.max_reverse, self.max_angular) < 0 or not self.turning_radius > 0:
            raise ValueError("speeds must not be negative, and the turning radius must be positive")

    @property
    def turns_on_the_spot(self) -> bool:
        """Whether it can turn without moving."""
        return self.drive == "differential"

    @property
    def low(self) -> Tensor:
        """Least command (2,) [m/s, rad/s]."""
        return torch.tensor([-self.max_reverse, -self.max_angular])

    @property
    def high(self) -> Tensor:
        """Greatest command (2,) [m/s, rad/s]."""
        return torch.tensor([self.max_linear, self.max_angular])

    @property
    def half_range(self) -> Tensor:
        """Half the range of each command (2,): the unit of a search's noise."""
        return (self.high - self.low) / 2

    def limited(self, linear: float, angular: float, reverse: float = math.inf) -> Kinematics:
        """The same robot, speeds at most `linear` [m/s] either way, `reverse` [m/s] back, and `angular` [rad/s]."""
        return replace(
            self,
            max_linear=min(self.max_linear, linear),
            max_reverse=min(self.max_reverse, linear, reverse),
            max_angular=min(self.max_angular, angular),
        )

    def project(self, commands: Tensor) -> Tensor:
        """Commands (..., 2) brought to what the robot can do; those that it can do stay as they are."""
        bounded = torch.maximum(torch.minimum(commands, self.high), self.low)
        if self.turns_on_the_spot:
            return bounded
        linear, angular = bounded.unbind(-1)
        most = linear.abs() / self.turning_radius
        return torch.stack([linear, torch.maximum(torch.minimum(angular, most), -most)], -1)

    def turn(self, angular: float) -> tuple[float, float]:
        """The command [m/s, rad/s] that turns it at `angular` [rad/s], moving as little as it can."""
        wanted = max(-self.max_angular, min(angular, self.max_angular))
        if self.turns_on_the_spot:
            return 0.0, wanted
        linear = min(abs(wanted) * self.turning_radius, self.max_linear)
        return linear, (1 if wanted > 0 else -1) * linear / self.turning_radius

    def primitives(self, steps: int) -> Tensor:
        """Sequences (n, steps, 2) worth a look at any moment: standing, turning either way, driving on, arcs, backing
        up."""
        v, w, b = self.max_linear, self.max_angular, self.max_reverse
        chosen = [(0, 0), (0, w), (0, -w), (v, 0), (v, w / 3), (v, -w / 3), (v / 2, w / 2), (v / 2, -w / 2), (-b, 0)]
        if not self.turns_on_the_spot:
            chosen[1:3] = [(-b, w), (-b, -w)]
        commands = self.project(torch.tensor(chosen, dtype=torch.float32))
        return commands[:, None].repeat(1, steps, 1)
