"""Doors as models of Gazebo: each has a joint, which is at 0 as the world's file has the door."""

from __future__ import annotations

import math
from typing import Any

from ami_ros.simulation import layout
from ami_ros.simulation.gazebo import sdf
from ami_ros.simulation.gazebo.materials import add_color
from ami_ros.simulation.gazebo.sdf import Element, add, add_plugin
from ami_ros.simulation.scene import rgba_of
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
