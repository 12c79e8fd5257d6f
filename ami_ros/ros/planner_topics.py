"""The planner's publishers: commands, state, plan, and the goal under way."""

from __future__ import annotations

import array
import math
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Path
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header, String
from visualization_msgs.msg import MarkerArray

from ami_interfaces.msg import MovingThings as ThingsMessage
from ami_interfaces.msg import PlannerState, Rollout
from ami_ros.core.commands import STILL, Command
from ami_ros.core.geometry import Array
from ami_ros.core.images import encode_png
from ami_ros.planning.costs import CostShare, deciding
from ami_ros.planning.planner import Budget
from ami_ros.planning.protocols import SearchSize
from ami_ros.planning.types import Decision
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages.conversions import things_to_message
from ami_ros.ros.messages.goals import Frames, path_message, rollout_message
from ami_ros.ros.messages.markers import goal_markers, people_markers, rollout_markers
from ami_ros.ros.node.health import key_values
from ami_ros.ros.node.lifecycle import AmiNode, CommandPublisher
from ami_ros.ros.node.qos import LATCHED
from ami_ros.runtime.goal_execution import GoalExecution, Verdict
from ami_ros.safety.moving_things import MovingThings
from ami_ros.world_model.model_files import LoadedModel


class GoalTopics:
    """The goal under way, for those who look: where it is believed to be, its picture, and what is done about it.

    All is latched.

    Args:
        node: whose publishers they are.
        frames: names of frames.
    """

    def __init__(self, node: AmiNode[Any], frames: Frames) -> None:
        self._node, self._frame = node, frames.odom
        self._pose = node.publisher(PoseStamped, "goal", LATCHED)
        self._markers = node.publisher(MarkerArray, "goal_markers", LATCHED)
        self._picture = node.publisher(CompressedImage, "goal_picture/compressed", LATCHED)
        self._execution: GoalExecution | None = None
        self._told: tuple[Array | None, str] = None, ""

    def follow(self, execution: GoalExecution) -> None:
        """What the newest decision knows of the goal."""
        decision = execution.plan.decision
        if execution is not self._execution:
            self._execution, self._told = execution, (None, "")
            if execution.photographs:
                header = conversions.header_at(self._node.get_clock().now().to_msg(), "")
                data = array.array("B", encode_png(execution.photographs[0].image))
                self._picture.publish(CompressedImage(header=header, format="png", data=data))
        if decision is None or decision.goal is None:
            return
        (pose, words), enough = self._told, 0.05  # [m] or [rad] by which the belief changes before it is said again
        moved = pose is None or bool((np.abs(decision.goal - pose) > enough).any())
        if not moved and words == decision.message:
            return
        self._told = decision.goal, decision.message
        header = conversions.header_at(execution.plan.stamp, self._frame)
        if moved:
            self._pose.publish(PoseStamped(header=header, pose=conversions.pose_to_message(decision.goal)))
        self._markers.publish(goal_markers(decision.goal, decision.message, header))


class PlannerTopics:
    """Publishers of the planner node.

    Args:
        node: whose publishers they are.
        loaded: the model, named in rollouts.
        frames: names of frames.
        stamped: commands are TwistStamped, not Twist.
    """

    def __init__(self, node: AmiNode, loaded: LoadedModel, frames: Frames, stamped: bool) -> None:
        self._node, self._loaded, self._frames = node, loaded, frames
        self._command = CommandPublisher(node, "cmd_vel_raw", stamped, frames.base)
        self._state = node.publisher(PlannerState, "~/state")
        self._plan = node.publisher(Path, "plan")
        self._rollout = node.publisher(Rollout, "~/rollout")
        self._markers = node.publisher(MarkerArray, "imagined")
        self._decision = node.publisher(String, "~/decision", LATCHED)
        self._moving = node.publisher(ThingsMessage, "moving_things")
        self._people = node.publisher(MarkerArray, "people")
        self._costs = node.publisher(DiagnosticArray, "~/costs")
        self.goal = GoalTopics(node, frames)
        self._said = ""
        self._size: SearchSize | None = None
        self._shown: Decision | None = None
        self._sent: Command = STILL
        self._times: deque[float] = deque(maxlen=20)

    @property
    def rate(self) -> float:
        """Of the control loop, achieved [Hz]."""
        if len(self._times) < 2:
            return 0.0
        return (len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-6)

    def command(self, command: Command, last: bool = False) -> None:
        """Sends a command; if it is the `last`, waits until it has arrived."""
        self._sent = command
        self._command.send(command, last)

    def state(self, verdict: Verdict, execution: GoalExecution | None, observation_age: float) -> None:
        """Publishes the planner's state, and what was sent last."""
        self._times.append(time.monotonic())
        decision, used = None, observation_age
        if execution is None:
            self._sent = STILL
        elif (decision := execution.plan.decision) is not None:
            used = self._node.now() - execution.plan.stamp
        self._state.publish(
            PlannerState(
                header=conversions.header_at(self._node.get_clock().now().to_msg(), self._frames.base),
                state=int(verdict.state),
                error_code=int(verdict.code),
                error_msg=verdict.message[:256] if verdict.code else "",
                loop_rate=self.rate,
                observation_age=used if math.isfinite(used) else math.nan,
                energy=decision.energy if decision is not None else math.nan,
                command=conversions.twist_message(self._sent),
            )
        )
        if execution is not None:
            self.say(": ".join(filter(None, (verdict.behaviour, verdict.message))))

    def follow(self, execution: GoalExecution) -> None:
        """Shows a new decision: its path, and its rollout if somebody looks."""
        decision = execution.plan.decision
        if decision is None or decision is self._shown:
            return
        self._shown = decision
        self.goal.follow(execution)
        if not len(decision.poses):
            return
        header, spec = conversions.header_at(execution.plan.stamp, self._frames.odom), self._loaded.model.spec
        self._plan.publish(path_message(decision, header))
        if decision.shares and self._costs.get_subscription_count():
            self._costs.publish(costs_message(decision.shares, header))
        if self._markers.get_subscription_count():
            self._markers.publish(rollout_markers(decision.poses, decision.others, header))
        if self._rollout.get_subscription_count():
            rollout = rollout_message(decision, header, self._loaded.encoder_id, spec.chunk, spec.step_duration)
            self._rollout.publish(rollout)

    def moving(self, things: MovingThings) -> None:
        """Publishes what moves; as markers if somebody looks."""
        header = conversions.header_at(things.stamp, self._frames.odom)
        self._moving.publish(things_to_message(things, header))
        if self._people.get_subscription_count():
            self._people.publish(people_markers(things, header))

    def say(self, text: str) -> None:
        """Publishes what was decided, when it changes."""
        if text != self._said:
            self._said = text
            self._decision.publish(String(data=text))

    def say_budget(self, budget: Budget) -> None:
        """Logs how large searches are from now on, when that is new."""
        if budget.size != self._size:
            self._size = budget.size
            self._node.get_logger().info(str(budget))


def costs_message(shares: Sequence[CostShare], header: Header) -> DiagnosticArray:
    """One status for each cost, level OK; the one that decided says so.

    Its values are `value`, the cost of the chosen future [m], and `pull` [m]: by how much another future would have
    been better, had this cost been silent. In the manner of the critics' statistics of Nav2's MPPI controller.
    """
    decided, status = deciding(shares), []
    for share in shares:
        values = key_values({"value": f"{share.value:.4f}", "pull": f"{share.pull:.4f}"})
        message = "decided" if share.name == decided else ""
        status.append(DiagnosticStatus(name=share.name, level=DiagnosticStatus.OK, message=message, values=values))
    return DiagnosticArray(header=header, status=status)
