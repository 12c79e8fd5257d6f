"""Moving bodies: how big they are, how their legs swing, and what of them a level plane meets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ami_ros.core.geometry import Array
from ami_ros.simulation.floor_plan import Obstacle, disc

Kind = Literal["adult", "child", "trolley", "robot"]


@dataclass(frozen=True)
class Anatomy:
    """Shares of a person's height (Winter, Biomechanics and Motor Control of Human Movement, 4th ed., fig. 4.1)."""

    crotch: float = 0.47  # height
    hips: float = 0.053  # half the distance between the legs: half of the hips' width there
    leg: float = 0.032  # radius of a leg at the ankle: shins of 11 cm
    thigh: float = 0.045  # and at the hip
    chest: float = 0.1  # radius of the trunk: the circle with the area of a chest's outline


@dataclass(frozen=True)
class Make:
    """What bodies of a kind have in common."""

    radius: float  # of their drums [m]
    statures: tuple[float, float]  # [m]
    palettes: tuple[tuple[str, ...], ...]  # of trousers, coat, skin and hair; of a thing the one of its colour


PERSON = Anatomy()
TROLLEY = (0.8, 0.5, 0.95)  # length, width and height of a trolley [m]
SHIN = 0.15  # the height in which a robot's bumper meets them [m]
_CLOTHES = (
    ("#23262e", "#3b4a63", "#6b5a45", "#2f3b2c", "#7d7f83", "#15171a", "#8a3f3a"),
    ("#b23a3a", "#2f6f8f", "#d9c9a3", "#4c7a4a", "#e4e4e0", "#1f2126", "#d98e2b", "#7c4f8a", "#5f6670", "#c77f9b"),
    ("#f0cdb0", "#d8a47f", "#a8714b", "#6f4a33", "#e8bb98"),
    ("#20160f", "#6a4a2a", "#c9a96a", "#8d8d8d", "#101012", "#a2522a"),
)
KINDS: dict[Kind, Make] = {
    "adult": Make(0.25, (1.55, 1.9), _CLOTHES),
    "child": Make(0.18, (1.0, 1.4), _CLOTHES),
    "trolley": Make(0.47, (TROLLEY[2], TROLLEY[2]), (("#8f979e", "#3f6fa8", "#c8b23a"),)),
    "robot": Make(0.18, (0.2, 0.2), (("#26282e",),)),
}


@dataclass(frozen=True)
class Body:
    """One moving body.

    Attributes:
        name: that no other has.
        kind: what it is.
        stature: its height [m].
        colors: of trousers, coat, skin and hair of a person, "#rrggbb"; of a thing only the first.
    """

    name: str
    kind: Kind
    stature: float
    colors: tuple[str, ...]

    @property
    def radius(self) -> float:
        """Of the upright drum within which it stays, and which others like it leave to it [m]."""
        return KINDS[self.kind].radius

    @property
    def walks(self) -> bool:
        """Whether it has legs."""
        return self.kind in ("adult", "child")

    def stride(self, speed: float) -> float:
        """How far it comes with two steps at `speed` [m/s] [m]."""
        return self.stature * min(0.35 + 0.3 * speed, 0.9)

    def feet(self, phase: float, speed: float) -> tuple[float, float]:
        """How far ahead of the hips the left and the right foot are [m], at a `phase` of the gait (0..1).

        A foot that stands stays where it is on the floor while the body goes over it, and swings forward in the other
        half of a stride: so a scanner sees legs of people, which stand and leap by turns. Who stands has both feet
        below the hips.
        """
        swing = self.stride(speed) / 4 * min(1.0, speed / 0.3)

        def foot(at: float) -> float:
            at %= 1.0
            return swing * (1.0 - 4.0 * at) if at < 0.5 else -swing * math.cos(2 * math.pi * (at - 0.5))

        return foot(phase), foot(phase + 0.5)

    def met(self, pose: Array, phase: float, speed: float, height: float) -> list[Obstacle]:
        """What a level plane at `height` [m] meets of it, at `pose` (3,): two legs, a trunk, a box, or nothing."""
        if height >= self.stature:
            return []
        x, y, yaw = (float(value) for value in pose)
        if self.kind == "trolley":
            half = (TROLLEY[0] / 2, TROLLEY[1] / 2)
            return [Obstacle(self.name, "box", (x, y), yaw, half, self.stature)]
        crotch = PERSON.crotch * self.stature
        if self.kind == "robot" or height >= crotch:
            radius = self.radius if self.kind == "robot" else PERSON.chest * self.stature
            return [disc(self.name, (x, y), radius, self.stature)]
        c, s = math.cos(yaw), math.sin(yaw)
        share = height / crotch
        radius = self.stature * (PERSON.leg + (PERSON.thigh - PERSON.leg) * share)
        found = []
        for foot, side in zip(self.feet(phase, speed), (1, -1), strict=True):
            ahead, aside = foot * (1 - share), side * PERSON.hips * self.stature
            found.append(disc(self.name, (x + c * ahead - s * aside, y + s * ahead + c * aside), radius, crotch))
        return found


def draw_body(name: str, kind: Kind, rng: np.random.Generator) -> Body:
    """One of a kind, its size and looks drawn by `rng`."""
    make = KINDS[kind]
    stature = round(float(rng.uniform(*make.statures)), 3)
    return Body(name, kind, stature, tuple(colors[int(rng.integers(len(colors)))] for colors in make.palettes))
