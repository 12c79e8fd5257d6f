"""Zones around the robot, in the words of Nav2's collision monitor, so that its configuration carries over.

Names, meanings and defaults: https://docs.nav2.org/configuration/packages/configuring-collision-monitor.html
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray

from ami_ros.core.commands import Command
from ami_ros.core.config import parse_yaml
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, inverse, transform_points
from ami_ros.safety.config import Footprint
from ami_ros.safety.observations import LASER, Readings, within


@dataclass(frozen=True)
class VelocityZone:
    """What a velocity_polygon is like while the robot is asked for some velocities."""

    points: Any = ""  # [m] corners in base_link, as of a polygon
    linear_min: float = 0.0  # [m/s] ahead, from which it counts; holonomic: in any direction
    linear_max: float = 0.0  # [m/s] up to which it counts
    theta_min: float = 0.0  # [rad/s] to the left, from which it counts
    theta_max: float = 0.0  # [rad/s] up to which it counts
    direction_start_angle: float = -math.pi  # [rad] of holonomic: of the velocity in base_link, from which it counts
    direction_end_angle: float = math.pi  # [rad] up to which it counts; less than the start: by way of straight back

    def __post_init__(self) -> None:
        if len(corners_of(self.points)) < 3:
            raise ValueError("points must be [[x1, y1], [x2, y2], ...] of three or more corners, in metres")
        if self.linear_min == self.linear_max == self.theta_min == self.theta_max == 0:
            raise ValueError("linear_min, linear_max, theta_min and theta_max must say at which velocities it counts")
        if self.linear_min > self.linear_max or self.theta_min > self.theta_max:
            raise ValueError("linear_min and theta_min must be at most linear_max and theta_max")

    def counts(self, command: Command, holonomic: bool) -> bool:
        """Whether it does for a command of three numbers; the same that Nav2 asks."""
        linear, angular, lateral = command
        if not self.theta_min <= angular <= self.theta_max:
            return False
        if not holonomic:
            return self.linear_min <= linear <= self.linear_max
        direction, start, end = math.atan2(lateral, linear), self.direction_start_angle, self.direction_end_angle
        towards = start <= direction <= end if start <= end else direction >= start or direction <= end
        return towards and self.linear_min <= math.hypot(linear, lateral) <= self.linear_max


@dataclass(frozen=True)
class Zone:
    """A zone that moves with the robot. Readings in it change the command."""

    type: Literal["polygon", "circle", "velocity_polygon"] = "polygon"  # of its shape; the last: by what is asked for
    action_type: Literal["stop", "slowdown", "limit", "approach"] = "stop"  # what readings in it do
    points: Any = ""  # [m] corners in base_link, "[[x, y], ...]" or x1, y1, ...; empty for approach: the footprint
    footprint_topic: str = ""  # of approach; for it is always the robot's outline as the gate knows it
    radius: float = 0.0  # [m] of a circle around base_link
    min_points: int = 4  # readings in it from which it acts
    sources_names: tuple[str, ...] = ()  # of the sensors whose readings count, "scan" the laser; empty: all
    slowdown_ratio: float = 0.5  # of slowdown: share of the command that passes
    linear_limit: float = 0.5  # [m/s] of limit
    angular_limit: float = 0.5  # [rad/s] of limit
    time_before_collision: float = 2.0  # [s] of approach: when readings will be in it sooner, it slows down
    simulation_time_step: float = 0.1  # [s] of approach
    enabled: bool = True  # false: it does nothing
    visualize: bool = False  # publish its outline
    polygon_pub_topic: str = ""  # where; empty: the name of the zone
    velocity_polygons: dict[str, VelocityZone] = field(default_factory=dict)  # names; the first that fits counts
    holonomic: bool = False  # velocity_polygons look at speed and direction, not at speed ahead alone

    def __post_init__(self) -> None:
        if self.type == "circle" and not 0 < self.radius < math.inf:
            raise ValueError("radius of a circle must be greater than 0, and finite")
        if (self.type == "velocity_polygon") != bool(self.velocity_polygons):
            raise ValueError("velocity_polygons must name one or more of a velocity_polygon, and none of other types")
        if self.footprint_topic and (self.action_type != "approach" or self.points != ""):
            raise ValueError("footprint_topic is for approach without points, and means the robot's outline")
        if self.type == "polygon" and self.corners is not None and len(self.corners) < 3:
            raise ValueError("points must be [[x1, y1], [x2, y2], ...] of three or more corners, in metres")
        if self.min_points < 1:
            raise ValueError("min_points must be 1 or greater")
        if not 0 <= self.slowdown_ratio <= 1:
            raise ValueError("slowdown_ratio must be 0 to 1")
        for name in ("linear_limit", "angular_limit"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be 0 or greater, and finite")
        if not 0 < self.simulation_time_step <= self.time_before_collision < math.inf:
            raise ValueError("simulation_time_step must be greater than 0, and at most time_before_collision")
        if self.time_before_collision > 1000 * self.simulation_time_step:
            raise ValueError("time_before_collision is more than 1000 times simulation_time_step")

    @cached_property
    def _shapes(self) -> list[tuple[VelocityZone, Zone]]:
        given = self.velocity_polygons.values()
        return [(at, replace(self, type="polygon", points=at.points, velocity_polygons={})) for at in given]

    def at(self, command: Command) -> Zone:
        """What it is while a command of three numbers is asked for; of velocities that none of its polygons names, the
        last one."""
        if not self._shapes:
            return self
        return next((shape for at, shape in self._shapes if at.counts(command, self.holonomic)), self._shapes[-1][1])

    @cached_property
    def corners(self) -> Array | None:
        """(n, 2) [m] of a polygon in base_link; None of the robot's own footprint."""
        return corners_of(self.points) if self.points != "" or self.action_type != "approach" else None

    def outline(self, footprint: Footprint) -> Array:
        """Points (n, 2) [m] in base_link around it."""
        if self.type == "circle":
            around = np.linspace(0.0, 2 * np.pi, 32, endpoint=False)
            return self.radius * np.column_stack([np.cos(around), np.sin(around)])
        return footprint.outline if self.corners is None else self.corners

    def reach(self, command: Command, footprint: Footprint) -> float:
        """How far [m] from base_link readings may be that change a command of three numbers."""
        zone = self.at(command)
        reach = float(np.hypot(*zone.outline(footprint).T).max()) + 1e-6  # for rounding
        if zone.action_type != "approach":
            return reach
        return reach + math.hypot(command[0], command[2]) * (zone.time_before_collision + zone.simulation_time_step)

    def holds(self, points: Array, footprint: Footprint) -> NDArray[np.bool_]:
        """Which of `points` (..., 2) in base_link lie in it (...)."""
        if self.type == "circle":
            return np.asarray(np.hypot(points[..., 0], points[..., 1]) <= self.radius)
        if self.corners is None:
            return np.asarray(footprint.distance(points) <= 0)
        inside = np.zeros(points.shape[:-1], dtype=bool)  # by the parity of edges to the right
        x, y = points[..., 0], points[..., 1]
        for (ax, ay), (bx, by) in zip(self.corners, np.roll(self.corners, -1, axis=0), strict=True):
            if ay != by:
                inside ^= ((ay > y) != (by > y)) & (x < ax + (bx - ax) * (y - ay) / (by - ay))
        return inside


class Zones:
    """All zones of a robot.

    Args:
        zones: by name.
        footprint: of the robot.
        sources: names of all sensors.

    Raises:
        AmiError: a zone counts the readings of a sensor that there is not.
    """

    def __init__(self, zones: Mapping[str, Zone], footprint: Footprint, sources: Collection[str] = (LASER,)) -> None:
        self._zones = {name: zone for name, zone in zones.items() if zone.enabled}
        self._footprint = footprint
        for name, zone in self._zones.items():
            if unknown := sorted({*zone.sources_names} - {*sources}):
                known = ", ".join(sorted(sources))
                raise AmiError(f"{name}.sources_names: there is no source {unknown[0]}; there are {known}")

    def __bool__(self) -> bool:
        return bool(self._zones)

    def share(self, command: Command, readings: Readings) -> tuple[float, str]:
        """How much of a command of three numbers passes.

        Args:
            command: as it is asked for, within the limits of speed.
            readings: of all sensors.

        Returns:
            The least share [0, 1] that a zone leaves, and why, as "zone: NAME, stop"; 1 and "" if none acts.
        """
        least, reason = 1.0, ""
        for name, zone in self._zones.items():
            share = self._of(zone, command, readings.only(zone.sources_names).points)
            if share < least:
                least, reason = share, f"zone: {name}, {zone.action_type}"
        return least, reason

    def reach(self, command: Command) -> float:
        """How far [m] from base_link readings may be that change a command."""
        return max((zone.reach(command, self._footprint) for zone in self._zones.values()), default=0.0)

    def _of(self, zone: Zone, command: Command, points: Array) -> float:
        zone = zone.at(command)
        if zone.action_type == "approach":
            return self._approach(zone, command, points)
        if zone.holds(points, self._footprint).sum() < zone.min_points:
            return 1.0
        if zone.action_type == "stop":
            return 0.0
        if zone.action_type == "slowdown":
            return zone.slowdown_ratio
        linear, angular, lateral = command
        speeds = (math.hypot(linear, lateral), zone.linear_limit), (abs(angular), zone.angular_limit)
        return min((limit / speed for speed, limit in speeds if speed > limit), default=1.0)

    def _approach(self, zone: Zone, command: Command, points: Array) -> float:
        """Share of the time that has to remain before it comes upon readings."""
        step, longest = zone.simulation_time_step, zone.time_before_collision
        times = step * np.arange(1, math.floor(longest / step) + 2, dtype=np.float64)
        points = within(zone.reach(command, self._footprint), points)
        if len(points) * len(times) > 400_000:
            return 0.0  # more than there is time for
        ahead = transform_points(inverse(_arc(command, times)), points)  # (times, n, 2)
        met = zone.holds(ahead, self._footprint).sum(1) >= zone.min_points
        return float((times[int(np.argmax(met))] - step) / longest) if met.any() else 1.0


def corners_of(points: Any) -> Array:
    """The points (n, 2) [m] of "[[x1, y1], ...]" or of x1, y1, ...

    Raises:
        ValueError: it is neither.
    """
    try:
        corners = np.array(parse_yaml(points) if isinstance(points, str) else points, dtype=np.float64).reshape(-1, 2)
    except (TypeError, ValueError, yaml.YAMLError):
        raise ValueError(f"points must be [[x1, y1], [x2, y2], ...] in metres, not {points!r}") from None
    if not np.isfinite(corners).all() or not len(corners):
        raise ValueError("points must be finite, and one at least")
    return corners


def _arc(command: Command, times: Array) -> Array:
    """Where (n, 3) in base_link of now a command leads in `times` (n,) [s]."""
    linear, angular, lateral = command
    turn = angular * times
    if abs(angular) < 1e-6:
        return np.column_stack([linear * times, lateral * times, turn])
    s, c = np.sin(turn) / angular, (1 - np.cos(turn)) / angular
    return np.column_stack([linear * s - lateral * c, linear * c + lateral * s, turn])
