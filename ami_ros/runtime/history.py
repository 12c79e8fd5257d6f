"""What was measured and commanded in the last seconds, by stamp: odometry, sensors and commands."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, bisect_right
from collections import deque
from typing import Any

import numpy as np

from ami_ros.core.commands import STILL, Command, lateral, of_width
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, advance, compose, relative
from ami_ros.runtime.part import IMAGE, SCAN
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.spec import Sensors

LENGTH = 5.0  # kept [s]
REACH = 0.25  # [s] beyond the newest message that its velocity may be trusted
MAX_FUTURE = 0.5  # [s] that a stamp may lie ahead of now
# How far a pose may be from where the last velocity led: more means that odometry restarted.
JUMP, JUMP_SPEED = (0.1, 0.15), (1.0, 2.0)  # [m], [rad], and for each second since [m/s], [rad/s]


class OdometryHistory:
    """Poses (3,) in odom and velocities by stamp; stamps grow.

    Attributes:
        resets: how often odometry restarted.
        pose: the newest (3,); None before the first.
    """

    def __init__(self) -> None:
        self.resets = 0
        self._stamps: deque[float] = deque()
        self._poses: deque[Array] = deque()
        self._velocities: deque[Command] = deque()

    def clear(self) -> None:
        """Forgets everything."""
        self._stamps.clear()
        self._poses.clear()
        self._velocities.clear()

    @property
    def pose(self) -> Array | None:
        return self._poses[-1] if self._poses else None

    def add(self, stamp: float, pose: Array, velocity: Command, now: float = math.inf) -> bool:
        """Keeps a message; False if odometry restarted: what was before is then forgotten.

        Raises:
            AmiError: its stamp lies in the future of `now` [s]; it would hide every later message.
        """
        if stamp > now + MAX_FUTURE:
            raise AmiError(f"stamp lies {stamp - now:.2f} s in the future: dropped; are clocks synchronised?")
        if self._stamps and stamp <= self._stamps[-1]:
            return True
        jumped = bool(self._stamps) and self._jumped(stamp, pose, velocity)
        if jumped:
            self.clear()
            self.resets += 1
        self._stamps.append(stamp)
        self._poses.append(pose)
        self._velocities.append(velocity)
        while self._stamps[0] < stamp - LENGTH:
            self._stamps.popleft()
            self._poses.popleft()
            self._velocities.popleft()
        return not jumped

    def _jumped(self, stamp: float, pose: Array, velocity: Command) -> bool:
        """Whether neither the last velocity nor the new one leads from the last pose to this one."""
        elapsed = max(stamp - self._stamps[-1], 0.02)
        far, turned = (jump + elapsed * speed for jump, speed in zip(JUMP, JUMP_SPEED, strict=True))
        for known in (self._velocities[-1], velocity):
            x, y, turn = relative(_extrapolate(self._poses[-1], known, elapsed), pose)
            if math.hypot(x, y) < far and abs(turn) < turned:
                return False
        return True

    def at(self, stamp: float) -> tuple[Array, Command] | None:
        """Pose and velocity at `stamp` [s], between two messages or shortly after the last; None if far from any."""
        if not self._stamps or stamp < self._stamps[0] - REACH or stamp > self._stamps[-1] + REACH:
            return None
        after = bisect_left(self._stamps, stamp)
        if after == len(self._stamps):
            return _extrapolate(self._poses[-1], self._velocities[-1], stamp - self._stamps[-1]), self._velocities[-1]
        if after == 0:
            return _extrapolate(self._poses[0], self._velocities[0], stamp - self._stamps[0]), self._velocities[0]
        before = after - 1
        gap = self._stamps[after] - self._stamps[before]
        share = (stamp - self._stamps[before]) / gap
        step = relative(self._poses[before], self._poses[after])
        nearer = before if share < 0.5 else after
        return compose(self._poses[before], share * step), self._velocities[nearer]


def _extrapolate(pose: Array, velocity: Command, seconds: float) -> Array:
    return advance(pose, velocity[0] * seconds, velocity[1] * seconds, lateral(velocity) * seconds)


KEPT = 16  # values of each stream; pictures are decoded only when they are asked for
SAME_PICTURE = 1e-4  # a latent bears the stamp of its picture; stamps differ by less [s]
SAME_MOMENT = 0.25  # as far apart a scan may be [s]; as perception's default


class SensorHistory:
    """Values of the streams that a model's latents are made of, by their stamps.

    Args:
        perception: of the model.
    """

    def __init__(self, perception: Perception) -> None:
        self._perception, inputs = perception, perception.inputs
        wanted = {IMAGE.name: inputs.image_size > 0, SCAN.name: inputs.scan_beams > 0}
        self._kept: dict[str, deque[tuple[float, Any]]] = {
            k: deque(maxlen=KEPT) for k, needed in wanted.items() if needed
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Of the streams."""
        return tuple(self._kept)

    def clear(self) -> None:
        """Forgets everything, as after a jump in time."""
        for kept in self._kept.values():
            kept.clear()

    def take(self, name: str, stamp: float, value: Any) -> None:
        """One more, of the stream of that name."""
        if name in self._kept:
            self._kept[name].append((stamp, value))

    def at(self, stamp: float) -> Sensors | None:
        """What the latent of `stamp` [s] was made of, a batch of one; None where it is not known.

        Raises:
            AmiError: a picture is malformed.
        """
        found = {name: self._nearest(name, stamp) for name in self._kept}
        if any(value is None for value in found.values()):
            return None
        picture = found.get(IMAGE.name)
        return self._perception.sensors(picture and picture(), found.get(SCAN.name))

    def _nearest(self, name: str, stamp: float) -> Any:
        """The value nearest to `stamp`, if it is of the same moment; else None."""
        apart = SAME_PICTURE if name == IMAGE.name else SAME_MOMENT
        found = min(self._kept[name], key=lambda kept: abs(kept[0] - stamp), default=None)
        return found[1] if found is not None and abs(found[0] - stamp) <= apart else None


class CommandHistory:
    """Commands of `width` numbers (`ami_ros.core.commands`) by the time from which they were in force; a command lasts
    until the next."""

    def __init__(self, width: int = 2) -> None:
        self._width = width
        self._stamps: deque[float] = deque()
        self._commands: deque[Command] = deque()

    def clear(self) -> None:
        """Forgets everything."""
        self._stamps.clear()
        self._commands.clear()

    def add(self, stamp: float, command: Command) -> None:
        """A command in force from `stamp` [s] on."""
        command = of_width(command, self._width)
        if self._stamps and stamp <= self._stamps[-1]:
            self._commands[-1] = command
            return
        self._stamps.append(stamp)
        self._commands.append(command)
        while len(self._stamps) > 1 and self._stamps[1] < stamp - LENGTH:
            self._stamps.popleft()
            self._commands.popleft()

    def at(self, stamp: float) -> Command:
        """The command in force at `stamp` [s]; zero before the first."""
        index = bisect_right(self._stamps, stamp) - 1
        return self._commands[index] if index >= 0 else of_width(STILL, self._width)

    def means(self, start: float, period: float, count: int) -> Array:
        """The mean command (count, width) of each of `count` periods [s] from `start` on, as data sets have them."""
        edges = start + period * np.arange(count + 1)
        return np.array([self._mean(a, b) for a, b in itertools.pairwise(edges)])

    def _mean(self, start: float, stop: float) -> Array:
        changes = [s for s in self._stamps if start < s < stop]
        bounds = np.array([start, *changes, stop])
        held = np.array([self.at(b) for b in bounds[:-1]])
        return np.asarray(np.diff(bounds) @ held / (stop - start))
