"""What is solid in a world, and what rays and robots meet of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.simulation.floor_plan import (
    FloorPlan,
    Obstacle,
    at_height,
    in_the_way,
    obstacles_of,
    outline,
    wall_obstacles,
    wall_pieces,
)
from ami_ros.simulation.world import Door, Room, Texture, Wall, World

BOX = Obstacle("box", "box", (2.0, 0.0), 0.0, (0.5, 1.0), 1.0)
TURNED = Obstacle("turned", "box", (0.0, 3.0), np.pi / 4, (1.0, 1.0), 1.0)
POST = Obstacle("post", "cylinder", (-2.0, 0.0), 0.0, (0.5, 0.5), 1.0)
PANE = Obstacle("pane", "box", (2.0, 0.0), 0.0, (0.01, 2.0), 1.5, surface="glass")
WALL = Obstacle("wall", "box", (5.0, 0.0), 0.0, (0.1, 10.0), 2.5)


@pytest.mark.parametrize(
    ("angle", "distance"),
    [
        (0.0, 1.5),
        (np.pi, 1.5),
        (np.pi / 2, 3.0 - np.sqrt(2)),
        (-np.pi / 2, np.inf),
        (np.arctan2(0.9, 1.5), np.hypot(0.9, 1.5)),
    ],
)
def test_rays_end_at_the_first_surface(angle: float, distance: float) -> None:
    plan = FloorPlan([BOX, TURNED, POST])
    assert plan.cast([0.0, 0.0], [angle])[0] == pytest.approx(distance)


def test_the_nearer_of_two_obstacles_hides_the_other() -> None:
    behind = Obstacle("behind", "box", (5.0, 0.0), 0.0, (0.5, 3.0), 1.0)
    assert FloorPlan([behind, BOX]).cast([0.0, 0.0], [0.0])[0] == pytest.approx(1.5)


def test_a_world_without_obstacles_returns_nothing() -> None:
    plan = FloorPlan([])
    assert np.isinf(plan.cast([0.0, 0.0], [0.0, 1.0])).all()
    assert np.isinf(plan.clearance([[0.0, 0.0]])).all()


def test_clearance_is_the_distance_to_the_nearest_surface_and_zero_inside() -> None:
    plan = FloorPlan([BOX, TURNED, POST])
    points = [[0.0, 0.0], [2.2, 0.3], [3.5, 2.0], [-2.0, 0.2], [0.0, 3.0 - np.sqrt(2) - 0.1]]
    expected = [1.5, 0.0, np.hypot(1.0, 1.0), 0.0, 0.1]
    assert plan.clearance(points) == pytest.approx(expected)


def test_no_ray_is_shorter_than_the_clearance() -> None:
    plan = FloorPlan([BOX, TURNED, POST])
    rng = np.random.default_rng(0)
    for origin in rng.uniform(-4, 4, (50, 2)):
        rays = plan.cast(origin, np.linspace(-np.pi, np.pi, 720))
        clearance = plan.clearance(origin[None])[0]
        assert rays.min() >= clearance - 1e-9
        if np.isfinite(rays.min()) and clearance > 0.1:
            assert rays.min() == pytest.approx(clearance, rel=0.02)


def test_glass_is_seen_straight_ahead_and_looked_through_aslant() -> None:
    plan = FloorPlan([PANE, WALL])
    assert plan.cast([0.0, 0.0], [0.0, 0.7])[0] == pytest.approx(1.99)
    straight, aslant = plan.returned([0.0, 0.0], [0.0, 0.7])
    assert straight == pytest.approx(1.99) and aslant == pytest.approx(4.9 / np.cos(0.7))


def test_black_is_seen_from_near_alone_and_hides_what_is_behind_it() -> None:
    plan = FloorPlan([replace(PANE, surface="black"), replace(WALL, center=(9.0, 0.0))])
    assert plan.returned([0.0, 0.0], [0.0])[0] == pytest.approx(1.99)
    assert np.isinf(plan.returned([-2.0, 0.0], [0.0])[0])


def test_a_laser_sees_the_legs_of_a_table_and_a_robot_drives_under_its_top() -> None:
    top = Obstacle("top", "box", (2.0, 0.0), 0.0, (0.5, 0.5), 0.75, base=0.72)
    leg = Obstacle("leg", "box", (1.6, 0.4), 0.0, (0.02, 0.02), 0.72)
    assert at_height([top, leg], 0.2) == [leg] == in_the_way([top, leg])
    assert at_height([top, leg], 0.73) == [top]


# Worlds

OAK = {"oak": Texture("plain", ("#aa7733",))}


def world(walls: tuple[Wall, ...], doors: tuple[Door, ...] = ()) -> World:
    return World("test", (4.0, 4.0), OAK, (Room("room", (0, 0, 4, 4), "oak"),), walls, doors)


def test_walls_in_one_line_become_one_body_without_a_seam() -> None:
    parts = (Wall("a", (0, 1), (1, 1)), Wall("c", (3, 1), (2, 1)), Wall("b", (1, 1), (2, 1)))
    (wall,) = wall_obstacles(world(parts))
    assert np.allclose([*wall.center, *wall.half], [1.5, 1, 1.55, 0.05])


def test_walls_that_meet_at_a_corner_stay_apart_but_leave_no_notch() -> None:
    walls = wall_obstacles(world((Wall("a", (1, 1), (3, 1)), Wall("b", (3, 1), (3, 3)))))
    assert len(walls) == 2
    assert any((np.abs(outline(wall) - [3.05, 0.95]).max(axis=1) < 1e-9).any() for wall in walls)


def test_a_door_cuts_its_wall_and_leaves_exactly_its_width() -> None:
    wall = Wall("a", (0, 2), (4, 2))
    parted = world((wall,), (Door("d", (2.5, 2), (1.5, 2)),))
    assert np.allclose(wall_pieces(parted, wall), [(0, 1.5), (2.5, 4)])
    ends = sorted(piece.center[0] + side * piece.half[0] for piece in wall_obstacles(parted) for side in (-1, 1))
    assert np.allclose(ends, [-0.05, 1.5, 2.5, 4.05])


def test_a_closed_door_is_an_obstacle_and_an_open_one_is_not(two_rooms: World) -> None:
    names = [o.name for o in obstacles_of(two_rooms, {})]
    assert "middle" not in names
    assert [*names, "middle"] == [o.name for o in obstacles_of(two_rooms, {"middle": False})]
