"""What memory takes in: latents at a slow pace, with the odometry, command and surprise that belong to them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import Command
from ami_ros.errors import AmiError
from ami_ros.geometry import Array, relative
from ami_ros.moving.prediction import usable
from ami_ros.moving.things import MovingThings
from ami_ros.moving.tracker import without_moving
from ami_ros.parts.history import CommandHistory, OdometryHistory
from ami_ros.parts.perceiver import LatentFrame
from ami_ros.places.types import Location
from ami_ros.scan import Scan, moved
from ami_ros.slam.place_memory import PlaceMemory

SAME_MOMENT = 0.25  # [s] between a latent and its scan; odometry brings the scan to the latent's time
EARLY = 0.02  # [s] by which a latent may come before its time


@dataclass(frozen=True)
class MemoryInput:
    """One moment for `PlaceMemory.observe`.

    Attributes:
        stamp: of the latent [s].
        latent: (latent_dim,).
        odometry: (3,) pose in odom at that time.
        command: mean since the moment before; None: not known.
        surprise: greatest z score since then; 0: none.
        scan: of that moment, in base_link; None: there is none.
        code: (sight_code,) of the picture of that moment; None: there is none.
    """

    stamp: float
    latent: NDArray[np.float32]
    odometry: Array
    command: Command | None
    surprise: float
    scan: Scan | None = None
    code: NDArray[np.float32] | None = None


class MemoryFeed:
    """Collects between two moments that memory takes in.

    Args:
        width: of a command (`ami_ros.commands`).
        period: between two moments [s].
    """

    def __init__(self, width: int, period: float) -> None:
        self.period = period
        self._commands, self._odometry = CommandHistory(width), OdometryHistory()
        self.clear()

    def clear(self) -> None:
        """Forgets everything, as after a jump in time."""
        self._commands.clear()
        self._odometry.clear()
        self._heard, self._surprise, self._taken = False, 0.0, math.nan
        self._scans: deque[tuple[float, Scan]] = deque(maxlen=5)
        self._things: MovingThings | None = None

    def take_odometry(self, stamp: float, pose: Array, velocity: Command, now: float = math.inf) -> bool:
        """See `OdometryHistory.add`; False: odometry restarted, and memory has to be told (`restart`)."""
        return self._odometry.add(stamp, pose, velocity, now)

    def take_command(self, stamp: float, command: Command) -> None:
        """A command in force from `stamp` [s] on; one that is not finite is none."""
        if all(map(math.isfinite, command)):
            self._commands.add(stamp, command)
            self._heard = True

    def take_scan(self, stamp: float, scan: Scan) -> None:
        """In base_link."""
        self._scans.append((stamp, scan))

    def take_things(self, things: MovingThings) -> None:
        """What moves, in odom: it is taken out of scans, for it is no wall."""
        self._things = things

    def take_surprise(self, z_score: float) -> None:
        """A reading; NaN: not known."""
        if z_score > self._surprise:
            self._surprise = z_score

    def take_latent(self, frame: LatentFrame) -> MemoryInput | None:
        """The next moment for memory; None: not yet due.

        Raises:
            AmiError: there is no odometry of its time.
        """
        if frame.stamp - self._taken < self.period - EARLY:
            return None
        motion = self._odometry.at(frame.stamp)
        if motion is None:
            raise AmiError("latent dropped: no odometry at its time; is odom published, with stamps of the same clock?")
        command, surprise = self._since(frame.stamp)
        scan = self._scan_at(frame.stamp, motion[0])
        return MemoryInput(frame.stamp, frame.latent, motion[0], command, surprise, scan, frame.picture)

    def _scan_at(self, stamp: float, pose: Array) -> Scan | None:
        """The scan nearest to a stamp, as it would be seen from `pose` (3,) in odom."""
        near = [(abs(stamp - at), at, scan) for at, scan in self._scans if abs(stamp - at) < SAME_MOMENT]
        if not near:
            return None
        _, at, scan = min(near, key=lambda item: item[0])
        motion = self._odometry.at(at)
        if motion is None:
            return None
        if (things := usable(self._things, at)) is not None:
            scan = without_moving(scan, motion[0], things)
        return moved(scan, relative(pose, motion[0]))

    def _since(self, stamp: float) -> tuple[Command | None, float]:
        """Mean command and greatest z score since the last moment; no command where nobody ever gave one."""
        command = None
        if self._heard and self._taken < stamp:
            command = tuple(map(float, self._commands.means(self._taken, stamp - self._taken, 1)[0]))
        surprise, self._surprise, self._taken = self._surprise, 0.0, stamp
        return command, surprise


def remember(memory: PlaceMemory, moment: MemoryInput, thumbnail: Callable[[], bytes | None] | None = None) -> Location:
    """Memory takes a moment in; see `PlaceMemory.observe`."""
    return memory.observe(
        moment.stamp,
        moment.latent,
        moment.odometry,
        thumbnail,
        moment.command,
        moment.surprise,
        moment.scan,
        moment.code,
    )
