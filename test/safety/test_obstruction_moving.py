"""How near a command may lead to what moves."""

from __future__ import annotations

import math

import pytest

from ami_ros.core.commands import Command
from harness.scene import RADIUS, REST, Scene, thing, way


@pytest.mark.parametrize(
    ("x", "y", "velocity", "command", "free"),
    [
        (1.2, 0.0, (0.0, 0.0), (0.3, 0.0, 0.0), True),
        (0.9, 0.0, (0.0, 0.0), (0.3, 0.0, 0.0), False),  # 0.18 + 0.03 + 0.2 + 0.3 m, the way, and how it may sway
        (0.9, 0.0, (0.0, 0.0), (-0.3, 0.0, 0.0), True),
        (0.9, 0.0, (0.0, 0.0), (0.0, 1.0, 0.0), True),
        (0.9, 0.0, (-1.0, 0.0), (0.0, 0.0, 0.0), True),
        (0.9, 0.0, (-1.0, 0.0), (0.05, 0.0, 0.0), False),
        (1.5, 0.0, (-1.0, 0.0), (0.3, 0.0, 0.0), False),
        (1.5, 0.0, (1.0, 0.0), (0.3, 0.0, 0.0), True),
        (0.0, 0.75, (0.0, -0.3), (0.4, 0.0, 0.0), True),  # past them
        (0.25, 0.65, (0.0, -0.3), (0.4, 0.0, 0.0), False),
        (0.1, 0.65, (0.0, -0.3), (0.4, 0.0, 0.0), False),
        (-0.9, 0.0, (2.0, 0.0), (0.4, 0.0, 0.0), True),
    ],
)
def test_it_does_not_drive_at_what_moves(
    x: float, y: float, velocity: tuple[float, float], command: Command, free: bool
) -> None:
    scene = Scene()
    scene.moves(thing(x, y, *velocity))
    assert (scene.what(command, 0.0) == "") == free
    assert scene.what(command, 0.61) == "", "an old message counts no more"


def test_how_near_it_comes_to_what_moves_is_margin_and_track_margin_and_what_may_change() -> None:
    lasts = 0.25 + 0.3 / 0.8
    for age in (0.0, 0.2):
        reached = way(0.3) + RADIUS + 0.03 + 0.2 + 0.3 + 0.25 * (lasts + age) ** 2
        for spare, problem in ((0.003, ""), (-0.003, "moving thing ahead")):
            scene = Scene()
            scene.moves(thing(reached + spare, 0.0))
            if age:
                scene.at(age)
            assert scene.what((0.3, 0.0, 0.0), age) == problem, (age, spare)


def test_what_a_tracker_says_of_a_moment_ahead_counts_as_of_now() -> None:
    lasts = 0.25 + 0.3 / 0.8
    reached = way(0.3) + RADIUS + 0.03 + 0.2 + 0.3 + 0.5 * lasts + 0.25 * lasts**2
    for spare, problem in ((0.003, ""), (-0.003, "moving thing ahead")):
        scene = Scene()
        scene.moves(thing(reached + spare, 0.0, -0.5, 0.0), stamp=0.2)
        assert scene.what((0.3, 0.0, 0.0)) == problem


@pytest.mark.parametrize(("ahead", "free"), [(0.0, True), (0.03, True), (0.1, False)])
def test_past_somebody_it_may_come_nearer_by_a_tenth_of_its_way(ahead: float, free: bool) -> None:
    for sign in (1.0, -1.0):
        scene = Scene(max_lateral=0.3)
        scene.moves(thing(sign * ahead, 0.55))
        assert (scene.what((sign * 0.3, 0.0, 0.0)) == "") == free
        scene.moves(thing(0.55, sign * ahead))
        assert (scene.what((0.0, 0.0, sign * 0.3)) == "") == free


def test_what_its_rolling_adds_to_a_command_leads_at_nobody() -> None:
    """Neither a stop nor the command alone leads at who stands at the end of both."""
    scene = Scene(max_lateral=0.5)
    scene.motion.told((0.5, 0.0, 0.0), 0.0)
    scene.moves(thing(0.9, 0.9))
    assert scene.what((0.0, 0.0, 0.5)) == "moving thing ahead" and scene.what((0.0, 0.0, -0.5)) == ""
    scene.moves(thing(1.0, 0.0), thing(0.0, 9.0), thing(0.0, -9.0))
    assert scene.what((-0.3, 0.0, 0.0)) == "", "of three it rolls at one"
    scene.moves(thing(1.0, 0.0), thing(-9.0, 0.0))
    assert scene.what((-0.3, 0.0, 0.0)) == "", "and the one that it goes to is far away"


def test_pressed_from_one_side_it_may_go_as_near_to_the_other_but_not_within_the_margin() -> None:
    for gap, free in ((0.12, True), (0.03, False)):
        scene = Scene()
        scene.moves(thing(-0.56, 0.0, 0.6, 0.0), thing(0.18 + 0.3 + way(0.1) + gap, 0.0))
        assert (scene.what((0.1, 0.0, 0.0)) == "") == free, gap


def test_one_that_still_rolls_may_turn_back_but_not_go_on() -> None:
    scene = Scene()
    scene.motion.told((0.5, 0.0, 0.0), 0.0)
    scene.moves(thing(1.0, 0.0))
    assert scene.what((0.5, 0.0, 0.0)) == "moving thing ahead"
    assert scene.what((0.05, 0.0, 0.0)) == "moving thing ahead"
    assert scene.what(REST) == "moving thing ahead", "even stopped it rolls there"
    assert scene.what((-0.3, 0.0, 0.0)) == "" and scene.what((0.0, 1.0, 0.0)) == ""


def test_nobody_walks_through_a_robot_that_stands() -> None:
    """One who comes from behind stops where they touch it: the way ahead is free."""
    scene = Scene()
    scene.moves(thing(-0.6, 0.0, 2.0, 0.0))
    assert scene.what((0.5, 0.0, 0.0)) == ""
    scene.moves(thing(-0.6, 0.0, 2.0, 0.0), thing(0.85, 0.0, 0.0, 0.0))
    assert scene.what((0.5, 0.0, 0.0)) == "moving thing ahead"


def test_things_are_where_they_are_from_the_robot_now() -> None:
    scene = Scene()
    scene.at(1.0, 0.1, 0.0, math.pi / 2)
    scene.moves(thing(0.9 * math.cos(0.8), 0.9 * math.sin(0.8)), stamp=1.0)
    assert scene.what((0.3, 0.0, 0.0), 1.0) == ""
    scene.at(1.2, 0.1, 0.0, math.pi / 2 + 0.8)
    assert scene.what((0.3, 0.0, 0.0), 1.2) == "moving thing ahead" and scene.what((-0.3, 0.0, 0.0), 1.2) == ""
