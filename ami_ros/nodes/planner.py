"""The node `planner`: the action navigate_to_goal, by planning in latent space.

The navigator runs on a worker thread, on the newest latent; the control timer sends what its newest decision has for
this moment, and never waits for it.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nav_msgs.msg import Odometry
from sensor_msgs.msg import LaserScan

from ami_interfaces.action import NavigateToGoal
from ami_interfaces.msg import Adaptation, KeepAway, Latent, Location, Surprise
from ami_ros.agent.driver import Driver, tuned_navigator
from ami_ros.agent.goal_execution import GoalExecution
from ami_ros.agent.perceiver import LatentFrame
from ami_ros.agent.percepts import Percepts
from ami_ros.agent.watchdog import Ages, Patience, Verdict
from ami_ros.camera import CameraMount
from ami_ros.commands import STILL
from ami_ros.errors import AmiError
from ami_ros.images import MAX_PIXELS
from ami_ros.mission.navigator import Navigator
from ami_ros.planning.codes import Code
from ami_ros.planning.navigator_config import NavigatorConfig
from ami_ros.planning.types import Percept, State
from ami_ros.ros.adaptation import TOPIC as ADAPTATION
from ami_ros.ros.adaptation import FollowedModel
from ami_ros.ros.goals.action_server import GoalTicket
from ami_ros.ros.goals.frames import GoalFrames
from ami_ros.ros.goals.navigation import NavigationGoals
from ami_ros.ros.goals.poses import PoseGoals
from ami_ros.ros.goals.route_client import RouteClient
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages.goals import Frames, goal_from_message
from ami_ros.ros.messages.memory import keep_away_from_message, location_from_message
from ami_ros.ros.models import shared_arrays
from ami_ros.ros.node.health import STEADY
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.parameters import group, parameter
from ami_ros.ros.node.process import URGENT, run
from ami_ros.ros.node.qos import LATCHED, RELIABLE
from ami_ros.ros.node.worker import Worker
from ami_ros.ros.planner_topics import PlannerTopics
from ami_ros.ros.sensors.camera import CalibratedCamera
from ami_ros.ros.sensors.scanner import Scanner
from ami_ros.ros.warm_up import warm_up
from ami_ros.scan import Mount
from ami_ros.world_model.perception import Perception

# What can be set while the node runs; all but control_rate and route_timeout count from the next goal on.
TUNED = (
    *("use_memory", "distance_tolerance", "angle_tolerance", "approach", "doubt", "follower", "progress", "recovery"),
    *("planner.deadline", "planner.costs", "planner.mode_one"),
)
SPEEDS = [f"planner.kinematics.{name}" for name in ("max_linear", "max_reverse", "max_angular", "max_lateral")]
PAUSE = 0.5  # steady time without a tick of the control timer after which the node's clock counts as paused [s]


@dataclass(frozen=True)
class PlannerParameters:
    """Parameters of the node."""

    model: Path | None = parameter(None, "Folder of the model.")
    control_rate: float = parameter(
        10.0, "Of cmd_vel_raw while there is a goal. Larger follows a plan more finely.", "Hz", (1.0, 100.0), True
    )
    nav2_prefix: str = parameter(
        "", "Before the names navigate_to_pose and navigate_through_poses, where Nav2's bt_navigator has those: ami/."
    )
    memory_node: str = parameter("memory", "Name of the node that offers find_route.")
    route_timeout: float = parameter(
        2.0, "To wait for a route before the robot drives without one.", "s", (0.05, 60.0), True
    )
    max_image_pixels: int = parameter(
        MAX_PIXELS, "Larger goal images are refused before they are decoded.", "px", (64, 10**8)
    )
    enable_stamped_cmd_vel: bool = parameter(True, "cmd_vel_raw is a TwistStamped; false: a Twist.")
    frames: Frames = field(default_factory=Frames)
    scanner: Mount = field(default_factory=Mount)
    camera: CameraMount = field(default_factory=CameraMount)
    patience: Patience = group(Patience, mutable=None)
    navigator: NavigatorConfig = group(NavigatorConfig, TUNED, lower=SPEEDS)


class PlannerNode(AmiNode[PlannerParameters]):
    """One goal at a time; every goal gets a result, whatever the model does."""

    def __init__(self, **options: Any) -> None:
        super().__init__("planner", PlannerParameters, **options)

    @property
    def navigator(self) -> Navigator:
        """Drives to the goal; another one when parameters have changed."""
        return self._driver.navigator

    def configure(self) -> None:
        config = self.config
        loaded = shared_arrays(config.model)
        self._encoder_id, self._spec = loaded.encoder_id, loaded.model.spec
        if loaded.model.pairs is not None:
            loaded.model.pairs.mount = config.camera
        self._followed = FollowedModel(loaded.model, loaded.encoder_id)
        self.perception = Perception(loaded.model)
        navigator = Navigator(self._followed.model, config.navigator)
        warm_up(self.perception, navigator.planner)
        self._scanner = Scanner(self, config.frames.base, config.scanner)
        self._camera = CalibratedCamera(self._spec.inputs, max_pixels=config.max_image_pixels, pairs=loaded.model.pairs)
        self._camera.follow(self)
        self._percepts = Percepts()
        self._latent_stamp = self._latent_came = -math.inf
        self._ticked = time.monotonic()
        self.topics = PlannerTopics(self, loaded, config.frames, config.enable_stamped_cmd_vel)
        self.topics.say_budget(navigator.planner.budget)
        self._routes = RouteClient(self, f"{config.memory_node}/find_route", config.frames.map, config.route_timeout)
        self._driver = Driver(navigator, self.perception, self._routes, loaded.encoder_id)
        self._worker: Worker[Percept] = Worker("planner", self._think, self._failed)
        self.health.follow(self._worker)
        self.health.figure("model", lambda: loaded.encoder_id)
        self._goals = NavigationGoals(self, self.topics, self._percepts, self._prepare, config.frames)
        self.subscribe(Adaptation, ADAPTATION, self._followed.take_message, LATCHED, always=True)
        self._frames = GoalFrames(self, config.frames)
        self._poses = PoseGoals(self, self._frames, config.nav2_prefix)
        # The latent is subscribed last: of messages that arrive together, earlier subscriptions are served first.
        self.subscribe(Odometry, "odom", self._on_odometry, frame=config.frames.odom)
        self.subscribe(LaserScan, "scan", self._on_scan)
        self.subscribe(Location, "location", self._on_location, RELIABLE)
        self.subscribe(KeepAway, "keep_away", self._on_keep_away, LATCHED, always=True)
        self.subscribe(Surprise, "surprise", self._on_surprise, RELIABLE)
        self.subscribe(Latent, "latent", self._on_latent)
        self._timer = self.every(1.0 / config.control_rate, self._control)
        self._decided = self.create_guard_condition(self._follow_at_once)
        self.every(PAUSE / 2, self._control_when_paused, STEADY)

    def activate(self) -> None:
        self.topics.say("no goal")

    def deactivate(self) -> None:
        self._goals.abort_current(Code.DEACTIVATED, "the planner was deactivated or shut down")
        self.topics.last_zero()

    def cleanup(self) -> None:
        if hasattr(self, "_goals"):
            self._worker.close()
            self._poses.destroy()
            self._goals.destroy()
            self._routes.destroy()
            self.destroy_guard_condition(self._decided)
            del self._goals

    def allow(self, config: PlannerParameters) -> None:
        if hasattr(self, "_goals") and config.navigator != self.config.navigator:
            tuned_navigator(self.navigator, config.navigator)  # a cost may refuse its options

    def reconfigure(self, before: PlannerParameters) -> None:
        config = self.config
        self._timer.timer_period_ns = round(1e9 / config.control_rate)
        self._routes.timeout = config.route_timeout
        if config.navigator != before.navigator:
            self._driver.tune(config.navigator)

    def time_jumped(self) -> None:
        if hasattr(self, "_goals"):
            self._percepts.clear()
            self._worker.clear()
            self._latent_stamp = -math.inf
            self._goals.abort_current(Code.STALE_OBSERVATION, "time was turned back; send the goal again")

    def _prepare(self, request: NavigateToGoal.Goal) -> GoalExecution:
        self._frames.resolve_goal(request.goal)
        goal, image = goal_from_message(request, self._encoder_id, self._spec, self.config.frames, self._camera.picture)
        return GoalExecution(goal, image, self.config.patience, self._spec.period, self.now())

    # Sensing, on the executor's thread

    def _on_odometry(self, message: Odometry) -> None:
        pose, velocity = conversions.odometry_from_message(message)
        self._percepts.take_odometry(conversions.stamp_of(message), pose, velocity, self.now())

    def _on_scan(self, message: LaserScan) -> None:
        self._percepts.take_scan(conversions.stamp_of(message), self._scanner.read(message))

    def _on_location(self, message: Location) -> None:
        self._percepts.take_location(location_from_message(message))

    def _on_keep_away(self, message: KeepAway) -> None:
        self._percepts.take_keep_away(keep_away_from_message(message))

    def _on_surprise(self, message: Surprise) -> None:
        if message.encoder_id == self._encoder_id:  # surprise of another model says nothing about this one
            self._percepts.take_surprise(conversions.reading_from_message(message))

    def _on_latent(self, message: Latent) -> None:
        latent = conversions.latent_from_message(message, self._encoder_id, length=self._spec.latent_dim)
        picture = conversions.picture_from_message(message, self._spec.picture_code)
        percept = self._percepts.at(LatentFrame(conversions.stamp_of(message), latent, picture))
        self._latent_stamp, self._latent_came = percept.stamp, time.monotonic()
        if self._goals.current is not None:
            self._worker.submit(percept)

    # Thinking, on the worker thread

    def _think(self, percept: Percept) -> None:
        self._followed.refresh()
        ticket = self._goals.current
        if ticket is None:
            return
        try:
            self._decide(ticket, percept)
        except Exception as error:  # whatever the model raises: the goal ends, the node lives
            self._driver.abandon()
            code, text = Code.MODEL_FAILURE, f"{type(error).__name__}: {error}"
            if isinstance(error, AmiError):
                code, text = Code(error.code) if error.code in list(Code) else code, str(error)
            ticket.prepared.plan.clear()
            self._goals.abort(ticket, code, text)
            raise

    def _decide(self, ticket: GoalTicket, percept: Percept) -> None:
        execution: GoalExecution = ticket.prepared
        decision = self._driver.decide(execution, percept)
        self.topics.say_budget(self.navigator.planner.budget)
        execution.follow(decision, percept.stamp)
        self._decided.trigger()
        if decision.succeeded:
            self._goals.succeed(ticket, decision.message)
        elif decision.done:
            self._goals.abort(ticket, decision.code, decision.message)

    def _failed(self, error: Exception) -> None:
        self.health.error("model", f"model failed: {type(error).__name__}: {error}", error)

    # Control, on the executor's thread

    def _follow_at_once(self) -> None:
        """Sends a new decision at once, and restarts the timer."""
        if self.is_active:
            self._timer.reset()
            self._control()

    def _control_when_paused(self) -> None:
        if time.monotonic() - self._ticked > PAUSE:
            self._control()

    def _control(self) -> None:
        self._ticked = steady = time.monotonic()
        ticket, now = self._goals.current, self.now()
        if ticket is None:
            self.topics.state(Verdict(STILL, State.IDLE, *self._goals.last_error), None, now - self._latent_stamp)
            return
        execution: GoalExecution = ticket.prepared
        ages = Ages(now - self._latent_stamp, steady - self._latent_came, self._worker.busy_for())
        verdict = execution.act(now, steady, ages)
        self.topics.command(verdict.command)
        self.topics.state(verdict, execution, ages.observation)
        self.topics.follow(execution)
        self._goals.send_feedback(ticket, now)
        if verdict.state is State.FAULT:
            report = self.health.error if verdict.code is Code.DEADLINE_MISSED else self.health.warn
            report(verdict.code.name, verdict.message)
        if verdict.give_up:
            self._goals.abort(ticket, verdict.code, verdict.message)


def main() -> int:
    """Runs the node; returns the exit code."""
    return run(PlannerNode, niceness=URGENT)


if __name__ == "__main__":
    sys.exit(main())
