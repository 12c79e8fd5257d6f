"""Robots drawn by a seed: `drawn:SEED` is one wherever a robot is named; the ranges are in config/drawn_robots.yaml."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.ranges import Draw, ranges

PREFIX = "drawn:"
RANGES = "drawn_robots"


def is_drawn(name: object) -> bool:
    """Whether a robot is named as a drawn one."""
    return str(name).startswith(PREFIX)


def drawn_robot(name: str) -> dict[str, Any]:
    """The description of `drawn:SEED`, as a file in config/robots would say it. Raises AmiError: it names none."""
    number = name.removeprefix(PREFIX)
    if not name.startswith(PREFIX) or not number.isascii() or not number.isdigit() or len(number) > 12:
        raise AmiError(f"'{name}' names no robot: write drawn:SEED, as drawn:7")
    draw = Draw(ranges(RANGES), np.random.default_rng([int(number), 3]))
    radius = round(draw.number("radius"), 3)
    linear, angular = draw.number("linear"), draw.number("angular")
    wheels = {"name": "wheels", "kind": "odometry", "topic": "odom", "rate": 25.0}
    return {
        "name": name,
        "shape": {"radius": radius},
        "drive": {"kind": "differential", "track": round(radius * draw.number("track"), 3)},
        "limits": {"linear": linear, "backward": linear / 2, "angular": angular},
        "planned": {"linear": 0.4, "backward": 0.15, "angular": 1.4},
        "sensors": [_camera(draw, radius), _laser(draw, radius), wheels],
        "simulated": {
            "linear_acceleration": draw.number("acceleration"),
            "angular_acceleration": draw.number("angular_acceleration"),
            "lag": draw.number("lag"),
            "dead_time": draw.number("dead_time"),
            "camera_latency": draw.number("camera.latency"),
            "noise": {key: draw.number(f"noise.{key}") for key in draw["noise"]},
        },
    }  # fmt: skip


def _camera(draw: Draw, radius: float) -> dict[str, Any]:
    width, height = draw.choice("camera.sizes")
    angles = {key: round(math.radians(draw.number(f"camera.{key}")), 4) for key in ("pitch", "roll")}
    mount = {"x": round(radius * draw.number("camera.ahead"), 3), "z": draw.number("camera.height"), **angles}
    return {
        "name": "front", "kind": "camera", "topic": "image",
        "width": width, "height": height, "fov": draw.number("camera.fov"),
        "rate": draw.choice("camera.rate"), "frame": "camera_optical_frame", "mount": mount,
    }  # fmt: skip


def _laser(draw: Draw, radius: float) -> dict[str, Any]:
    mount = {"x": round(radius * draw.number("laser.offset"), 3), "z": draw.number("laser.height")}
    return {
        "name": "scan", "kind": "laser", "topic": "scan", "beams": draw.choice("laser.beams"),
        "fov": float(draw.choice("laser.fov")), "range_min": 0.1, "range_max": draw.number("laser.range_max"),
        "rate": draw.choice("laser.rate"), "frame": "laser_frame", "mount": mount,
    }  # fmt: skip
