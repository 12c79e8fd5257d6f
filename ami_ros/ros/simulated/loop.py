"""A simulated robot on a thread of its own, kept in step with the wall clock."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from ami_ros.commands import STILL
from ami_ros.simulation.robot import CONTROL_PERIOD, Robot

RobotT = TypeVar("RobotT", bound=Robot)
T = TypeVar("T")

COMMAND_TIMEOUT = 0.5  # a robot stops by itself when no command came for so long [s], simulated
HAIR = 1e-6  # [s] of rounding
MAX_LAG = 0.1  # lag that the simulation tries to make up for; more is dropped [s]


class SimulationLoop(Generic[RobotT]):
    """Makes a robot, then steps it one CONTROL_PERIOD after another; nothing else may touch the robot.

    Args:
        make_robot: called on the loop's thread, for OpenGL is bound to one thread.
        real_time_factor: simulated seconds in a second; 0: as fast as possible.
        follows: it goes no further than `go_to` says, at whatever pace.
        on_tick: called on the loop's thread with the robot and the number of steps so far.

    Raises:
        Exception: whatever `make_robot` raised.
    """

    def __init__(
        self,
        make_robot: Callable[[], RobotT],
        real_time_factor: float,
        on_tick: Callable[[RobotT, int], None],
        follows: bool = False,
    ) -> None:
        self._make_robot, self.factor, self._on_tick = make_robot, real_time_factor, on_tick
        self._calls: queue.SimpleQueue[tuple[Callable[[RobotT], Any], Future[Any]]] = queue.SimpleQueue()
        self._command, self._command_age = STILL, 0.0
        self._closing, self._further = threading.Event(), threading.Event()
        self._until = 0.0 if follows else math.inf  # [s] of the robot's time
        self._running: Future[None] = Future()
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="simulation", daemon=True)
        self._thread.start()
        self._running.result()

    def command(self, *command: float) -> None:
        """Sets the command from now on, see `ami_ros.commands`."""
        self._command, self._command_age = command, 0.0

    def call(self, function: Callable[[RobotT], T], timeout: float = 5.0) -> T:
        """Runs `function` with the robot between two steps, and returns or raises what it does."""
        future: Future[T] = Future()
        self._calls.put((function, future))
        return future.result(timeout)

    def tell(self, function: Callable[[RobotT], object]) -> None:
        """Runs `function` with the robot between two steps, and does not wait for it."""
        self._calls.put((function, Future()))

    def go_to(self, time: float) -> None:
        """It may go on up to `time` [s] of the robot's."""
        self._until = time
        self._further.set()

    def close(self) -> None:
        """Ends the thread."""
        self._closing.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        try:
            robot = self._make_robot()
        except Exception as error:
            self._running.set_exception(error)
            return
        self._running.set_result(None)
        try:
            self._drive(robot)
        except Exception as error:  # the node asks for it, and ends
            self.failure = error
        finally:
            getattr(robot, "close", lambda: None)()

    def _drive(self, robot: RobotT) -> None:
        ticks, due = 0, time.monotonic()
        while not self._closing.is_set():
            self._answer_calls(robot)
            if robot.time + CONTROL_PERIOD > self._until + HAIR:
                self._further.wait(CONTROL_PERIOD)
                self._further.clear()
                continue
            late = self._command_age >= COMMAND_TIMEOUT
            robot.step(STILL if late else self._command, CONTROL_PERIOD)
            self._command_age += CONTROL_PERIOD
            ticks += 1
            self._on_tick(robot, ticks)
            if self.factor > 0:
                due = max(due + CONTROL_PERIOD / self.factor, time.monotonic() - MAX_LAG)
                time.sleep(max(0.0, due - time.monotonic()))

    def _answer_calls(self, robot: RobotT) -> None:
        while not self._calls.empty():
            function, future = self._calls.get()
            try:
                future.set_result(function(robot))
            except Exception as error:  # the caller's to handle
                future.set_exception(error)
