"""Moving bodies in MuJoCo: each is a few mocap bodies, which are put where they are and weigh on no solver."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ami_ros.geometry import Array
from ami_ros.simulation.elements import HIDDEN_GROUP, SCENERY_GROUP, Element, add
from ami_ros.simulation.people.bodies import CHEST, CROTCH, DRUM, HIPS, LEG, SHIN, THIGH, TROLLEY, Body
from ami_ros.simulation.people.crowd import Crowd
from ami_ros.simulation.rendering import mujoco
from ami_ros.simulation.robot_model import NO_CONTACTS, OBSTACLE_CONTACTS
from ami_ros.simulation.textures import rgb

AWAY = (-1e3, -1e3)  # where those are who are not there [m]
LIMBS = ("left", "right")


def add_bodies(world_body: Element, bodies: Sequence[Body], light: float = 1.0) -> None:
    """Adds them to a model, in a `light` of so much of the usual."""
    for body in bodies:
        trunk = _mocap(world_body, body.name)
        paint = [(*np.clip(rgb(color) / 255 * light, 0, 1), 1.0) for color in body.colors]
        if body.kind == "trolley":
            length, width, height = TROLLEY
            _solid(trunk, body.name, "box", [length / 2, width / 2, height / 2], [0, 0, height / 2])
            _add_trolley(trunk, paint[0])
        elif body.kind == "robot":
            _solid(trunk, body.name, "cylinder", [body.radius, DRUM / 2], [0, 0, DRUM / 2])
            _look(trunk, paint[0], type="cylinder", size=[body.radius, DRUM / 2], pos=[0, 0, DRUM / 2])
        else:
            _add_person(world_body, trunk, body, paint)


def _add_person(world_body: Element, trunk: Element, body: Body, paint: Sequence[ArrayLike]) -> None:
    """Legs that swing about the hips, a trunk with arms, a head with hair on it and a face."""
    tall, (trousers, coat, skin, hair) = body.stature, paint
    crotch, shoulder, top = CROTCH * tall, 0.81 * tall, 0.93 * tall  # the last one is the middle of the head
    for limb in LIMBS:
        leg = _mocap(world_body, f"{body.name}_{limb}")
        shin = tall * (LEG + (THIGH - LEG) * SHIN / crotch)  # as wide all along as where a robot touches it
        _solid(leg, f"{body.name}_{limb}", "cylinder", [shin, crotch / 2], [0, 0, -crotch / 2])
        _look(leg, trousers, type="capsule", size=(LEG + THIGH) / 2 * tall, fromto=[0, 0, 0, 0, 0, 0.06 - crotch])
        _look(leg, hair, type="box", size=[0.075 * tall, 0.028 * tall, 0.03], pos=[0.03 * tall, 0, 0.03 - crotch])
    middle = (crotch + shoulder) / 2
    size = [0.07 * tall, 0.105 * tall, (shoulder - crotch) / 2 + 0.03 * tall]
    _look(trunk, coat, type="ellipsoid", size=size, pos=[0, 0, middle])
    _look(trunk, coat, type="box", size=[0.055 * tall, 0.085 * tall, (shoulder - crotch) / 2], pos=[0, 0, middle])
    for side in (-1, 1):
        reach = [0, side * (CHEST + 0.02) * tall, shoulder, 0.03 * tall, side * (CHEST + 0.03) * tall, crotch]
        _look(trunk, coat, type="capsule", size=0.026 * tall, fromto=reach)
    head = 0.065 * tall if body.kind == "adult" else 0.085 * tall
    _look(trunk, skin, type="sphere", size=head, pos=[0, 0, top])
    _look(trunk, hair, type="sphere", size=head * 1.02, pos=[-0.25 * head, 0, top + 0.2 * head])


def _add_trolley(trunk: Element, color: ArrayLike) -> None:
    length, width, height = TROLLEY
    _look(trunk, color, type="box", size=[length / 2, width / 2, 0.3], pos=[0, 0, 0.42])
    _look(trunk, color, type="box", size=[0.02, width / 2, height / 2 - 0.35], pos=[-length / 2, 0, height / 2 + 0.33])
    for x in (-1, 1):
        for y in (-1, 1):
            place = [x * (length / 2 - 0.06), y * (width / 2 - 0.05), 0.06]
            _look(trunk, (0.1, 0.1, 0.1, 1.0), type="sphere", size=0.06, pos=place)


def _mocap(world_body: Element, name: str) -> Element:
    return add(world_body, "body", name=name, mocap="true", pos=[*AWAY, 0.0])


def _solid(body: Element, name: str, kind: str, size: ArrayLike, pos: ArrayLike) -> None:
    add(body, "geom", name=name, type=kind, mass=0, size=size, pos=pos, group=HIDDEN_GROUP, **OBSTACLE_CONTACTS)


def _look(body: Element, rgba: ArrayLike, **attributes: ArrayLike) -> None:
    add(body, "geom", mass=0, rgba=rgba, group=SCENERY_GROUP, **NO_CONTACTS, **attributes)


class Puppets:
    """Puts the bodies of a crowd in a model where they are."""

    def __init__(self, model: mujoco.MjModel, bodies: Sequence[Body]) -> None:
        self._bodies = bodies
        self._trunks = np.array([_number(model, body.name) for body in bodies], dtype=int)
        self._legs = np.array(
            [[_number(model, f"{body.name}_{limb}") for limb in LIMBS] if body.walks else [0, 0] for body in bodies]
        ).reshape(-1, 2)
        self.geoms: dict[int, int] = {}  # what of them is solid, and whose it is
        for index, body in enumerate(bodies):
            parts = [f"{body.name}_{limb}" for limb in LIMBS] if body.walks else [body.name]
            self.geoms |= {model.geom(part).id: index for part in parts}

    def show(self, data: mujoco.MjData, crowd: Crowd) -> None:
        """As they are now."""
        self.put(data, self.stances(crowd))

    def stances(self, crowd: Crowd) -> Array:
        """Where they are (n, 3), and how far ahead their feet (n, 2) are [m]: all that `put` needs."""
        found = np.zeros((len(self._bodies), 5))
        found[:, :3] = crowd.poses
        for index, body in enumerate(self._bodies):
            if body.walks:
                found[index, 3:] = body.feet(*crowd.gait(index))
            if not crowd.present[index]:
                found[index, :2] = AWAY
        return found

    def put(self, data: mujoco.MjData, stances: Array | None) -> None:
        """Puts them there; None: nobody is there."""
        if stances is None:
            stances = np.tile([*AWAY, 0.0, 0.0, 0.0], (len(self._bodies), 1))
        yaw = stances[:, 2]
        data.mocap_pos[self._trunks, :2], data.mocap_pos[self._trunks, 2] = stances[:, :2], 0.0
        data.mocap_quat[self._trunks] = np.stack([np.cos(yaw / 2), 0 * yaw, 0 * yaw, np.sin(yaw / 2)], axis=-1)
        for index, body in enumerate(self._bodies):
            if body.walks:
                self._put_legs(data, index, body, stances[index])

    def _put_legs(self, data: mujoco.MjData, index: int, body: Body, stance: Array) -> None:
        x, y, yaw = (float(value) for value in stance[:3])
        crotch, aside = CROTCH * body.stature, HIPS * body.stature
        c, s = math.cos(yaw / 2), math.sin(yaw / 2)
        for leg, foot, side in zip(self._legs[index], stance[3:], (1, -1), strict=True):
            data.mocap_pos[leg] = x - side * aside * math.sin(yaw), y + side * aside * math.cos(yaw), crotch
            swing = -math.atan2(float(foot), crotch) / 2  # about the axis to the left: forward is negative
            cs, ss = math.cos(swing), math.sin(swing)
            data.mocap_quat[leg] = c * cs, -s * ss, c * ss, s * cs


def _number(model: mujoco.MjModel, name: str) -> int:
    return int(model.body(name).mocapid[0])
