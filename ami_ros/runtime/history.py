"""What was measured and commanded in the last seconds, by stamp: odometry, sensors and commands."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np

from ami_ros.core.commands import STILL, Command, lateral, of_width
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, advance, compose, relative
from ami_ros.runtime.part import IMAGE, SCAN
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.spec import Sensors


@dataclass(frozen=True)
class HistoryConfig:
    """What is kept, and what is believed of it."""

    length: float = 5.0  # [s] that is kept
    reach: float = 0.25  # [s] beyond the newest message that its velocity may be trusted
    future: float = 0.5  # [s] that a stamp may lie ahead of now
    # How far a pose may be from where the last velocity led, and more for each second since [m], [rad]: beyond that
    # odometry restarted.
    jump: tuple[float, float] = (0.1, 0.15)
    jump_speed: tuple[float, float] = (1.0, 2.0)
    same_picture: float = 1e-4  # [s] by which stamps of a latent and of its picture differ at most
    same_moment: float = 0.25  # [s] as far apart a scan may be; as perception's default
    kept: int = 16  # values of each sensor; pictures are decoded only when they are asked for


class OdometryHistory:
    """Poses (3,) in odom and velocities by stamp; stamps grow.

    Args:
        config: see there.

    Attributes:
        resets: how often odometry restarted.
    """

    def __init__(self, config: HistoryConfig = HistoryConfig()) -> None:
        self.resets, self._config = 0, config
        self._kept: deque[tuple[float, Array, Command]] = deque()

    def clear(self) -> None:
        """Forgets everything."""
        self._kept.clear()

    @property
    def pose(self) -> Array | None:
        """The newest (3,); None before the first."""
        return self._kept[-1][1] if self._kept else None

    def add(self, stamp: float, pose: Array, velocity: Command, now: float = math.inf) -> bool:
        """Keeps a message; False if odometry restarted: what was before is then forgotten.

        Raises:
            AmiError: its stamp lies in the future of `now` [s]; it would hide every later message.
        """
        if stamp > now + self._config.future:
            raise AmiError(f"stamp lies {stamp - now:.2f} s in the future: dropped; are clocks synchronised?")
        if self._kept and stamp <= self._kept[-1][0]:
            return True
        jumped = bool(self._kept) and self._jumped(stamp, pose, velocity)
        if jumped:
            self.clear()
            self.resets += 1
        self._kept.append((stamp, pose, velocity))
        while self._kept[0][0] < stamp - self._config.length:
            self._kept.popleft()
        return not jumped

    def _jumped(self, stamp: float, pose: Array, velocity: Command) -> bool:
        """Whether neither the last velocity nor the new one leads from the last pose to this one."""
        newest, before, last = self._kept[-1]
        elapsed = max(stamp - newest, 0.02)
        jumps = zip(self._config.jump, self._config.jump_speed, strict=True)
        far, turned = (jump + elapsed * speed for jump, speed in jumps)
        for known in (last, velocity):
            x, y, turn = relative(_extrapolate(before, known, elapsed), pose)
            if math.hypot(x, y) < far and abs(turn) < turned:
                return False
        return True

    def at(self, stamp: float) -> tuple[Array, Command] | None:
        """Pose and velocity at `stamp` [s], between two messages or shortly after the last; None if far from any."""
        kept = self._kept
        if not kept or stamp < kept[0][0] - self._config.reach or stamp > kept[-1][0] + self._config.reach:
            return None
        after = bisect_left(kept, stamp, key=itemgetter(0))
        if after in (0, len(kept)):
            near, pose, velocity = kept[-1 if after else 0]
            return _extrapolate(pose, velocity, stamp - near), velocity
        (before, pose, slow), (behind, following, fast) = kept[after - 1], kept[after]
        share = (stamp - before) / (behind - before)
        return compose(pose, share * relative(pose, following)), slow if share < 0.5 else fast


def _extrapolate(pose: Array, velocity: Command, seconds: float) -> Array:
    return advance(pose, velocity[0] * seconds, velocity[1] * seconds, lateral(velocity) * seconds)


class SensorHistory:
    """Values of the streams that a model's latents are made of, by their stamps.

    Args:
        perception: of the model.

    Attributes:
        kept: stamp [s] and value, by the name of the stream.
    """

    def __init__(self, perception: Perception, config: HistoryConfig = HistoryConfig()) -> None:
        self._config = config
        self._perception, inputs = perception, perception.inputs
        wanted = {IMAGE.name: inputs.image_size > 0, SCAN.name: inputs.scan_beams > 0}
        self.kept: dict[str, deque[tuple[float, Any]]] = {
            k: deque(maxlen=config.kept) for k, needed in wanted.items() if needed
        }

    def clear(self) -> None:
        """Forgets everything, as after a jump in time."""
        for kept in self.kept.values():
            kept.clear()

    def take(self, name: str, stamp: float, value: Any) -> None:
        """One more, of the stream of that name."""
        if name in self.kept:
            self.kept[name].append((stamp, value))

    def at(self, stamp: float) -> Sensors | None:
        """What the latent of `stamp` [s] was made of, a batch of one; None where it is not known.

        Raises:
            AmiError: a picture is malformed.
        """
        found: dict[str, Any] = {}
        for name, kept in self.kept.items():
            at, value = min(kept, key=lambda one: abs(one[0] - stamp), default=(-math.inf, None))
            apart = self._config.same_picture if name == IMAGE.name else self._config.same_moment
            if value is None or abs(at - stamp) > apart:
                return None
            found[name] = value
        picture = found.get(IMAGE.name)
        return self._perception.sensors(picture and picture(), found.get(SCAN.name))


class CommandHistory:
    """Commands of `width` numbers (`ami_ros.commands`) by the time from which they were in force; a command lasts until
    the next."""

    def __init__(self, width: int = 2, config: HistoryConfig = HistoryConfig()) -> None:
        self._width, self._config = width, config
        self._kept: deque[tuple[float, Command]] = deque()

    def clear(self) -> None:
        """Forgets everything."""
        self._kept.clear()

    def add(self, stamp: float, command: Command) -> None:
        """A command in force from `stamp` [s] on."""
        if self._kept and stamp <= self._kept[-1][0]:
            stamp = self._kept.pop()[0]
        self._kept.append((stamp, of_width(command, self._width)))
        while len(self._kept) > 1 and self._kept[1][0] < stamp - self._config.length:
            self._kept.popleft()

    def at(self, stamp: float) -> Command:
        """The command in force at `stamp` [s]; zero before the first."""
        index = bisect_right(self._kept, stamp, key=itemgetter(0)) - 1
        return self._kept[index][1] if index >= 0 else of_width(STILL, self._width)

    def means(self, start: float, period: float, count: int) -> Array:
        """The mean command (count, width) of each of `count` periods [s] from `start` on, as data sets have them."""
        found, edges = [], start + period * np.arange(count + 1)
        for first, last in itertools.pairwise(edges):
            bounds = np.array([first, *(stamp for stamp, _ in self._kept if first < stamp < last), last])
            held = np.array([self.at(bound) for bound in bounds[:-1]])
            found.append(np.diff(bounds) @ held / (last - first))
        return np.array(found)
