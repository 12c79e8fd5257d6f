"""NavigateToGoal's messages to the planner's plain values and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Path
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from ami_interfaces.action import NavigateToGoal
from ami_interfaces.msg import NavigationGoal, Rollout
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.images import Image
from ami_ros.planning.types import Code, Decision, Goal, State
from ami_ros.ros.messages import conversions
from ami_ros.runtime.goal_execution import GoalExecution, Photograph
from ami_ros.world_model.perception import NO_CAMERA
from ami_ros.world_model.spec import ModelSpec


@dataclass(frozen=True)
class Frames:
    """Names of frames."""

    odom: str = "odom"  # of odometry and plans
    base: str = "base_link"  # of commands and scans
    map: str = "map"  # of the memory


def goal_from_message(
    message: NavigateToGoal.Goal,
    encoder_id: str,
    spec: ModelSpec,
    frames: Frames,
    decode: Callable[[CompressedImage], Image],
) -> tuple[Goal, tuple[Photograph, ...]]:
    """The goal of a request, and its pictures, which are still to be encoded; `decode` makes them arrays.

    Args:
        message: the request.
        encoder_id: of the planner's model.
        spec: of that model.
        frames: that poses may be in.
        decode: see above.

    Raises:
        AmiError: with the error code for the request.
    """
    limits = (message.distance_tolerance, message.angle_tolerance, message.max_linear_speed, message.max_angular_speed)
    if not all(math.isfinite(v) and v >= 0.0 for v in limits):
        raise AmiError("goal: tolerances and speeds must be finite and not negative", Code.INVALID_GOAL)
    goal, photographs = _typed(message.goal, encoder_id, spec, frames, decode)
    common = replace(
        goal,
        distance_tolerance=message.distance_tolerance,
        angle_tolerance=message.angle_tolerance,
        time_allowance=conversions.stamp_to_seconds(message.time_allowance),
        max_linear=message.max_linear_speed,
        max_angular=message.max_angular_speed,
    )
    return common, photographs


def _typed(
    goal: NavigationGoal,
    encoder_id: str,
    spec: ModelSpec,
    frames: Frames,
    decode: Callable[[CompressedImage], Image],
) -> tuple[Goal, tuple[Photograph, ...]]:
    try:
        if goal.type == NavigationGoal.TYPE_IMAGE:
            if not spec.inputs.image_size:
                raise AmiError(NO_CAMERA)
            others = [Photograph(decode(view.image), conversions.turn_of(view)) for view in conversions.views_of(goal)]
            return Goal(), (Photograph(decode(goal.image)), *others)
        if goal.type == NavigationGoal.TYPE_LATENT:
            expected = encoder_id, Code.ENCODER_MISMATCH, spec.latent_dim, spec.picture_code
            first, *more = conversions.views_from_message(goal, *expected)
            return Goal(latent=first.latent, picture=first.picture, more=tuple(more)), ()
        if goal.type == NavigationGoal.TYPE_POSE:
            frame = goal.pose.header.frame_id
            if frame not in (frames.odom, frames.map):
                raise AmiError(f"goal: frame '{frame}' is neither {frames.odom} nor {frames.map}", Code.TF_ERROR)
            pose = conversions.pose_from_message(goal.pose.pose)
            return Goal(pose=pose, in_map=frame == frames.map), ()
    except AmiError as error:
        raise AmiError(f"goal: {error}" if not error.code else str(error), error.code or Code.INVALID_GOAL) from error
    if goal.type == NavigationGoal.TYPE_PLACE and (goal.place_id or goal.place_label):
        return Goal(place_id=goal.place_id, place_label=goal.place_label), ()
    raise AmiError(
        f"goal: type {goal.type} without content; set type and the field that belongs to it", Code.INVALID_GOAL
    )


def rollout_message(decision: Decision, header: Header, encoder_id: str, chunk: int, step_duration: float) -> Rollout:
    """The imagined future of the current plan; `header` is of the observation, in odom."""
    steps = len(decision.poses)
    commands = decision.commands[: steps * chunk].reshape(steps, chunk, -1).mean(1)
    return Rollout(
        header=header,
        encoder_id=encoder_id,
        step_duration=conversions.seconds_to_duration(step_duration),
        commands=[conversions.twist_message(command) for command in commands],
        poses=[conversions.pose_to_message(pose) for pose in decision.poses],
        cost=sum(share.value for share in decision.shares),
        computing_time=conversions.seconds_to_duration(decision.planning_seconds),
    )


def path_message(decision: Decision, header: Header) -> Path:
    """The poses that the robot expects to pass; `header` is of the observation, in odom."""
    poses = [PoseStamped(header=header, pose=conversions.pose_to_message(pose)) for pose in decision.poses]
    return Path(header=header, poses=poses)


def result_message(
    execution: GoalExecution, code: Code, message: str, now: float, pose: Array | None, frame: str
) -> NavigateToGoal.Result:
    """How a goal ended; `pose` (3,) in `frame` is where the robot stands."""
    decision = execution.plan.decision or Decision(State.IDLE, "")
    return NavigateToGoal.Result(
        error_code=int(code),
        error_msg=message,
        navigation_time=conversions.seconds_to_duration(max(0.0, now - execution.began)),
        final_pose=_stamped(pose, now, frame),
        final_distance=float(decision.distance),
        final_energy=float(decision.energy),
        number_of_replans=decision.replans,
        number_of_recoveries=decision.recoveries,
    )


def feedback_message(
    execution: GoalExecution,
    now: float,
    pose: Array | None,
    frame: str,
    rate: float,
    z_score: float,
    straight: float = math.nan,
) -> NavigateToGoal.Feedback:
    """How it goes.

    Args:
        execution: of the goal.
        now: [s].
        pose: (3,) of the robot in `frame`; None: not known.
        frame: of the goal, if that is a pose; else of odometry.
        rate: of the control loop [Hz].
        z_score: of the newest surprise; NaN: not known.
        straight: distance to the goal [m], which counts until a way is known; NaN: not known.
    """
    decision = execution.plan.decision or Decision(State.PLANNING, "")
    elapsed, left = max(0.0, now - execution.began), decision.distance
    left = straight if math.isnan(left) else left
    if math.isnan(execution.distance_at_start):
        execution.distance_at_start = left
    return NavigateToGoal.Feedback(
        current_pose=_stamped(pose, now, frame),
        navigation_time=conversions.seconds_to_duration(elapsed),
        estimated_time_remaining=conversions.seconds_to_duration(
            seconds_left(elapsed, execution.distance_at_start, left)
        ),
        distance_remaining=float(left),
        distance_at_start=float(execution.distance_at_start),
        energy=float(decision.energy),
        subgoal_index=decision.subgoal,
        subgoal_count=decision.subgoals,
        surprise=z_score,
        number_of_recoveries=decision.recoveries,
        loop_rate=rate,
    )


def seconds_left(elapsed: float, at_start: float, left: float) -> float:
    """Time to go [s] at the mean speed of `elapsed` [s], in which the way of `at_start` [m] became `left` [m]; -1 as
    long as that tells nothing."""
    come, least = at_start - left, 0.2  # [m] that must be behind the robot before its mean speed tells anything
    return elapsed * left / come if come > least else -1.0


def _stamped(pose: Array | None, now: float, frame: str) -> PoseStamped:
    message = PoseStamped(header=conversions.header_at(now, frame))
    if pose is not None:
        message.pose = conversions.pose_to_message(pose)
    return message
