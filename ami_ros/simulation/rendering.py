"""MuJoCo's way to OpenGL on a machine without a screen. Import `mujoco` from here, so that the choice comes first."""

from __future__ import annotations

import ctypes
import os

import numpy as np
from numpy.typing import NDArray

from ami_ros.errors import AmiError
from ami_ros.extras import importing
from ami_ros.simulation.elements import CEILING_GROUP, HIDDEN_GROUP, ROBOT_GROUP

_ADVICE = "install the system packages libegl1 libegl-mesa0 libgl1-mesa-dri (or libosmesa6 with MUJOCO_GL=osmesa)"


def _loads(*libraries: str) -> bool:
    for library in libraries:
        try:
            ctypes.CDLL(library)
            return True
        except OSError:
            continue
    return False


def choose_backend() -> str:
    """The OpenGL backend that this machine has: egl, else osmesa, else disable (physics without pictures)."""
    if _loads("libEGL.so.1"):
        return "egl"
    if _loads("libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so"):
        return "osmesa"
    return "disable"


if not os.environ.get("MUJOCO_GL"):
    os.environ["MUJOCO_GL"] = choose_backend()
# Mesa's software renderer hands even the smallest picture to threads of its own and waits for them. Drawing where it is
# asked costs less, and on a machine with all cores busy it took 6 ms instead of 85.
os.environ.setdefault("LP_NUM_THREADS", "0")

with importing("sim"):
    import mujoco  # the backend is chosen at its import


class Camera:
    """Pictures from one camera of a model, `size` pixels square. Not to be shared between threads."""

    def __init__(self, model: mujoco.MjModel, name: str, size: int | tuple[int, int], show_robot: bool) -> None:
        height, width = (size, size) if isinstance(size, int) else size
        # The frame buffer is taken from the model's settings, and antialiased it costs 40 bytes a pixel.
        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        model.vis.quality.shadowsize = 0  # there are no shadows: a map for them would be 64 MB
        try:
            self._renderer = mujoco.Renderer(model, height, width)
        except Exception as error:  # MuJoCo's backends raise anything from ImportError to AttributeError here
            reason = " ".join(str(error).split())
            raise AmiError(f"no OpenGL for the simulated camera ({reason}): {_ADVICE}") from error
        self._name = name
        self._options = mujoco.MjvOption()
        self._options.geomgroup[:] = 1
        self._options.geomgroup[ROBOT_GROUP] = int(show_robot)
        self._options.geomgroup[HIDDEN_GROUP] = 0
        self._options.geomgroup[CEILING_GROUP] = int(name != "ceiling")
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._renderer.scene.flags[flag] = 0

    def picture(self, data: mujoco.MjData) -> NDArray[np.uint8]:
        """What the camera sees in `data`: (H, W, 3) RGB."""
        self._renderer.update_scene(data, self._name, self._options)
        return self._renderer.render()

    def measures_depth(self) -> None:
        """From now on `picture` gives (H, W) float32: depth along the optical axis [m]."""
        self._renderer.enable_depth_rendering()

    def close(self) -> None:
        """Gives back the OpenGL context."""
        self._renderer.close()
