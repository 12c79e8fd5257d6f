"""A building from its name: plan, shell, surfaces, furniture, light. The same name is the same building everywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.ranges import Draw, ranges
from ami_ros.simulation.buildings import plans
from ami_ros.simulation.buildings.bare import bare
from ami_ros.simulation.buildings.finish import OUTER, choose_interior, choose_surfaces, hang_lamps, hang_pictures
from ami_ros.simulation.buildings.furnishing import Ground, build_piers, furnish, hang_leaves
from ami_ros.simulation.buildings.names import BARE, NAMED_KINDS, BuildingName, building_name
from ami_ros.simulation.buildings.plans import Plan
from ami_ros.simulation.buildings.shell import piers, raise_shell
from ami_ros.simulation.world import Room, World

RANGES = "buildings"  # config/buildings.yaml
ATTEMPTS = 200  # plans drawn before the ranges are called impossible

_LAYOUTS = {
    "home": plans.home, "office": plans.along_corridors, "ward": plans.along_corridors, "school": plans.along_corridors,
    "warehouse": plans.warehouse, "gallery": plans.gallery, "hotel": plans.hotel,
    "hall": plans.warehouse, "car_park": plans.warehouse, "atrium": plans.along_corridors,
}  # fmt: skip


def building(name: str) -> World:
    """The building called `name`: building:SEED or building:KIND:SEED.

    Raises AmiError: it is not a building's name, or config/buildings.yaml offers none.
    """
    which, values = building_name(name), ranges(RANGES)
    if which.kind == BARE:
        return bare(
            str(which), Draw(values["plans"][BARE], np.random.default_rng([which.seed, NAMED_KINDS.index(BARE)]))
        )
    own: dict[str, Any] = values["plans"][which.kind]
    looks = own.get("looks", which.kind)
    seeds = np.random.SeedSequence([which.seed, NAMED_KINDS.index(which.kind)]).spawn(5)
    rngs = [np.random.default_rng(seed) for seed in seeds]
    plan = _plan(which, Draw(values, rngs[0]))
    draw = Draw(values, rngs[1])
    height = round(draw.number("shell.hall_height" if looks == "warehouse" else "shell.height"), 2)
    surfaces = choose_surfaces(plan, draw.with_rng(rngs[2]), looks)
    shell = raise_shell(plan, draw, height, surfaces.walls, OUTER)
    size = tuple(max(space.area[i] for space in plan.spaces) for i in (2, 3))
    rooms = tuple(
        Room(f"{space.use}_{index}", space.area, surfaces.floors[index]) for index, space in enumerate(plan.spaces)
    )
    look = draw.with_rng(rngs[3])
    world = World(
        str(which), (size[0], size[1]), surfaces.textures, rooms, tuple(shell.walls), tuple(shell.doors),
        posters=(*shell.windows, *hang_pictures(plan, shell, look, looks)),
        lights=tuple(hang_lamps(plan, look, height)),
        interior=choose_interior(look, looks, height),
    )  # fmt: skip
    ground = Ground(replace(world, doors=tuple(replace(door, leaf=None) for door in world.doors)))
    world = hang_leaves(build_piers(world, ground, piers(plan, shell, draw, surfaces.walls)), ground)
    alike = bool(own.get("alike", which.kind == "hotel"))
    return replace(world, furniture=tuple(furnish(plan, ground, draw.with_rng(rngs[4]), which.seed, alike)))


def _plan(which: BuildingName, draw: Draw) -> Plan:
    """A plan within the limits of its kind, or those of all buildings."""
    own = Draw(draw["plans"][which.kind], draw.rng)
    limits = own.values.get("limits", draw["limits"])
    (least, most), (fewest, greatest) = limits["area"], limits["rooms"]
    for _ in range(ATTEMPTS):
        plan = _LAYOUTS[which.kind](own)
        if least <= plan.square_metres <= most and fewest <= len(plan.spaces) <= greatest and plan.is_whole:
            return plan
    raise AmiError(f"{which}: the ranges in config/{RANGES}.yaml offer no plan within their limits")
