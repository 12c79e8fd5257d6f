"""World files: YAML that describes a world, read and checked."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ami_ros.core.config import from_mapping, parse_yaml, to_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import packaged
from ami_ros.simulation.buildings.generator import building
from ami_ros.simulation.buildings.kinds import is_building
from ami_ros.simulation.floor_plan import (
    FloorPlan,
    door_span,
    fixed_obstacles,
    in_the_way,
    obstacles_of,
    wall_length,
    wall_of_door,
)
from ami_ros.simulation.free_space import within_rooms
from ami_ros.simulation.people.recorded import ground_of
from ami_ros.simulation.visit import parted
from ami_ros.simulation.world import RECORDED, World


@dataclasses.dataclass(frozen=True)
class WorldLimits:
    """What a world from a file may be."""

    side: float = 500.0  # [m]
    things: int = 5000  # of one kind
    door: float = 0.9  # width [m] of a door, at least
    robot: float = 0.2  # clearance [m] that a door and a place to start need


def load_world(name_or_path: str | Path) -> World:
    """The world that ships under a name ("home"), that a YAML file describes, a building ("building:7"), or the ground
    of recorded walkers ("recorded:FILE"); each as on another day with a visit after it ("home@people=3,light=night").

    Raises:
        AmiError: no such world, broken YAML, unknown or missing keys, or a geometry that cannot be.
    """
    name, visit = parted(str(name_or_path))
    if is_building(name):
        return visit.of(building(name))
    if name.startswith(RECORDED):
        return visit.of(ground_of(name.removeprefix(RECORDED)))
    known = packaged("worlds")
    path = known.get(name) or Path(name)
    if name not in known and not path.is_file():
        names = ", ".join(sorted(known)) or "none"
        raise AmiError(f"no world '{name}': known are {names}; or give the path of a YAML file, or building:SEED")
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AmiError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from error
    except OSError as error:
        raise AmiError(f"{path}: {error.strerror}") from error
    world = from_mapping(World, values, str(path))
    try:
        check_geometry(world)
    except ValueError as error:
        raise AmiError(f"{path}: {error}") from error
    return visit.of(world)


def save_world(world: World, path: Path) -> None:
    """Writes a file from which `load_world` makes the same world.

    Raises:
        AmiError: it cannot be written.
    """
    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # ten times as fast where libyaml is there
    text = yaml.dump(_brief(world), Dumper=dumper, sort_keys=False, default_flow_style=None, width=120)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AmiError(f"cannot write {path}: {error.strerror or error}") from error


def _brief(value: Any) -> Any:
    """As `to_mapping`, without what is as it is by default."""
    if dataclasses.is_dataclass(value):
        fields = ((field, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {field.name: _brief(own) for field, own in fields if own != field.default}
    if isinstance(value, list | tuple):
        return [_brief(v) for v in value]
    return {k: _brief(v) for k, v in value.items()} if isinstance(value, dict) else value


def check_geometry(world: World, limits: WorldLimits = WorldLimits()) -> None:
    """Raises ValueError with one line on the first thing that cannot be."""
    if not (min(world.size) > 0 and max(world.size) <= limits.side):
        raise ValueError(f"size must be more than 0 and at most {limits.side:g} m, found {list(world.size)}")
    if not all(map(math.isfinite, _numbers(to_mapping(world)))):
        raise ValueError("it holds a number that is infinite")
    for kind in ("rooms", "walls", "doors", "furniture", "posters", "textures"):
        if (count := len(getattr(world, kind))) > limits.things:
            raise ValueError(f"it has {count} {kind}; at most {limits.things} can be simulated")
    if not world.rooms or not world.walls:
        raise ValueError("a world needs at least one room and one wall")
    _check_things(world)
    _check_doors(world, limits)
    _check_posters(world)
    _check_start(world, limits)


def _numbers(values: object) -> Iterable[float]:
    """All numbers in nested mappings and lists."""
    if isinstance(values, dict | list):
        for value in values.values() if isinstance(values, dict) else values:
            yield from _numbers(value)
    elif isinstance(values, float):
        yield values


def _check_things(world: World) -> None:
    """Each has a name of its own, lies inside the world and has a texture that there is."""
    groups: dict[str, Sequence[Any]] = {
        "room": world.rooms, "wall": world.walls, "door": world.doors, "furniture": world.furniture,
    }  # fmt: skip
    for kind, things in groups.items():
        for name, count in Counter(thing.name for thing in things).most_common(1):
            if count > 1:
                raise ValueError(f"{kind} '{name}' occurs {count} times; give each its own name")
    places = [(f"wall '{w.name}'", p) for w in world.walls for p in (w.start, w.end)]
    places += [(f"furniture '{f.name}'", f.position) for f in world.furniture]
    places += [(f"room '{r.name}'", p) for r in world.rooms for p in (r.area[:2], r.area[2:])]
    for what, (x, y) in places:
        if not (0 <= x <= world.size[0] and 0 <= y <= world.size[1]):
            raise ValueError(f"{what} at ({x:g}, {y:g}) lies outside the world's size {list(world.size)}")
    used = [(f"room '{r.name}'", r.floor) for r in world.rooms]
    used += [(f"wall '{w.name}'", t) for w in world.walls for t in (w.left, w.right) if t]
    used += [(f"furniture '{f.name}'", f.texture) for f in world.furniture if f.texture]
    used += [("the interior", world.interior.ceiling)] if world.interior else []
    for what, texture in used:
        if texture not in world.textures:
            raise ValueError(f"{what} uses unknown texture '{texture}'; known are {', '.join(world.textures)}")


def _check_doors(world: World, limits: WorldLimits) -> None:
    plan = FloorPlan(in_the_way(obstacles_of(world, {door.name: True for door in world.doors})))
    for door in world.doors:
        width = float(np.hypot(door.end[0] - door.start[0], door.end[1] - door.start[1]))
        if width < limits.door:
            raise ValueError(f"door '{door.name}' is {width:.2f} m wide; at least {limits.door} m are needed")
        if wall_of_door(world, door) is None:
            raise ValueError(f"door '{door.name}' lies in no wall; both its ends must be on one wall's middle line")
        middle = [[(door.start[0] + door.end[0]) / 2, (door.start[1] + door.end[1]) / 2]]
        if plan.clearance(middle)[0] < limits.robot:
            raise ValueError(f"door '{door.name}' leads into something solid: the robot cannot pass it when it is open")


def _check_posters(world: World) -> None:
    walls = {wall.name: wall for wall in world.walls}
    doors = [(door, wall_of_door(world, door)) for door in world.doors]
    for poster in world.posters:
        if poster.wall not in walls:
            raise ValueError(f"a poster hangs on unknown wall '{poster.wall}'; known are {', '.join(walls)}")
        wall = walls[poster.wall]
        left, right = poster.along - poster.size[0] / 2, poster.along + poster.size[0] / 2
        low, high = poster.height - poster.size[1] / 2, poster.height + poster.size[1] / 2
        if left < 0 or right > wall_length(wall) or low < 0 or high > wall.height:
            raise ValueError(f"the poster at {poster.along:g} m along wall '{wall.name}' reaches beyond the wall")
        for door, wall_with_door in doors:
            a, b = door_span(wall, door)
            if wall_with_door is wall and left < b and a < right:
                raise ValueError(f"the poster at {poster.along:g} m along wall '{wall.name}' covers door '{door.name}'")


def _check_start(world: World, limits: WorldLimits) -> None:
    x0, y0, x1, y1 = world.start or (0.0, 0.0, *world.size)
    if x0 >= x1 or y0 >= y1:
        raise ValueError(f"start must be x_min, y_min, x_max, y_max, found {[x0, y0, x1, y1]}")
    if max(-x0, -y0, x1 - world.size[0], y1 - world.size[1]) > limits.side:
        raise ValueError(f"the start area {[x0, y0, x1, y1]} lies far outside the world's size {list(world.size)}")
    step = max(0.05, max(x1 - x0, y1 - y0) / 1000)
    xs, ys = np.arange(x0, x1, step), np.arange(y0, y1, step)
    clearance = FloorPlan(in_the_way(fixed_obstacles(world))).grid_clearance(xs, ys, 2 * limits.robot)
    if not (within_rooms(world, xs, ys) & (clearance > limits.robot)).any():
        raise ValueError(f"the robot fits nowhere in the start area {[x0, y0, x1, y1]}: walls or furniture overlap it")
