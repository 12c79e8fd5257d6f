"""A laser whose scans come one by one, to what keeps what vanishes."""

from __future__ import annotations

import math

import numpy as np

from ami_ros.core.scan import Scan
from ami_ros.safety.observations import Snapshot
from ami_ros.safety.surroundings import Vanished

STEP = math.pi / 60  # [rad] between 120 beams: one in each sector
WALL = dict.fromkeys(range(28, 33), 2.0)  # five returns straight to the left, 0.42 m of it
Ranges = dict[int, float]


def scan(
    ranges: Ranges,
    stamp: float = 0.0,
    pose: tuple[float, float, float] = (0.0, 0.0, 0.0),
    beams: int = 120,
    blind: float = 0.0,
    origin: tuple[float, float] = (0.0, 0.0),
    first: float = 0.0,
    step: float = STEP,
) -> Snapshot:
    """Of a laser that reaches 8 m: beams `step` apart [rad] from `first` on; where nothing is said, none returned."""
    read = np.full(beams, np.inf, np.float32)
    read[[*ranges]] = [*ranges.values()]
    return Snapshot.of(Scan(read, first, step, origin, 8.0, blind), np.array(pose), 0.0, 0.7 + stamp)


class Looking:
    """A laser whose scans come one by one."""

    def __init__(self, memory: float = 3.0) -> None:
        self.vanished, self.seen = Vanished(memory), list[Snapshot]()

    def sees(self, *scans: Snapshot, measured: bool = True) -> Snapshot:
        """The last of these scans, without what is not to be believed of it."""
        for snapshot in scans:
            if self.seen:
                snapshot = self.vanished.look(self.seen, snapshot, measured)
            self.seen.append(snapshot)
        return self.seen[-1]

    @property
    def kept(self) -> int:
        """How many points may still stand there."""
        return len(self.vanished.points)
