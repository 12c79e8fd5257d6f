"""What it costs to choose where to explore next, in a map of so many square metres."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.evaluation.scale_bench import LASER, Drive, Milliseconds, timed
from ami_ros.geometry import Array
from ami_ros.mission.exploration_config import ExplorationConfig
from ami_ros.mission.occupancy import CELL, Grid
from ami_ros.mission.task import WorldState
from ami_ros.mission.unexplored import Unexplored
from ami_ros.mission.ways import Ways

LOOKS = 10  # scans between two looks at how large the map is
CHOICES = 60  # that are timed, along as much of the way
NOTHING_NEW = ExplorationConfig(known=1e3)  # [m]; so it looks for views that are missing, too: that costs most


def choices(drive: Drive, area: float, said: Callable[[str], None]) -> Milliseconds:
    """Of a robot on the newest part of its way through a site, as soon as it has seen `area` [m²] of free floor.

    Args:
        drive: see there.
        area: see above.
        said: takes what is going on.

    Raises:
        AmiError: the drive is over before.
    """
    grid, rng, poses = Grid(drive.truth[0]), np.random.default_rng([drive.seed, 4]), drive.truth
    for count, pose in enumerate(poses, 1):
        grid.add(pose, LASER.scan(drive.site.plan(pose[:2]), pose, rng))
        if count % LOOKS == 0:
            seen = float((grid.odds < -0.2).sum()) * CELL**2
            said(f"seeing {area:.0f} m²: {seen:.0f}")
            if seen >= area and count >= CHOICES:
                break
    else:
        raise AmiError("bench scale: the drive is over before as much floor is seen as asked for")
    places, found = poses[:count], []
    _choose(grid, places, places[-1])  # works out what the robot fits into, which it has done on the way
    for pose in reversed(places[-CHOICES:]):
        grid.add(pose, LASER.scan(drive.site.plan(pose[:2]), pose, rng))
        found.append(timed(lambda: _choose(grid, places, pose)))  # noqa: B023
    return Milliseconds.of(found)


def _choose(grid: Grid, places: Array, pose: Array) -> None:
    config, state = NOTHING_NEW, WorldState(0.0, odometry=pose, places=places)
    ways = Ways(grid, pose, config.robot_radius)
    chosen = Unexplored(config, closely=True).choose(state, pose, ways)
    if chosen is not None:
        way = ways.to(chosen[0])
        ways.onward(way, config.sight)
