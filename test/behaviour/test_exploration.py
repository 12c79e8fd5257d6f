"""Exploring, state by state, and on a robot whose memory is exact."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ami_ros.behaviour.area import Area, area_of
from ami_ros.behaviour.exploration import Exploration
from ami_ros.behaviour.task import Code, Destination, Phase, WorldState
from ami_ros.behaviour.unexplored import ExplorationConfig, Unexplored
from ami_ros.core.geometry import wrap
from ami_ros.core.scan import Scan
from ami_ros.memory.types import Location
from harness.exploring import CONFIG, EVERYWHERE, HERE, ONE_PLACE, WALL, leg_of, ring, state_at

from .conftest import NOTHING, scan_of_points


def test_it_drives_to_free_space_away_from_all_places() -> None:
    leg = leg_of(Exploration(CONFIG), state_at(0.0))
    assert leg.destination.kind == "pose" and not leg.destination.in_map
    assert CONFIG.known < np.hypot(*leg.destination.pose[:2]) <= CONFIG.sight
    assert leg.allowance == CONFIG.leg_seconds


def test_it_does_not_turn_round_while_there_is_something_new_ahead() -> None:
    leg = leg_of(Exploration(CONFIG), state_at(0.0))
    assert abs(leg.destination.pose[2]) < 0.2


def test_goals_are_in_odom_wherever_the_map_lies() -> None:
    pose, odometry = np.array([1.0, 0.0, 0.0]), np.array([5.0, 5.0, np.pi / 2])
    places = np.array([[1.0, 0.0, 0.0]])
    location = Location(0.0, pose, odometry, 1.0, 0.0, True, 1)
    leg = leg_of(Exploration(CONFIG), WorldState(0.0, odometry, NOTHING, location, places))
    np.testing.assert_allclose(leg.destination.pose, [5.0, 7.0, np.pi / 2], atol=0.5)  # ahead is along y there


def test_another_spot_is_chosen_before_it_has_stopped_at_this_one() -> None:
    exploration = Exploration(CONFIG)
    first = leg_of(exploration, state_at(0.0))
    assert exploration.step(state_at(0.5)).leg is None
    almost = np.array(first.destination.pose) - [0.2, 0.0, 0.0]
    places = np.array([[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]])
    second = leg_of(exploration, state_at(2.0, places, almost))
    assert second.number == first.number + 1
    exploration.ended(first.number, False, 10314, "replaced", 2.1)
    assert exploration.phase is Phase.DRIVING


def test_on_its_way_it_sets_out_anew_as_soon_as_a_wall_is_seen_in_the_way() -> None:
    """It went on to a spot behind a corner until it was stuck there: a quarter of the time in a ward."""
    exploration = Exploration(CONFIG)
    first = leg_of(exploration, state_at(0.0))
    wall = scan_of_points(np.column_stack([np.full(121, 1.5), np.linspace(-3.0, 3.0, 121)]))
    legs = [exploration.step(state_at(float(t), scan=wall)).leg for t in np.arange(0.2, 8.0, 0.2)]
    anew = [leg for leg in legs if leg is not None]
    assert anew and anew[0].number == first.number + 1 and anew[-1].destination.pose[0] < 1.3


def test_a_spot_that_it_does_not_get_nearer_to_is_left_for_another_although_it_sets_out_again_and_again() -> None:
    """It shuffled about between two beds for two minutes: each leg had just begun when the next one took its place."""
    exploration, ends, rng = Exploration(replace(CONFIG, sight=0.9)), list[np.ndarray](), np.random.default_rng(3)
    for stamp in np.arange(0.0, 60.0, 0.5):
        pose = np.array([*rng.uniform(-0.1, 0.1, 2), rng.uniform(-3.0, 3.0)])
        if (leg := exploration.step(state_at(float(stamp), pose=pose)).leg) is not None:
            ends.append(np.array(leg.destination.pose[:2]))
    bearings = {round(float(np.arctan2(*end[::-1]))) for end in ends}
    assert len(bearings) >= 3


def test_a_spot_beside_which_it_came_past_is_new_no_more_and_it_drives_to_the_next() -> None:
    exploration = Exploration(CONFIG)
    first = np.array(leg_of(exploration, state_at(0.0)).destination.pose)
    near = first - [0.8, 0.0, 0.0]
    leg = leg_of(exploration, state_at(CONFIG.replan_period, np.array([[0.0, 0.0, 0.0], near]), near))
    assert np.hypot(*(np.array(leg.destination.pose) - near)[:2]) > CONFIG.known


def test_a_spot_that_cannot_be_reached_is_not_tried_again() -> None:
    exploration = Exploration(CONFIG)
    first = leg_of(exploration, state_at(0.0))
    exploration.ended(first.number, False, 10309, "stuck", 1.0)
    second = leg_of(exploration, state_at(1.2))
    gap = np.hypot(*(np.array(second.destination.pose[:2]) - first.destination.pose[:2]))
    assert gap > CONFIG.apart - 1e-6


def test_a_leg_that_ends_before_its_spot_is_not_tried_for_ever() -> None:
    """What no laser sees may be in the way: then the spot is farther off than what was not reached."""
    exploration, ends = Exploration(replace(CONFIG, sight=0.8)), np.zeros((0, 2))
    for k in range(12):
        leg = leg_of(exploration, state_at(2.0 * k))
        ends = np.vstack([ends, leg.destination.pose[:2]])
        exploration.ended(leg.number, False, 10309, "stuck", 2.0 * k + 1.0)
    same = np.hypot(*(ends[:, None] - ends[None]).transpose(2, 0, 1)) < 0.05
    assert same.sum(axis=1).max() <= 2


def test_what_was_seen_and_passed_by_is_driven_to_later_around_the_corner() -> None:
    """An L of free space: at the end of one leg the robot goes back for the other, in legs that lead straight on."""
    exploration = Exploration(CONFIG)
    leg_of(exploration, state_at(0.0, scan=scan_of_points(np.concatenate([ring(3.0), WALL]))))
    dead_end = np.array([2.2, 0.0, 0.0])
    places = np.stack([np.linspace(0.0, 2.2, 10), np.zeros(10), np.zeros(10)], -1)
    exploration.ended(1, True, 0, "", 5.0)
    leg = leg_of(exploration, state_at(5.2, places, dead_end, scan=scan_of_points(ring(0.9))))
    assert "free space" in leg.reason and leg.allowance == CONFIG.leg_seconds
    assert np.hypot(*(np.array(leg.destination.pose[:2]) - dead_end[:2])) > 0.5


def test_a_belief_that_jumps_begins_the_grid_anew() -> None:
    exploration = Exploration(CONFIG)
    leg_of(exploration, state_at(0.0))
    first = exploration._drawing.grid
    location = Location(1.0, np.array([5.0, 0.0, 0.0]), HERE, 1.0, 0.0, True, 1)
    exploration.ended(1, True, 0, "", 1.0)
    exploration.step(state_at(1.0, location=location))
    assert exploration._drawing.grid is not first and exploration._drawing.grid is not None


def test_it_comes_home_when_nothing_new_is_left() -> None:
    exploration = Exploration(CONFIG)
    leg = leg_of(exploration, state_at(0.0, EVERYWHERE))
    assert exploration.phase is Phase.RETURNING and leg.destination == Destination("place", place_id=1)
    assert exploration.step(state_at(0.5, EVERYWHERE)).leg is None
    exploration.ended(leg.number, True, 0, "", 9.0)
    assert exploration.phase is Phase.DONE and exploration.code is Code.NONE and "nothing new" in exploration.message


def test_it_comes_home_to_the_place_that_was_named_when_the_time_is_over() -> None:
    home = Destination("place", place_label="dock")
    exploration = Exploration(CONFIG, allowance=10.0, home=home)
    leg = leg_of(exploration, state_at(0.0))
    stamp = 0.0
    while exploration.phase is Phase.DRIVING:
        stamp += 0.5
        found = exploration.step(state_at(stamp)).leg
        leg = found or leg
    assert leg.destination == home and 10.0 < stamp < 11.0 and "10 s allowed" in exploration.message


def test_low_battery_sends_it_home_at_once() -> None:
    exploration = Exploration(CONFIG)
    leg_of(exploration, state_at(0.0))
    assert exploration.step(state_at(0.2, battery=0.21)).leg is None
    assert leg_of(exploration, state_at(0.5, battery=0.19)).reason == "returning: the battery is at 19%"


def test_it_tries_more_than_once_to_come_home_and_then_says_that_it_did_not() -> None:
    exploration = Exploration(CONFIG)
    for _ in range(CONFIG.home_tries):
        assert exploration.phase is not Phase.DONE
        leg = leg_of(exploration, state_at(0.0, EVERYWHERE))
        exploration.ended(leg.number, False, 10309, "stuck", 1.0)
    assert exploration.phase is Phase.DONE and exploration.code is Code.GOALS_MISSED and "stuck" in exploration.message


def test_a_robot_that_is_lost_drives_on_to_where_there_is_room() -> None:
    exploration = Exploration(CONFIG)
    ahead = scan_of_points(np.concatenate([WALL, np.column_stack([np.full(60, 0.6), np.linspace(-3.0, 3.0, 60)])]))
    assert exploration.step(state_at(0.0, localised=False, scan=ahead)).leg is None
    leg = leg_of(exploration, state_at(CONFIG.stay + 0.1, localised=False, scan=ahead))
    assert leg.destination.pose[0] < 0.3 and "lost" in leg.reason
    assert np.hypot(*leg.destination.pose[:2]) > 1.0
    assert exploration.step(state_at(4.0, localised=False, scan=ahead)).leg is None  # one at a time
    exploration.ended(leg.number, True, 0, "", 9.0)
    assert "not in memory" in leg_of(exploration, state_at(9.1)).reason


def test_a_lost_robot_that_is_found_chooses_at_once_where_to_go() -> None:
    """It drove on against whatever it stood before, until the time for a leg was over."""
    exploration = Exploration(CONFIG)
    exploration.step(state_at(0.0, localised=False))
    assert "lost" in leg_of(exploration, state_at(CONFIG.stay + 0.1, localised=False)).reason
    assert "not in memory" in leg_of(exploration, state_at(CONFIG.stay + 1.0)).reason


def test_a_lost_robot_drives_back_to_where_it_was_found_last() -> None:
    """It drove on through rooms that it did not know, until its patience was over and exploring ended."""
    exploration, last = Exploration(CONFIG), np.array([0.4, 0.1, 0.2])
    exploration.step(state_at(0.0, pose=last))
    exploration.ended(exploration.legs, False, 0, "", 0.5)
    exploration.step(state_at(1.0, localised=False))
    for number, back in enumerate((True, False, True)):
        leg = leg_of(exploration, state_at(4.0 + number, localised=False, pose=np.array([2.0, 0.0, 0.0])))
        assert (leg.destination.pose == pytest.approx(last)) is back and "lost" in leg.reason
        exploration.ended(leg.number, True, 0, "", 4.5 + number)


def test_a_lost_robot_that_sees_no_room_ahead_turns_to_look_elsewhere() -> None:
    """One without a laser stood before a wall, lost, until its patience was over."""
    exploration = Exploration(CONFIG)
    ahead = Scan(np.full(21, 0.3, np.float32), -0.5, 0.05)
    assert exploration.step(state_at(0.0, localised=False, scan=ahead)).leg is None
    leg = leg_of(exploration, state_at(CONFIG.stay + 0.1, localised=False, scan=ahead))
    assert np.hypot(*leg.destination.pose[:2]) < 0.01 and abs(leg.destination.pose[2]) > 1.0
    exploration.ended(leg.number, True, 0, "", 6.0)
    again = leg_of(exploration, state_at(9.0, localised=False, scan=ahead, pose=np.array(leg.destination.pose)))
    assert abs(wrap(again.destination.pose[2] - leg.destination.pose[2])) > 1.0


def test_all_rooms_are_seen_before_any_is_seen_closely() -> None:
    config = ExplorationConfig(look_apart=0.0, coarse=2.0)
    every = EVERYWHERE[np.hypot(*(EVERYWHERE[:, :2] - [1.0, 1.0]).T) > 1.3]  # a spot is left out
    near = leg_of(Exploration(config), state_at(0.0, every))
    assert "not in memory" in near.reason and np.hypot(*(np.array(near.destination.pose[:2]) - 1.0)) < 1.0
    open_far = every[every[:, 0] < 1.5]  # and, farther off, there is nothing at all
    far = leg_of(Exploration(config), state_at(0.0, open_far))
    assert far.destination.pose[0] > 2.0


@pytest.mark.parametrize("allowance", [0.0, 600.0])
def test_what_is_left_of_its_time_goes_into_looking_more_closely(allowance: float) -> None:
    config = ExplorationConfig(look_apart=0.0, coarse=1.0, fine=0.5)
    leg = leg_of(Exploration(config, allowance), state_at(0.0, EVERYWHERE))  # a place each metre
    assert ("not in memory" in leg.reason) == (allowance > 0.0)
    if allowance:
        assert np.hypot(*(EVERYWHERE[:, :2] - leg.destination.pose[:2]).T).min() > 0.5 * config.known


def test_it_gives_up_when_memory_does_not_know_where_the_robot_is() -> None:
    exploration, legs = Exploration(CONFIG), 0
    for stamp in np.arange(0.0, CONFIG.patience + 1.0, 0.5):
        step = exploration.step(state_at(float(stamp), localised=False))
        if step.leg is not None:
            legs += 1
            exploration.ended(step.leg.number, True, 0, "", float(stamp))
    assert exploration.phase is Phase.DONE and exploration.code is Code.NOT_LOCALISED and legs > 3


@pytest.mark.parametrize("missing", ["odometry", "location", "places"])
def test_it_waits_for_what_it_does_not_hear(missing: str) -> None:
    exploration = Exploration(CONFIG)
    silent: dict[str, Any] = {missing: None}
    assert exploration.step(state_at(0.0, **silent)).leg is None and exploration.phase is Phase.CHOOSING
    assert exploration.step(state_at(1.0)).leg is not None


def test_without_a_scan_there_is_nothing_that_it_dares_to_drive_to() -> None:
    assert leg_of(Exploration(CONFIG), state_at(0.0, scan=None)).destination.kind == "place"


@pytest.mark.parametrize("phase", [Phase.CHOOSING, Phase.DRIVING, Phase.RETURNING])
def test_it_can_be_canceled_in_each_phase(phase: Phase) -> None:
    exploration = Exploration(CONFIG)
    if phase is not Phase.CHOOSING:
        leg = leg_of(exploration, state_at(0.0, EVERYWHERE if phase is Phase.RETURNING else ONE_PLACE))
    assert exploration.phase is phase
    exploration.finish(Code.CANCELED, "canceled")
    if phase is not Phase.CHOOSING:
        exploration.ended(leg.number, True, 0, "", 1.0)
    assert exploration.step(state_at(2.0)).leg is None and exploration.code is Code.CANCELED


def test_a_leg_that_lost_its_driver_is_chosen_anew() -> None:
    exploration = Exploration(CONFIG)
    leg_of(exploration, state_at(0.0))
    exploration.interrupted()
    leg_of(exploration, state_at(1.0))
    exploration.go_home("enough")
    leg_of(exploration, state_at(1.5))
    exploration.interrupted()
    assert leg_of(exploration, state_at(2.0)).destination.kind == "place"


def test_corridors_that_the_robot_does_not_fit_through_are_not_taken() -> None:
    exploration = Exploration(CONFIG)
    leg = leg_of(exploration, state_at(0.0, scan=scan_of_points(ring(0.85))))
    assert exploration.phase is Phase.RETURNING and leg.destination.kind == "place"


def test_a_gap_that_it_did_not_get_through_is_tried_once_more_and_then_left() -> None:
    unexplored, spot, gap = Unexplored(CONFIG), np.array([2.0, 0.0]), np.array([1.0, 0.0])
    unexplored.not_reached(spot, gap)
    assert not unexplored.shut
    unexplored.not_reached(spot, gap + [0.1, 0.1])
    assert len(unexplored.shut) == 1
    unexplored.not_reached(spot, np.array([5.0, 0.0]))
    assert len(unexplored.shut) == 1


def test_an_area_is_not_left_to_look_for_more() -> None:
    """Free space all round; most of the area lies behind the robot."""
    area = Area(((-4.0, -1.5), (0.5, -1.5), (0.5, 1.5), (-4.0, 1.5)))
    exploration = Exploration(CONFIG, area=area)
    leg = leg_of(exploration, state_at(0.0))
    spot = np.array(leg.destination.pose[:2])
    assert area.contains(spot[None])[0] and np.hypot(*spot) > CONFIG.known
    inside = EVERYWHERE[area.contains(EVERYWHERE)]
    known = np.concatenate([inside + [dx, dy, 0] for dx in (0, 0.5) for dy in (0, 0.5)])
    leg = leg_of(Exploration(CONFIG, area=area), state_at(0.0, known))
    assert leg.destination.kind == "place" and "nothing new is in reach in the area" in leg.reason


def test_from_outside_it_drives_to_its_area_first() -> None:
    area = Area(((2.0, -2.0), (6.0, -2.0), (6.0, 2.0), (2.0, 2.0)))
    leg = leg_of(Exploration(CONFIG, area=area), state_at(0.0))
    assert "to the area" in leg.reason and leg.destination.pose[0] > 1.0 and abs(leg.destination.pose[1]) < 0.5
    walled = scan_of_points(ring(1.0))
    leg = leg_of(Exploration(CONFIG, area=area), state_at(0.0, scan=walled))
    assert leg.destination.kind == "place" and "no way leads to the area" in leg.reason


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0,0,1", "pairs"), ("0,0", "pairs"), ("a,b,c,d", "numbers"), ("0,0,0.1,0.1", "m²"), ("0,0,nan,5", "finite"),
        ("0,0,2,2,2,0,0,2", "crossing"), ("0,0,1e9,1", "finite"), (",".join(["0,0,5,5"] * 20), "corners"),
    ],
)  # fmt: skip
def test_what_is_no_area_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        area_of(text)


def test_two_corners_are_a_rectangle_and_more_a_polygon() -> None:
    assert area_of("1,1,0,0") == ((1, 1), (0, 1), (0, 0), (1, 0))
    corner = Area(area_of("0,0,4,0,4,4,3,4,3,1,0,1"))  # an L
    points = np.array([[0.5, 0.5], [3.5, 3.5], [1.0, 3.0], [-1.0, 0.5], [4.5, 0.5]])
    assert corner.contains(points).tolist() == [True, True, False, False, False]
    assert (corner.holds(points) == ~corner.contains(points)).all()
