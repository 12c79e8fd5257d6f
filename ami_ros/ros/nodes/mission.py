"""The node `mission`: the action run_mission, goal by goal through the planner's navigate_to_goal."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from nav_msgs.msg import OccupancyGrid
from std_msgs.msg import String

from ami_interfaces.action import RunMission
from ami_interfaces.msg import Location
from ami_ros.behaviour.mission_file import MissionFile
from ami_ros.behaviour.task import Code, Phase, Task
from ami_ros.behaviour.unexplored import ExplorationConfig
from ami_ros.core.config import group, parameter
from ami_ros.core.errors import AmiError
from ami_ros.core.scan import Mount
from ami_ros.memory.types import Location as Belief
from ami_ros.ros.goals.action_server import GoalFrames, GoalTicket, Outcome, SimpleActionServer
from ami_ros.ros.goals.clients import LegClient, RouteClient
from ami_ros.ros.messages.goals import Frames
from ami_ros.ros.messages.memory import location_from_message
from ami_ros.ros.messages.missions import feedback_message, goal_message, result_message, task_from_message
from ami_ros.ros.messages.range_sensors import mask_from_message
from ami_ros.ros.node.bus import PartNode, RosBus, surprise_of
from ami_ros.ros.node.health import STEADY
from ami_ros.ros.node.process import run
from ami_ros.ros.node.qos import ANY_LATCHED, LATCHED
from ami_ros.ros.scanner import Scanner
from ami_ros.runtime.mission import MISSION_RATE, ROUTE_TIMEOUT, MissionPart
from ami_ros.safety.keep_out import Mask


@dataclass(frozen=True)
class MissionParameters:
    """Parameters of the node."""

    mission_file: Path | None = parameter(
        None, "File that keeps the current mission, so that it survives a restart; empty: it ends with the process."
    )
    resume_within: float = parameter(
        60.0,
        "Age up to which an interrupted mission resumes by itself at start; 0: only when asked.",
        "s",
        (0.0, 1e9),
        True,
    )
    rate: float = parameter(
        MISSION_RATE,
        "Of feedback and decisions. Larger reacts sooner and takes more CPU.",
        "Hz",
        (1.0, 50.0),
        True,
    )
    route_timeout: float = parameter(
        ROUTE_TIMEOUT,
        "To wait for memory when goals are put in order; after that they are driven in the order given.",
        "s",
        (0.05, 60.0),
        True,
    )
    planner_silence: float = parameter(
        5.0, "Without feedback from the planner before the drive is started again.", "s", (0.5, 600), True
    )
    planner_patience: float = parameter(
        60.0, "Without a planner before the mission is given up.", "s", (1.0, 1e6), True
    )
    keep_out_topic: str = parameter(
        "", "Of a nav_msgs/OccupancyGrid in the memory's frame, out of which exploring keeps. Empty: none."
    )
    frames: Frames = field(default_factory=Frames)
    scanner: Mount = field(default_factory=Mount)
    exploration: ExplorationConfig = group(ExplorationConfig, mutable=None)


class MissionNode(PartNode[MissionParameters], name="mission", parameters=MissionParameters):
    """One mission at a time, the newest; it goes on without its client."""

    def configure(self) -> None:
        config = self.config
        self._file = MissionFile(config.mission_file.expanduser() if config.mission_file else None)
        self._interrupted = self._file.load(config.exploration)  # a bad file shows now, while the robot is not moving
        self._legs = LegClient(self, lambda leg: goal_message(leg, config.frames))
        self._memory_id = ""  # of the memory's latents, as long as nothing was heard of it empty
        self._routes = RouteClient(self, config.frames.map, lambda: self._memory_id)
        self._bus = RosBus(self)
        self.part = MissionPart(
            self._bus, self._legs, self._file, config.route_timeout, config.planner_silence, config.planner_patience
        )
        self.runner = self.part
        self._decision = self.publisher(String, "~/decision", LATCHED)
        self._said = "no mission"
        self._frames = GoalFrames(self, config.frames)
        self._server = SimpleActionServer(
            self,
            RunMission,
            "run_mission",
            check=self._check,
            rejected=lambda error: self.get_logger().warning(f"rejected ({error.code}): {error}"),
            preempted=lambda ticket: result_message(ticket.prepared, Code.PREEMPTED, "replaced by a newer mission"),
            canceled=self._canceled,
        )
        self._bus.join(
            self.part,
            {},
            {
                "scan": Scanner(self, config.frames.base, config.scanner).read,
                "location": self._read_location,
                "surprise": surprise_of(lambda: self._memory_id),
            },
            {"find_route": self._routes.ask},
            frames={"moving_things": config.frames.odom},
        )
        if config.keep_out_topic:
            self.subscribe(OccupancyGrid, config.keep_out_topic, self._mask, ANY_LATCHED, always=True)
        self._timer = self.every(1.0 / config.rate, self._tick, STEADY)

    def activate(self) -> None:
        self._decision.publish(String(data=self._said))
        age = self._file.age()
        if self._interrupted is not None and age is not None:
            if 0.0 <= age <= self.config.resume_within:  # a clock that was set back tells nothing
                self.get_logger().info(f"resuming the mission that was interrupted {age:.0f} s ago")
                self.runner.begin(self._interrupted)
            else:
                self.get_logger().info("a mission was interrupted; send run_mission with kind RESUME to go on")
        self._interrupted = None

    def deactivate(self) -> None:
        self.runner.suspend(
            Code.DEACTIVATED, "the mission node was deactivated or shut down; send kind RESUME to go on"
        )
        self._report()

    def cleanup(self) -> None:
        super().cleanup()
        if hasattr(self, "_server"):
            self._server.destroy()
            self._legs.destroy()
            self._routes.destroy()
            del self._server

    def reconfigure(self, before: MissionParameters) -> None:
        config = self.config
        self._timer.timer_period_ns = round(1e9 / config.rate)
        self.part.routes.timeout = config.route_timeout
        self.runner.silence, self.runner.patience = config.planner_silence, config.planner_patience

    def _mask(self, message: OccupancyGrid) -> None:
        if message.header.frame_id != self.config.frames.map:
            raise AmiError(f"the mask is in {message.header.frame_id!r}; send it in {self.config.frames.map!r}")
        self.part.keep_out = Mask(*mask_from_message(message), grown=0.0)

    def _read_location(self, message: Location) -> Belief:
        self._memory_id = message.encoder_id
        return location_from_message(message)

    def _check(self, request: RunMission.Goal) -> Task:
        if not self.is_active:
            raise AmiError("mission: the node is not active; activate it", Code.DEACTIVATED)
        if request.kind != RunMission.Goal.RESUME:
            try:
                for goal in (*request.goals, request.home):
                    self._frames.resolve_goal(goal)
            except AmiError as error:
                raise AmiError(f"mission: {error}", Code.INVALID_MISSION) from error
            return task_from_message(request, self.config.frames, self.config.exploration)
        if self.runner.task is not None and self.runner.suspended is None:
            return self.runner.task
        task = self._file.load(self.config.exploration)
        if task is None:
            raise AmiError("mission: nothing to resume; send a mission", Code.NOTHING_TO_RESUME)
        return task

    def _take_up(self) -> None:
        """The mission of the newest client, if it is not the current one."""
        ticket = self._server.current
        if ticket is not None and ticket.prepared is not self.runner.task:
            self.runner.begin(ticket.prepared)

    def _tick(self) -> None:
        self._take_up()
        task = self.runner.task
        if task is None:
            return
        self.part.tick()
        self._say(message := self.runner.notice or task.message)
        ticket = self._server.current
        if ticket is not None:
            ticket.send_feedback(feedback_message(task, message, self._legs.distance))
        self._report()

    def _say(self, words: str) -> None:
        if words != self._said:
            self._said = words
            self._decision.publish(String(data=words))

    def _report(self) -> None:
        """Gives the client the result of a task that is over, and forgets it."""
        task, suspended = self.runner.task, self.runner.suspended
        if task is None or (suspended is None and task.phase is not Phase.DONE):
            return
        code, message = (Code(suspended.code), str(suspended)) if suspended else (task.code, task.message)
        log = self.get_logger()
        if code is Code.NONE:
            log.info(message)
        else:
            log.warning(message)  # a line of its own: rclpy lets none change its severity
        self.runner.task, self.runner.suspended = None, None
        ticket = self._server.current
        if ticket is not None and ticket.prepared is task:
            outcome = Outcome.SUCCEEDED if code is Code.NONE else Outcome.ABORTED
            self._server.finish(ticket, outcome, result_message(ticket.prepared, code, message))

    def _canceled(self, ticket: GoalTicket) -> RunMission.Result:
        self._take_up()
        self.runner.stop(Code.CANCELED, "canceled by the client")
        self.runner.task, self.runner.suspended = None, None
        self._say("cancelled; the robot stands")
        return result_message(ticket.prepared, Code.CANCELED, "canceled by the client")


main = partial(run, MissionNode)


if __name__ == "__main__":
    sys.exit(main())
