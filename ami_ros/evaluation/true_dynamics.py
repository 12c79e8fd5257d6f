"""A `Dynamics` without learning: the kinematics of the simulated robot, its latent the true pose and velocity.

The same planner on it shows what planning costs, apart from seeing and remembering.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ami_ros.commands import STILL, Command
from ami_ros.geometry import Array
from ami_ros.robots.derived import simulated_robot
from ami_ros.robots.description import load_robot
from ami_ros.simulation.drive import greatest_change
from ami_ros.world_model.arrays import Floats
from ami_ros.world_model.spec import ModelSpec

SUBSTEP = 0.05  # of the integration [s]


def true_latent(pose: Array, velocity: Command = STILL) -> Floats:
    """The latent (6 or 7,) of a pose (3,) in the world's frame: x, y, cos, sin of the yaw, and the velocity."""
    x, y, yaw = pose
    return np.array([x, y, np.cos(yaw), np.sin(yaw), *velocity], dtype=np.float32)


class TrueDynamics:
    """Obstacles stop nothing here: as for the learned model, they are the scan's and its cost's.

    Args:
        spec: of the learned model, whose timing this one has.
    """

    sighting = None  # it sees no pictures

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = replace(spec.without_learned_heads(), latent_dim=4 + spec.command_dim)
        robot = load_robot(simulated_robot(spec))
        # A car's wheels are taken to be turned at once: its latent does not say how they stand.
        self._tightest = robot.drive.turning_radius if robot.drive.kind == "ackermann" else None
        self._follow = 1 - float(np.exp(-SUBSTEP / robot.simulated.lag))
        self._most = np.array(greatest_change(robot)[: spec.command_dim], np.float32) * SUBSTEP

    def relative_pose(self, first: Floats, second: Floats) -> Floats:
        """See `RelativePose`; exact."""
        c, s = first[..., 2], first[..., 3]
        dx, dy = second[..., 0] - first[..., 0], second[..., 1] - first[..., 1]
        cos = c * second[..., 2] + s * second[..., 3]
        sin = c * second[..., 3] - s * second[..., 2]
        return np.stack([c * dx + s * dy, c * dy - s * dx, cos, sin], -1)

    def rollout(self, latent: Floats, commands: Floats, previous: Floats) -> tuple[Floats, Floats]:
        """See `Dynamics`: motors that accelerate at most so fast, and follow with a lag."""
        x, y, yaw = latent[:, 0], latent[:, 1], np.arctan2(latent[:, 3], latent[:, 2])
        velocity, wanted = latent[:, 4:], latent[:, 4:]
        latents, motions = [], []
        for chunk in commands.transpose(1, 2, 0, 3):
            x0, y0, yaw0 = x, y, yaw
            for command in chunk:
                for _ in range(round(self.spec.period / SUBSTEP)):
                    change = (command - wanted).clip(-self._most, self._most)
                    wanted = self._steered(wanted + change)
                    velocity = velocity + self._follow * (wanted - velocity)
                    turn = velocity[:, 1] * SUBSTEP
                    c, s = np.cos(yaw + turn / 2), np.sin(yaw + turn / 2)
                    x, y = x + velocity[:, 0] * SUBSTEP * c, y + velocity[:, 0] * SUBSTEP * s
                    if self.spec.command_dim == 3:
                        x, y = x - velocity[:, 2] * SUBSTEP * s, y + velocity[:, 2] * SUBSTEP * c
                    yaw = yaw + turn
            c, s = np.cos(yaw0), np.sin(yaw0)
            moved = [c * (x - x0) + s * (y - y0), c * (y - y0) - s * (x - x0), yaw - yaw0]
            latents.append(np.concatenate([np.stack([x, y, np.cos(yaw), np.sin(yaw)], -1), velocity], -1))
            motions.append(np.stack(moved, -1))
        return np.stack(latents, 1), np.stack(motions, 1)

    def _steered(self, velocity: Floats) -> Floats:
        """A velocity (batch, 2 or 3), of a car in curves no tighter than it can."""
        if self._tightest is None:
            return velocity
        linear, angular = velocity[..., 0], velocity[..., 1]
        most = np.abs(linear) / self._tightest
        return np.stack([linear, angular.clip(-most, most)], -1)
