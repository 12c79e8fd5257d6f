"""Who looks, who has the robot, what each may ask; and the dead man's switch of driving by hand; for any thread."""

from __future__ import annotations

import hmac
import math
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from ami_ros.console.requests import GiveBack, Release, Request, Steer, Stop, TakeOver
from ami_ros.core.commands import STILL, Command
from ami_ros.core.errors import AmiError


@dataclass(frozen=True)
class HandConfig:
    """Driving by hand; the gate and the robot's own limits may make it slower."""

    linear: float = 0.25  # [m/s] of a full deflection: as fast as one walks beside it in a room
    angular: float = 0.8  # [rad/s] of a full deflection
    silence: float = 0.3  # [s] without a word after which the robot is told to stand; a page says it every 0.1 s
    stands_for: float = 1.0  # [s] that zero is sent then, before nothing is sent at all
    period: float = 0.05  # [s] between two commands; the gate forgets one after 0.3 s
    grace: float = 1.5  # [s] that a planner may take to stand when somebody begins to steer


class DeadMan:
    """Who drives by hand, and what is sent for that: the robot moves only while somebody says so, again and again.

    All times are steady [s].
    """

    def __init__(self, config: HandConfig | None = None) -> None:
        self.config = config or HandConfig()
        self._lock = threading.Lock()
        self._command: Command = STILL
        self._said = -math.inf

    def steer(self, linear: float, angular: float, now: float) -> None:
        """Somebody steers, by shares [-1, 1] of the speeds."""
        with self._lock:
            self._command = linear * self.config.linear, angular * self.config.angular
            self._said = now

    def let_go(self, now: float) -> None:
        """Who steered is gone: zero from now on."""
        with self._lock:
            if self._said > -math.inf:
                self._command, self._said = STILL, min(self._said, now - self.config.silence)

    def drop(self) -> None:
        """Nothing is sent any more, not even zero: somebody else drives."""
        with self._lock:
            self._command, self._said = STILL, -math.inf

    def engaged(self, now: float) -> bool:
        """Somebody steers."""
        return now - self._said <= self.config.silence

    def output(self, now: float) -> Command | None:
        """What to send now: the command, zero for a while after the last word, then None: nothing."""
        with self._lock:
            age = now - self._said
            if age <= self.config.silence:
                return self._command
            return STILL if age <= self.config.silence + self.config.stands_for else None


class Robot(Protocol):
    """What a request is passed on to. Each answers with words for who asked, or with values for the page."""

    def ask(self, request: Request) -> Future[Any]: ...
    def steer(self, linear: float, angular: float) -> None: ...
    def let_go(self) -> None: ...  # who steered is gone


@dataclass(frozen=True)
class Keys:
    """What a viewer has to know: `drive` to act, `watch` to look and to stop the robot."""

    drive: str
    watch: str

    @classmethod
    def new(cls) -> Keys:
        """Of 128 bits each."""
        return cls(secrets.token_urlsafe(16), secrets.token_urlsafe(16))


@dataclass(eq=False)
class Viewer:
    """Somebody who looks."""

    number: int  # from 1
    may_act: bool  # has the key to do so
    rate: float = 50.0  # requests a second; a page that steers sends 10
    burst: float = 100.0  # requests at once

    def __post_init__(self) -> None:
        self._left, self._at = self.burst, time.monotonic()

    def __str__(self) -> str:
        return f"viewer {self.number}"

    def count(self) -> None:
        """One more request.

        Raises:
            AmiError: too many in a short time.
        """
        now = time.monotonic()
        self._left, self._at = min(self.burst, self._left + self.rate * (now - self._at)) - 1.0, now
        if self._left < 0:
            raise AmiError(f"{self} sends more than {self.rate:.0f} requests a second and is disconnected; send fewer")


class Desk:
    """Lets viewers in, and passes on what they may ask.

    Args:
        robot: gets the requests.
        keys: see there.
        tell: gets a line for each action.
        audience: told how many look, when that changes.
        most_viewers: at once.

    Attributes:
        driver: who has the robot.
        log: the newest lines, each with the time of day [s].
        lines: how many were ever logged.
    """

    def __init__(
        self, robot: Robot, keys: Keys, tell: Callable[[str], None] = lambda line: None,
        audience: Callable[[int], None] = lambda count: None, most_viewers: int = 16,
    ) -> None:  # fmt: skip
        self.keys = keys
        self._robot, self._tell, self._audience, self._most = robot, tell, audience, most_viewers
        self._lock = threading.RLock()
        self._viewers: dict[int, Viewer] = {}
        self._count = 0
        self.driver: Viewer | None = None
        self.log: deque[tuple[float, str]] = deque(maxlen=60)
        self.lines = 0

    @property
    def viewers(self) -> list[Viewer]:
        """Who looks."""
        with self._lock:
            return list(self._viewers.values())

    def enter(self, key: str, address: str) -> Viewer:
        """A new viewer, who comes from an address.

        Raises:
            AmiError: the key is wrong, or too many look already.
        """
        given = key.encode()
        may_act = hmac.compare_digest(given, self.keys.drive.encode())
        if not may_act and not hmac.compare_digest(given, self.keys.watch.encode()):
            raise AmiError("wrong key: open the address that ./ami printed when it started")
        with self._lock:
            if len(self._viewers) >= self._most:
                raise AmiError(f"{self._most} pages are open already; close one")
            self._count += 1
            viewer = self._viewers[self._count] = Viewer(self._count, may_act)
            self._audience(len(self._viewers))
        self.say(f"{viewer} looks, from {address}" + ("" if may_act else "; may watch only"))
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """A viewer is gone; if it had the robot, that stands at once if it was steered."""
        with self._lock:
            if self._viewers.pop(viewer.number, None) is None:
                return
            self._drop(viewer)
            self._audience(len(self._viewers))
        self.say(f"{viewer} is gone")

    def ask(self, viewer: Viewer, request: Request) -> Future[Any]:
        """What a viewer asks.

        Raises:
            AmiError: it may not.
        """
        if not request.free and not viewer.may_act:
            raise AmiError(f"{viewer} may watch and stop the robot only; open the address with the key to drive")
        with self._lock:
            if isinstance(request, TakeOver | GiveBack):
                return self._hand_over(viewer, request)
            had = self.driver is viewer
            if request.drives:
                if self.driver not in (None, viewer):
                    raise AmiError(f"{self.driver} has the robot; take over first")
                self.driver = viewer
            if isinstance(request, Steer):
                if not had:
                    self.say(f"{viewer}: {request}")
                self._robot.steer(request.linear, request.angular)
                return done("")
            if isinstance(request, Stop):
                self._robot.let_go()
        if not request.free or isinstance(request, Stop | Release):
            self.say(f"{viewer}: {request}")
        return self._robot.ask(request)

    def say(self, line: str) -> None:
        """Adds a line to the log."""
        with self._lock:
            self.log.append((time.time(), line))
            self.lines += 1
        self._tell(line)

    def _hand_over(self, viewer: Viewer, request: Request) -> Future[Any]:
        before = self.driver
        if isinstance(request, GiveBack):
            if before is not viewer:
                raise AmiError(f"{viewer} does not have the robot")
            self._drop(viewer)
        elif before is not viewer:
            if before is not None:
                self._drop(before)
            self.driver = viewer
        self.say(f"{viewer}: {request}" + (f" from {before}" if before not in (None, viewer) else ""))
        return done("you have the robot" if self.driver is viewer else "nobody has the robot")

    def _drop(self, viewer: Viewer) -> None:
        if self.driver is viewer:
            self.driver = None
            self._robot.let_go()


def done(value: Any) -> Future[Any]:
    """An answer that is there already."""
    future: Future[Any] = Future()
    future.set_result(value)
    return future
