"""What the robot does, as far as it can be known: between what it was told, how late it obeys, and what it measures."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from ami_ros.core.commands import Command
from ami_ros.core.geometry import Array, advance, compose, inverse, relative, wrap
from ami_ros.safety.config import SafetyConfig

LEVER = 0.5  # [m] by which a turn [rad] counts as a way


@dataclass(frozen=True)
class MotionConfig:
    """How far odometry is trusted, and how finely paths are looked at."""

    kept: float = 5.0  # [s] of the way that is remembered
    fresh: float = 0.2  # [s] for which odometry is taken as going on as it was
    gap: float = 1.0  # [s] without odometry after which it begins anew
    leap: float = 0.3  # [m, and rad] beyond what the limits allow: odometry begins anew elsewhere
    back: float = 0.1  # [m, and rad] from where it would be without a leap, within which odometry has come back
    stands: float = 0.02  # [m/s] that odometry may say of a robot that stands: wheels slip as it turns, encoders err
    step: float = 0.05  # [m] between the samples of a path
    turn: float = 0.15  # [rad] likewise
    turns: int = 5  # rates of turning that are looked at, from the least to the greatest


class Motion:
    """Where the robot has been, in a frame of its own, and the paths that it may take from here.

    A command may be obeyed at once, or until `reaction` after it was sent, and then it takes `deceleration` to lose
    its speed: so velocity lies between bounds that only commands and time decide. Where odometry is there, it says
    how far the robot came; else the middle of these bounds does, and half their distance counts as error.
    """

    def __init__(self, config: SafetyConfig, own: MotionConfig | None = None) -> None:
        self._config, self._own = config, own or MotionConfig()
        self._told: deque[tuple[float, Command]] = deque()
        self._way: deque[tuple[float, Array, float]] = deque()  # when, pose (3,), and error [m] that summed up so far
        self._odom: tuple[float, Array, Command] | None = None  # the newest
        self._anchor: Array = np.zeros(3)  # the pose of odom's frame
        self._error = 0.0  # that had summed up at the newest odometry
        self._off: deque[float] = deque([0.0], maxlen=3)  # [m/s] between velocities that odometry says, and its poses
        self._before_leap: Array | None = None  # where odom's frame was then
        self.leapt = -math.inf  # stamp [s] of the newest odometry that was nowhere near where the robot can be

    def told(self, command: Command, now: float) -> None:
        """This command of three numbers is sent to the robot."""
        if self._told and self._told[-1][1] == command:
            self._told.pop()  # the newer one outlasts it
        self._told.append((now, command))
        config = self._config
        lasts = max(config.turn_lag, config.reaction + max(config.max_linear, config.max_lateral) / config.deceleration)
        while now - self._told[0][0] > lasts:
            self._told.popleft()
        if not self.is_measured(now):
            self._note(now, *self.at(now))

    def odometry(self, pose: Array, velocity: Command, stamp: float) -> None:
        """Odometry's pose (3,), wherever its origin, and velocity of three numbers, newer than all before.

        Where it leaps, farther than the robot can have come, it begins anew: the robot is where it would have been. If
        it comes back to where that is by its frame of before, that leap was none.
        """
        there, error = self.at(stamp)
        last, self._odom = self._odom, (stamp, pose, velocity)
        if last is not None:
            x, y, turn = relative(last[1], pose) / (stamp - last[0])
            gap = math.hypot(x - velocity[0], y - velocity[2]) + LEVER * abs(float(turn) - velocity[1])
            self._off.append(gap)
        if last is not None and self._follows(last[1], pose, stamp - last[0]):
            if stamp - last[0] <= self._own.gap:
                there, error = compose(self._anchor, pose), self._error
        elif last is not None:
            if self._before_leap is not None and _apart(relative(self._before_leap, there), pose) < self._own.back:
                there, self._before_leap, self.leapt = compose(self._before_leap, pose), None, -math.inf
            else:
                self._before_leap = self._anchor if self._before_leap is None else self._before_leap
                self.leapt = stamp
        self._anchor, self._error = compose(there, inverse(pose)), error
        self._note(stamp, there, error)

    def missing(self, now: float) -> str:
        """Why it is not known where the robot is in odometry's own frame; "" if it is."""
        return "" if self._odom is not None and now - self._odom[0] <= self._own.gap else "no odometry"

    @property
    def velocity(self) -> Command:
        """As odometry measured it last; zero if it never did."""
        return (0.0, 0.0, 0.0) if self._odom is None else self._odom[2]

    def unsure(self, when: float) -> float:
        """By how much [m] a pose may be wrong because odometry has not come as far: as its velocities are."""
        return 0.0 if self._odom is None else max(0.0, when - self._odom[0]) * max(self._off)

    def is_measured(self, now: float) -> bool:
        """Whether odometry is fresh."""
        return self._odom is not None and abs(now - self._odom[0]) <= self._own.fresh

    def in_odom(self, now: float) -> Array:
        """Pose (3,) of the robot in odometry's own frame; of no meaning while it is `missing`."""
        return relative(self._anchor, self.at(now)[0])

    def _follows(self, before: Array, pose: Array, elapsed: float) -> bool:
        """Whether the robot can have come from one pose to the other; without odometry it drives for `gap` at most."""
        x, y, turn = relative(before, pose)
        fastest = max(self._config.max_linear, self._config.max_lateral)
        limits = self._own.leap + 1.5 * min(elapsed, self._own.gap) * np.array([fastest, self._config.max_angular])
        return math.hypot(x, y) <= limits[0] and abs(turn) <= limits[1]

    def at(self, when: float) -> tuple[Array, float]:
        """Pose (3,) of the robot, and error [m] that summed up so far; only differences of either mean something."""
        if not self._way:
            return np.zeros(3), 0.0
        if when >= self._way[-1][0]:
            return self._onward(when)
        after = bisect_right(self._way, when, key=itemgetter(0))
        if not after:
            return self._way[0][1], self._way[0][2]
        (begin, start, error), (end, stop, _) = self._way[after - 1], self._way[after]
        share = (when - begin) / (end - begin)
        x, y = start[:2] + share * (stop[:2] - start[:2])
        return np.array([x, y, wrap(start[2] + share * wrap(stop[2] - start[2]))]), error

    def paths(self, command: Command, now: float) -> tuple[Array, Array]:
        """Where the robot may come if `command` is sent now, and zero from the next time on.

        Returns:
            (n,) times [s] from now, until it stands; (p, n, 3) poses in base_link of now, one row for each path.
        """
        config = self._config
        speeds, sent = self._acting(now, command)
        rates = self._rates(speeds, sent, now)
        turning = np.abs(rates).max()
        fastest = math.hypot(*np.abs(speeds[:, [0, 2]]).max(0))
        lasts = max(config.reaction + fastest / config.deceleration, config.turn_lag)
        length = fastest * (config.reaction + fastest / config.deceleration / 2)
        count = max(8, math.ceil(length / self._own.step), math.ceil(lasts * turning / self._own.turn))
        times = lasts * np.arange(1, count + 1) / count
        return times, self._along(speeds, sent, rates, now, times)

    def parts(self, command: Command, now: float, times: Array) -> tuple[Array, Array]:
        """What a stop and a command contribute to `paths`, (p, n, 3) each at its `times`: where the robot may come if
        it turns as the command says and is stopped, and where the command alone would lead one that stands."""
        speeds, sent = self._acting(now, command)
        rates = self._rates(speeds, sent, now)
        stops = self._along(speeds[:-1], sent[:-1], rates, now, times)
        return stops, self._along(speeds[-1:], sent[-1:], rates, now, times)

    def _rates(self, speeds: Array, sent: Array, now: float) -> Array:
        """How fast it may turn [rad/s]: (k,) rates between those that it was told within `turn_lag`."""
        recent = speeds[now - sent <= self._config.turn_lag, 1]
        low, high = min(0.0, *recent), max(0.0, *recent)
        return np.linspace(low, high, self._own.turns if low < high else 1)

    def _along(self, speeds: Array, sent: Array, rates: Array, now: float, times: Array) -> Array:
        """Poses (p, n, 3) in base_link of now at `times` (n,), evenly apart, of a robot that may do any of `speeds`
        (k, 3), until it stands, and turn at any of `rates`."""
        step = times[0]
        middles = times - step / 2
        least, most = self._bounds(speeds, sent, now + middles)
        least, most = np.minimum(0.0, least), np.maximum(0.0, most)  # in the end it stands
        pairs = [(x, y) for x in (least[:, 0], most[:, 0]) for y in (least[:, 2], most[:, 2])]
        moves = {x.tobytes() + y.tobytes(): np.array([x, y]) for x, y in pairs if x.any() or y.any()}
        x, y = np.array(list(moves.values()) or [np.zeros((2, len(times)))]).transpose(1, 0, 2)[:, :, None]  # (m, 1, n)
        c, s = np.cos(rates[:, None] * middles), np.sin(rates[:, None] * middles)  # (k, n)
        headings = np.broadcast_to(rates[:, None] * times, (len(x), *c.shape))
        steps = np.stack([c * x - s * y, s * x + c * y], -1) * step
        return np.concatenate([steps.cumsum(2), headings[..., None]], -1).reshape(-1, len(times), 3)

    def reach(self, command: Command, now: float) -> tuple[float, float]:
        """How far [m] the robot may come with a command, or less of it, until it stands; and how long [s] it takes."""
        fastest = math.hypot(*np.abs(self._acting(now, command)[0][:, [0, 2]]).max(0))
        lasts = self._config.reaction + fastest / self._config.deceleration
        return fastest * lasts, max(lasts, self._config.turn_lag)

    def reckoned_with(self, command: Command, now: float) -> float:
        """The greatest share of a command that adds no path to those that the robot may take if it is stopped now."""
        speeds, sent = self._acting(now)
        least, most = (bound[0] for bound in self._bounds(speeds, sent, np.array([now + self._config.reaction])))
        recent = speeds[now - sent <= self._config.turn_lag, 1]
        least[1], most[1] = min(recent, default=0.0), max(recent, default=0.0)
        shares = [float((most if value > 0 else least)[k]) / float(value) for k, value in enumerate(command) if value]
        return float(min(1.0, max(0.0, min(shares, default=0.0))))

    def _acting(self, now: float, command: Command | None = None) -> tuple[Array, Array]:
        """What may be acting: velocities (k, 3), and when they were sent (k,). What the robot does is as good as what
        it was told last."""
        entries = [*self._told] or [(now, (0.0, 0.0, 0.0))]
        if self._odom is not None and self.is_measured(now):
            x, turn, y = self._odom[2]
            entries.append((entries[-1][0], self._odom[2] if math.hypot(x, y) > self._own.stands else (0.0, turn, 0.0)))
        if command is not None:
            entries.append((now, command))
        return np.array([entry[1] for entry in entries]), np.array([entry[0] for entry in entries])

    def _bounds(self, speeds: Array, sent: Array, times: Array) -> tuple[Array, Array]:
        """Least and greatest velocity (n, 3) at `times` (n,), of a robot that comes away from each of `speeds` (k, 3)
        `reaction` after it was sent."""
        config = self._config
        rates = np.array([config.deceleration, config.max_angular_acceleration, config.deceleration])
        change = rates * np.maximum(0.0, times - (sent + config.reaction)[:, None])[..., None]  # (k, n, 3)
        return (speeds[:, None] + change).min(0), (speeds[:, None] - change).max(0)

    def _onward(self, when: float) -> tuple[Array, float]:
        """Pose and error after the newest that is known."""
        since, pose, error = self._way[-1]
        if self._odom is not None and self.is_measured(when):
            velocity = np.array(self._odom[2])
        else:
            speeds, sent = self._acting(when)
            sent[-1] = when  # nothing else was said since
            least, most = (bound[0] for bound in self._bounds(speeds, sent, np.array([(since + when) / 2])))
            velocity = (least + most) / 2
            error += (when - since) * math.hypot(*(most - least)[[0, 2]]) / 2
        x, turn, y = velocity * (when - since)
        return advance(pose, x, turn, y), error

    def _note(self, when: float, pose: Array, error: float) -> None:
        if self._way and when <= self._way[-1][0]:
            self._way.pop()
        self._way.append((when, pose, error))
        while when - self._way[0][0] > self._own.kept:
            self._way.popleft()


def _apart(a: Array, b: Array) -> float:
    """How far [m, or rad if that is more] two poses (3,) are apart."""
    x, y, turn = relative(a, b)
    return max(math.hypot(x, y), abs(float(turn)))
