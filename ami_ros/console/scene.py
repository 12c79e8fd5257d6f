"""What the robot knows, in plain values, and how the page gets it.

A field is replaced as a whole by the thread that hears of it, and read by those of the viewers. All poses that a page
gets are in the memory's frame, the map; what is known in odometry's frame is put there by where the robot believes
to be.
"""

from __future__ import annotations

import json
import math
import threading
import time
from base64 import b64encode
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ami_ros.core.geometry import Array, compose, inverse, transform_points


class Documents:
    """What changes now and then and is larger: the map, places, pictures. Each has a name and a version.

    A page gets one when its version is new. Any thread may call it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, tuple[int, dict[str, Any]]] = {}

    def put(self, name: str, value: dict[str, Any]) -> None:
        """Replaces a document; `value` as JSON has it, finite."""
        with self._lock:
            version = self._values[name][0] + 1 if name in self._values else 1
            self._values[name] = version, value

    def newer(self, seen: Mapping[str, int]) -> dict[str, tuple[int, dict[str, Any]]]:
        """The documents of which a page that has seen these versions does not have the newest."""
        with self._lock:
            return {name: entry for name, entry in self._values.items() if entry[0] != seen.get(name)}

    def get(self, name: str) -> dict[str, Any] | None:
        """The newest, if there is one."""
        with self._lock:
            return self._values[name][1] if name in self._values else None


def data_url(picture: bytes) -> str:
    """A JPEG or PNG as a page shows it without asking for it."""
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{b64encode(picture).decode()}"


@dataclass
class Mission:
    """What a mission says of itself."""

    phase: str = ""
    index: int = -1  # of the goal
    remaining: int = 0  # goals
    elapsed: float = 0.0  # [s]
    allowance: float = 0.0  # [s]; 0: unknown, or no limit
    heard: float = -math.inf  # steady time [s]


@dataclass
class Scene:
    """The newest of everything. None and empty: not heard yet."""

    odometry: Array | None = None  # pose (3,) in odom
    odom_in_map: Array = field(default_factory=lambda: np.zeros(3))  # pose (3,) of odom's frame in the map
    localised: bool = False
    confidence: float | None = None
    map_frame: str = "map"
    planner_state: str = ""
    planner_words: str = ""  # why it cannot
    decision: str = ""  # of the planner
    mission_words: str = ""
    mission: Mission = field(default_factory=Mission)
    gate_words: str = ""
    gate_level: int = 0  # 0 fine, 1 changes a command, 2 blind
    gate_guarantee: str = ""
    gate_zone: str = ""
    stopped: bool = False  # by an emergency stop
    recording: bool = False  # it is a recorded run, and there is no robot to stop
    stack: str = ""
    stack_well: bool = True
    command: tuple[float, ...] = ()  # sent to the robot [m/s, rad/s]
    rate: float | None = None  # [Hz]
    age: float | None = None  # of the newest observation [s]
    energy: float | None = None
    surprise: float | None = None
    surprise_threshold: float | None = None
    alarm: bool = False
    plan: Array = field(default_factory=lambda: np.zeros((0, 2)))  # in odom [m]
    others: Array = field(default_factory=lambda: np.zeros((0, 4)))  # pieces of other futures in odom: x, y, x, y [m]
    plan_at: float = -math.inf  # steady time [s]
    goal: Array | None = None  # pose (3,) in odom
    scan: Array = field(default_factory=lambda: np.zeros((0, 2)))  # in base_link [m]
    people: list[list[float]] = field(default_factory=list)  # in odom: x, y, vx, vy, radius, 1: a person
    people_at: float = -math.inf  # steady time [s]
    outlines: dict[str, list[list[float]]] = field(default_factory=dict)  # in base_link [m], "" is the footprint
    explored: float | None = None  # [m²] known to be free
    labels: dict[int, str] = field(default_factory=dict)
    paused: str = ""  # what was paused
    doing: str = ""  # what was asked for here
    by_hand: bool = False
    truth: Array | None = None  # pose (3,) in the map, of a simulated robot
    demo: dict[str, Any] | None = None  # how a demo goes
    buffered: float = 0.0  # [s] that a saved bag would have
    documents: Documents = field(default_factory=Documents)
    heard: float = -math.inf  # steady time of the newest state
    fresh: float = 3.0  # [s] after which what was heard is said no more

    def __post_init__(self) -> None:
        self._track: deque[tuple[float, float]] = deque(maxlen=1500)  # the way driven, in the map as it was then
        self._history: deque[str] = deque(maxlen=600)  # moments for the timeline
        self._kept = -math.inf
        self._lock = threading.Lock()

    @property
    def pose(self) -> Array | None:
        """Where the robot believes to be (3,), in the map."""
        return None if self.odometry is None else compose(self.odom_in_map, self.odometry)

    @property
    def reach(self) -> float:
        """[m] of the robot's outline from base_link; a guess before it was heard."""
        return max((math.hypot(x, y) for x, y in self.outlines.get("", [])), default=0.3)

    @property
    def goal_in_map(self) -> Array | None:
        """Where the goal is believed to be (3,), in the map."""
        goal = self.goal
        return None if goal is None else compose(self.odom_in_map, goal)

    def moved(self, odometry: Array) -> None:
        """A new pose (3,) in odom."""
        self.odometry = odometry
        if self.confidence is None:  # it is not known where odom is
            return
        x, y, _ = compose(self.odom_in_map, odometry).tolist()
        if not self._track or math.hypot(x - self._track[-1][0], y - self._track[-1][1]) > 0.05:  # [m]
            self._track.append((x, y))

    def located(self, pose: Array, odometry: Array, localised: bool, confidence: float) -> None:
        """Where the robot was in map and odom at one moment (3,)."""
        self.odom_in_map = compose(pose, inverse(odometry))
        self.localised, self.confidence = localised, finite(confidence)

    def state(self) -> dict[str, Any]:
        """All that changes all the time, as JSON has it."""
        now = time.monotonic()
        mission, pose = self.mission, self.pose
        current = now - mission.heard < self.fresh
        return {
            "t": round(time.time(), 2),
            "alive": now - self.heard < self.fresh,
            "robot": rounded(pose),
            "localised": self.localised, "confidence": rounded(self.confidence),
            "planner": self.planner_state, "fault": self.planner_words, "decision": self.decision,
            "mission": {
                "words": self.mission_words, "phase": mission.phase, "index": mission.index,
                "remaining": mission.remaining, "elapsed": round(mission.elapsed, 1),
                "allowance": round(mission.allowance, 1),
            } if current else None,
            "gate": {"words": self.gate_words, "level": self.gate_level, "guarantee": self.gate_guarantee,
                     "zone": self.gate_zone},
            "stopped": self.stopped, "recording": self.recording, "stack": self.stack, "stack_well": self.stack_well,
            "command": rounded(self.command) if self.command else None,
            "rate": rounded(self.rate), "age": rounded(self.age), "energy": rounded(self.energy),
            "surprise": rounded(self.surprise), "surprise_threshold": rounded(self.surprise_threshold),
            "alarm": self.alarm,
            "plan": self._mapped(self.plan) if now - self.plan_at < self.fresh else [],
            "goal": rounded(self.goal_in_map),
            "people": self._people() if now - self.people_at < self.fresh else [],
            "explored": rounded(self.explored), "paused": self.paused, "doing": self.doing, "by_hand": self.by_hand,
            "truth": rounded(self.truth), "demo": self.demo, "buffered": round(self.buffered),
        }  # fmt: skip

    def live(self) -> dict[str, Any]:
        """What only the present moment has: too much for the history."""
        pose = self.pose
        seen = self._of_robot(self.scan, pose) if pose is not None else []
        outlines = {name: self._of_robot(np.array(points), pose) for name, points in self.outlines.items()}
        ends = self._mapped(self.others.reshape(-1, 2)) if time.monotonic() - self.plan_at < self.fresh else []
        return {"scan": seen, "outlines": outlines, "track": rounded(list(self._track)), "futures": ends}

    def keep(self, state: dict[str, Any]) -> None:
        """Notes a state for the history, now and then."""
        with self._lock:
            if (now := time.monotonic()) - self._kept >= 0.5:  # [s]
                self._kept = now
                self._history.append(dumps(state))

    def history(self) -> list[str]:
        """The states that were kept, oldest first, as JSON."""
        with self._lock:
            return list(self._history)

    def _mapped(self, points: Array) -> list[Any]:
        return rounded(transform_points(self.odom_in_map, points)) if len(points) else []

    def _of_robot(self, points: Array, pose: Array | None) -> list[Any]:
        return rounded(transform_points(pose, points)) if pose is not None and len(points) else []

    def _people(self) -> list[Any]:
        c, s = math.cos(self.odom_in_map[2]), math.sin(self.odom_in_map[2])
        found = []
        for x, y, vx, vy, radius, person in self.people:
            [(u, v)] = transform_points(self.odom_in_map, np.array([[x, y]])).tolist()
            found.append(rounded([u, v, c * vx - s * vy, s * vx + c * vy, radius, person]))
        return found


def finite(value: float | None) -> float | None:
    """JSON has no other numbers."""
    return float(value) if value is not None and math.isfinite(value) else None


def rounded(values: Any) -> Any:
    """To JSON, in millimetres' precision; what is not finite is null."""
    if values is None or isinstance(values, float | int):
        number = finite(values)
        return None if number is None else round(number, 3)
    if isinstance(values, np.ndarray):
        return [[round(v, 3) for v in row] if isinstance(row, list) else round(row, 3) for row in values.tolist()]
    assert isinstance(values, Iterable)
    return [rounded(value) for value in values]


def dumps(value: Any) -> str:
    """Compact JSON; raises ValueError on numbers that JSON lacks."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
