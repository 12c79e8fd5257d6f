"""A whole demo: start everything, drive to every goal, report, end everything."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np
from rclpy.context import Context
from rich.console import Console

from ami_ros.bench.demo.client import DemoClient, Pace, Telemetry
from ami_ros.bench.demo.course import Course
from ami_ros.bench.demo.report import DemoResult, DemoTable, write_report
from ami_ros.bench.demo.scenery import Backdrop, RememberedPlaces
from ami_ros.bench.demo.stack import DemoSettings, DemoStack, nodes_of
from ami_ros.bench.timing import ProcessMeter
from ami_ros.bench.trials import ALLOWANCES
from ami_ros.cli.demo import DemoOptions
from ami_ros.cli.simulated_view import DemoView
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, transform_points
from ami_ros.core.robots.derived import recorded_topics
from ami_ros.core.robots.description import default_robot
from ami_ros.core.signals import HeldSignals
from ami_ros.ros.node.process import settle
from ami_ros.ros.recorder import Recorder
from ami_ros.ros.start.domain import remove_orphaned_segments
from ami_ros.ros.start.join import join_domain, rivalry
from ami_ros.runtime.supervision import FINAL, Verdict
from ami_ros.simulation.free_space import FreeSpace

LOOK = 4.0  # [s], steady, between two looks
ENOUGH = 12  # ages that tell how nodes do
EASY, HARD = 0.10, 0.16  # [s] of the robot's time: images behind commands whose 95th percentile is younger, or older
FASTER, SLOWER = 1.25, 0.7
LEAST, MOST = 0.25, 8.0  # simulated seconds in a second


class Pacer:
    """Call `tick` some times a second while the robot drives.

    Args:
        set_factor: sets the simulator's real-time factor.

    Attributes:
        factor: that it has now.
    """

    def __init__(self, set_factor: Callable[[float], None]) -> None:
        self._set, self.factor = set_factor, 1.0
        self._ages: deque[float] = deque(maxlen=100)
        self._looked = time.monotonic()

    def tick(self, telemetry: Telemetry) -> None:
        """Notes the age of the image behind the newest command, and changes the pace now and then."""
        if telemetry.state == "CONTROLLING" and telemetry.observation_age is not None:
            self._ages.append(telemetry.observation_age)
        if time.monotonic() - self._looked < LOOK or len(self._ages) < ENOUGH:
            return
        age = float(np.percentile(self._ages, 95))
        self._looked = time.monotonic()
        self._ages.clear()
        step = FASTER if age < EASY else SLOWER if age > HARD else 1.0
        if (factor := min(max(self.factor * step, LEAST), MOST)) != self.factor:
            self.factor = factor
            self._set(factor)


READY_WITHIN = 180.0  # [s]; a loaded machine may take long to import torch in five processes
SAMPLE_EVERY = 1.0  # of CPU and memory [s]
RECORDED = recorded_topics(default_robot())


def run_demo(asked: DemoOptions) -> int:
    """`ami demo`; returns the exit code. Raises AmiError as `DemoSettings.make` and `DemoRun.run`."""
    return DemoRun(DemoSettings.make(**vars(asked)), Console(emoji=False)).run()


class DemoRun:
    """One demo.

    Args:
        settings: checked.
        console: where to tell about it.
    """

    def __init__(self, settings: DemoSettings, console: Console) -> None:
        self.settings = settings
        self.result = DemoResult(settings)
        self._table = DemoTable(console, settings.goals)
        self._view: DemoView | None = None
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
        settings = self.settings
        stack.callback(remove_orphaned_segments)  # of nodes that had to be killed
        if not settings.headless or settings.record is not None:
            self.result.backdrop = Backdrop.of(settings.world, settings.robot.shape.radius)
        self._stack = DemoStack(settings, _scratch(stack))
        context = join_domain(settings.domain_id, nodes_of(settings))
        stack.callback(context.try_shutdown)
        self._client = DemoClient(context)
        stack.callback(self._client.close)
        if not settings.headless:
            self._serve_page(context, stack)
        stack.callback(self._stack.stop)
        self._start_nodes()
        if doubled := self._client.doubled(
            nodes_of(settings)
        ):  # on a busy machine a node may be heard of only after seconds
            raise AmiError(rivalry(int(os.environ["ROS_DOMAIN_ID"]), doubled[0]))
        stack.callback(self._keep_figures)
        if settings.record is not None:
            recorder = Recorder(self._client.node, settings.record / "bag", RECORDED)
            stack.callback(self._end_recording, recorder)
        stack.enter_context(self._table)

    def _serve_page(self, context: Context, stack: ExitStack) -> None:
        """Starts the console, with what only a demo knows."""
        from ami_ros.console.node import ConsoleSettings, RobotConsole  # of an extra

        settings = self.settings
        assert self.result.backdrop is not None
        page = stack.enter_context(
            RobotConsole(context, ConsoleSettings(port=settings.port, bags=None), self._table.say)
        )
        about = {"world": settings.world.name, "robot": settings.robot.name, "seed": settings.seed}
        self._view = DemoView(page.scene, self.result.backdrop, about | {"total": settings.goals})
        self._table.say("look, " + page.addresses[0])

    def _start_nodes(self) -> None:
        """Starts the processes and waits until they work together."""
        began = time.monotonic()
        with self._table.waiting(f"starting {', '.join(nodes_of(self.settings))}"):
            self._stack.start()
            while missing := self._client.missing():
                self._stack.check()
                if time.monotonic() > began + READY_WITHIN:
                    there_is_no = " and no ".join(missing)
                    raise AmiError(f"after {READY_WITHIN:.0f} s there is no {there_is_no}: is this machine too busy?")
                time.sleep(0.1)
        self._table.say(f"ready after {time.monotonic() - began:.0f} s; {self._knowledge()}")
        self._meter = ProcessMeter({**self._stack.pids(), "demo": os.getpid()})
        settle()  # a full garbage collection would hold up the thread that notes when commands come

    def _knowledge(self) -> str:
        if self.settings.memory is None:
            return "no memory of this world comes with the model, so the robot learns it on the way"
        self._client.read_places()
        return f"the robot remembers {len(self._client.telemetry.places)} places"

    def _drive(self) -> None:
        settings, result = self.settings, self.result
        frame = "" if settings.robot.camera is not None else settings.robot.frames.map
        self._course = Course(self._client, FreeSpace(settings.world), settings.seed, self._tick, frame)
        self._client.control = result.control
        if settings.paced:
            self._pacer = Pacer(self._client.set_pace)
        if settings.explore:
            self._way = []
            self._table.say(f"explores for {settings.explore:g} min")
            try:
                self._table.say(self._course.explore(60.0 * settings.explore))
            finally:  # an interrupted way is one, too
                result.explored, self._way = np.array(self._way).reshape(-1, 2), None
        pace = Pace(self._client.telemetry.time)
        for index in range(settings.goals):
            result.trials.append(self._course.drive(index))
            self._table.finished(index, result.trials[-1])
            result.pace = pace.factor(self._client.telemetry.time)
        if settings.foreign_goals:
            self._look_for_what_is_not_here()
        self._show(finished=True)

    def _look_for_what_is_not_here(self) -> None:
        """Pictures of another building, which are to be refused; they are drawn by our own simulator."""
        from ami_ros.bench.buildings import foreign_goals  # torch is large

        settings = self.settings
        for taken in foreign_goals(settings.world.name, settings.robot, settings.seed, settings.foreign_goals):
            self.result.foreign.append(self._course.look_for(taken[0].image, ALLOWANCES["explored"]["far"]))
            self._table.say(f"a picture of another building: {self.result.foreign[-1]}")

    def _tick(self) -> None:
        """Called five times a second while the robot drives."""
        self._stack.check()
        self._tell_of_stack()
        if self._pacer is not None:
            self._pacer.tick(self._client.telemetry)
        if self._way is not None and (truth := self._client.telemetry.truth) is not None:
            self._way.append(truth[:2])
        self._table.update(self._course.leg, self._client.telemetry)
        self._show()
        if time.monotonic() > self._sampled + SAMPLE_EVERY:
            self._sampled = time.monotonic()
            self._sample()

    def _tell_of_stack(self) -> None:
        """What the supervisor says, when it changes.

        Raises:
            AmiError: it gave up.
        """
        stack = self._client.telemetry.stack
        if stack is None or stack == self._said:
            return
        if self._said is not None:
            self._table.say(stack.message)
        self._said = stack
        if stack.code in FINAL:
            raise AmiError(stack.message)

    def _sample(self) -> None:
        """Meters the processes, also those that were started again."""
        self.result.restarts |= self._stack.restarts()
        for name, pid in self._stack.pids().items():
            self._meter.watch(name, pid)
        self._meter.sample()

    def _show(self, finished: bool = False) -> None:
        """Updates the web view."""
        if self._view is not None:
            self._view.finished = finished
            self._client.read_places()
            self._view.update(self._course.leg, self._client.observed, self.result.trials)

    def _keep_figures(self) -> None:
        """What cannot be asked any more once the processes have ended."""
        self._meter.sample()
        self.result.costs = self._meter.costs()
        self._client.read_places()
        frame, telemetry = self._client.observed.frames.memory(), self._client.telemetry
        if frame is not None:
            places, edges = transform_points(frame, telemetry.places), transform_points(frame, telemetry.edges)
            self.result.places = RememberedPlaces(places, edges)

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
