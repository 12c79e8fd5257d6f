"""The description of a world, neutral to simulators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Point = tuple[float, float]
Rectangle = tuple[float, float, float, float]  # x_min, y_min, x_max, y_max [m]
LOWEST_OBSTACLE = 0.3  # [m]; lower things would pass under the scan and the robot's bumper


@dataclass(frozen=True)
class Texture:
    """A procedural texture: `pattern` in `colors` ("#rrggbb"), repeated every `tile` [m]."""

    pattern: Literal["plain", "stripes", "bands", "checks", "bricks", "wood", "noise", "dots", "chevrons", "tiles"]
    colors: tuple[str, ...]
    tile: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.tile <= 0:
            raise ValueError(f"tile must be positive, found {self.tile}")
        if not self.colors:
            raise ValueError("colors must name at least one colour")
        for color in self.colors:
            check_color(color)


@dataclass(frozen=True)
class Room:
    """A named rectangle of the floor."""

    name: str
    area: Rectangle
    floor: str  # name of a texture

    def __post_init__(self) -> None:
        if self.area[0] >= self.area[2] or self.area[1] >= self.area[3]:
            raise ValueError(f"area of room '{self.name}' must be x_min, y_min, x_max, y_max, found {list(self.area)}")


@dataclass(frozen=True)
class Wall:
    """A straight wall along its middle line. `left` and `right` name the textures seen on the way from start to end."""

    name: str
    start: Point
    end: Point
    left: str | None = None
    right: str | None = None
    height: float = 1.6
    thickness: float = 0.1

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError(f"wall '{self.name}' has no length")
        if self.height < LOWEST_OBSTACLE or self.thickness <= 0:
            raise ValueError(f"wall '{self.name}' must be at least {LOWEST_OBSTACLE} m high and have a thickness")


@dataclass(frozen=True)
class Door:
    """A gap in a wall, from `start` to `end` on the wall's middle line; a panel fills it while the door is closed."""

    name: str
    start: Point
    end: Point
    open: bool = True
    color: str = "#7a5230"

    def __post_init__(self) -> None:
        check_color(self.color)


@dataclass(frozen=True)
class Furniture:
    """A box or a cylinder on the floor. `size`: length, width, height [m]; a cylinder has its diameter twice."""

    name: str
    shape: Literal["box", "cylinder"]
    position: Point
    size: tuple[float, float, float]
    yaw: float = 0.0
    color: str = "#8a8a8a"
    texture: str | None = None

    def __post_init__(self) -> None:
        check_color(self.color)
        if min(self.size) <= 0 or self.size[2] < LOWEST_OBSTACLE:
            raise ValueError(f"'{self.name}' must have a positive size and be at least {LOWEST_OBSTACLE} m high")
        if self.shape == "cylinder" and self.size[0] != self.size[1]:
            raise ValueError(f"cylinder '{self.name}' must have equal length and width")


@dataclass(frozen=True)
class Poster:
    """A picture drawn from `seed` on one side of a wall, its middle `along` it from its start, at `height` [m]."""

    wall: str
    side: Literal["left", "right"]
    along: float
    seed: int
    height: float = 0.85
    size: tuple[float, float] = (0.8, 0.8)

    def __post_init__(self) -> None:
        if min(self.size) <= 0:
            raise ValueError(f"poster on wall '{self.wall}' must have a positive size")


@dataclass(frozen=True)
class Light:
    """A lamp without shadows."""

    position: tuple[float, float, float]
    brightness: float = 0.4


@dataclass(frozen=True)
class World:
    """A world of `size` [m] with its lower left corner at the origin, x to the right and y up, as on a floor plan."""

    name: str
    size: tuple[float, float]
    textures: dict[str, Texture]
    rooms: tuple[Room, ...]
    walls: tuple[Wall, ...]
    doors: tuple[Door, ...] = ()
    furniture: tuple[Furniture, ...] = ()
    posters: tuple[Poster, ...] = ()
    lights: tuple[Light, ...] = ()
    start: Rectangle | None = None  # where runs begin; None: anywhere

    def door(self, name: str) -> Door | None:
        """The door called `name`, if there is one."""
        return next((d for d in self.doors if d.name == name), None)


def check_color(color: str) -> None:
    """Raises ValueError unless `color` is "#rrggbb"."""
    try:
        valid = len(color) == 7 and color[0] == "#" and int(color[1:], 16) >= 0
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(f"a colour is written '#rrggbb', found '{color}'")
