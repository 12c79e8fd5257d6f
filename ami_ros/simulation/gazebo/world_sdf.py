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
from ami_ros.simulation import floor_plan as layout
from ami_ros.simulation.gazebo import sdf
from ami_ros.simulation.gazebo.sdf import (
    Element,
    EvenLight,
    add,
    add_color,
    add_picture,
    add_plugin,
    lamp,
    linear_color,
    panels_obj,
    unique_names,
)
from ami_ros.simulation.scene import (
    LAMP_CONE,
    LAMP_FALL,
    Beam,
    Material,
    Scene,
    Shape,
    door_shape,
    leaf_shape,
    rgba_of,
    scene_of,
)
from ami_ros.simulation.world import Door, World

DOOR_BITS = 0x2
BELOW = 0.01  # how far below the floor a door stands that has sunk into it [m]
MASS = 10.0  # [kg]
EFFORT = 1e6  # [N, N m]: without a limit of it, gz-physics lets doors pass their stops
SPEEDS = 1.0, 1.0  # of leaves [rad/s], and of doors that sink [m/s]


def door_states(world: World, door: Door, name: str) -> dict[str, Any]:
    """How it is moved: `topic` takes a gz.msgs.Double, the positions at which it is `open` and `closed`.

    A door with a leaf turns about its start [rad]; one without sinks into the floor [m].

    Args:
        world: the door's.
        door: one of its doors.
        name: that of its model.
    """
    closed, opened = (0.0, door.leaf) if door.leaf is not None else (0.0, -(_height(world, door) + BELOW))
    now = opened if door.open else closed
    return {"topic": f"/door/{name}", "open": round(opened - now, 6), "closed": round(closed - now, 6)}


def add_door(place: Element, world: World, door: Door, name: str, glow: float) -> None:
    """Adds the model `name` of a door, as its file has it, and what moves it; it gives off `glow` of its colour."""
    states = door_states(world, door, name)
    panel = layout.door_obstacle(world, door)
    width, height = 2 * panel.half[0], _height(world, door)
    thickness = 2 * panel.half[1] if door.leaf is None else layout.LEAF
    yaw = math.atan2(door.end[1] - door.start[1], door.end[0] - door.start[0])
    sunk = 0.0 if door.leaf is not None or not door.open else -states["closed"]
    model = add(place, "model", name=f"door_{name}")
    add(model, "pose", [*door.start, sunk, 0.0, 0.0, yaw + (door.leaf if door.open and door.leaf else 0.0)])
    link = add(model, "link", name="panel")  # its origin is the hinge, on the floor
    add(link, "gravity", False)
    middle = [width / 2, 0.0, height / 2, 0.0, 0.0, 0.0]
    squares = width**2, thickness**2, height**2
    moments = [MASS / 12 * (squares[a] + squares[b]) for a, b in ((1, 2), (0, 2), (0, 1))]
    sdf.add_inertia(link, MASS, moments, middle)
    for tag in ("collision", "visual"):
        part = add(link, tag, name=f"panel_{tag}")
        add(part, "pose", middle)
        sdf.add_shape(part, "box", [width, thickness, height])
        if tag == "collision":
            add(add(add(part, "surface"), "contact"), "collide_bitmask", DOOR_BITS)
            continue
        add_color(part, rgba_of(door.color), glow)
    _add_joint(model, door, states)


def _add_joint(model: Element, door: Door, states: dict[str, Any]) -> None:
    joint = add(model, "joint", name="hinge", type="prismatic" if door.leaf is None else "revolute")
    add(joint, "parent", "world")
    add(joint, "child", "panel")
    axis = add(joint, "axis")
    add(axis, "xyz", [0, 0, 1])
    limit = add(axis, "limit")
    add(limit, "lower", min(states["open"], states["closed"]))
    add(limit, "upper", max(states["open"], states["closed"]))
    add(limit, "effort", EFFORT)
    speed = SPEEDS[door.leaf is None]
    add_plugin(
        model, "joint-position-controller", "JointPositionController", joint_name="hinge", topic=states["topic"],
        use_velocity_commands=True, cmd_max=speed, cmd_min=-speed,
    )  # fmt: skip


def _height(world: World, door: Door) -> float:
    wall = layout.wall_of_door(world, door)
    assert wall is not None, f"door '{door.name}' was not checked"
    return door.height or wall.height


STEP = 0.004  # of the physics [s]
LAMP_RANGE = 20.0  # [m]
BUILDING, FURNITURE = "building", "furniture"
STATIC_BITS = 0x1  # who meets whom: doors meet robots, which meet everything, and not the walls that they hang in


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
    scene = scene_of(world)
    names = unique_names([world.name])
    root = ElementTree.Element("sdf", version=sdf.VERSION)
    place = add(root, "world", name=names[world.name])
    even = EvenLight.of(scene.surroundings.ambient, scene.surroundings.frontal)
    _add_settings(place, scene, even, real_time_factor)
    for number, beam in enumerate(scene.beams):
        _add_light(place, number, beam, scene, world.interior.height if world.interior else 0.0)
    _add_building(place, scene, even, folder)
    _add_furniture(place, scene, even.standing, unique_names(scene.files))
    doors = unique_names(door.name for door in world.doors)
    for door in world.doors:
        add_door(place, world, door, doors[door.name], even.standing)
    if robot is not None:
        add(robot, "pose", [pose[0], pose[1], 0.0, 0.0, 0.0, pose[2]])
        place.append(robot)
    place.extend(others)
    for picture, name in unique_names(scene.files).items():
        sdf.write(folder / "textures" / name, scene.files[picture])
    if world.doors:
        sdf.write(folder / "doors.yaml", dump_yaml({d.name: door_states(world, d, doors[d.name]) for d in world.doors}))
    path = folder / f"{names[world.name]}.sdf"
    sdf.write(path, sdf.document(root))
    return path


def _add_settings(world: Element, scene: Scene, even: EvenLight, real_time_factor: float) -> None:
    physics = add(world, "physics", name="default", type="ignored")
    add(physics, "max_step_size", STEP)
    add(physics, "real_time_factor", real_time_factor)
    add(physics, "real_time_update_rate", real_time_factor / STEP)
    add(world, "gravity", [0.0, 0.0, -9.8])
    add(world, "magnetic_field", [5.5645e-6, 22.8758e-6, -42.3884e-6])
    add(world, "atmosphere", type="adiabatic")
    add_plugin(world, "physics", "Physics")
    add_plugin(world, "user-commands", "UserCommands")
    add_plugin(world, "scene-broadcaster", "SceneBroadcaster")
    add_plugin(world, "sensors", "Sensors", render_engine="ogre2")
    add_plugin(world, "imu", "Imu")
    add_plugin(world, "contact", "Contact")
    look = add(world, "scene")
    add(look, "ambient", [even.scene] * 3 + [1.0])
    add(look, "background", [*linear_color(np.array(scene.surroundings.sky).mean(axis=0)), 1.0])
    add(look, "shadows", False)
    add(look, "grid", False)
    add(look, "origin_visual", False)


def _add_light(world: Element, number: int, beam: Beam, scene: Scene, height: float) -> None:
    """A lamp, or the sun.

    ogre2 divides the light of a lamp by 0.5 + linear d + quadratic d^2, whatever `constant` is, so all is halved.
    """
    light = add(world, "light", name=f"light_{number}", type="directional" if beam.position is None else "spot")
    add(light, "pose", [*(beam.position or (0.0, 0.0, height)), 0.0, 0.0, 0.0])
    add(light, "cast_shadows", False)
    even = scene.surroundings.ambient + scene.surroundings.frontal / 2
    add(light, "diffuse", [lamp(beam.strength, even) / (1 if beam.position is None else 2)] * 3 + [1.0])
    add(light, "specular", [0.0, 0.0, 0.0, 1.0])
    add(light, "direction", beam.direction)
    if beam.position is None:
        return
    fall, cone = add(light, "attenuation"), add(light, "spot")
    for tag, value in (("range", LAMP_RANGE), ("constant", 0.5), ("linear", 0.0), ("quadratic", LAMP_FALL / 2)):
        add(fall, tag, value)
    for tag, value in (("inner_angle", 0.0), ("outer_angle", math.pi), ("falloff", LAMP_CONE)):
        add(cone, tag, value)


def _add_building(world: Element, scene: Scene, even: EvenLight, folder: Path) -> None:
    """Floor, walls, ceilings and what hangs on them."""
    link = add(_static_model(world, BUILDING), "link", name="link")
    furniture = {piece.name for piece in scene.world.furniture}
    panels: dict[tuple[str, bool, bool], list[tuple[Shape, Material]]] = defaultdict(list)
    solids = 0
    for shape in scene.shapes:
        if shape.panel:
            material = scene.materials[shape.material]
            lies = abs(np.cross(*np.array(shape.axes))[2]) > 0.5
            panels[material.picture, material.shines, lies].append((shape, material))
        elif shape.kind == "plane":
            _add_floor(link)
        elif not shape.name:
            _add_solid(link, f"wall_{solids}", shape, scene, even.standing, {})
            solids += 1
        else:
            doors = (door_shape(""), leaf_shape(""))
            assert shape.name in furniture or shape.name.startswith(doors), f"who writes {shape.name}?"
    pictures = unique_names(scene.files)
    stems = {(p, lies): f"{p.removesuffix('.png')}{'_flat' if lies else ''}.obj" for p, _, lies in panels}
    meshes = unique_names(stems.values())
    for (picture, shines, lies), group in panels.items():
        mesh = meshes[stems[picture, lies]]
        sdf.write(folder / "meshes" / mesh, panels_obj(group))
        visual = add(link, "visual", name=f"panels_{mesh.removesuffix('.obj')}")
        add(visual, "cast_shadows", False)
        add(add(add(visual, "geometry"), "mesh"), "uri", f"meshes/{mesh}")
        glow = 1.0 if shines else even.lying if lies else even.standing
        add_picture(visual, f"textures/{pictures[picture]}", glow, lit=not shines)


def _add_floor(link: Element) -> None:
    collision = add(link, "collision", name="floor")
    plane = add(add(collision, "geometry"), "plane")
    add(plane, "normal", [0, 0, 1])
    add(plane, "size", [100, 100])
    _add_bits(collision, STATIC_BITS)


def _add_furniture(world: Element, scene: Scene, glow: float, pictures: dict[str, str]) -> None:
    pieces = {piece.name for piece in scene.world.furniture}
    shapes = [shape for shape in scene.shapes if shape.name in pieces]
    if not shapes:
        return
    link = add(_static_model(world, FURNITURE), "link", name="link")
    names = unique_names(shape.name for shape in shapes)
    for shape in shapes:
        _add_solid(link, names[shape.name], shape, scene, glow, pictures)


def _static_model(world: Element, name: str) -> Element:
    model = add(world, "model", name=name)
    add(model, "static", True)
    return model


def _add_solid(link: Element, name: str, shape: Shape, scene: Scene, glow: float, pictures: dict[str, str]) -> None:
    """A box or a cylinder: what is seen of it and, where it is in the way, what is touched."""
    box = shape.kind == "box"
    size = [2 * s for s in shape.size] if box else [shape.size[0], 2 * shape.size[1]]
    tags = ("visual", "collision") if shape.solid else ("visual",)
    for tag in tags:
        part = add(link, tag, name=f"{name}_{tag}")
        add(part, "pose", [*shape.position, *_turn(shape)])
        sdf.add_shape(part, shape.kind, size)
        if tag == "collision":
            _add_bits(part, STATIC_BITS)
        elif shape.material:
            add_picture(part, f"textures/{pictures[scene.materials[shape.material].picture]}", glow)
        else:
            assert shape.rgba is not None
            add_color(part, shape.rgba, glow)


def _turn(shape: Shape) -> list[float]:
    """Roll, pitch and yaw of a shape [rad]."""
    x, y = np.array(shape.axes)
    turn = Rotation.from_matrix(np.stack([x, y, np.cross(x, y)], axis=1)).as_euler("xyz")
    return [0.0 if math.isclose(v, 0.0, abs_tol=1e-12) else float(v) for v in turn]


def _add_bits(collision: Element, bits: int) -> None:
    add(add(add(collision, "surface"), "contact"), "collide_bitmask", bits)
