"""Costs: what makes one imagined future better than another. Each is a small object of the protocol `Cost`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ami_ros.planning.local_map import LocalMap
from ami_ros.world_model.heads import PlacePose, RelativePose


@dataclass(frozen=True)
class Futures:
    """A batch of imagined futures, seen from where the robot is now."""

    commands: Tensor  # (batch, steps, 2) [m/s, rad/s], held for one model step each
    previous: Tensor  # (2,) the command in force now
    latents: Tensor  # (batch, steps, latent_dim) after each step
    poses: Tensor  # (batch, steps, 3) after each step [m, m, rad] in the base frame of now


class Cost(Protocol):
    """One term."""

    def __call__(self, futures: Futures) -> Tensor:
        """Cost (batch,), in metres of distance to the goal as far as that makes sense."""


def pose_distance(x: Tensor, y: Tensor, cos: Tensor, heading_weight: float) -> Tensor:
    """Distance [m] plus `heading_weight` [m/rad] times the heading error (as a chord, so that it is smooth at pi)."""
    chord = torch.sqrt((2 - 2 * cos).clamp(min=1e-6))
    return torch.sqrt(x.square() + y.square() + 1e-6) + heading_weight * chord


def along_path(distance: Tensor, path_weight: float) -> Tensor:
    """Distances (batch, steps) -> (batch,): the last one, plus `path_weight` times the mean of all."""
    return distance[:, -1] + path_weight * distance.mean(1)


@dataclass(frozen=True)
class LatentGoal:
    """Energy: how far, in metres, the imagined latents are from the goal's, by the relative-pose head."""

    head: RelativePose | PlacePose
    goal: Tensor  # (latent_dim,)
    weight: float
    heading_weight: float  # [m/rad]
    path_weight: float

    def __call__(self, futures: Futures) -> Tensor:
        seen = self.head(futures.latents, self.goal.expand_as(futures.latents))
        distance = pose_distance(seen[..., 0], seen[..., 1], seen[..., 2], self.heading_weight)
        return self.weight * along_path(distance, self.path_weight)


@dataclass(frozen=True)
class PoseGoal:
    """How far the imagined poses are from a pose known from memory."""

    goal: Tensor  # (3,) in the base frame of now
    weight: float
    heading_weight: float  # [m/rad]
    path_weight: float

    def __call__(self, futures: Futures) -> Tensor:
        x, y, yaw = (futures.poses - self.goal).unbind(-1)
        return self.weight * along_path(pose_distance(x, y, yaw.cos(), self.heading_weight), self.path_weight)


@dataclass(frozen=True)
class Obstacles:
    """Keeps the imagined path off everything in the newest scan; never learned."""

    local_map: LocalMap
    radius: float  # of the robot [m]
    margin: float  # [m] beyond the radius where the cost begins
    weight: float
    collision: float = 20.0  # added for every step that touches something

    def __call__(self, futures: Futures) -> Tensor:
        points = futures.poses[..., :2]
        start = torch.zeros_like(points[:, :1])
        middles = (points + torch.cat([start, points[:, :-1]], 1)) / 2
        clearance = self.local_map.clearance(torch.cat([points, middles], 1)) - self.radius
        closeness = (1 - clearance / self.margin).clamp(min=0)
        # Where the robot already stands too close, moving on must not look as bad as touching.
        now = float(self.local_map.clearance(torch.zeros(1, 2))) - self.radius
        touching = clearance < min(0.02, now - 0.02)
        return self.weight * closeness.square().mean(1) + self.collision * touching.float().mean(1)


@dataclass(frozen=True)
class Smoothness:
    """Penalises changes of command, reversing, and moving at all: still is best when nothing else speaks."""

    scale: Tensor  # (2,) maxima of the commands
    change: float
    reverse: float
    effort: float

    def __call__(self, futures: Futures) -> Tensor:
        scaled = futures.commands / self.scale
        before = torch.cat([(futures.previous / self.scale).expand(len(scaled), 1, 2), scaled[:, :-1]], 1)
        change = (scaled - before).square().sum(-1).mean(1)
        backwards = (-scaled[..., 0]).clamp(min=0).mean(1)
        return self.change * change + self.reverse * backwards + self.effort * scaled.square().sum(-1).mean(1)
