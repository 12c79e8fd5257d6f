"""The same world on another day: who is in it, what was moved, and how it is lit; one name for all of it.

`NAME@people=3,changed=0.3,light=night` is what `load_world` takes wherever a world is named; commands have options for
the parts and write that name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.simulation.buildings.furnishing import Ground
from ami_ros.simulation.floor_plan import Obstacle, wall_normal
from ami_ros.simulation.world import Furniture, People, World

LIGHTS = ("day", "night", "lamps_off", "dim", "other_lamps", "sun_patch")


@dataclass(frozen=True)
class Visit:
    """What differs from the world as its file has it.

    Attributes:
        people: persons who move about; None: as in the file.
        speed, manner, group, trolleys, robots: see `People`.
        changed: share of the furniture that was moved, added or taken away since.
        light: one of LIGHTS; empty: as in the file.
        day: which other day: the seed of what changed and of who comes.
    """

    people: int | None = None
    speed: float | None = None
    manner: str | None = None
    group: int | None = None
    trolleys: int | None = None
    robots: int | None = None
    changed: float = 0.0
    light: str = ""
    day: int = 1

    def __post_init__(self) -> None:
        if not 0.0 <= self.changed <= 1.0:
            raise ValueError(f"changed is a share of 0 to 1, found {self.changed:g}")
        if self.light and self.light not in LIGHTS:
            raise ValueError(f"there is no light '{self.light}'; there are {', '.join(LIGHTS)}")
        if self.day < 0:
            raise ValueError(f"day must not be negative, found {self.day}")

    @property
    def name(self) -> str:
        """As it comes after a world's name; empty: nothing differs."""
        own = [f"{f.name}={value}" for f in fields(self) if (value := getattr(self, f.name)) != f.default]
        return "@" + ",".join(own) if own else ""

    def of(self, world: World) -> World:
        """`world` on that day. Raises AmiError where it cannot be: no windows for the sun, or impossible people."""
        if self.changed:
            world = rearranged(world, self.changed, self.day)
        if self.light:
            world = lit(world, self.light, self.day)
        asked = {"count": self.people, "speed": self.speed, "manner": self.manner, "group": self.group,
                 "trolleys": self.trolleys, "robots": self.robots}  # fmt: skip
        given: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
        if not given:
            return world
        try:
            people = replace(world.people or People(), seed=self.day, **given)
        except ValueError as error:
            raise AmiError(str(error)) from error
        nobody = not (people.count or people.trolleys or people.robots or people.recording)
        return replace(world, people=None if nobody else people)


def parted(name: str) -> tuple[str, Visit]:
    """A world's own name, and the visit that follows it.

    Raises:
        AmiError: what follows it is no visit.
    """
    world, mark, text = name.rpartition("@")
    if not mark or "=" not in text:
        return name, Visit()
    types = {field.name: str(field.type).removesuffix(" | None") for field in fields(Visit)}
    values: dict[str, Any] = {}
    for part in text.split(","):
        key, _, value = part.partition("=")
        if key not in types:
            raise AmiError(f"world '{name}': there is no '{key}' to say of a visit; there are {', '.join(types)}")
        try:
            values[key] = {"int": int, "float": float, "str": str}[types[key]](value)
        except ValueError:
            raise AmiError(f"world '{name}': {key} takes a number, found '{value}'") from None
    try:
        return world, Visit(**values)
    except ValueError as error:
        raise AmiError(f"world '{name}': {error}") from error


def visited(world: str, people: int | None = None, changed: float = 0.0, light: str = "", **more: Any) -> str:
    """The name of a world with options of a command; what it says already stays. Raises AmiError for what cannot be."""
    own, visit = parted(world)
    asked = {"people": people, "changed": changed or None, "light": light or None, **more}
    try:
        return own + replace(visit, **{key: value for key, value in asked.items() if value is not None}).name
    except ValueError as error:
        raise AmiError(f"world '{world}': {error}") from error


# Light


@dataclass(frozen=True)
class LightLevels:
    """What is left of light."""

    dim: float = 1 / 3  # share of their brightness that dim lamps have
    moon: float = 0.01  # daylight by night
    night: float = 0.15  # share of light from everywhere by night
    lamps_off: float = 0.35  # the same with all lamps off
    bright: float = 0.8  # daylight when the sun shines, at least
    low_sun: float = 0.5585053606381855  # elevation [rad]: 32 degrees
    open_sky: Mapping[str, float] = field(default_factory=lambda: {"night": 0.3, "lamps_off": 0.6, "dim": 0.6})


def lit(world: World, light: str, seed: int = 0, levels: LightLevels = LightLevels()) -> World:
    """`world` in one of LIGHTS: by `day` without sun and with its lamps as they are, by `night` with lamps alone, by
    day with all `lamps_off`, with `dim` lamps or with `other_lamps` on, half of them by `seed`; or with the sun's
    patches on the floor.

    Raises:
        AmiError: the sun has no window to shine through.
    """
    lamps, interior = list(world.lights), world.interior
    if light in ("lamps_off", "dim"):
        share = 0.0 if light == "lamps_off" else levels.dim
        lamps = [replace(lamp, brightness=share * lamp.brightness) for lamp in lamps]
    elif light == "other_lamps":  # those on that were off, and half of the others off
        rng = np.random.default_rng([seed, 3])
        usual = float(np.median([lamp.brightness for lamp in lamps if lamp.brightness > 0] or [0.4]))
        lamps = [
            replace(lamp, brightness=usual if lamp.brightness == 0 or rng.random() < 0.5 else 0.0) for lamp in lamps
        ]
    if interior is None:
        if light == "sun_patch":
            raise AmiError(f"world '{world.name}' has no ceiling and no windows for a sun_patch; take another light")
        return replace(world, lights=tuple(lamps), brightness=levels.open_sky.get(light, 1.0))
    if light == "night":
        interior = replace(interior, daylight=levels.moon, sun=None, ambient=levels.night * interior.ambient)
    elif light == "lamps_off":
        interior = replace(interior, ambient=levels.lamps_off * interior.ambient)
    elif light == "sun_patch":
        sun = _towards_windows(world), levels.low_sun
        interior = replace(interior, daylight=max(levels.bright, interior.daylight), sun=sun)
    elif light == "day":
        interior = replace(interior, sun=None)
    return replace(world, lights=tuple(lamps), interior=interior)


def _towards_windows(world: World) -> float:
    """Where the sun has to stand to shine through most of the windows [rad]."""
    walls = {wall.name: wall for wall in world.walls}
    outwards = [-wall_normal(walls[p.wall], p.side) for p in world.posters if p.kind == "window"]
    if not outwards:
        raise AmiError(f"world '{world.name}' has no windows for a sun_patch; take another light")
    directions = np.array(outwards)
    best = directions[int((directions @ directions.T > 0.7).sum(axis=1).argmax())]
    return float(np.arctan2(best[1], best[0]) + 0.3)  # aslant


# Furniture


def rearranged(world: World, share: float, seed: int) -> World:
    """`world` with a `share` of its pieces of furniture changed, the same for the same `seed`: of ten six were moved,
    two taken away, and two are new, like some that are there.

    A piece is all parts that stand together under one name ("desk", "desk.1") or hang over one another. Every place of
    the floor stays in reach, and nothing stands before a door.
    """
    rng = np.random.default_rng([seed, 0xCA6E])
    named: dict[str, list[Furniture]] = {}
    for part in world.furniture:
        stem, dot, tail = part.name.rpartition(".")
        named.setdefault(stem if dot and tail.isdigit() else part.name, []).append(part)
    pieces = list(named.values())
    count = round(share * len(pieces))
    chosen = [int(i) for i in rng.permutation(len(pieces))[:count]]
    moved, taken = round(0.6 * count), round(0.2 * count)
    kept = [part for i, piece in enumerate(pieces) if i not in chosen for part in piece]
    ground = Ground(replace(world, furniture=tuple(kept)))
    for index, piece in enumerate(pieces):
        if index not in chosen:
            ground.take(_around(piece))
    for number, index in enumerate(chosen):
        piece = pieces[index]
        placed = _placed(piece, world, ground, rng, "") if number < moved else None
        if placed is None and not moved <= number < moved + taken:  # it stays where it was
            ground.put(piece, _around(piece))
            placed = piece
        kept += placed or []
        if number >= moved + taken:
            kept += _placed(piece, world, ground, rng, f"new_{number}_") or []
    return replace(world, furniture=tuple(kept))


def _placed(
    piece: list[Furniture], world: World, ground: Ground, rng: np.random.Generator, prefix: str
) -> list[Furniture] | None:
    """The piece at another free place, at first in its own room; None: there is none."""
    middle, attempts = np.array(_around(piece).center), 60
    number = world.room_at(*middle)
    for attempt in range(attempts):
        own = number if attempt < attempts / 2 else None
        x0, y0, x1, y1 = world.rooms[int(rng.integers(len(world.rooms))) if own is None else own].area
        place = np.array([rng.uniform(x0, x1), rng.uniform(y0, y1)])
        turn = float(rng.integers(4)) * math.pi / 2 + float(rng.normal(0.0, 0.1))
        if math.dist(place, middle) < 0.5:  # [m]
            continue
        parts = [_carried(part, middle, place, turn, prefix) for part in piece]
        inside = all(0.0 <= p.position[i] <= world.size[i] for p in parts for i in (0, 1))
        if inside and ground.put(parts, _around(parts)):
            return parts
    return None


def _carried(part: Furniture, middle: Array, place: Array, turn: float, prefix: str) -> Furniture:
    c, s = math.cos(turn), math.sin(turn)
    offset = np.array(part.position) - middle
    x, y = place + np.array([c * offset[0] - s * offset[1], s * offset[0] + c * offset[1]])
    yaw = math.remainder(part.yaw + turn, 2 * math.pi)
    return replace(part, name=prefix + part.name, position=(round(float(x), 3), round(float(y), 3)), yaw=round(yaw, 4))


def _around(piece: Sequence[Furniture]) -> Obstacle:
    """The box around all parts, as its first part is turned."""
    yaw = piece[0].yaw
    c, s = math.cos(yaw), math.sin(yaw)
    corners = []
    for part in piece:
        cp, sp = math.cos(part.yaw), math.sin(part.yaw)
        for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
            dx, dy = i * part.size[0] / 2, j * part.size[1] / 2
            corners.append((part.position[0] + cp * dx - sp * dy, part.position[1] + sp * dx + cp * dy))
    local = np.array(corners) @ np.array([[c, -s], [s, c]])  # into its own axes
    low, high = local.min(axis=0), local.max(axis=0)
    mid, half = (low + high) / 2, (high - low) / 2
    center = float(c * mid[0] - s * mid[1]), float(s * mid[0] + c * mid[1])
    height = max(part.base + part.size[2] for part in piece)
    return Obstacle(piece[0].name, "box", center, yaw, (float(half[0]), float(half[1])), height)
