"""The node `planner`: the action navigate_to_goal, by planning in latent space."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from std_msgs.msg import Bool

from ami_interfaces.action import NavigateToGoal
from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.behaviour.navigator import Navigator
from ami_ros.core.camera import CameraMount
from ami_ros.core.commands import STILL
from ami_ros.core.config import group, parameter
from ami_ros.core.images import MAX_PIXELS
from ami_ros.core.scan import Mount
from ami_ros.planning.planner import LatentPlanner
from ami_ros.planning.protocols import Target
from ami_ros.planning.types import Code
from ami_ros.ros.goals.action_server import GoalFrames
from ami_ros.ros.goals.clients import RouteClient
from ami_ros.ros.goals.navigation import NavigationGoals, PoseGoals
from ami_ros.ros.messages.goals import Frames, goal_from_message
from ami_ros.ros.models import CalibratedCamera, shared_arrays, weights_of
from ami_ros.ros.node.bus import PartNode, RosBus, latents_of, surprise_of
from ami_ros.ros.node.process import URGENT, run
from ami_ros.ros.node.qos import LATCHED
from ami_ros.ros.planner_topics import PlannerTopics
from ami_ros.ros.scanner import Scanner
from ami_ros.runtime.goal_execution import GoalExecution
from ami_ros.runtime.perception import FollowedModel
from ami_ros.runtime.planner import PlannerPart, PlannerSettings, PlannerStatus, Thought, tuned_navigator
from ami_ros.world_model.perception import Perception


@dataclass(frozen=True)
class PlannerParameters(PlannerSettings):
    """Parameters of the node."""

    model: Path | None = parameter(None, "Folder of the model.")
    nav2_prefix: str = parameter(
        "", "Before the names navigate_to_pose and navigate_through_poses, where Nav2's bt_navigator has those: ami/."
    )
    max_image_pixels: int = parameter(
        MAX_PIXELS, "Larger goal images are refused before they are decoded.", "px", (64, 10**8)
    )
    enable_stamped_cmd_vel: bool = parameter(True, "cmd_vel_raw is a TwistStamped; false: a Twist.")
    frames: Frames = field(default_factory=Frames)
    scanner: Mount = field(default_factory=Mount)
    camera: CameraMount = field(default_factory=CameraMount)
    # What can be set while the node runs; all but control_rate and route_timeout count from the next goal on.
    navigator: NavigatorConfig = group(
        NavigatorConfig,
        mutable=(
            *("use_memory", "distance_tolerance", "angle_tolerance", "approach", "doubt", "follower", "progress"),
            *("recovery", "planner.deadline", "planner.costs"),
        ),
        lower=[f"planner.kinematics.{name}" for name in ("max_linear", "max_reverse", "max_angular", "max_lateral")],
    )


class PlannerNode(PartNode[PlannerParameters], name="planner", parameters=PlannerParameters):
    """The part `planner` on ROS: every goal gets a result, whatever the model does."""

    part: PlannerPart

    @property
    def navigator(self) -> Navigator:
        """Drives to the goal; another one when parameters have changed."""
        return self.part.navigator

    def configure(self) -> None:
        config, loaded = self.config, shared_arrays(self.config.model)
        self._encoder_id, self._spec = loaded.encoder_id, loaded.model.spec
        self._camera = CalibratedCamera(
            self._spec.inputs, False, config.max_image_pixels, config.camera, [loaded.model.pairs]
        )
        followed, self.perception = FollowedModel(loaded.model, loaded.encoder_id), Perception(loaded.model)
        navigator = Navigator(followed.model, config.navigator)
        warm_up(self.perception, navigator.planner)
        self._camera.follow(self)
        self.topics = PlannerTopics(self, loaded, config.frames, config.enable_stamped_cmd_vel)
        self._attention = self.publisher(Bool, "attention", LATCHED)
        self.topics.say_budget(navigator.planner.budget)
        self.health.figure("model", lambda: loaded.encoder_id)
        self._routes = RouteClient(self, config.frames.map, lambda: loaded.encoder_id)
        self._bus = RosBus(self)
        self._goals = NavigationGoals(self, self.topics, self._prepare, config.frames)
        self.part = PlannerPart(self._bus, navigator, followed, self.perception, config, self._goals)
        self._goals.percepts = self.part.percepts
        self._frames = GoalFrames(self, config.frames)
        self._poses = PoseGoals(self, self._frames, config.nav2_prefix)
        self._bus.join(
            self.part,
            {
                "cmd_vel_raw": lambda stamp, command: self.topics.command(command),
                "attention": lambda stamp, compares: self._attention.publish(Bool(data=compares)),
                "planner/state": self._send_state,
                "planner/thought": self._send_budget,
                "moving_things": lambda stamp, things: self.topics.moving(things),
            },
            {
                "scan": Scanner(self, config.frames.base, config.scanner).read,
                "surprise": surprise_of(lambda: loaded.encoder_id),
                "latent": latents_of(loaded.encoder_id, self._spec),
                **weights_of(loaded.encoder_id),
            },
            {"find_route": self._routes.ask},
            frames={"odom": config.frames.odom},
        )

    def activate(self) -> None:
        self.topics.say("no goal")

    def deactivate(self) -> None:
        self._goals.abort_current(Code.DEACTIVATED, "the planner was deactivated or shut down")
        self.topics.command(STILL, last=True)

    def cleanup(self) -> None:
        super().cleanup()
        if hasattr(self, "_poses"):
            self._poses.destroy()
            self._goals.destroy()
            self._routes.destroy()
            del self._poses

    def allow(self, config: PlannerParameters) -> None:
        if hasattr(self, "_poses") and config.navigator != self.config.navigator:
            tuned_navigator(self.navigator, config.navigator)  # a cost may refuse its options

    def reconfigure(self, before: PlannerParameters) -> None:
        super().reconfigure(before)
        if self.config.navigator != before.navigator:
            self.part.driver.tune(self.config.navigator)

    def _prepare(self, request: NavigateToGoal.Goal) -> GoalExecution:
        self._frames.resolve_goal(request.goal)
        frames, decode = self.config.frames, self._camera.picture
        goal, photographs = goal_from_message(request, self._encoder_id, self._spec, frames, decode)
        return GoalExecution(goal, photographs, self.config.patience, self._spec.period, self.now())

    def _send_state(self, stamp: float, status: PlannerStatus) -> None:
        self.topics.state(*status)
        if status.execution is not None:
            self.topics.follow(status.execution)

    def _send_budget(self, stamp: float, thought: Thought) -> None:
        if thought.decision is not None:
            self.topics.say_budget(self.navigator.planner.budget)


def warm_up(perception: Perception, planner: LatentPlanner) -> None:
    """Makes a model's first calls, which take longer, before anybody waits for them, and fits the search's size to what
    the others took."""
    spec = perception.spec
    latent = np.zeros(spec.latent_dim, dtype=np.float32)
    for k in range(1 + planner.budget.config.enough):
        planner.plan(k * spec.period, latent, (0.0, 0.0), None, Target(latent, None, final=True))
    planner.reset()
    if spec.inputs.image_size:
        blank = np.zeros((spec.inputs.image_size, spec.inputs.image_size, 3), dtype=np.uint8)
        perception.encode_goal(blank)
        perception.encode_picture(blank)


main = partial(run, PlannerNode, niceness=URGENT)


if __name__ == "__main__":
    sys.exit(main())
