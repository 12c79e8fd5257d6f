"""A building from its name: plan, shell, surfaces, furniture, light. The same name is the same building everywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ami_ros.core.errors import AmiError
from ami_ros.core.ranges import Draw, ranges
from ami_ros.simulation.buildings.bare import bare
from ami_ros.simulation.buildings.furnishing import Ground, build_piers, furnish, hang_leaves
from ami_ros.simulation.buildings.items import shade
from ami_ros.simulation.buildings.kinds import (
    BARE,
    LAYOUTS,
    NAMED_KINDS,
    BuildingName,
    Plan,
    building_name,
    surface,
)
from ami_ros.simulation.buildings.shell import Shell, piers, raise_shell
from ami_ros.simulation.world import Interior, Light, Poster, Room, Texture, World


def building(name: str) -> World:
    """The building called `name`: building:SEED or building:KIND:SEED.

    Raises AmiError: it is not a building's name, or config/buildings.yaml offers none.
    """
    which, values = building_name(name), ranges("buildings")
    number, own = NAMED_KINDS.index(which.kind), values["plans"][which.kind]
    if which.kind == BARE:
        return bare(str(which), Draw(own, np.random.default_rng([which.seed, number])))
    looks = own.get("looks", which.kind)
    rngs = [np.random.default_rng(seed) for seed in np.random.SeedSequence([which.seed, number]).spawn(5)]
    plan = _plan(which, Draw(own, rngs[0]), own.get("limits", values["limits"]))
    draw = Draw(values, rngs[1])
    height = round(draw.number("shell.hall_height" if looks == "warehouse" else "shell.height"), 2)
    surfaces = _choose_surfaces(plan, draw.with_rng(rngs[2]), looks)
    shell = raise_shell(plan, draw, height, surfaces.walls, "outside")
    size = tuple(max(space.area[i] for space in plan.spaces) for i in (2, 3))
    rooms = tuple(
        Room(f"{space.use}_{index}", space.area, surfaces.floors[index]) for index, space in enumerate(plan.spaces)
    )
    look = draw.with_rng(rngs[3])
    world = World(
        str(which), (size[0], size[1]), surfaces.textures, rooms, tuple(shell.walls), tuple(shell.doors),
        posters=(*shell.windows, *_hang_pictures(plan, shell, look, looks)),
        lights=tuple(_hang_lamps(plan, look, height)),
        interior=_choose_interior(look, looks, height),
    )  # fmt: skip
    ground = Ground(replace(world, doors=tuple(replace(door, leaf=None) for door in world.doors)))
    world = hang_leaves(build_piers(world, ground, piers(plan, shell, draw, surfaces.walls)), ground)
    alike = bool(own.get("alike", which.kind == "hotel"))
    return replace(world, furniture=tuple(furnish(plan, ground, draw.with_rng(rngs[4]), which.seed, alike)))


def _plan(which: BuildingName, draw: Draw, limits: dict[str, Any]) -> Plan:
    """A plan within the limits of its kind, or those of all buildings."""
    (least, most), (fewest, greatest) = limits["area"], limits["rooms"]
    for _ in range(200):
        plan = LAYOUTS[which.kind](draw)
        area = sum(surface(space.area) for space in plan.spaces)
        if least <= area <= most and fewest <= len(plan.spaces) <= greatest and plan.is_whole():
            return plan
    raise AmiError(f"{which}: the ranges in config/buildings.yaml offer no plan within their limits")


# How it looks: paint, floors, pictures, lamps


@dataclass(frozen=True)
class Surfaces:
    """Textures by name, and those of each room's walls and floor."""

    textures: dict[str, Texture]
    walls: list[str]
    floors: list[str]


def _choose_surfaces(plan: Plan, draw: Draw, kind: str) -> Surfaces:
    """Paint and floors. Most rooms share them, and alike rooms are painted alike."""
    rng, textures = draw.rng, {"outside": Texture("plain", ("#9a9690",))}
    accents, patterns = draw.number("surfaces.accent_share"), draw.number("surfaces.patterned_share")
    textures["paint"] = Texture(draw.choice("surfaces.grain"), _tones(draw.choice("surfaces.paint")), 2.0, _seed(rng))
    for number in range(draw.count("surfaces.floors_in_building")):
        pattern = draw.choice(f"surfaces.floors.{kind}")
        color = draw.choice(f"surfaces.floor_color.{pattern}")
        tile = {"wood": 1.1, "tiles": 1.6, "speckles": 0.8}.get(pattern, 2.5)
        textures[f"floor_{number}"] = Texture(pattern, _tones(color, pattern), tile, _seed(rng))
    floors = [name for name in textures if name.startswith("floor")]
    by_use: dict[str, tuple[str, str]] = {}
    walls, ground = [], []
    for index, space in enumerate(plan.spaces):
        if space.use not in by_use or rng.random() < 0.15:
            paint = _paint(draw, textures, space.use, index, accents, patterns)
            by_use[space.use] = paint, floors[int(rng.integers(len(floors)))]
        walls.append(by_use[space.use][0])
        ground.append(by_use[space.use][1])
    tone = draw.choice("surfaces.ceiling")
    if draw.chance(f"surfaces.ceiling_grid.{kind}"):
        textures["ceiling"] = Texture("tiles", (tone, tone, shade(tone, 0.97), shade(tone, 0.75)), 2.4, _seed(rng))
    else:
        textures["ceiling"] = Texture("plain", (tone,), 2.0, _seed(rng))
    return Surfaces(textures, walls, ground)


def _paint(draw: Draw, textures: dict[str, Texture], use: str, index: int, accents: float, patterns: float) -> str:
    rng, name = draw.rng, f"paint_{index}"
    tiled = use in draw["surfaces.tiled_uses"] and rng.random() < 0.5
    if tiled or rng.random() < patterns:
        pattern: Any = "tiles" if tiled else draw.choice("surfaces.pattern")
        tone = draw.choice("surfaces.accent")
        colors = (tone, shade(tone, 1.06), shade(tone, 0.94), shade(tone, 1.25 if pattern == "tiles" else 0.8))
        textures[name] = Texture(pattern, colors, draw.number("surfaces.pattern_tile"), _seed(rng))
        return name
    if rng.random() < accents:
        textures[name] = Texture(draw.choice("surfaces.grain"), _tones(draw.choice("surfaces.accent")), 2.0, _seed(rng))
        return name
    return "paint"


def _tones(color: str, pattern: str = "plain") -> tuple[str, ...]:
    """A colour with those next to it, as far as a pattern needs them."""
    spread = {"wood": 0.1, "tiles": 0.05, "speckles": 0.14, "mottled": 0.03}.get(pattern, 0.015)
    joint = shade(color, 0.8 if pattern == "tiles" else 1 - spread)
    return color, shade(color, 1 + spread), shade(color, 1 - spread), joint


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(100_000))


def _hang_pictures(plan: Plan, shell: Shell, draw: Draw, kind: str) -> list[Poster]:
    """Pictures in a few rooms, beside doors and windows."""
    found: list[Poster] = []
    walls = {wall.name: wall for wall in shell.walls}
    for index in range(len(plan.spaces)):
        if not draw.chance(f"surfaces.pictures.{kind}"):
            continue
        own = [(n, "left") for n, s in shell.sides.items() if s.left == index]
        own += [(n, "right") for n, s in shell.sides.items() if s.right == index]
        for _ in range(draw.count("surfaces.pictures_in_room") if own else 0):
            name, side = own[int(draw.rng.integers(len(own)))]
            size = draw.number("surfaces.picture_size"), draw.number("surfaces.picture_size")
            height, length = draw.number("surfaces.picture_height"), shell.sides[name].length
            if length < size[0] + 0.4 or height + size[1] / 2 > walls[name].height - 0.1:
                continue
            along = round(float(draw.rng.uniform(size[0] / 2 + 0.15, length - size[0] / 2 - 0.15)), 3)
            poster = Poster(name, "left" if side == "left" else "right", along, _seed(draw.rng), height, size,
                            draw.choice("surfaces.picture_kind"))  # fmt: skip
            if not _covers(poster, shell, [*found, *shell.windows]):
                found.append(poster)
    return found


def _covers(poster: Poster, shell: Shell, others: list[Poster]) -> bool:
    side = shell.sides[poster.wall]
    for door in shell.doors:
        middle = ((door.start[0] + door.end[0]) / 2, (door.start[1] + door.end[1]) / 2)
        half = math.dist(door.start, door.end) / 2
        near = abs(math.dist(side.start, middle) - poster.along) < half + poster.size[0] / 2 + 0.12
        if side.holds(middle) and near:
            return True
    return any(
        other.wall == poster.wall and other.side == poster.side
        and abs(other.along - poster.along) < (other.size[0] + poster.size[0]) / 2 + 0.1
        for other in others
    )  # fmt: skip


def _hang_lamps(plan: Plan, draw: Draw, height: float) -> list[Light]:
    """Lamps in a grid below each ceiling; in some rooms they are off."""
    pitch, color = draw.number("light.lamp_pitch"), draw.choice("light.lamp_color")
    size, bright, off = (draw.number(f"light.lamp_{what}") for what in ("size", "brightness", "off"))
    ratio, found = draw.rng.uniform(0.25, 1.0), []
    for space in plan.spaces:
        dark = draw.rng.random() < off
        own = draw.choice("light.lamp_color") if draw.rng.random() < 0.1 else color
        x0, y0, x1, y1 = space.area
        nx, ny = max(1, round((x1 - x0) / pitch)), max(1, round((y1 - y0) / pitch))
        for i in range(nx):
            for j in range(ny):
                broken = draw.chance("light.lamp_broken")
                x, y = x0 + (x1 - x0) * (i + 0.5) / nx, y0 + (y1 - y0) * (j + 0.5) / ny
                strength = 0.0 if dark or broken else bright * draw.rng.uniform(0.9, 1.1)
                place = round(x, 3), round(y, 3), round(height - 0.02, 3)
                found.append(Light(place, round(float(strength), 3), own, (round(size, 3), round(size * ratio, 3))))
    return found


def _choose_interior(draw: Draw, kind: str, height: float) -> Interior:
    """What is the same all over the building."""
    rng, day = draw.rng, draw.number("light.daylight")
    sunny = day > 0.3 and draw.chance("light.sun")
    sun = (round(float(rng.uniform(-math.pi, math.pi)), 3), round(math.radians(draw.number("light.sun_elevation")), 3))
    return Interior(
        height=height,
        ceiling="ceiling",
        skirting=draw.choice("surfaces.skirting"),
        skirting_height=draw.number("surfaces.skirting_height"),
        frame=draw.choice("surfaces.frame"),
        dado=draw.choice("surfaces.dado_color") if draw.chance(f"surfaces.dado.{kind}") else None,
        dado_height=draw.number("surfaces.dado_height"),
        ambient=draw.number("light.ambient"),
        bounce=draw.number("light.bounce"),
        daylight=day,
        sun=sun if sunny else None,
        gloom=draw.number("light.gloom_depth") if draw.choice("light.gloom") == "some" else 0.0,
        gloom_direction=round(float(rng.uniform(-math.pi, math.pi)), 3),
        corner=draw.number("light.corner"),
    )
