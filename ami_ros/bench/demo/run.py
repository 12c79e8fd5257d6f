"""A whole demo: start everything, drive to every goal, report, end everything."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import numpy as np
from rclpy.context import Context
from rich.console import Console

from ami_ros.bench.demo.client import DemoClient, Leg, Observed, Telemetry
from ami_ros.bench.demo.course import Course
from ami_ros.bench.demo.report import DemoResult, DemoTable, write_report
from ami_ros.bench.demo.stack import DemoSettings, nodes_of, stack_of
from ami_ros.bench.timing import ProcessMeter
from ami_ros.bench.trials import ALLOWANCES, Trial
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, transform_points
from ami_ros.core.robots.derived import recorded_topics
from ami_ros.core.robots.description import default_robot
from ami_ros.core.signals import HeldSignals
from ami_ros.ros.node.process import settle
from ami_ros.ros.recorder import Recorder
from ami_ros.ros.start.domain import join_domain, remove_orphaned_segments, rivalry
from ami_ros.runtime.supervision import FINAL, Verdict
from ami_ros.simulation.free_space import FreeSpace

if TYPE_CHECKING:
    from ami_ros.simulation.mjcf import TopView


@dataclass(frozen=True)
class PaceConfig:
    """How fast simulated time may run: as fast as the nodes keep up."""

    look: float = 4.0  # [s], steady, between two looks
    enough: int = 12  # ages that tell how nodes do
    # [s] of the robot's time: images behind commands whose 95th percentile is younger, or older
    easy: float = 0.10
    hard: float = 0.16
    faster: float = 1.25
    slower: float = 0.7
    least: float = 0.25  # simulated seconds in a second
    most: float = 8.0


class Pacer:
    """Call `tick` some times a second while the robot drives.

    Args:
        set_factor: sets the simulator's real-time factor.
        config: see there.

    Attributes:
        factor: that it has now.
    """

    def __init__(self, set_factor: Callable[[float], None], config: PaceConfig | None = None) -> None:
        self._set, self.factor, self.config = set_factor, 1.0, config or PaceConfig()
        self._ages: deque[float] = deque(maxlen=100)
        self._looked = time.monotonic()

    def tick(self, telemetry: Telemetry) -> None:
        """Notes the age of the image behind the newest command, and changes the pace now and then."""
        config = self.config
        if telemetry.state == "CONTROLLING" and telemetry.observation_age is not None:
            self._ages.append(telemetry.observation_age)
        if time.monotonic() - self._looked < config.look or len(self._ages) < config.enough:
            return
        age = float(np.percentile(self._ages, 95))
        self._looked = time.monotonic()
        self._ages.clear()
        step = config.faster if age < config.easy else config.slower if age > config.hard else 1.0
        if (factor := min(max(self.factor * step, config.least), config.most)) != self.factor:
            self.factor = factor
            self._set(factor)


class Page(Protocol):
    """What shows a demo in a browser."""

    def update(self, leg: Leg | None, seen: Observed, trials: Sequence[Trial], finished: bool) -> None:
        """Shows a moment: the drive under way, what is known, the drives that ended; whether nothing more happens."""


# Starts the page of a demo, which the stack ends, and says where it is.
ServePage = Callable[[Context, DemoSettings, "TopView", Callable[[str], None], ExitStack], Page]


class DemoRun:
    """One demo.

    Args:
        settings: checked.
        console: where to tell about it.
        serve_page: see there; called unless the demo is headless.
    """

    def __init__(self, settings: DemoSettings, console: Console, serve_page: ServePage | None = None) -> None:
        self.settings = settings
        self.result = DemoResult(settings)
        self._table = DemoTable(console, settings.goals)
        self._serve_page = serve_page
        self._page: Page | None = None
        self._sampled = 0.0
        self._pacer: Pacer | None = None
        self._way: list[Array] | None = None  # of exploring, while it lasts
        self._said: Verdict | None = None  # of the supervisor

    def run(self) -> int:
        """Returns the exit code: 0 if enough goals were reached, 1 if not.

        Raises:
            AmiError: set-up failed, or a process ended on its own.
            KeyboardInterrupt: after everything was ended, and what had been measured until then was written.
        """
        signals = HeldSignals()
        with signals.held(at_once=True):
            try:
                with ExitStack() as stack:
                    self._start(stack)
                    stack.callback(signals.ignore)
                    self.result.end = "interrupted"
                    self._drive()
                    self.result.end = "finished"
            except AmiError as error:
                self.result.end = str(error) if self.result.end else ""
                raise
            finally:
                signals.ignore()
                write_report(self.result, self._table)
        return 0 if self.result.success_rate >= self.settings.min_success else 1

    def _start(self, stack: ExitStack) -> None:
        """Starts everything, in the order in which `stack` can end it."""
        settings, result, names = self.settings, self.result, nodes_of(self.settings)
        stack.callback(remove_orphaned_segments)  # of nodes that had to be killed
        if not settings.headless or settings.record is not None:
            from ami_ros.simulation.mjcf import draw_top_view  # slow to import

            result.floor = draw_top_view(settings.world)
        scratch = _scratch(stack)
        context = join_domain(settings.domain_id, names)
        stack.callback(context.try_shutdown)
        self._client = DemoClient(context)
        stack.callback(self._client.close)
        if self._serve_page is not None and not settings.headless and result.floor is not None:
            self._page = self._serve_page(context, settings, result.floor, self._table.say, stack)
        self._stack = stack_of(settings, scratch)
        stack.callback(self._stack.stop)
        self._start_nodes()
        if doubled := self._client.doubled(names):  # on a busy machine a node may be heard of only after seconds
            raise AmiError(rivalry(int(os.environ["ROS_DOMAIN_ID"]), doubled[0]))
        stack.callback(self._keep_figures)
        if settings.record is not None:
            recorder = Recorder(self._client.node, settings.record / "bag", recorded_topics(default_robot()))
            stack.callback(self._end_recording, recorder)
        stack.enter_context(self._table)

    def _start_nodes(self) -> None:
        """Starts the processes and waits until they work together; a loaded machine may take long to import torch in
        five processes."""
        began, ready_within = time.monotonic(), 180.0  # [s]
        with self._table.waiting(f"starting {', '.join(nodes_of(self.settings))}"):
            self._stack.start()
            while missing := self._client.missing():
                self._stack.check()
                if time.monotonic() > began + ready_within:
                    there_is_no = " and no ".join(missing)
                    raise AmiError(f"after {ready_within:.0f} s there is no {there_is_no}: is this machine too busy?")
                time.sleep(0.1)
        knowledge = "no memory of this world comes with the model, so the robot learns it on the way"
        if self.settings.memory is not None:
            self._client.read_places()
            knowledge = f"the robot remembers {len(self._client.telemetry.places)} places"
        self._table.say(f"ready after {time.monotonic() - began:.0f} s; {knowledge}")
        self._meter = ProcessMeter({**self._stack.pids(), "demo": os.getpid()})
        settle()  # a full garbage collection would hold up the thread that notes when commands come

    def _drive(self) -> None:
        settings, result, client = self.settings, self.result, self._client
        frame = "" if settings.robot.camera is not None else settings.robot.frames.map
        self._course = Course(client, FreeSpace(settings.world), settings.seed, self._tick, frame)
        client.control = result.control
        if settings.paced:
            self._pacer = Pacer(client.set_pace)
        if settings.explore:
            self._way = []
            self._table.say(f"explores for {settings.explore:g} min")
            try:
                self._table.say(self._course.explore(60.0 * settings.explore))
            finally:  # an interrupted way is one, too
                result.explored, self._way = np.array(self._way).reshape(-1, 2), None
        began, simulated = time.monotonic(), client.telemetry.time
        for index in range(settings.goals):
            result.trials.append(self._course.drive(index))
            self._table.finished(index, result.trials[-1])
            result.pace = (client.telemetry.time - simulated) / max(time.monotonic() - began, 1e-6)
        if settings.foreign_goals:  # pictures of another building, which are to be refused, drawn by our own simulator
            from ami_ros.bench.buildings import foreign_goals  # torch is large

            for taken in foreign_goals(settings.world.name, settings.robot, settings.seed, settings.foreign_goals):
                result.foreign.append(self._course.look_for(taken[0].image, ALLOWANCES["explored"]["far"]))
                self._table.say(f"a picture of another building: {result.foreign[-1]}")
        self._show(finished=True)

    def _tick(self) -> None:
        """Called five times a second while the robot drives.

        Raises:
            AmiError: the supervisor gave up.
        """
        self._stack.check()
        telemetry = self._client.telemetry
        if telemetry.stack is not None and telemetry.stack != self._said:
            if self._said is not None:
                self._table.say(telemetry.stack.message)
            self._said = telemetry.stack
            if telemetry.stack.code in FINAL:
                raise AmiError(telemetry.stack.message)
        if self._pacer is not None:
            self._pacer.tick(telemetry)
        if self._way is not None and telemetry.truth is not None:
            self._way.append(telemetry.truth[:2])
        self._table.update(self._course.leg, telemetry)
        self._show()
        if time.monotonic() > self._sampled + 1.0:  # [s]; also processes that were started again
            self._sampled = time.monotonic()
            died = {name: each.respawns for name, each in self._stack.processes.items() if each.respawns}
            self.result.restarts |= died
            for name, pid in self._stack.pids().items():
                self._meter.watch(name, pid)
            self._meter.sample()

    def _show(self, finished: bool = False) -> None:
        if self._page is not None:
            self._client.read_places()
            self._page.update(self._course.leg, self._client.observed, self.result.trials, finished)

    def _keep_figures(self) -> None:
        """What cannot be asked any more once the processes have ended."""
        self._meter.sample()
        self.result.costs = self._meter.costs()
        self._client.read_places()
        frame, telemetry = self._client.observed.frames.memory(), self._client.telemetry
        if frame is not None:
            self.result.places = transform_points(frame, telemetry.places), transform_points(frame, telemetry.edges)

    def _end_recording(self, recorder: Recorder) -> None:
        recorder.close()
        if recorder.stopped:
            self._table.say(f"the recording ended early: {recorder.stopped}")


def _scratch(stack: ExitStack) -> Path:
    """A folder for parameters and logs. It is removed at the end, but not after an error that speaks of a log in it."""
    folder = Path(tempfile.mkdtemp(prefix="ami_demo_"))

    def leave(kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None or not issubclass(kind, AmiError):
            shutil.rmtree(folder, ignore_errors=True)

    stack.push(leave)
    return folder
