"""What the demo knows of robot and stack at a moment, in plain values."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import Command
from ami_ros.evaluation.goals import SampledGoal
from ami_ros.geometry import Array, compose, inverse
from ami_ros.parts.supervision import Verdict
from ami_ros.registration import believed_at, register

STARTING = "starting"  # the state before the planner told one
HISTORY = 2000  # true poses kept; a drive at 10 Hz is shorter
BELIEFS = 2000  # pairs of believed and true pose kept


class Pace:
    """How fast simulated time goes, from `simulated` [s] on."""

    def __init__(self, simulated: float) -> None:
        self._began, self._simulated = time.monotonic(), simulated

    def factor(self, simulated: float) -> float:
        """Simulated seconds in a second, up to `simulated` [s]."""
        return (simulated - self._simulated) / max(time.monotonic() - self._began, 1e-6)


class TruthLog:
    """The newest true poses, found again by their stamp. Written by one thread, read by others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._log: deque[tuple[float, Array]] = deque(maxlen=HISTORY)

    def append(self, stamp: float, pose: Array) -> None:
        """Adds a true pose (3,) at `stamp` [s]; time that was turned back begins a new log."""
        with self._lock:
            if self._log and stamp < self._log[-1][0]:
                self._log.clear()
            self._log.append((stamp, pose))

    def since(self, stamp: float) -> tuple[Array, Array]:
        """Stamps (n,) and poses (n, 3) from `stamp` on."""
        with self._lock:
            found = [entry for entry in self._log if entry[0] >= stamp]
        return np.array([s for s, _ in found]), np.array([p for _, p in found]).reshape(-1, 3)

    def at(self, stamp: float, tolerance: float = 0.1) -> Array | None:
        """The true pose (3,) nearest in time, None if none is within `tolerance` [s]."""
        with self._lock:
            nearest = min(self._log, key=lambda entry: abs(entry[0] - stamp), default=None)
        return None if nearest is None or abs(nearest[0] - stamp) > tolerance else nearest[1]


class Frames:
    """Where the frames that the robot believes in lie in the world; nobody tells the robot."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pairs: deque[tuple[Array, Array]] = deque(maxlen=BELIEFS)  # believed, true
        self.odom: Array | None = None  # pose (3,) of odom in the world

    def add(self, truth: Array, odometry: Array, believed: Array | None) -> None:
        """One moment: true pose, pose in odom, and pose in the memory's frame (None: not localised)."""
        self.odom = compose(truth, inverse(odometry))
        if believed is not None:
            with self._lock:
                self._pairs.append((believed, truth))

    def memory(self) -> Array | None:
        """The pose (3,) of the memory's frame in the world; None before the robot was localised."""
        return register(*self._beliefs())

    def believed(self, pose: Array) -> Array | None:
        """Where the true `pose` (3,) is in the memory's frame; None likewise."""
        return believed_at(pose, *self._beliefs())

    def _beliefs(self) -> tuple[Array, Array]:
        with self._lock:
            pairs = list(self._pairs)
        return np.array([b for b, _ in pairs]).reshape(-1, 3), np.array([t for _, t in pairs]).reshape(-1, 3)


@dataclass(frozen=True)
class Leg:
    """The drive that is under way, for those who watch it."""

    index: int
    goal: SampledGoal
    began: float  # on the robot's clock [s]
    allowance: float  # [s] that the robot has


@dataclass
class Telemetry:
    """The newest of everything. Written by the thread that serves ROS; each field is replaced as a whole."""

    time: float = 0.0  # of the robot's clock [s]
    truth: Array | None = None  # (3,) in the world
    contacts: int = 0
    confidence: float | None = None
    state: str = STARTING
    observation_age: float | None = None  # [s]
    decision: str = ""
    stack: Verdict | None = None  # the supervisor's word
    command: Command | None = None
    places: Array = field(default_factory=lambda: np.zeros((0, 2)))  # in the memory's frame [m]
    edges: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2, 2)))  # their ends, likewise


@dataclass(frozen=True)
class Observed:
    """All that is known since the stack was started."""

    telemetry: Telemetry = field(default_factory=Telemetry)
    truth: TruthLog = field(default_factory=TruthLog)
    frames: Frames = field(default_factory=Frames)
