"""Draws scans into a grid: on the way, and while somebody moves; whoever has gone leaves no ghost."""

from __future__ import annotations

from ami_ros.geometry import Array, compose, pose_gap, relative
from ami_ros.mission.occupancy import Grid
from ami_ros.moving.footprints import Footprints
from ami_ros.moving.things import MovingThings
from ami_ros.planning.passing import without
from ami_ros.scan import Scan

DRAWN = 0.1  # [m] or [rad] of motion between two scans that are drawn
AGAIN, STANDING = 0.3, 1.0  # [s] between two scans of a robot that stands, while somebody moves and else
JUMP = 0.5  # [m] or [rad] by which the belief changes at once, after which the grid is begun anew


class Drawing:
    """A grid of what scans show, in the frame of the poses that they are drawn at.

    Attributes:
        grid: None before the first scan.
    """

    def __init__(self) -> None:
        self.grid: Grid | None = None
        self._footprints = Footprints()
        self._drawn: tuple[float, Array, Array] | None = None  # stamp [s], pose and odometry (3,) of the newest scan

    def draw(
        self, stamp: float, pose: Array, odometry: Array, scan: Scan | None, things: MovingThings | None
    ) -> None:  # fmt: skip
        """Draws a `scan` that was taken at `stamp` [s] and `pose` (3,), if it shows anything new.

        Args:
            stamp: see above.
            pose: in the frame of the grid.
            odometry: (3,) of the same moment; where `pose` does not follow it, the grid is begun anew.
            scan: in base_link; None: nothing is known.
            things: what moves, in odom; it is not drawn.
        """
        if self._drawn is not None and max(pose_gap(self._expected(odometry), pose)) > JUMP:
            self.__init__()  # type: ignore[misc]
        self._footprints.add(things, stamp, pose, odometry)
        left = self._footprints.discs()
        if scan is None or not self._is_due(stamp, pose, bool(len(left))):
            return
        seen = without(scan, things, odometry)
        assert seen is not None
        self.grid = self.grid or Grid(pose)
        self.grid.add(pose, seen)
        self.grid.clear(pose, seen, left)
        self._drawn = stamp, pose, odometry

    def _expected(self, odometry: Array) -> Array:
        """Where the robot is by odometry alone, since the newest scan."""
        assert self._drawn is not None
        return compose(self._drawn[1], relative(self._drawn[2], odometry))

    def _is_due(self, stamp: float, pose: Array, moves: bool) -> bool:
        if self._drawn is None:
            return True
        waits = AGAIN if moves else STANDING
        moved = float(max(pose_gap(self._drawn[1], pose)))
        return moved >= DRAWN or not 0.0 <= stamp - self._drawn[0] < waits
