"""The same world on another day: who is in it, what was moved, and how it is lit; one name for all of it.

`NAME@people=3,changed=0.3,light=night` is what `load_world` takes wherever a world is named; commands have options for
the parts and write that name.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from ami_ros.errors import AmiError
from ami_ros.simulation.lighting import LIGHTS, lit
from ami_ros.simulation.rearranged import rearranged
from ami_ros.simulation.world import People, World

MARK = "@"


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
        usual = Visit()
        own = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != getattr(usual, f.name)}
        return MARK + ",".join(f"{key}={value}" for key, value in own.items()) if own else ""

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
    world, mark, text = name.rpartition(MARK)
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
