"""Pictures of MuJoCo's model: with and without OpenGL, and from above."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from ami_ros.simulation.mjcf import choose_backend, draw_top_view
from ami_ros.simulation.world import World

PROGRAM = """
from ami_ros.core.errors import AmiError
from ami_ros.simulation.simulator import Simulator
robot = Simulator("empty", pictures=False)
robot.step((0.1, 0.0), 0.2)
print("drove", robot.observe().scan.ranges.shape)
try:
    Simulator("empty")
except AmiError as error:
    print("refused:", error)
"""


@pytest.mark.parametrize("backend", ["disable", "glfw"])
def test_without_opengl_the_robot_drives_and_a_camera_gets_one_line_that_says_what_to_install(backend: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "PYOPENGL_PLATFORM")}
    environment |= {"MUJOCO_GL": backend, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    lines = ran.stdout.splitlines()
    assert lines[0] == "drove (72,)"
    assert lines[1].startswith("refused: no OpenGL") and "libegl1 libegl-mesa0 libgl1-mesa-dri" in lines[1]
    assert len(lines) == 2


def test_a_backend_is_chosen_that_loads_unless_the_user_chose_one() -> None:
    assert choose_backend() in ("egl", "osmesa", "disable")
    environment = {**os.environ, "MUJOCO_GL": "osmesa", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    program = "import os, ami_ros.simulation.mjcf as r; print(os.environ['MUJOCO_GL'])"
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "osmesa"


def test_points_of_the_world_land_where_the_picture_shows_them(home: World) -> None:
    view = draw_top_view(home, scale=40.0)
    assert view.image.shape == (248, 328, 3)
    for name, expected in (("palm", "#2e7d3a"), ("stool", "#c43c3c"), ("armchair", "#b8462f")):
        thing = next(f for f in home.furniture if f.name == name)
        column, row = view.to_pixels(thing.position).astype(int)
        strongest = int(np.argmax([int(expected[i : i + 2], 16) for i in (1, 3, 5)]))
        assert int(np.argmax(view.image[row, column])) == strongest
    wall_column, wall_row = view.to_pixels([4.5, 2.6]).astype(int)
    assert view.image[wall_row, wall_column].max() < 110  # the dark top of a wall


def test_a_closed_door_is_drawn(two_rooms: World) -> None:
    is_open, closed = draw_top_view(two_rooms, 40.0), draw_top_view(two_rooms, 40.0, {"middle": False})
    column, row = is_open.to_pixels([2.0, 1.6]).astype(int)
    assert np.abs(is_open.image[row, column].astype(int) - closed.image[row, column]).sum() > 60


def test_many_points_map_at_once(two_rooms: World) -> None:
    view = draw_top_view(two_rooms, 20.0)
    assert view.to_pixels([[0.0, 0.0], [4.0, 3.0]]) == pytest.approx(np.array([[2.0, 62.0], [82.0, 2.0]]))
