"""World -> a folder for Gazebo: an SDFormat world, its meshes and pictures, and how its doors are opened.

It is written from the same scene as the MuJoCo model. A surface with a picture is a mesh; what is solid is a box or
a cylinder; walls are one static model, furniture another, and each door is a model with a joint.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from scipy.spatial.transform import Rotation

from ami_ros.core.config import dump_yaml
from ami_ros.simulation.floor_plan import LEAF, door_frame, door_obstacle
from ami_ros.simulation.gazebo import sdf
from ami_ros.simulation.gazebo.sdf import (
    Element,
    EvenLight,
    Tree,
    add,
    add_color,
    add_picture,
    add_plugin,
    linear,
    linear_color,
    panels_obj,
    unique_names,
)
from ami_ros.simulation.scene import Beam, Material, Scene, Shape, rgba_of, scene_of
from ami_ros.simulation.world import Door, World

# Who meets whom: doors meet robots, which meet everything, and not the walls that they hang in.
STATIC_BITS, DOOR_BITS = 0x1, 0x2


def write_world(
    world: World, folder: Path, robot: Element | None = None, pose: Sequence[float] = (0, 0, 0),
    others: Sequence[Element] = (), real_time_factor: float = 1.0,
) -> Path:  # fmt: skip
    """Writes `world` into `folder`, which is made if need be, and returns the path of the SDFormat file.

    Beside it lie `meshes`, `textures` and, where there are doors, `doors.yaml`: the topic of each door and the
    joint positions at which it is open and closed. The world's axes are those of the floor plan.

    Args:
        world: any.
        folder: to write into; files of these names are replaced.
        robot: a `<model>` to put into it.
        pose: x, y, yaw of the robot [m, m, rad].
        others: further `<model>`s.
        real_time_factor: simulated seconds in a second, at most.

    Raises:
        AmiError: it cannot be written.
    """
    scene, name = scene_of(world), unique_names([world.name])[world.name]
    root = ElementTree.Element("sdf", version=sdf.VERSION)
    place = add(root, "world", name=name)
    even = EvenLight.of(scene.surroundings.ambient, scene.surroundings.frontal)
    _add_settings(place, scene, even, real_time_factor)
    for number, beam in enumerate(scene.beams):
        _add_light(place, number, beam, scene, world.interior.height if world.interior else 0.0)
    pictures = {picture: f"textures/{own}" for picture, own in unique_names(scene.files).items()}
    _add_building(place, scene, even, folder, pictures)
    _add_furniture(place, scene, even.standing, pictures)
    doors = unique_names(door.name for door in world.doors)
    for door in world.doors:
        _add_door(place, world, door, doors[door.name], even.standing)
    if robot is not None:
        add(robot, "pose", [pose[0], pose[1], 0.0, 0.0, 0.0, pose[2]])
        place.append(robot)
    place.extend(others)
    for picture, own in pictures.items():
        sdf.write(folder / own, scene.files[picture])
    if world.doors:
        sdf.write(folder / "doors.yaml", dump_yaml({d.name: door_states(world, d, doors[d.name]) for d in world.doors}))
    path = folder / f"{name}.sdf"
    sdf.write(path, sdf.document(root))
    return path


def _add_settings(world: Element, scene: Scene, even: EvenLight, real_time_factor: float) -> None:
    step = 0.004  # of the physics [s]
    clock: Tree = {"max_step_size": step, "real_time_factor": real_time_factor,
                   "real_time_update_rate": real_time_factor / step}  # fmt: skip
    add(world, "physics", clock, name="default", type="ignored")
    add(world, "gravity", [0.0, 0.0, -9.8])
    add(world, "magnetic_field", [5.5645e-6, 22.8758e-6, -42.3884e-6])
    add(world, "atmosphere", type="adiabatic")
    add_plugin(world, "physics", "Physics")
    add_plugin(world, "user-commands", "UserCommands")
    add_plugin(world, "scene-broadcaster", "SceneBroadcaster")
    add_plugin(world, "sensors", "Sensors", render_engine="ogre2")
    add_plugin(world, "imu", "Imu")
    add_plugin(world, "contact", "Contact")
    sky = [*linear_color(np.array(scene.surroundings.sky).mean(axis=0)), 1.0]
    look: Tree = {"ambient": [even.scene] * 3 + [1.0], "background": sky}
    add(world, "scene", {**look, "shadows": False, "grid": False, "origin_visual": False})


def _add_light(world: Element, number: int, beam: Beam, scene: Scene, height: float) -> None:
    """A lamp, or the sun: what its `strength` adds to the even light where it falls straight, both as MuJoCo has them.

    ogre2 divides the light of a lamp by 0.5 + linear d + quadratic d^2, whatever `constant` is, so all is halved.
    """
    far = beam.position is None
    even = scene.surroundings.ambient + scene.surroundings.frontal / 2
    strength = (linear(even + beam.strength) - linear(even)) / (1 if far else 2)
    light: dict[str, Any] = {
        "pose": [*(beam.position or (0.0, 0.0, height)), 0.0, 0.0, 0.0], "cast_shadows": False,
        "diffuse": [strength] * 3 + [1.0], "specular": [0.0, 0.0, 0.0, 1.0], "direction": beam.direction,
    }  # fmt: skip
    if not far:
        light["attenuation"] = {"range": 20.0, "constant": 0.5, "linear": 0.0, "quadratic": beam.fall / 2}
        light["spot"] = {"inner_angle": 0.0, "outer_angle": math.pi, "falloff": beam.cone}
    add(world, "light", light, name=f"light_{number}", type="directional" if far else "spot")


def _add_building(world: Element, scene: Scene, even: EvenLight, folder: Path, pictures: dict[str, str]) -> None:
    """Floor, walls, ceilings and what hangs on them."""
    link = add(add(world, "model", {"static": True}, name="building"), "link", name="link")
    furniture = {piece.name for piece in scene.world.furniture}
    panels: dict[tuple[str, bool, bool], list[tuple[Shape, Material]]] = defaultdict(list)
    solids = 0
    for shape in scene.shapes:
        if shape.panel:
            material = scene.materials[shape.material]
            lies = abs(np.cross(*np.array(shape.axes))[2]) > 0.5
            panels[material.picture, material.shines, lies].append((shape, material))
        elif shape.kind == "plane":
            floor: Tree = {"plane": {"normal": [0, 0, 1], "size": [100, 100]}}
            add(link, "collision", {"geometry": floor, **_contact(STATIC_BITS)}, name="floor")
        elif not shape.name:
            _add_solid(link, f"wall_{solids}", shape, scene, even.standing, {})
            solids += 1
        else:
            known = shape.name in furniture or shape.name.startswith(("door:", "leaf:"))
            assert known, f"who writes {shape.name}?"
    stems = {(p, lies): f"{p.removesuffix('.png')}{'_flat' if lies else ''}.obj" for p, _, lies in panels}
    meshes = unique_names(stems.values())
    for (picture, shines, lies), group in panels.items():
        mesh = meshes[stems[picture, lies]]
        sdf.write(folder / "meshes" / mesh, panels_obj(group))
        shown: Tree = {"cast_shadows": False, "geometry": {"mesh": {"uri": f"meshes/{mesh}"}}}
        visual = add(link, "visual", shown, name=f"panels_{mesh.removesuffix('.obj')}")
        glow = 1.0 if shines else even.lying if lies else even.standing
        add_picture(visual, pictures[picture], glow, lit=not shines)


def _add_furniture(world: Element, scene: Scene, glow: float, pictures: dict[str, str]) -> None:
    pieces = {piece.name for piece in scene.world.furniture}
    shapes = [shape for shape in scene.shapes if shape.name in pieces]
    if shapes:
        link = add(add(world, "model", {"static": True}, name="furniture"), "link", name="link")
        names = unique_names(shape.name for shape in shapes)
        for shape in shapes:
            _add_solid(link, names[shape.name], shape, scene, glow, pictures)


def _add_solid(link: Element, name: str, shape: Shape, scene: Scene, glow: float, pictures: dict[str, str]) -> None:
    """A box or a cylinder: what is seen of it and, where it is in the way, what is touched."""
    size = [2 * s for s in shape.size] if shape.kind == "box" else [shape.size[0], 2 * shape.size[1]]
    x, y = np.array(shape.axes)
    turn = Rotation.from_matrix(np.stack([x, y, np.cross(x, y)], axis=1)).as_euler("xyz")
    pose = [*shape.position, *(0.0 if math.isclose(v, 0.0, abs_tol=1e-12) else float(v) for v in turn)]
    for tag in ("visual", "collision") if shape.solid else ("visual",):
        part = add(link, tag, {"pose": pose}, name=f"{name}_{tag}")
        sdf.add_shape(part, shape.kind, size)
        if tag == "collision":
            add(part, "surface", _contact(STATIC_BITS)["surface"])
        elif shape.material:
            add_picture(part, pictures[scene.materials[shape.material].picture], glow)
        else:
            assert shape.rgba is not None
            add_color(part, shape.rgba, glow)


def _contact(bits: int) -> dict[str, Tree]:
    return {"surface": {"contact": {"collide_bitmask": bits}}}


# Doors


def door_states(world: World, door: Door, name: str) -> dict[str, Any]:
    """How it is moved: `topic` takes a gz.msgs.Double, the positions at which it is `open` and `closed`.

    A door with a leaf turns about its start [rad]; one without sinks into the floor [m], and a little below it.

    Args:
        world: the door's.
        door: one of its doors.
        name: that of its model.
    """
    opened = door.leaf if door.leaf is not None else -(door_frame(world, door)[1] + 0.01)
    now = opened if door.open else 0.0
    return {"topic": f"/door/{name}", "open": round(opened - now, 6), "closed": round(0.0 - now, 6)}


def _add_door(place: Element, world: World, door: Door, name: str, glow: float) -> None:
    """Adds the model `name` of a door, as its file has it, and what moves it; it gives off `glow` of its colour."""
    states, turns, mass = door_states(world, door, name), door.leaf is not None, 10.0  # [kg]
    panel, height = door_obstacle(world, door), door_frame(world, door)[1]
    width, thickness = 2 * panel.half[0], LEAF if turns else 2 * panel.half[1]
    yaw = math.atan2(door.end[1] - door.start[1], door.end[0] - door.start[0])
    sunk = -states["closed"] if door.open and not turns else 0.0
    pose = [*door.start, sunk, 0.0, 0.0, yaw + (door.leaf if door.open and door.leaf else 0.0)]
    model = add(place, "model", {"pose": pose}, name=f"door_{name}")
    link = add(model, "link", {"gravity": False}, name="panel")  # its origin is the hinge, on the floor
    middle = [width / 2, 0.0, height / 2, 0.0, 0.0, 0.0]
    squares = width**2, thickness**2, height**2
    moments = [mass / 12 * (squares[a] + squares[b]) for a, b in ((1, 2), (0, 2), (0, 1))]
    sdf.add_inertia(link, mass, moments, middle)
    for tag in ("collision", "visual"):
        part = add(link, tag, {"pose": middle}, name=f"panel_{tag}")
        sdf.add_shape(part, "box", [width, thickness, height])
        if tag == "collision":
            add(part, "surface", _contact(DOOR_BITS)["surface"])
        else:
            add_color(part, rgba_of(door.color), glow)
    limit: Tree = {
        "lower": min(states["open"], states["closed"]), "upper": max(states["open"], states["closed"]),
        "effort": 1e6,  # [N, N m]: without a limit of it, gz-physics lets doors pass their stops
    }  # fmt: skip
    joint: Tree = {"parent": "world", "child": "panel", "axis": {"xyz": [0, 0, 1], "limit": limit}}
    add(model, "joint", joint, name="hinge", type="revolute" if turns else "prismatic")
    add_plugin(
        model, "joint-position-controller", "JointPositionController", joint_name="hinge", topic=states["topic"],
        use_velocity_commands=True, cmd_max=1.0, cmd_min=-1.0,  # [rad/s] of leaves, [m/s] of doors that sink
    )  # fmt: skip
