"""World -> MuJoCo model."""

from __future__ import annotations

from ami_ros.robots.description import RobotDescription, default_robot
from ami_ros.simulation.interior_scene import InteriorScene
from ami_ros.simulation.rendering import mujoco
from ami_ros.simulation.robot_model import OBSTACLE_CONTACTS
from ami_ros.simulation.scene import Scene, door_geom, leaf_geom
from ami_ros.simulation.world import World


def build_model(world: World, antialiasing: int = 0, robot: RobotDescription | None = None) -> mujoco.MjModel:
    """The model of `world` with a robot in it. `antialiasing`: samples a pixel of every picture.

    Its doors are as in the file; `show_door` opens and closes them.
    """
    scene = InteriorScene(world) if world.interior else Scene(world)
    model = scene.build(antialiasing, robot or default_robot())
    for door in world.doors:
        show_door(model, door.name, door.open)
    return model


def show_door(model: mujoco.MjModel, name: str, is_open: bool) -> None:
    """Makes a closed door solid and seen, an open one neither; with its leaf, if it has one, it is the other way."""
    _show(model, door_geom(name), not is_open)
    if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, leaf_geom(name)) >= 0:
        _show(model, leaf_geom(name), is_open)


def _show(model: mujoco.MjModel, name: str, there: bool) -> None:
    geom = model.geom(name)
    geom.contype[:] = OBSTACLE_CONTACTS["contype"] if there else 0
    geom.rgba[3] = 1.0 if there else 0.0
