from __future__ import annotations

import os
import subprocess
import sys

import pytest

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


def test_the_users_choice_of_a_backend_is_kept() -> None:
    environment = {**os.environ, "MUJOCO_GL": "osmesa", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    program = "import os, ami_ros.simulation.mjcf as r; print(os.environ['MUJOCO_GL'])"
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "osmesa"
