"""Where a robot that explores looks around, and what the model is unsure of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.behaviour.exploration import Exploration
from ami_ros.behaviour.task import Destination, Phase, PlaceDoubts
from ami_ros.behaviour.unexplored import ExplorationConfig
from ami_ros.core.geometry import wrap
from harness.exploring import CONFIG, EVERYWHERE, HERE, leg_of, ring, state_at

from .conftest import scan_of_points


def test_it_drives_to_free_space_away_from_all_places() -> None:
    leg = leg_of(Exploration(CONFIG), state_at(0.0))
    assert leg.destination.kind == "pose" and not leg.destination.in_map
    assert CONFIG.known < np.hypot(*leg.destination.pose[:2]) <= CONFIG.sight
    assert leg.allowance == CONFIG.leg_seconds


def test_it_turns_to_where_nobody_looked_where_few_views_are_remembered_and_then_goes_on() -> None:
    exploration = Exploration(ExplorationConfig())
    yaw, wanted = 0.0, []
    while (leg := exploration.step(state_at(0.0, pose=np.array([0.0, 0.0, yaw]))).leg) is not None:
        if leg.reason != "looking around":
            break
        wanted.append(leg.destination.pose)
        yaw = leg.destination.pose[2] - 0.65  # the next part begins before the robot stands, and so does what follows
    turns = np.diff([0.0, *(pose[2] for pose in wanted)]) % (2 * np.pi)
    assert (turns < 2.2).all()
    assert wrap(wanted[-1][2] - 0.7) == pytest.approx(-np.pi / 3 - 0.6)  # from there it sees what is left
    assert leg is not None and "free space" in leg.reason


@pytest.mark.parametrize(
    ("speed", "wall", "ahead"), [(0.9, 9.0, 0.72), (0.9, 0.6, 0.38), (0.0, 9.0, 0.0), (-0.2, 9.0, 0.0)]
)
def test_a_robot_that_looks_around_does_so_where_it_comes_to_a_stop(speed: float, wall: float, ahead: float) -> None:
    """One at 1 m/s rolled past, and backed up to where it had decided to look: a fifth of the time of exploring."""
    looks = ExplorationConfig(coast=0.8)
    scan = scan_of_points(np.column_stack([np.full(41, wall), np.linspace(-1.0, 1.0, 41)]))
    leg = leg_of(Exploration(looks), state_at(0.0, scan=scan, speed=speed))
    assert leg.reason == "looking around"
    assert leg.destination.pose[:2] == pytest.approx((ahead, 0.0), abs=0.02)
    usual = leg_of(Exploration(replace(looks, coast=0.0)), state_at(0.0, scan=scan, speed=speed))
    assert usual.destination.pose[:2] == (0.0, 0.0)


def test_a_turn_goes_on_where_the_robot_stands() -> None:
    """It had rolled 0.1 m on, backed up to where the turn began, and turned back the way it had come."""
    exploration = Exploration(ExplorationConfig())
    first = np.array(leg_of(exploration, state_at(0.0, speed=0.4)).destination.pose)
    rolled = np.array([0.12, -0.05, first[2] - 0.5])
    second = np.array(leg_of(exploration, state_at(1.0, pose=rolled)).destination.pose)
    assert second[:2] == pytest.approx(rolled[:2])
    assert np.sign(wrap(second[2] - first[2])) == np.sign(first[2])


def test_it_does_not_look_round_again_close_by_nor_where_turning_failed() -> None:
    exploration = Exploration(ExplorationConfig())
    leg = leg_of(exploration, state_at(0.0))
    exploration.ended(leg.number, False, 10309, "stuck", 1.0)
    assert "free space" in leg_of(exploration, state_at(1.2)).reason


def test_where_all_round_is_remembered_it_does_not_look() -> None:
    places = np.array([[0.0, 0.0, yaw] for yaw in np.arange(-3.0, 3.0, 0.5)])
    assert "free space" in leg_of(Exploration(ExplorationConfig()), state_at(0.0, places)).reason


def test_when_nothing_is_new_it_looks_round_where_it_has_not_yet() -> None:
    walls, places = scan_of_points(ring(0.85)), EVERYWHERE[:3]
    around = np.array([[*places[0, :2], yaw] for yaw in np.arange(-3.0, 3.0, 0.5)])
    exploration = Exploration(ExplorationConfig(look_apart=0.4, robot_radius=0.05))
    leg = leg_of(exploration, state_at(0.0, np.concatenate([places, around]), places[0], scan=walls))
    assert "to look around" in leg.reason
    assert np.hypot(*(np.array(leg.destination.pose[:2]) - places[0, :2])) > 0.3


def test_a_spot_from_near_which_enough_was_seen_is_not_sought_again_and_again() -> None:
    """Seen in a warehouse: 200 legs to where the robot stood already, and beside which it had looked all round."""
    walls, places = scan_of_points(ring(0.85)), EVERYWHERE[:3]
    around = np.array([[*places[0, :2], yaw] for yaw in np.arange(-3.0, 3.0, 0.5)])
    known = np.concatenate([places, around])
    exploration = Exploration(ExplorationConfig(look_apart=0.4, robot_radius=0.05))
    legs, pose = [], places[0]
    for stamp in range(200):
        leg = exploration.step(state_at(float(stamp), known, pose, scan=walls)).leg
        if leg is None or "to look around" not in leg.reason:
            break
        legs.append(np.array(leg.destination.pose[:2]))
        short = 0.45 / max(0.45, float(np.hypot(*(legs[-1] - pose[:2]))))  # it stops 0.45 m before the spot
        near = np.array([*(legs[-1] + short * (pose[:2] - legs[-1])), leg.destination.pose[2]])
        known = np.concatenate([known, [[*near[:2], yaw] for yaw in np.arange(-3.0, 3.0, 0.5)]])
        exploration.ended(leg.number, True, 0, "", stamp + 0.5)
        pose = near
    assert legs and min((np.hypot(*(a - b)) for k, a in enumerate(legs) for b in legs[:k]), default=1.0) > 0.05


def test_a_spot_that_is_the_only_one_is_driven_to_and_not_chosen_again_and_again() -> None:
    exploration = Exploration(CONFIG)
    first = leg_of(exploration, state_at(0.0))
    almost = np.array(first.destination.pose) - [0.3, 0.0, 0.0]
    only = scan_of_points(np.array(first.destination.pose[:2]) - almost[:2] + ring(0.95))
    assert exploration.step(state_at(2.0, pose=almost, scan=only)).leg is None


def doubts_at(place_id: int, x: float, y: float, doubt: float) -> PlaceDoubts:
    doubts = PlaceDoubts()
    for _ in range(30):
        doubts.note(place_id, np.array([x, y]), doubt)
    return doubts


@pytest.mark.parametrize(("worth", "side"), [(2.0, 1.0), (0.0, -1.0)])
def test_of_two_spots_that_are_as_new_it_takes_the_one_that_the_model_is_unsure_of(worth: float, side: float) -> None:
    """A wall ahead, and the way round it a little shorter on the right; doubt was met on the left."""
    wall = scan_of_points(np.column_stack([np.full(121, 0.6), np.linspace(-1.5, 1.3, 121)]))
    config = ExplorationConfig(doubt_worth=worth, turn_cost=0.0, look_apart=0.0, coarse=1.0, news_worth=0.0)
    places = np.array([[0.0, 0, 0], [-0.7, 0, 0], [-1.4, 0, 0], [-2.1, 0, 0], [0.0, 0.1, 0]])
    doubts = doubts_at(2, 0.0, 1.5, 2.0)
    leg = leg_of(Exploration(config), state_at(0.0, places, scan=wall, doubts=doubts))
    assert np.sign(leg.destination.pose[1]) == side


@pytest.mark.parametrize("worth", [2.0, 0.0])
def test_where_all_is_remembered_it_visits_what_the_model_is_unsure_of_once(worth: float) -> None:
    exploration = Exploration(ExplorationConfig(doubt_worth=worth, look_apart=0.0))
    moment = state_at(0.0, EVERYWHERE, doubts=doubts_at(7, 2.0, 0.0, 2.0))
    leg = leg_of(exploration, moment)
    if worth:
        assert leg.destination == Destination("place", place_id=7) and "unsure" in leg.reason
        exploration.ended(leg.number, True, 0, "", 5.0)
        leg = leg_of(exploration, moment)
    assert exploration.phase is Phase.RETURNING and leg.destination == Destination("place", place_id=1)


def test_what_the_model_is_a_little_less_sure_of_is_no_reason_to_stay() -> None:
    exploration = Exploration(CONFIG)
    leg_of(exploration, state_at(0.0, EVERYWHERE, doubts=doubts_at(7, 2.0, 0.0, 1.1)))
    assert exploration.phase is Phase.RETURNING


def test_with_a_model_that_has_no_ensemble_it_says_so_once_and_goes_by_what_is_new() -> None:
    exploration, doubts = Exploration(CONFIG), PlaceDoubts()
    doubts.note(1, HERE, float("nan"))
    assert "no ensemble" in leg_of(exploration, state_at(0.0, doubts=doubts)).reason
    exploration.ended(1, True, 0, "", 5.0)
    assert "ensemble" not in leg_of(exploration, state_at(5.2, doubts=doubts)).reason
    quiet = Exploration(ExplorationConfig(doubt_worth=0.0, look_apart=0.0))
    assert "ensemble" not in leg_of(quiet, state_at(0.0, doubts=doubts)).reason
