"""Who looks, who has the robot, what each may ask; and the dead man's switch of driving by hand."""

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

# Driving by hand: the robot moves only while somebody says so, again and again.

SILENCE = 0.3  # [s] without a word after which the robot is told to stand; a page says it every 0.1 s
STANDS_FOR = 1.0  # [s] that zero is sent then, before nothing is sent at all


@dataclass(frozen=True)
class HandSpeeds:
    """What a full deflection means; the gate and the robot's own limits may make it less."""

    linear: float = 0.25  # [m/s] as fast as one walks beside it in a room
    angular: float = 0.8  # [rad/s]


class DeadMan:
    """Who drives by hand, and what is sent for that. All times are steady [s]; any thread may call it.

    Args:
        speeds: see there.
    """

    def __init__(self, speeds: HandSpeeds | None = None) -> None:
        self._speeds = speeds or HandSpeeds()
        self._lock = threading.Lock()
        self._command: Command = STILL
        self._said = -math.inf

    def steer(self, linear: float, angular: float, now: float) -> None:
        """Somebody steers, by shares [-1, 1] of the speeds."""
        with self._lock:
            self._command = linear * self._speeds.linear, angular * self._speeds.angular
            self._said = now

    def let_go(self, now: float) -> None:
        """Who steered is gone: zero from now on."""
        with self._lock:
            if self._said > -math.inf:
                self._command, self._said = STILL, min(self._said, now - SILENCE)

    def drop(self) -> None:
        """Nothing is sent any more, not even zero: somebody else drives."""
        with self._lock:
            self._command, self._said = STILL, -math.inf

    def engaged(self, now: float) -> bool:
        """Somebody steers."""
        return now - self._said <= SILENCE

    def output(self, now: float) -> Command | None:
        """What to send now: the command, zero for a while after the last word, then None: nothing."""
        with self._lock:
            age = now - self._said
            if age <= SILENCE:
                return self._command
            return STILL if age <= SILENCE + STANDS_FOR else None


# Who looks, who has the robot, and what each may ask.

MOST_VIEWERS = 16
LOG = 60  # lines kept for the page
RATE, BURST = 50.0, 100.0  # requests a second of one viewer, and how many at once; a page that steers sends 10


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


class Viewer:
    """Somebody who looks.

    Args:
        number: from 1.
        address: where from.
        may_act: has the key to do so.
    """

    def __init__(self, number: int, address: str, may_act: bool) -> None:
        self.number, self.address, self.may_act = number, address, may_act
        self._left, self._at = BURST, time.monotonic()

    def __str__(self) -> str:
        return f"viewer {self.number}"

    def count(self) -> None:
        """One more request.

        Raises:
            AmiError: too many in a short time.
        """
        now = time.monotonic()
        self._left, self._at = min(BURST, self._left + RATE * (now - self._at)) - 1.0, now
        if self._left < 0:
            raise AmiError(f"{self} sends more than {RATE:.0f} requests a second and is disconnected; send fewer")


class Desk:
    """Lets viewers in, and passes on what they may ask. Any thread may call it.

    Args:
        robot: gets the requests.
        keys: see there.
        tell: gets a line for each action.
        audience: told how many look, when that changes.
    """

    def __init__(
        self,
        robot: Robot,
        keys: Keys,
        tell: Callable[[str], None] = lambda line: None,
        audience: Callable[[int], None] = lambda count: None,
    ) -> None:
        self.keys = keys
        self._robot, self._tell, self._audience = robot, tell, audience
        self._lock = threading.RLock()
        self._viewers: dict[int, Viewer] = {}
        self._count = 0
        self._driver: Viewer | None = None
        self.log: deque[tuple[float, str]] = deque(maxlen=LOG)  # time of day [s], line
        self.lines = 0  # ever logged

    @property
    def driver(self) -> Viewer | None:
        """Who has the robot."""
        return self._driver

    @property
    def viewers(self) -> list[Viewer]:
        """Who looks."""
        with self._lock:
            return list(self._viewers.values())

    def enter(self, key: str, address: str) -> Viewer:
        """A new viewer.

        Raises:
            AmiError: the key is wrong, or too many look already.
        """
        given = key.encode()
        may_act = hmac.compare_digest(given, self.keys.drive.encode())
        if not may_act and not hmac.compare_digest(given, self.keys.watch.encode()):
            raise AmiError("wrong key: open the address that ./ami printed when it started")
        with self._lock:
            if len(self._viewers) >= MOST_VIEWERS:
                raise AmiError(f"{MOST_VIEWERS} pages are open already; close one")
            self._count += 1
            viewer = self._viewers[self._count] = Viewer(self._count, address, may_act)
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
        if isinstance(request, Steer):
            return self._steer(viewer, request)
        with self._lock:
            if isinstance(request, TakeOver | GiveBack):
                return self._hand_over(viewer, request)
            if request.drives:
                self._take(viewer)
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

    def _steer(self, viewer: Viewer, request: Steer) -> Future[Any]:
        with self._lock:
            if self._driver is not viewer:
                self._take(viewer)
                self.say(f"{viewer}: {request}")
            self._robot.steer(request.linear, request.angular)
        return done("")

    def _take(self, viewer: Viewer) -> None:
        if self._driver is not None and self._driver is not viewer:
            raise AmiError(f"{self._driver} has the robot; take over first")
        self._driver = viewer

    def _hand_over(self, viewer: Viewer, request: Request) -> Future[Any]:
        before = self._driver
        if isinstance(request, GiveBack):
            if before is not viewer:
                raise AmiError(f"{viewer} does not have the robot")
            self._drop(viewer)
        elif before is not viewer:
            if before is not None:
                self._drop(before)
            self._driver = viewer
        self.say(f"{viewer}: {request}" + (f" from {before}" if before not in (None, viewer) else ""))
        return done("you have the robot" if self._driver is viewer else "nobody has the robot")

    def _drop(self, viewer: Viewer) -> None:
        if self._driver is viewer:
            self._driver = None
            self._robot.let_go()


def done(value: Any) -> Future[Any]:
    """An answer that is there already."""
    future: Future[Any] = Future()
    future.set_result(value)
    return future
