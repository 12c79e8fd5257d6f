"""Drives the robot from goal to goal and judges each drive by the ground truth."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import CompressedImage

from ami_interfaces.msg import NavigationGoal
from ami_ros.bench.demo.client import DemoClient, GoalRun, Leg
from ami_ros.bench.trials import GoalSampler, SampledGoal, Trial, allowance_of, goal_errors, stands_still
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.images import Image, encode_png
from ami_ros.ros.goals.robot_client import pose_goal
from ami_ros.ros.messages.conversions import compressed_message
from ami_ros.simulation.free_space import FreeSpace


@dataclass(frozen=True)
class CourseConfig:
    """How long is waited for what; simulated [s] unless it says steady."""

    tick: float = 0.2  # between two calls of `tick`, steady
    patience: float = 5.0  # beyond its allowance that a goal may take to end
    settling: float = 2.0  # that a robot may roll on after its goal ended
    returns: float = 120.0  # beyond its allowance that a robot may take to come back from exploring
    standstill: float = 20.0  # of the simulated clock that ends the demo, steady


class Course:
    """The sequence of goals.

    Args:
        client: of the stack; ready.
        space: of the simulated world.
        seed: of the goals.
        tick: called a few times a second while the robot drives; may raise to end everything.
        map_frame: of a robot without a camera: goals are poses in it; empty: they are pictures.
    """

    def __init__(
        self, client: DemoClient, space: FreeSpace, seed: int, tick: Callable[[], None], map_frame: str = ""
    ) -> None:
        self.leg: Leg | None = None
        self._config = CourseConfig()
        self._map_frame = map_frame
        self._explored = False
        self._client = client
        self._space = space
        self._sampler = GoalSampler(space, seed)
        self._tick = tick

    def drive(self, index: int) -> Trial:
        """Samples the goal number `index` from where the robot stands, and sends the robot there.

        Raises:
            AmiError: the world has no such goal, or the simulator does not answer.
        """
        start = self._true_pose()
        if not np.isfinite(self._space.path_length(start, start)):  # pushed to where no way leads out
            start = self._place(self._space.sample_pose(np.random.default_rng(index)))
        return self._drive(index, start, self._sampler.sample(index, start))

    def explore(self, allowance: float) -> str:
        """Lets the robot explore for `allowance` [s], simulated, and says how that ended.

        Raises:
            AmiError: the simulator does not go on.
        """
        began, contacts = self._client.telemetry.time, self._client.telemetry.contacts
        self._explored = True
        run = self._client.explore(allowance)
        self._await(run, began + allowance + self._config.returns)
        took, touched = self._client.telemetry.time - began, self._client.telemetry.contacts - contacts
        why = run.result.error_msg if run.result is not None else ""
        return f"explored for {took:.0f} s, {touched} contacts: {run.status}{': ' if why else ''}{why}"

    def look_for(self, picture: Image, allowance: float) -> str:
        """Sends the robot for `allowance` [s] to a picture that was not taken in this world, and says how that ended:
        "succeeded" would be a false claim."""
        began = self._client.telemetry.time
        run = self._client.send(picture_goal(compressed_message(encode_png(picture), "png")), allowance)
        self._await(run, began + allowance + self._config.patience)
        return run.status

    def _drive(self, index: int, start: Array, goal: SampledGoal) -> Trial:
        telemetry, wanted = self._client.telemetry, self._wanted(goal.pose)
        contacts = telemetry.contacts
        leg = self.leg = Leg(index, goal, telemetry.time, allowance_of(goal, self._explored))
        run = self._client.send(wanted, leg.allowance)
        try:
            still = self._await(run, leg.began + leg.allowance + self._config.patience)
        finally:
            self.leg = None
        return self._judge(leg, run, start, still, telemetry.contacts - contacts)

    def _wanted(self, pose: Array) -> NavigationGoal:
        """A goal at the true `pose` (3,): the picture from there, or, for a robot that has no camera, where that is in
        its memory's frame.

        Raises:
            AmiError: the simulator does not answer, or the robot never knew where it is.
        """
        if not self._map_frame:
            return picture_goal(self._client.photograph(pose))
        believed = self._client.observed.frames.believed(pose)
        if believed is None:
            raise AmiError("the robot has no camera, and never knew where it is: it cannot be told where a goal is")
        return pose_goal(believed, self._map_frame)

    def _await(self, run: GoalRun, deadline: float) -> bool:
        """Until the action ended, or should have by the simulated time `deadline` [s], and the robot stands; False if
        it does not soon."""
        client, config = self._client, self._config
        try:
            moved, seen = time.monotonic(), client.telemetry.time
            while not run.done.wait(config.tick):
                self._tick()
                now = client.telemetry.time
                if now > deadline:
                    break
                if now != seen:
                    moved, seen = time.monotonic(), now
                elif time.monotonic() > moved + config.standstill:
                    stands = f"the simulated clock stands still for {config.standstill:.0f} s"
                    raise AmiError(f"{stands}: is the simulator still alive?")
        finally:
            client.end(run)
        ended, latest = client.telemetry.time, time.monotonic() + config.standstill
        while not (still := stands_still(*client.truth.since(ended))):
            if client.telemetry.time >= ended + config.settling or time.monotonic() >= latest:
                break
            time.sleep(config.tick / 2)
            self._tick()
        return still

    def _judge(self, leg: Leg, run: GoalRun, start: Array, still: bool, contacts: int) -> Trial:
        result, ended = run.result, run.ended if run.ended is not None else self._client.telemetry.time
        _, poses = self._client.truth.since(leg.began)
        return Trial(
            kind=leg.goal.kind,
            start=_plain(start),
            goal=_plain(leg.goal.pose),
            path_length_m=leg.goal.path_length,
            allowance_s=leg.allowance,
            status=run.status,
            still=still,
            final=_plain(self._true_pose()),
            time_s=max(ended - leg.began, 0.0),
            collisions=contacts,
            replans=result.number_of_replans if result else 0,
            recoveries=result.number_of_recoveries if result else 0,
            error_code=result.error_code if result else 0,
            error_msg=result.error_msg if result else "the planner gave no result",
            path=poses[:, :2],
        )

    def _place(self, pose: Array) -> Array:
        """Puts the robot at `pose` and waits until the truth shows it there."""
        self._client.place_robot(pose)
        deadline = time.monotonic() + self._config.standstill
        while max(goal_errors(self._true_pose(), pose)) > 0.05:
            if time.monotonic() > deadline:
                raise AmiError("the simulator did not put the robot where it was asked to")
            time.sleep(self._config.tick / 4)
        return self._true_pose()

    def _true_pose(self) -> Array:
        pose = self._client.telemetry.truth
        assert pose is not None, "the client was not ready"
        return pose


def picture_goal(picture: CompressedImage) -> NavigationGoal:
    """Where a picture was taken."""
    return NavigationGoal(type=NavigationGoal.TYPE_IMAGE, image=picture)


def _plain(pose: Array) -> tuple[float, float, float]:
    return float(pose[0]), float(pose[1]), float(pose[2])
