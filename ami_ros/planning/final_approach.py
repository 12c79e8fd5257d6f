"""The last decimetres to a pose that is known to centimetres: turning to it, and straight on. What a search imagines is
too coarse for that, and takes three times as long."""

from __future__ import annotations

import math

import numpy as np

from ami_ros.commands import Command
from ami_ros.disc import Disc
from ami_ros.geometry import Array, wrap
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.scan_geometry import covers, free_range
from ami_ros.scan import Scan

REACH = 0.35  # [m] from which on
ROOM = 0.03  # [m] beside the robot, and behind its goal
ASIDE = 0.15  # [rad] off the way, from which it turns on the spot
TURN_RATE, DRIVE_RATE = 2.5, 1.2  # [1/s] of the angle, and of the way, that is left
SLOWEST, FASTEST = 0.06, 0.25  # [m/s]
BACKWARDS = 0.4  # [m] from which a place behind is backed up to: turning twice would take longer


def facing(pose: Array, scan: Scan | None = None) -> Array:
    """A `pose` (3,) in base_link with the heading in which a robot drives straight to it: backwards, where it is close
    behind a robot whose `scan` looks there."""
    x, y = float(pose[0]), float(pose[1])
    bearing = math.atan2(y, x)
    if math.hypot(x, y) < BACKWARDS and abs(bearing) > math.pi / 2 and (scan is None or covers(scan, np.pi)):
        bearing = float(wrap(bearing + math.pi))
    return np.array([x, y, bearing])


def final_approach(pose: Array, scan: Scan | None, robot: Kinematics, disc: Disc) -> Command | None:
    """The command (linear [m/s], angular [rad/s]) straight to `pose` (3,) in base_link, forwards or backwards.

    Its heading is turned to later. None: it is too far off, not seen to be free, or this is no robot for that.

    Args:
        pose: of the goal.
        scan: what is around the robot.
        robot: its limits.
        disc: that holds it.
    """
    distance, bearing = float(np.hypot(pose[0], pose[1])), float(np.arctan2(pose[1], pose[0]))
    if robot.drive != "differential" or scan is None or not 0.0 < distance < REACH:
        return None
    aside, seen = float(facing(pose, scan)[2]), covers(scan, bearing)
    backwards = abs(float(wrap(aside - bearing))) > np.pi / 2
    reach = disc.reach(np.pi if backwards else 0.0) + ROOM
    if seen and free_range(scan, bearing, disc.radius + ROOM) < distance + reach:
        return None
    angular = float(np.clip(TURN_RATE * aside, -robot.max_angular, robot.max_angular))
    if abs(aside) > ASIDE:
        return 0.0, angular
    if not seen:
        return None
    fastest = robot.max_reverse if backwards else robot.max_linear
    speed = min(max(DRIVE_RATE * distance, SLOWEST), FASTEST, fastest)
    return (-speed if backwards else speed), angular
