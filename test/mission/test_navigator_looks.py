"""What looks at a goal prove and refute, and where that lies once odometry has drifted or restarted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ami_ros.geometry import compose
from ami_ros.goal.belief import Seen, Sight
from ami_ros.goal.finder import Look
from ami_ros.planning.route_follower import pose_in_map
from harness.course import GOAL
from harness.exact_model import latent_of
from harness.recognising import NOT_FOUND, course


def test_once_something_only_looked_like_the_goal_more_is_asked_of_what_does() -> None:
    """The second room that was alike was claimed by the usual thresholds, for memory had named the first one alone."""
    belief = course(NOT_FOUND).navigator.belief
    look = Seen(np.zeros(3), 0.05, same=0.97, difference=1.25)
    assert belief._is_certain(look, None)
    belief.refute(np.array([5.0, 0.0, 0.0]))
    assert not belief._is_certain(look, None) and belief._is_certain(look._replace(difference=0.8), None)


@pytest.mark.parametrize(
    ("odds", "difference", "certain"),
    [(0.8, 0.5, True), (0.8, 0.97, False), (1.0, 0.95, True), (10.0, 1.4, True), (1e4, 1.6, False), (0.2, 0.1, False)],
)
def test_the_surer_the_head_is_the_more_the_pictures_may_differ(odds: float, difference: float, certain: bool) -> None:
    """A robot stood at its goal for half a minute: the head was a little less sure than it had to be, and the pictures
    hardly differed."""
    belief = course(NOT_FOUND).navigator.belief
    same = odds * 0.9 / (odds * 0.9 + 0.1)  # the head's threshold is 0.9
    assert belief._is_certain(Seen(np.zeros(3), 0.05, same, difference), None) is certain


def test_a_guess_far_from_where_the_robot_set_out_has_to_look_more_like_the_goal() -> None:
    """Of such claims half were of rooms that are alike; of those near by none."""
    seeing = course(NOT_FOUND)
    belief, look = seeing.navigator.belief, Seen(np.zeros(3), 0.05, same=0.97, difference=1.25)
    belief.look(seeing.percept(), None)
    assert belief._is_certain(look, None)
    belief.look(replace(seeing.percept(), odometry=seeing.percept().odometry + [5.0, 0.0, 0.0]), None)
    assert not belief._is_certain(look, None)


def test_what_was_refuted_before_odometry_restarted_hides_no_goal_after_it() -> None:
    """It lay in odom, which has another origin now: the goal may be where something else was."""
    seeing = course(NOT_FOUND)
    belief = seeing.navigator.belief
    seeing.robot.place(GOAL)
    here = replace(seeing.percept(), picture=latent_of(GOAL))
    near = belief.look(here, None)
    assert near.pose is not None
    belief.refute(compose(here.odometry, near.pose), firmly=True)
    assert belief.look(here, None).pose is None
    seeing.navigator._re_anchor()
    assert belief.look(here, None).pose is not None


@pytest.mark.parametrize(
    ("error", "same", "refuted"), [(0.1, 1.0, False), (0.1, 0.85, False), (0.5, 0.95, False), (0.5, 0.85, True)]
)
def test_beside_a_goal_a_picture_that_differs_refutes_it_unless_the_head_is_sure(
    error: float, same: float, refuted: bool
) -> None:
    """From two decimetres off small things close by look as different as another place."""
    seeing = course(NOT_FOUND)
    pairs: Any = seeing.navigator.model.pairs  # type: ignore[attr-defined]
    pairs.difference = 8.0
    pairs.error, pairs.same = error, same
    seeing.robot.place(GOAL)
    sight = seeing.navigator.belief.look(replace(seeing.percept(), picture=latent_of(GOAL)), None)
    assert sight.refuted is refuted


@pytest.mark.parametrize(
    ("firmly", "difference", "seen"), [(False, 0.0, True), (False, 3.0, False), (True, 0.0, False)]
)
def test_an_exact_look_takes_back_what_was_refuted_on_the_way(firmly: bool, difference: float, seen: bool) -> None:
    """Of twelve places that were left on the way three lay half a metre from the goal, which was not seen again."""
    seeing = course(NOT_FOUND)
    belief, pairs = seeing.navigator.belief, seeing.navigator.model.pairs  # type: ignore[attr-defined]
    seeing.robot.place(GOAL)
    here = replace(seeing.percept(), picture=latent_of(GOAL))
    belief.refute(compose(here.odometry, np.array([0.3, 0.2, 0.3])), firmly)
    pairs.difference = difference
    assert (belief.look(here, None).pose is not None) is seen


@pytest.mark.parametrize(("seen", "leaves"), [((0.8, 0.0, 0.2), True), ((-0.8, -0.4, -1.0), False)])
def test_only_what_is_driven_to_can_recede(seen: tuple[float, float, float], leaves: bool) -> None:
    """What a robot saw of another place, behind it, grew farther, so that it left its goal half a metre before it."""
    seeing = course(NOT_FOUND)
    finder, percept, steps = seeing.navigator.controller.finder, seeing.percept(), []
    for driven in np.arange(0.0, 1.2, 0.1):
        sight = Sight(np.array(seen), np.array([1.2 - driven, 0.0, 0.1]), 0.0, spotted=True)
        steps.append(finder.check(replace(percept, odometry=np.array([driven, 0.0, 0.0])), sight, near=True))
    assert any(step is not None and step.look is Look.LEAVE for step in steps) is leaves


def test_from_where_a_goal_was_looked_for_moves_with_the_map_as_odometry_drifts() -> None:
    seeing = course(NOT_FOUND, blind=True)
    navigator, percept = seeing.navigator, seeing.percept()
    assert percept.location is not None
    navigator.step(percept)
    spots = navigator.controller.finder.search.spots
    spots.append(compose(percept.odometry, np.array([1.0, 0.5, 0.0])))
    was = pose_in_map(percept.location, spots[-1])
    drifted = replace(percept.location, pose=percept.location.pose + [0.05, -0.02, 0.03])
    navigator.step(replace(percept, stamp=percept.stamp + 0.1, location=drifted))
    np.testing.assert_allclose(pose_in_map(drifted, spots[-1]), was, atol=1e-9)
