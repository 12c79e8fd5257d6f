"""Decides what to do about a goal at each moment, and carries the navigator's questions to memory."""

from __future__ import annotations

from dataclasses import replace

from ami_ros.commands import STILL
from ami_ros.mission.navigator import Navigator
from ami_ros.parts.goal_execution import GoalExecution, Photograph
from ami_ros.parts.routes import Routes
from ami_ros.places.types import View
from ami_ros.planning.navigator_config import NavigatorConfig
from ami_ros.planning.types import Decision, Percept, RouteRequest
from ami_ros.world_model.perception import Perception

PATIENCE = 5.0  # times the usual that an answer is waited for without which the goal has to be given up


class Driver:
    """Call `decide` for the newest percept, on one thread; it waits for nothing but the model.

    Args:
        navigator: decides.
        perception: encodes pictures of goals, by the model as it was trained.
        routes: of memory.
    """

    def __init__(self, navigator: Navigator, perception: Perception, routes: Routes) -> None:
        self.navigator, self.perception, self._routes = navigator, perception, routes
        self._execution: GoalExecution | None = None
        self._asked: RouteRequest | None = None
        self._wanted: RouteRequest | None = None
        self._tuned: NavigatorConfig | None = None

    def tune(self, config: NavigatorConfig) -> None:
        """From the next goal on the navigator has other values; may be called on another thread."""
        self._tuned = config

    def decide(self, execution: GoalExecution, percept: Percept) -> Decision:
        """What to do about the goal of `execution` from the percept's stamp on.

        Raises:
            AmiError: the goal's picture cannot be encoded.
        """
        if execution is not self._execution:
            self._start(execution, percept.stamp)
        self._take_answer()
        decision = self.navigator.step(percept)
        self._wanted = decision.wants_route
        if self._wanted is not None and not self._routes.pending:
            self._asked = self._wanted
            self._routes.ask([self._wanted], PATIENCE if execution.goal.only_in_memory else 1.0)
        return decision

    def abandon(self) -> None:
        """Whatever was under way begins anew with the next percept."""
        self._execution = None

    def _start(self, execution: GoalExecution, stamp: float) -> None:
        goal = execution.goal
        views = [self._view(photograph) for photograph in execution.photographs]
        if views:
            goal = replace(goal, latent=views[0].latent, picture=views[0].picture, more=tuple(views[1:]))
        self._routes.forget()
        tuned, self._tuned = self._tuned, None
        if tuned is not None:
            self.navigator = tuned_navigator(self.navigator, tuned)
        due = execution.plan.due(stamp)
        self.navigator.start(goal, STILL if due is None else due.command)
        self._execution, self._asked, self._wanted = execution, None, None

    def _view(self, photograph: Photograph) -> View:
        seen, image = self.perception, photograph.image
        return View(seen.encode_goal(image), seen.encode_picture(image), photograph.turn)

    def _take_answer(self) -> None:
        """An answer to what is no longer asked is dropped; the next step asks anew."""
        answers, asked, wanted = self._routes.poll(), self._asked, self._wanted
        if answers is None or asked is None or wanted is None:
            return
        if (asked.hypothesis, asked.avoid_edges) == (wanted.hypothesis, wanted.avoid_edges):
            self.navigator.set_route(answers[0])


def tuned_navigator(navigator: Navigator, config: NavigatorConfig) -> Navigator:
    """One with other values, for the goals to come, that has seen what `navigator` has.

    Raises:
        AmiError: as `LatentPlanner`.
    """
    other = Navigator(navigator.model, config, clock=navigator.clock)
    other.blocked, other.trail, other.steering.doubt = navigator.blocked, navigator.trail, navigator.steering.doubt
    return other
