"""A model that recognises pictures: a goal counts as reached only where it was recognised."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.behaviour.arrival import Arrival, Look, StopRule
from ami_ros.behaviour.search import SearchConfig
from ami_ros.planning.types import Code, Goal
from ami_ros.world_model.array_pairs import Compared
from ami_ros.world_model.layers import Floats
from harness.course import GOAL, assert_at, route_to
from harness.exact_model import latent_of
from harness.recognising import NOT_FOUND, Pairs, course


def test_a_goal_that_is_recognised_on_the_way_and_there_is_reached() -> None:
    seeing = course(route_to(GOAL, (1.2, 1.5), (2.0, 1.8), (2.8, 2.3)))
    assert seeing.run(40.0).succeeded
    assert_at(seeing.robot, GOAL)


def test_a_tolerance_that_is_wider_than_pictures_can_be_recognised_from_is_met_all_the_same() -> None:
    """The robot stopped half a metre off, where the pictures differ, and gave up."""
    seeing = course(route_to(GOAL, (1.2, 1.5), (2.0, 1.8), (2.8, 2.3)))
    picture = latent_of(GOAL)
    seeing.navigator.start(Goal(latent=picture, picture=picture, distance_tolerance=0.5, angle_tolerance=np.pi))
    assert seeing.run(40.0).succeeded
    assert_at(seeing.robot, GOAL)


def test_a_goal_where_the_robot_stands_already_is_looked_at_from_farther_off() -> None:
    seeing = course(route_to(GOAL, (2.8, 2.3), confidence=0.0))
    seeing.robot.place(GOAL)
    assert seeing.run(40.0).succeeded
    assert "looking whether this is the goal" in {decision.message for decision in seeing.decisions}
    assert_at(seeing.robot, GOAL)


def test_a_goal_that_remembered_places_show_for_certain_needs_one_look() -> None:
    seeing = course(route_to(GOAL, (2.8, 2.3), confidence=1.0))
    seeing.robot.place(GOAL)
    assert seeing.run(40.0).succeeded
    assert "looking whether this is the goal" not in {decision.message for decision in seeing.decisions}


def test_a_goal_whose_picture_is_alike_from_very_near_only_is_come_nearer_to() -> None:
    """Three times a robot stood 5 cm from its goal, sure of it, and left it, for the pictures differed a little."""
    seeing = course(route_to(GOAL, (1.2, 1.5), (2.0, 1.8), (2.8, 2.3)))
    pairs = seeing.navigator.model.pairs  # type: ignore[attr-defined]
    pairs.difference_per_metre = 60.0  # 1.5 at 2.5 cm
    assert seeing.run(60.0).succeeded
    assert np.hypot(*(seeing.robot.ground_truth().pose - GOAL)[:2]) < 0.04
    assert not any(decision.message.startswith("it only looks like") for decision in seeing.decisions)


def test_what_remembered_places_show_is_not_believed_where_the_robot_does_not_see_it() -> None:
    seeing = course(route_to(GOAL, (1.2, 1.5), (2.0, 1.8), (2.8, 2.3), confidence=1.0), blind=True)
    seeing.run(40.0, until=lambda d: d.message.startswith("standing at the goal"))
    seeing.answer = NOT_FOUND
    assert seeing.run(40.0).code is Code.UNKNOWN_PLACE


def test_memory_that_errs_is_corrected_by_what_is_recognised() -> None:
    seeing = course(route_to(GOAL + [0.5, 0.2, 0.0], (1.2, 1.5), (2.0, 1.8), (2.8, 2.3)))
    assert seeing.run(40.0).succeeded
    assert_at(seeing.robot, GOAL)


def test_a_place_where_the_goal_is_not_recognised_is_never_called_reached() -> None:
    """It is looked for there once, all round; then memory has no other, and the goal ends with a code of its own."""
    seeing = course(route_to(GOAL, (1.2, 1.5), (2.0, 1.8), (2.8, 2.3)), blind=True)
    seeing.run(60.0, until=lambda d: d.message.startswith("memory has it where it is not"))
    assert np.hypot(*(seeing.robot.ground_truth().pose - GOAL)[:2]) < 0.4, "it looked for it there"
    seeing.answer = NOT_FOUND
    last = seeing.run(40.0)
    assert not last.succeeded and last.code is Code.UNKNOWN_PLACE


def test_the_next_place_of_memory_is_looked_at() -> None:
    """The first one, 4 m off the goal, does not show it."""
    wrong = np.array([1.0, 0.8, 2.0])
    seeing = course(route_to(wrong, (1.2, 1.5), (1.0, 0.8)))
    pairs = seeing.navigator.model.pairs  # type: ignore[attr-defined]
    pairs.threshold = 2.0
    seeing.run(40.0, until=lambda d: d.message.startswith("memory has it where it is not"))
    pairs.threshold = 0.9
    seeing.answer = route_to(GOAL, (1.0, 0.8), (1.2, 1.5), (2.0, 1.8), (2.8, 2.3))
    assert seeing.run(60.0).succeeded
    assert_at(seeing.robot, GOAL)


def test_where_memory_says_to_look_around_first_the_robot_does_before_it_asks_again() -> None:
    """Memory has it 6 m off, and somewhere else as well; it is behind the robot."""
    seeing = course(route_to(GOAL + [0.0, -0.9, 0.0], (2.8, 2.3), confidence=0.0))
    seeing.robot.place(GOAL + [0.0, -0.9, 0.0])
    assert seeing.run(40.0).succeeded
    assert_at(seeing.robot, GOAL)
    blind = course(route_to(GOAL + [0.0, -0.9, 0.0], (2.8, 2.3), confidence=0.0), blind=True)
    blind.robot.place(GOAL + [0.0, -0.9, 0.0])
    blind.run(20.0, until=lambda decision: decision.message.startswith("asking memory again"))
    request = blind.decisions[-1].wants_route
    assert request is not None and len(request.goal.search.looked_from) == 1 and 0 < request.goal.search.reach < 9.0


def test_a_place_that_it_has_looked_from_is_not_driven_to_again() -> None:
    """However often memory names it."""
    seeing = course(route_to(GOAL, (1.2, 1.5), (2.0, 1.8), (2.8, 2.3), confidence=0.0), blind=True)
    seeing.run(25.0, until=lambda d: d.message.startswith("memory has it where it is not"))
    request = seeing.decisions[-1].wants_route
    assert request is not None and len(request.goal.search.looked_from) == 2


@pytest.mark.parametrize(("difference", "same", "again"), [(2.0, 1.0, True), (4.0, 0.85, False)])
def test_a_place_whose_picture_is_another_is_left_without_a_second_look(
    difference: float, same: float, again: bool
) -> None:
    seeing = course(route_to(GOAL, (1.2, 1.5), (2.0, 1.8), (2.8, 2.3), confidence=0.5))
    pairs = seeing.navigator.model.pairs  # type: ignore[attr-defined]
    pairs.difference, pairs.same = difference, same
    seeing.run(60.0, until=lambda d: d.message.startswith(("memory has", "looking whether")) or d.done)
    assert any(d.message.startswith("standing") for d in seeing.decisions) or not again
    assert any(d.message.startswith("looking whether") for d in seeing.decisions) == again


class Restless(StopRule):
    """As where what is believed of the goal changes whenever the robot gets there."""

    def _next(self, distance: float, turn: float, settled: bool) -> Arrival:
        self.asked = getattr(self, "asked", 0) + 1
        return Arrival.TURNING if self.asked % 10 == 0 else Arrival.APPROACHING


def test_a_goal_that_is_never_where_it_was_does_not_keep_the_robot_for_ever() -> None:
    """Each time the robot had got there counted as progress."""
    seeing = course(route_to(GOAL, (1.2, 1.5), (2.0, 1.8), (2.8, 2.3)))
    controller = seeing.navigator.controller
    controller.stop = controller.finder._stop = Restless(0.06, 0.05)
    seeing.run(90.0, until=lambda decision: decision.recoveries > 0)
    assert seeing.decisions[-1].recoveries > 0


class Mirage(Pairs):
    """What looks like the goal from everywhere, as a plain wall does: always 0.7 m ahead."""

    error = 0.5

    def compare(self, here: Floats, there: Floats, columns: Floats | None = None) -> Compared:
        pose = np.array([[0.7, 0.0, 1.0, 0.0]], np.float32)
        return Compared(pose, np.full(1, self.error, np.float32), np.full(1, 0.95, np.float32))


def test_what_stays_as_far_off_as_it_was_is_not_followed_for_long() -> None:
    seeing = course(NOT_FOUND)
    seeing.navigator.model.pairs = Mirage(None)  # type: ignore[attr-defined]
    seeing.navigator.start(Goal(latent=latent_of(GOAL), picture=latent_of(GOAL), time_allowance=90.0))
    seeing.run(30.0, until=lambda decision: decision.message.startswith("it only looks like the goal"))
    followed = sum(decision.message.startswith("approaching") for decision in seeing.decisions)
    assert seeing.decisions[-1].message.startswith("it only looks like the goal") and followed * 0.1 < 12.0
    assert seeing.decisions[-1].recoveries == 0
    last = seeing.run(90.0)
    assert last.code is Code.UNKNOWN_PLACE and last.recoveries == 0
    again = [d.message for d in seeing.decisions].index(seeing.decisions[-1].message)
    assert not any(d.message.startswith("approaching") for d in seeing.decisions[again:])


def test_a_picture_that_nobody_knows_is_looked_for_from_several_spots_and_then_given_up() -> None:
    seeing = course(NOT_FOUND, blind=True)
    seeing.run(10.0, until=lambda d: d.message.startswith("driving to look"))
    assert np.hypot(*(seeing.robot.ground_truth().pose[:2] - [1.2, 1.5])) < 0.1, "it turned where it was"
    last = seeing.run(20.0)
    assert last.code is Code.UNKNOWN_PLACE and not last.succeeded and "spots" in last.message
    assert np.hypot(*(seeing.robot.ground_truth().pose[:2] - [1.2, 1.5])) > 0.7, "it went elsewhere to look"


def test_a_robot_that_goes_on_to_look_elsewhere_does_not_count_as_stuck() -> None:
    """How far the next spot is says nothing about progress towards the one before."""
    seeing = course(NOT_FOUND, blind=True)
    seeing.navigator.start(Goal(latent=latent_of(GOAL), picture=latent_of(GOAL), time_allowance=90.0))
    last = seeing.run(90.0)
    assert last.code is Code.UNKNOWN_PLACE and last.recoveries == 0


def test_without_a_limit_of_time_the_spots_are_counted_from_which_it_is_looked_for() -> None:
    """A long way to a first guess is no reason to give up there."""
    seeing = course(NOT_FOUND, blind=True)
    seeing.navigator.start(Goal(latent=latent_of(GOAL), picture=latent_of(GOAL)))
    last = seeing.run(300.0)
    assert (
        last.code is Code.UNKNOWN_PLACE and len(seeing.navigator.controller.finder.search.spots) <= SearchConfig.spots
    )
    assert seeing.robot.time > 40.0


def test_a_robot_that_is_lost_says_so_when_it_gives_up_looking() -> None:
    seeing = course(NOT_FOUND, blind=True)
    seeing.localised = False
    last = seeing.run(40.0)
    assert last.code is Code.UNKNOWN_PLACE and "does not know where the robot is" in last.message


def test_a_lost_robot_looks_for_its_goal_and_asks_memory_as_soon_as_it_is_found() -> None:
    """It turned for ten seconds to be found, then once more to look; alike rooms are told apart by driving on only."""
    seeing = course(NOT_FOUND, blind=True)
    seeing.localised = False
    seeing.run(8.0, until=lambda decision: np.hypot(*(seeing.robot.ground_truth().pose[:2] - [1.2, 1.5])) > 0.3)
    assert seeing.robot.time < 8.0, "it drove on"
    assert "turning to localise" not in {decision.message for decision in seeing.decisions}
    seeing.localised, seeing.blind, seeing.answer = True, False, route_to(GOAL, (1.2, 1.5), (2.0, 1.8), (2.8, 2.3))
    assert seeing.step().message == Look.ASK.value
    assert seeing.run(40.0).succeeded


def test_a_goal_that_is_not_seen_from_here_is_found_from_another_spot() -> None:
    seeing = course(NOT_FOUND)
    seeing.navigator.start(Goal(latent=latent_of(away := np.array([3.0, 2.4, 1.0])), picture=latent_of(away)))
    assert seeing.run(60.0).succeeded
    assert_at(seeing.robot, away)


def test_a_goal_that_memory_does_not_know_and_that_is_seen_is_driven_to() -> None:
    seeing = course(NOT_FOUND)
    seeing.navigator.start(Goal(latent=latent_of(near := np.array([1.9, 1.9, 1.0])), picture=latent_of(near)))
    assert seeing.run(40.0).succeeded
    assert_at(seeing.robot, near)
