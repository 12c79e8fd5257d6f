"""What looks at a goal prove and refute, and where that lies once odometry has drifted or restarted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ami_ros.behaviour.posterior import Likelihoods
from ami_ros.core.geometry import compose
from ami_ros.planning.route_follower import pose_in_map
from harness.course import GOAL
from harness.exact_model import latent_of
from harness.recognising import NOT_FOUND, course


def test_what_was_refuted_before_odometry_restarted_hides_no_goal_after_it() -> None:
    """It lay in odom, which has another origin now: the goal may be where something else was."""
    seeing = course(NOT_FOUND)
    belief = seeing.navigator.belief
    seeing.robot.place(GOAL)
    here = replace(seeing.percept(), picture=latent_of(GOAL))
    near = belief.look(here, None)
    assert near.pose is not None
    belief.posterior.stood(compose(here.odometry, near.pose), -20.0)
    assert belief.look(here, None).pose is None
    seeing.navigator._re_anchor()
    assert belief.look(here, None).pose is not None


@pytest.mark.parametrize(
    ("error", "same", "refuted"), [(0.1, 1.0, False), (0.5, 0.95, False), (0.1, 0.85, True), (0.5, 0.85, True)]
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
    belief, here = seeing.navigator.belief, replace(seeing.percept(), picture=latent_of(GOAL))
    for _ in range(10):
        belief.look(here, None)
    assert belief.posterior.is_refuted(compose(here.odometry, np.zeros(3))) is refuted


@pytest.mark.parametrize(("times", "difference", "seen"), [(1, 0.0, True), (1, 3.0, False), (3, 0.0, False)])
def test_exact_looks_take_back_what_was_refuted_on_the_way(times: int, difference: float, seen: bool) -> None:
    """Of twelve places that were left on the way three lay half a metre from the goal, which was not seen again."""
    seeing = course(NOT_FOUND)
    belief, pairs = seeing.navigator.belief, seeing.navigator.model.pairs  # type: ignore[attr-defined]
    seeing.robot.place(GOAL)
    here = replace(seeing.percept(), picture=latent_of(GOAL))
    belief.posterior.stood(compose(here.odometry, np.array([0.3, 0.2, 0.3])), times * Likelihoods().unproven)
    pairs.difference = difference
    assert belief.look(here, None).pose is None
    sights = [belief.look(here, None) for _ in range(10)]
    assert (sights[-1].pose is not None) is seen


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
