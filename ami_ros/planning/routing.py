"""Which way to take: what memory is asked for, what it answered, and what was found blocked on it."""

from __future__ import annotations

from ami_ros.errors import AmiError
from ami_ros.memory.codes import Code as MemoryCode
from ami_ros.memory.types import GoalQuery, Route
from ami_ros.planning.codes import Code
from ami_ros.planning.navigator_config import NavigatorConfig
from ami_ros.planning.route_follower import RouteFollower, pose_in_map
from ami_ros.planning.stopwatch import Stopwatch
from ami_ros.planning.types import Goal, Percept, RouteRequest


class Routing:
    """The ways to one goal. It gives questions to memory and takes answers; who carries them is not its business.

    Attributes:
        follower: of the route in use, if there is one.
        flat: whether to drive without memory.
        refusal: why the goal is given up, if it is.
        hypothesis: which of memory's matches of the goal is driven to.
        avoid: pairs of place ids between which the way was found blocked.
        replans: routes taken so far.
    """

    def __init__(self, goal: Goal, config: NavigatorConfig) -> None:
        self.goal, self.config = goal, config
        self.follower: RouteFollower | None = None
        self.flat = not config.use_memory
        self.refusal: tuple[Code, str] | None = None
        self.hypothesis = 0
        self.avoid: list[tuple[int, int]] = []
        self.replans = self.rounds = 0
        self._wanted = config.use_memory
        self._lost, self._hidden = Stopwatch(), Stopwatch()

    # Questions and answers

    def request(self, percept: Percept) -> RouteRequest | None:
        """What to ask memory at this moment."""
        goal = self.goal
        if not self._wanted:
            return None
        query = goal.query()
        if goal.pose is not None and not goal.in_map:
            if percept.location is None or not percept.location.localised:
                return None
            query = GoalQuery(pose=pose_in_map(percept.location, goal.pose))
        return RouteRequest(query, self.hypothesis, tuple(self.avoid))

    def answer(self, answer: Route | AmiError) -> None:
        """Takes memory's answer."""
        self._wanted = False
        if isinstance(answer, Route):
            self.follower = RouteFollower(answer, self.config.follower)
            self.replans += 1
            self.flat = False
        elif answer.code == MemoryCode.NOT_LOCALISED:
            self._wanted = True
        elif self.avoid:
            self.avoid.pop()  # is it blocked still? The robot is there; the others would take a tour of them all
            self.rounds += 1
            self._wanted = self.rounds < self.config.max_rounds
            if not self._wanted:
                self.refusal = Code.FAILED_TO_MAKE_PROGRESS, "every way to the goal that is known was found blocked"
        elif self.hypothesis:
            self.hypothesis = 0
            self._wanted = True
        elif self.goal.only_in_memory:
            self.refusal = Code.GOAL_NOT_REMEMBERED, str(answer)
        else:
            self.flat = True

    def ask(self) -> None:
        """Memory is to be asked, while the route in use stays."""
        self._wanted = True

    def ask_again(self) -> None:
        """Drops the route; memory is to be asked for another."""
        self.follower, self._wanted = None, True
        self._lost.restart()
        self._hidden.restart()

    def try_elsewhere(self) -> None:
        """The goal is not where memory had it: its next best match."""
        self.hypothesis += 1
        self.ask_again()

    # The route in use

    def misfit(self, percept: Percept) -> bool:
        """Notes where the robot is on the route; true once it has been lost for a while, or is off the route."""
        location = percept.location
        if self.follower is None:
            return False
        if location is not None and location.localised:
            self._lost.restart()
            return self.follower.update(pose_in_map(location, percept.odometry)) > self.config.follower.off_route
        return self._lost.held(True, percept.stamp) > self.config.lost_seconds

    def blocked(self, percept: Percept) -> bool:
        """Whether the way ahead has been behind something solid for a while; notes where."""
        assert self.follower is not None and percept.location is not None
        leg = self.follower.hidden_leg(pose_in_map(percept.location, percept.odometry), percept.scan)
        blocked = self._hidden.held(leg is not None, percept.stamp) > self.config.hidden_seconds
        if leg is not None and blocked:
            self.avoid.append(leg)
        return blocked

    def avoid_here(self) -> None:
        """The robot got stuck: the leg of the route that it is on is to be avoided."""
        if self.follower is not None and self.follower.at + 1 < len(self.follower.poses):
            here, following = self.follower.route.places[self.follower.at : self.follower.at + 2]
            self.avoid.append((here.id, following.id))
