"""The semantics of a navigation action, written once: one goal at a time, the newest wins, each client gets a result;
and goals in any frame that transforms lead to."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Generator
from enum import Enum
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
from ami_ros.core.frames import MAX_FRAMES, StaticFrames, rigid
from ami_ros.planning.types import Code
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages.goals import Frames
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import REQUESTS
from ami_ros.ros.scanner import TF_STATIC, TFMessage

# The semantics of a navigation action, written once: one goal at a time, the newest wins, each client gets a result.
#
# rclpy by itself runs goals side by side and refuses to cancel.

# rclpy keeps every accepted goal, and tells all of them whenever one changes: who sends goals without end is held up.
KEPT = 10  # [s] that a result can be fetched
BURST, RATE = 200, 20.0  # goals at once, and each second, that are looked at; all others are rejected
REMIND = 5.0  # [s] between two words about that


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
    ) -> None:
        self._node = node
        self._check, self._rejected, self._preempted, self._canceled = check, rejected, preempted, canceled
        self._accepted = accepted
        self._lock = threading.RLock()
        self._current: GoalTicket | None = None
        self._prepared: Any = None
        self._allowance, self._counted, self._reminded = float(BURST), time.monotonic(), -REMIND
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
            result_timeout=KEPT,
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
        now = time.monotonic()
        self._allowance = min(BURST, self._allowance + RATE * (now - self._counted))
        self._counted = now
        if self._allowance >= 1.0:
            self._allowance -= 1.0
            return True
        if now - self._reminded > REMIND:
            self._reminded = now
            self._rejected(AmiError(f"goal: more than {RATE:g} goals a second come; what is too much is rejected"))
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


# Goals in any frame that transforms lead to, as goals in the frame of odometry or of the memory.

MAX_AGE = 1.0  # [s] of a transform that is sent again and again; older, its frame may be anywhere by now


class GoalFrames:
    """Knows the newest transforms, where tf2_msgs is installed; else goals are in the frames of `names` only.

    A goal in a frame that moves, as one metre ahead in base_link, is where that is when the goal comes.

    Args:
        node: hears /tf and /tf_static.
        names: of the frames that goals end up in.
    """

    def __init__(self, node: AmiNode[Any], names: Frames) -> None:
        self._node, self._names = node, names
        self._newest: dict[str, tuple[Any, bool]] = {}  # by child; whether it is sent again and again
        if TFMessage is not None:
            node.subscribe(TFMessage, "/tf", lambda message: self._take(message, True), QoSProfile(depth=100))
            node.subscribe(TFMessage, "/tf_static", lambda message: self._take(message, False), TF_STATIC, always=True)

    def resolve_goal(self, goal: NavigationGoal) -> None:
        """Puts the pose of a goal that has one into a frame that goals end up in; raises as `resolve`."""
        if goal.type == NavigationGoal.TYPE_POSE:
            goal.pose = self.resolve(goal.pose)

    def resolve(self, given: PoseStamped) -> PoseStamped:
        """The pose in the frame of odometry if its own hangs below that, else in that of the memory.

        Raises:
            AmiError: no pose, or with `Code.TF_ERROR` no transform leads there, or only an old one.
        """
        frame, names = given.header.frame_id.lstrip("/"), self._names
        conversions.pose_from_message(given.pose)  # refuses what is no pose
        if frame not in (names.odom, names.map):
            frames = self._frames()
            target = names.odom if names.odom in frames.above(frame) else names.map
            pose = frames.pose_of(frame, target) if frame else None
            if pose is None:
                raise AmiError(self._unknown(frame), Code.TF_ERROR)
            self._check_age(set(frames.above(frame)) ^ set(frames.above(target)))
            given, frame = _moved(given, pose), target
        return PoseStamped(header=conversions.header_at(given.header.stamp, frame), pose=given.pose)

    def _take(self, message: Any, repeated: bool) -> None:
        for transform in message.transforms:
            child, move, turn = transform.child_frame_id.lstrip("/"), *_numbers(transform)
            if child not in self._newest and len(self._newest) >= MAX_FRAMES:
                raise AmiError(f"transforms of more than {MAX_FRAMES} frames: that of '{child}' is left out")
            if not np.isfinite(rigid(move, turn)).all():  # else no goal could be placed by any
                raise AmiError(f"the transform of frame '{child}' is no pose, and left out")
            self._newest[child] = transform, repeated

    def _frames(self) -> StaticFrames:
        frames = StaticFrames()
        for child, (transform, _) in self._newest.items():
            frames.put(transform.header.frame_id, child, *_numbers(transform))
        return frames

    def _unknown(self, frame: str) -> str:
        names = f"{self._names.odom} and {self._names.map}"
        if TFMessage is None:
            return f"goal: frame '{frame}' is not known: without tf2_msgs only {names} are"
        return f"goal: no transform leads from frame '{frame}' to {names}; is its publisher running, in this namespace?"

    def _check_age(self, passed: set[str]) -> None:
        """Of the transforms of all frames that are passed on the way from one to another."""
        for child in passed:
            transform, repeated = self._newest[child]
            age = self._node.now() - conversions.stamp_of(transform)
            if repeated and age > MAX_AGE:
                raise AmiError(f"goal: the transform of frame '{child}' is {age:.1f} s old", Code.TF_ERROR)


def _numbers(transform: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Translation and quaternion of a TransformStamped."""
    move, turn = transform.transform.translation, transform.transform.rotation
    return (move.x, move.y, move.z), (turn.x, turn.y, turn.z, turn.w)


def _moved(given: PoseStamped, frame: Any) -> PoseStamped:
    """A pose in a frame that has itself the pose `frame` (4, 4)."""
    at, turn = given.pose.position, given.pose.orientation
    pose = frame @ rigid((at.x, at.y, at.z), (turn.x, turn.y, turn.z, turn.w))
    planar = np.array([pose[0, 3], pose[1, 3], np.arctan2(pose[1, 0], pose[0, 0])])
    return PoseStamped(header=given.header, pose=conversions.pose_to_message(planar))
