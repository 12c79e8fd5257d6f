"""What a depth camera makes of what is before it, and depth pictures of a plan, without rendering."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.camera import CameraMount
from ami_ros.depth import Depth
from ami_ros.geometry import Array
from ami_ros.robots.sensors import DepthSensor
from ami_ros.simulation.floor_plan import FloorPlan
from ami_ros.simulation.noise import SensorNoise

WIDEST = 320  # [px] that are drawn across: a depth camera gives more than a scan needs
PATCH = 4  # [px] that err alike: stereo compares windows
EDGE = 0.08  # of the depth, by which neighbours differ where one camera sees what the other does not
SPECKLE = 0.02  # share of patches that match nothing


def drawn_size(sensor: DepthSensor) -> tuple[int, int]:
    """Height and width [px] in which its pictures are drawn."""
    scale = min(1.0, WIDEST / sensor.width)
    return round(sensor.height * scale), round(sensor.width * scale)


def measured(depth: Depth, sensor: DepthSensor, noise: SensorNoise, rng: np.random.Generator) -> Depth:
    """What it measures of true depths (H, W) [m]: errors grow with the square of the depth (the disparity errs alike
    everywhere), and there is no return beyond its range, nearer than it, at edges, and here and there."""
    depth = np.minimum(depth, 2 * sensor.range_max)  # infinite ones have no differences
    height, width = depth.shape
    patches = (math.ceil(height / PATCH), math.ceil(width / PATCH))
    error = np.asarray(noise.draw(rng, noise.depth, patches[0] * patches[1])).reshape(patches)
    lost = rng.random(patches) < SPECKLE * noise.scale
    error, gaps = (np.kron(part, np.ones((PATCH, PATCH)))[:height, :width] for part in (error, lost))
    found = depth + error * depth**2
    unseen = (gaps > 0) | (depth < sensor.range_min) | (depth > sensor.range_max)
    if noise.scale:
        jumps = [np.abs(np.diff(depth, axis=axis)) > EDGE * np.minimum(*_pairs(depth, axis)) for axis in (0, 1)]
        for axis, jump in enumerate(jumps):
            before, after = _pairs(unseen, axis)
            before |= jump
            after |= jump
    found[unseen] = np.nan
    return np.asarray(found, np.float32)


def _pairs(values: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """All but the last row (or column), and all but the first."""
    return (values[:-1], values[1:]) if axis == 0 else (values[:, :-1], values[:, 1:])


def plan_depth(plan: FloorPlan, pose: Array, sensor: DepthSensor, top: float = 2.5) -> Depth:
    """True depths (H, W) [m] with the robot at `pose` (3,) in a plan whose things stand up to `top` [m]; inf where
    there is nothing, as above them."""
    assert sensor.mount is not None, "checked by DepthSensor"
    height, width = drawn_size(sensor)
    fx, fy, cx, cy = sensor.matrix
    scale = width / sensor.width
    at = sensor.mount
    right = ((np.arange(width) + 0.5) / scale - 0.5 - cx) / fx
    down = ((np.arange(height) + 0.5) / scale - 0.5 - cy) / fy
    across, upright = np.meshgrid(right, down)
    ahead, left, up = CameraMount(at.x, at.y, at.yaw, at.z, at.pitch, at.roll).rays(across, upright)
    flat = np.hypot(ahead, left)
    c, s = math.cos(pose[2]), math.sin(pose[2])
    origin = pose[:2] + np.array([c * at.x - s * at.y, s * at.x + c * at.y])
    bearings = np.linspace(np.arctan2(left, ahead).min(), np.arctan2(left, ahead).max(), 4 * width)
    walls = plan.returned(origin, pose[2] + bearings)
    wall = np.interp(np.arctan2(left, ahead).ravel(), bearings, np.minimum(walls, 1e3)).reshape(flat.shape) / flat
    with np.errstate(divide="ignore"):
        floor = np.where(up < 0, at.z / -up, np.inf)
    wall = np.where((at.z + wall * up > top) | (wall * flat > 900.0), np.inf, wall)
    return np.asarray(np.minimum(wall, floor), np.float32)
