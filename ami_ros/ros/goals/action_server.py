"""The semantics of a navigation action, written once: one goal at a time, the newest wins, each client gets a result;
and goals in any frame that transforms lead to.

rclpy by itself runs goals side by side and refuses to cancel.
"""

from __future__ import annotations

import math
import threading
import time
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.task import Future

from ami_interfaces.msg import NavigationGoal
from ami_ros.core.errors import AmiError
from ami_ros.core.frames import StaticFrames, rigid
from ami_ros.planning.types import Code
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages.goals import Frames
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import REQUESTS, TF_STATIC
from ami_ros.ros.scanner import TFMessage


@dataclass(frozen=True)
class GoalLimits:
    """How many goals are looked at: rclpy keeps every accepted one, and tells all of them whenever one changes, so who
    sends goals without end is held up."""

    kept: int = 10  # [s] that a result can be fetched
    burst: int = 200  # goals that are looked at at once; all others are rejected
    rate: float = 20.0  # [1/s] of goals that are looked at
    remind: float = 5.0  # [s] between two words about that


class Outcome(Enum):
    """How a goal ends; the values are the methods of rclpy's goal handle."""

    SUCCEEDED = "succeed"
    CANCELED = "canceled"
    ABORTED = "abort"


class _NextTurn:
    """Awaiting it gives the executor a turn."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class GoalTicket:
    """One accepted goal."""

    def __init__(self, handle: ServerGoalHandle, prepared: Any) -> None:
        self.request = handle.request
        self.prepared = prepared  # what `check` returned
        self._handle = handle
        self._ended: Future = Future()

    @property
    def is_open(self) -> bool:
        """No result has been given yet."""
        return not self._ended.done()

    def send_feedback(self, feedback: Any) -> None:
        """Sends the client feedback; does nothing after the end."""
        if self.is_open:
            self._handle.publish_feedback(feedback)


class SimpleActionServer:
    """An action server with one current goal. Its methods may be called from any thread.

    Args:
        node: a new goal replaces the current one, which is aborted.
        action_type: of the interface.
        name: of the action.
        check: called with a goal before it is accepted; raises AmiError to reject it, and returns whatever the
            goal's `prepared` should be.
        rejected: called with the reason, since the action protocol has no field for it.
        preempted: makes the result of a goal that was replaced.
        canceled: makes the result of a goal whose client canceled it; called the moment the request arrives, so it
            is the place to stop the robot.
        accepted: called with each goal that became the current one, for work that does not poll `current`.
        limits: of the goals that are looked at.
    """

    def __init__(
        self,
        node: Node,
        action_type: Any,
        name: str,
        *,
        check: Callable[[Any], Any],
        rejected: Callable[[AmiError], None],
        preempted: Callable[[GoalTicket], Any],
        canceled: Callable[[GoalTicket], Any],
        accepted: Callable[[GoalTicket], None] = lambda ticket: None,
        limits: GoalLimits | None = None,
    ) -> None:
        self._node = node
        self._check, self._rejected, self._preempted, self._canceled = check, rejected, preempted, canceled
        self._accepted, self._limits = accepted, limits or GoalLimits()
        self._lock = threading.RLock()
        self._current: GoalTicket | None = None
        self._prepared: Any = None
        self._allowance, self._counted, self._reminded = float(self._limits.burst), time.monotonic(), -math.inf
        self._server = ActionServer(
            node,
            action_type,
            name,
            self._execute,
            goal_callback=self._judge,
            handle_accepted_callback=self._accept,
            cancel_callback=self._cancel,
            goal_service_qos_profile=REQUESTS,
            result_service_qos_profile=REQUESTS,
            cancel_service_qos_profile=REQUESTS,
            result_timeout=self._limits.kept,
        )

    @property
    def current(self) -> GoalTicket | None:
        """The current goal, if there is one."""
        return self._current

    def finish(self, ticket: GoalTicket, outcome: Outcome, result: Any) -> bool:
        """Gives `ticket` its result; False if it had one already."""
        with self._lock:
            if not ticket.is_open:
                return False
            if self._current is ticket:
                self._current = None
            ticket._ended.set_result((outcome, result))
        self._node._wake_executor()  # its goal's coroutine waits for this
        return True

    def destroy(self) -> None:
        """Takes the action off the graph."""
        self._server.destroy()

    def _judge(self, request: Any) -> GoalResponse:
        """Whatever happens, the client gets its answer."""
        if not self._may_be_looked_at():
            return GoalResponse.REJECT
        try:
            self._prepared = self._check(request)
        except AmiError as error:
            self._rejected(error)
            return GoalResponse.REJECT
        except Exception as error:
            self._node.get_logger().error(traceback.format_exc())
            self._rejected(AmiError(f"goal: {type(error).__name__}: {error}; the log has the traceback"))
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _may_be_looked_at(self) -> bool:
        now, limits = time.monotonic(), self._limits
        self._allowance = min(limits.burst, self._allowance + limits.rate * (now - self._counted))
        self._counted = now
        if self._allowance >= 1.0:
            self._allowance -= 1.0
            return True
        if now - self._reminded > limits.remind:
            self._reminded = now
            excess = f"goal: more than {limits.rate:g} goals a second come; what is too much is rejected"
            self._rejected(AmiError(excess))
        return False

    def _accept(self, handle: ServerGoalHandle) -> None:
        ticket = GoalTicket(handle, self._prepared)
        with self._lock:
            replaced, self._current = self._current, ticket
        if replaced is not None:
            self.finish(replaced, Outcome.ABORTED, self._preempted(replaced))
        handle.ticket = ticket
        handle.execute()
        self._accepted(ticket)

    def _cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        ticket: GoalTicket = handle.ticket
        self.finish(ticket, Outcome.CANCELED, self._canceled(ticket))
        return CancelResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle) -> Any:
        outcome, result = await handle.ticket._ended
        while outcome is Outcome.CANCELED and not handle.is_cancel_requested:
            await _NextTurn()  # rclpy goes to CANCELING only after `_cancel` has returned, perhaps on another thread
        getattr(handle, outcome.value)()
        return result


class GoalFrames:
    """Goals in any frame that transforms lead to, as goals in the frame of odometry or of the memory.

    It knows the newest transforms, where tf2_msgs is installed; else goals are in the frames of `names` only. A goal in
    a frame that moves, as one metre ahead in base_link, is where that is when the goal comes.

    Args:
        node: hears /tf and /tf_static.
        names: of the frames that goals end up in.
        max_age: [s] of a transform that is sent again and again; older, its frame may be anywhere by now.
    """

    def __init__(self, node: AmiNode[Any], names: Frames, max_age: float = 1.0) -> None:
        self._node, self._names, self._max_age = node, names, max_age
        self._frames = StaticFrames()  # as they are now
        self._stamps: dict[str, float] = {}  # [s] by child, of transforms that are sent again and again
        if TFMessage is not None:
            node.subscribe(TFMessage, "/tf", self.take, QoSProfile(depth=100))
            node.subscribe(TFMessage, "/tf_static", partial(self.take, static=True), TF_STATIC, always=True)

    def take(self, message: Any, static: bool = False) -> None:
        """A TFMessage. Raises AmiError: one is no pose, else no goal could be placed by any; or they are too many."""
        for transform in message.transforms:
            self._frames.put_message(transform)
            child = transform.child_frame_id.lstrip("/")
            self._stamps[child] = math.inf if static else conversions.stamp_of(transform)

    def resolve_goal(self, goal: NavigationGoal) -> None:
        """Puts the pose of a goal that has one into a frame that goals end up in; raises as `resolve`."""
        if goal.type == NavigationGoal.TYPE_POSE:
            goal.pose = self.resolve(goal.pose)

    def resolve(self, given: PoseStamped) -> PoseStamped:
        """The pose in the frame of odometry if its own hangs below that, else in that of the memory.

        Raises:
            AmiError: no pose, or with `Code.TF_ERROR` no transform leads there, or only an old one.
        """
        frame, names, message = given.header.frame_id.lstrip("/"), self._names, given.pose
        conversions.pose_from_message(message)  # refuses what is no pose
        if frame in (names.odom, names.map):
            return PoseStamped(header=conversions.header_at(given.header.stamp, frame), pose=message)
        above = self._frames.above(frame)
        target = names.odom if names.odom in above else names.map
        origin = self._frames.pose_of(frame, target) if frame else None
        if origin is None:
            known = f"{names.odom} and {names.map}"
            why = f"no transform leads from frame '{frame}' to {known}; is its publisher running, in this namespace?"
            if TFMessage is None:
                why = f"frame '{frame}' is not known: without tf2_msgs only {known} are"
            raise AmiError(f"goal: {why}", Code.TF_ERROR)
        for child in set(above) ^ set(self._frames.above(target)):  # all that are passed on the way
            age = self._node.now() - self._stamps[child]
            if age > self._max_age:
                raise AmiError(f"goal: the transform of frame '{child}' is {age:.1f} s old", Code.TF_ERROR)
        at, turn = message.position, message.orientation
        pose = origin @ rigid((at.x, at.y, at.z), (turn.x, turn.y, turn.z, turn.w))
        planar = np.array([pose[0, 3], pose[1, 3], np.arctan2(pose[1, 0], pose[0, 0])])
        header = conversions.header_at(given.header.stamp, target)
        return PoseStamped(header=header, pose=conversions.pose_to_message(planar))
