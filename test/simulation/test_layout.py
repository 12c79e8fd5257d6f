from __future__ import annotations

import numpy as np

from ami_ros.simulation import floor_plan as layout
from ami_ros.simulation.world import Door, Room, Texture, Wall, World

OAK = {"oak": Texture("plain", ("#aa7733",))}


def world(walls: tuple[Wall, ...], doors: tuple[Door, ...] = ()) -> World:
    return World("test", (4.0, 4.0), OAK, (Room("room", (0, 0, 4, 4), "oak"),), walls, doors)


def test_walls_in_one_line_become_one_body_without_a_seam() -> None:
    parts = (Wall("a", (0, 1), (1, 1)), Wall("c", (3, 1), (2, 1)), Wall("b", (1, 1), (2, 1)))
    (strip,) = layout.solid_strips(world(parts))
    assert np.allclose(sorted([strip.start, strip.end]), [(-0.05, 1), (3.05, 1)])


def test_walls_that_meet_at_a_corner_stay_apart_but_leave_no_notch() -> None:
    strips = layout.solid_strips(world((Wall("a", (1, 1), (3, 1)), Wall("b", (3, 1), (3, 3)))))
    plan = [layout.Obstacle("w", "box", s.center, s.yaw, (s.length / 2, s.thickness / 2), 1.0) for s in strips]
    assert len(plan) == 2
    outer_corner = np.array([3.05, 0.95])
    assert any(_has_corner(obstacle, outer_corner) for obstacle in plan)


def _has_corner(obstacle: layout.Obstacle, corner: np.ndarray) -> bool:
    return bool((np.abs(layout.corners(obstacle) - corner).max(axis=1) < 1e-9).any())


def test_a_door_cuts_its_wall_and_leaves_exactly_its_width() -> None:
    wall = Wall("a", (0, 2), (4, 2))
    parted = world((wall,), (Door("d", (2.5, 2), (1.5, 2)),))
    assert np.allclose(layout.wall_pieces(parted, wall), [(0, 1.5), (2.5, 4)])
    ends = sorted(x for strip in layout.solid_strips(parted) for x in (strip.start[0], strip.end[0]))
    assert np.allclose(ends, [-0.05, 1.5, 2.5, 4.05])


def test_a_closed_door_is_an_obstacle_and_an_open_one_is_not(two_rooms: World) -> None:
    names = [o.name for o in layout.obstacles_of(two_rooms, {})]
    assert "middle" not in names
    assert [*names, "middle"] == [o.name for o in layout.obstacles_of(two_rooms, {"middle": False})]
