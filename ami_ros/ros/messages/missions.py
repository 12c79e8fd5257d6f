"""RunMission's messages to tasks and back, and tasks' destinations to the planner's goals."""

from __future__ import annotations

import base64
import math

from geometry_msgs.msg import PolygonStamped, PoseStamped
from sensor_msgs.msg import CompressedImage

from ami_interfaces.action import NavigateToGoal, RunMission
from ami_interfaces.msg import GoalView, NavigationGoal
from ami_ros.behaviour.area import Area
from ami_ros.behaviour.exploration import Exploration
from ami_ros.behaviour.mission import Mission, MissionPlan
from ami_ros.behaviour.task import Code, Destination, DestinationView, Leg, Phase, Task
from ami_ros.behaviour.unexplored import ExplorationConfig
from ami_ros.core.errors import AmiError
from ami_ros.core.images import image_of
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages.goals import Frames

PHASES = {
    Phase.CHOOSING: RunMission.Feedback.CHOOSING,
    Phase.DRIVING: RunMission.Feedback.DRIVING,
    Phase.WAITING: RunMission.Feedback.WAITING,
    Phase.RETURNING: RunMission.Feedback.RETURNING,
    Phase.DONE: RunMission.Feedback.WAITING,
}


def task_from_message(message: RunMission.Goal, frames: Frames, config: ExplorationConfig) -> Task:
    """What a request asks for; `config` is of exploring.

    Raises:
        AmiError: with `Code.INVALID_MISSION`: what is wrong, and of which goal.
    """
    try:
        allowance = conversions.stamp_to_seconds(message.time_allowance)
        if message.kind == RunMission.Goal.EXPLORE:
            if allowance < 0.0:
                raise ValueError("time_allowance must not be negative")
            has_home = message.home.type != NavigationGoal.TYPE_UNSET
            home = _destination(message.home, 0.0, frames) if has_home else None
            return Exploration(config, allowance, home, _area(message.area, frames))
        if message.kind not in (RunMission.Goal.VISIT_IN_ORDER, RunMission.Goal.VISIT_ALL):
            raise ValueError(f"unknown kind {message.kind}")
        plan = MissionPlan(
            goals=_destinations(message, frames),
            ordered=message.kind == RunMission.Goal.VISIT_IN_ORDER,
            retries=message.retries,
            stop_at_failure=message.stop_at_failure,
            leg_allowance=conversions.stamp_to_seconds(message.leg_allowance),
            allowance=allowance,
        )
    except (AmiError, ValueError) as error:
        raise AmiError(f"mission: {error}", Code.INVALID_MISSION) from error
    return Mission(plan)


def _area(message: PolygonStamped, frames: Frames) -> Area | None:
    if not message.polygon.points:
        return None
    if message.header.frame_id != frames.map:
        raise ValueError(f"the area is in frame '{message.header.frame_id}'; send it in {frames.map}")
    return Area(tuple((float(point.x), float(point.y)) for point in message.polygon.points))


def _destinations(message: RunMission.Goal, frames: Frames) -> tuple[Destination, ...]:
    waits = list(message.waits) or [0.0] * len(message.goals)
    if len(waits) != len(message.goals):
        raise ValueError(f"{len(waits)} waits for {len(message.goals)} goals")
    found = []
    for index, (goal, wait) in enumerate(zip(message.goals, waits, strict=True)):
        try:
            found.append(_destination(goal, wait, frames))
        except (AmiError, ValueError) as error:
            raise ValueError(f"goal {index + 1}: {error}") from error
    return tuple(found)


def _destination(goal: NavigationGoal, wait: float, frames: Frames) -> Destination:
    if goal.type == NavigationGoal.TYPE_POSE:
        frame = goal.pose.header.frame_id
        if frame not in (frames.odom, frames.map):
            raise ValueError(f"frame '{frame}' is neither {frames.odom} nor {frames.map}")
        x, y, yaw = conversions.pose_from_message(goal.pose.pose).tolist()
        return Destination("pose", pose=(x, y, yaw), in_map=frame == frames.map, wait=wait)
    if goal.type == NavigationGoal.TYPE_IMAGE:
        given = conversions.views_of(goal)
        views = tuple(DestinationView(conversions.turn_of(view), _encoded(view.image)) for view in given)
        return Destination("picture", picture=_encoded(goal.image), views=views, wait=wait)
    if goal.type == NavigationGoal.TYPE_PLACE:
        return Destination("place", place_id=goal.place_id, place_label=goal.place_label, wait=wait)
    if goal.type == NavigationGoal.TYPE_LATENT:
        latent = conversions.latent_from_message(goal.latent, goal.latent.encoder_id)
        return Destination(
            "latent", latent=tuple(latent.tolist()), encoder_id=goal.latent.encoder_id, wait=wait
        )  # fmt: skip
    raise ValueError(f"unknown type {goal.type}; set type and its field")


def _encoded(image: CompressedImage) -> str:
    """A picture in base64. Raises AmiError: it is none."""
    image_of(image)
    return base64.b64encode(bytes(image.data)).decode()


def goal_message(leg: Leg, frames: Frames) -> NavigateToGoal.Goal:
    """A leg, as the planner takes it."""
    allowance = conversions.seconds_to_duration(leg.allowance)
    return NavigateToGoal.Goal(goal=_goal(leg.destination, frames), time_allowance=allowance)


def _goal(to: Destination, frames: Frames) -> NavigationGoal:
    if to.kind == "pose":
        header = conversions.header_at(0.0, frames.map if to.in_map else frames.odom)
        pose = PoseStamped(header=header, pose=conversions.pose_to_message(to.pose))
        return NavigationGoal(type=NavigationGoal.TYPE_POSE, pose=pose)
    if to.kind == "picture":
        images = [(turn, conversions.compressed_message(picture, "")) for turn, picture in to.pictures]
        views = [GoalView(turn=turn, image=image) for turn, image in images[1:]]
        return NavigationGoal(type=NavigationGoal.TYPE_IMAGE, image=images[0][1], views=views)
    if to.kind == "latent":
        latent = conversions.latent_to_message(to.latent, conversions.header_at(0.0, ""), to.encoder_id)
        return NavigationGoal(type=NavigationGoal.TYPE_LATENT, latent=latent)
    return NavigationGoal(type=NavigationGoal.TYPE_PLACE, place_id=to.place_id, place_label=to.place_label)


def result_message(task: Task, code: Code, message: str) -> RunMission.Result:
    """How a task ended, or was left."""
    result = RunMission.Result(error_code=int(code), error_msg=message)
    if isinstance(task, Mission):
        records = task.progress.records
        result.reached = sum(record.reached for record in records)
        result.order = list(task.progress.visited)
        result.goal_codes = [int(record.code) for record in records]
        result.tries = [record.tries for record in records]
        result.elapsed = conversions.seconds_to_duration(task.progress.elapsed)
    elif isinstance(task, Exploration):
        result.elapsed = conversions.seconds_to_duration(task.elapsed)
    return result


def feedback_message(task: Task, message: str, distance: float = math.nan) -> RunMission.Feedback:
    """Feedback; `distance` [m] is what is left of the current leg."""
    feedback = RunMission.Feedback(
        phase=PHASES[task.phase], index=-1, distance_remaining=distance, message=message[:256]
    )
    if isinstance(task, Mission):
        feedback.index = -1 if task.current is None else task.current
        feedback.remaining, feedback.leg = len(task.remaining), task.legs
        feedback.elapsed = conversions.seconds_to_duration(task.progress.elapsed)
    elif isinstance(task, Exploration):
        feedback.leg = task.legs
        feedback.elapsed = conversions.seconds_to_duration(task.elapsed)
    return feedback
