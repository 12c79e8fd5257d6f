"""The description of a world, neutral to simulators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Point = tuple[float, float]
Rectangle = tuple[float, float, float, float]  # x_min, y_min, x_max, y_max [m]
LOWEST_OBSTACLE = 0.3  # [m]; lower things would pass under the scan and the robot's bumper
BLIND = 0.1  # [m] below which no scanner sits: what begins lower than this is seen as if it stood on the floor
HEADROOM = 0.3  # [m] that the body of a robot needs: what hangs higher is in nobody's way
Surface = Literal["plain", "glass", "black"]
RECORDED = "recorded:"
MOST_PEOPLE = 200


@dataclass(frozen=True)
class Texture:
    """A procedural texture: `pattern` in `colors` ("#rrggbb"), repeated every `tile` [m]."""

    pattern: Literal[
        "plain", "stripes", "bands", "checks", "bricks", "wood", "noise", "dots", "chevrons", "tiles", "speckles",
        "mottled",
    ]  # fmt: skip
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
    """A gap in a wall, from `start` to `end` on the wall's middle line; a panel fills it while the door is closed.

    While it is open its leaf stands at `leaf` [rad] from the gap, hinged at its start and counter-clockwise from it;
    None: it has none. Above `height` [m] the wall goes on; None: the gap reaches to the top.
    """

    name: str
    start: Point
    end: Point
    open: bool = True
    color: str = "#7a5230"
    leaf: float | None = None
    height: float | None = None

    def __post_init__(self) -> None:
        check_color(self.color)


@dataclass(frozen=True)
class Furniture:
    """A box or a cylinder on the floor. `size`: length, width, height [m]; a cylinder has its diameter twice.

    With a `base` [m] it hangs so high above the floor: the top of a table, whose legs are others. `surface` is what a
    laser makes of it: glass returns only what falls on it straight, and black only what comes from near.
    """

    name: str
    shape: Literal["box", "cylinder"]
    position: Point
    size: tuple[float, float, float]
    yaw: float = 0.0
    color: str = "#8a8a8a"
    texture: str | None = None
    base: float = 0.0
    surface: Surface = "plain"

    def __post_init__(self) -> None:
        check_color(self.color)
        if min(self.size) <= 0:
            raise ValueError(f"'{self.name}' must have a positive size")
        if BLIND <= self.base < HEADROOM or (self.base < BLIND and self.base + self.size[2] < LOWEST_OBSTACLE):
            raise ValueError(
                f"'{self.name}' must be at least {LOWEST_OBSTACLE} m high, or hang {HEADROOM} m above the floor"
            )
        if self.shape == "cylinder" and self.size[0] != self.size[1]:
            raise ValueError(f"cylinder '{self.name}' must have equal length and width")


@dataclass(frozen=True)
class Poster:
    """A picture drawn from `seed` on one side of a wall, its middle `along` it from its start, at `height` [m].

    Its `kind`: bold shapes, a photograph, a notice with lines of writing, or a window with what is outside of it.
    """

    wall: str
    side: Literal["left", "right"]
    along: float
    seed: int
    height: float = 0.85
    size: tuple[float, float] = (0.8, 0.8)
    kind: Literal["shapes", "photograph", "notice", "window"] = "shapes"

    def __post_init__(self) -> None:
        if min(self.size) <= 0:
            raise ValueError(f"poster on wall '{self.wall}' must have a positive size")


@dataclass(frozen=True)
class Light:
    """A lamp without shadows; of an interior, where it lights one room, also with a colour and a size to be seen."""

    position: tuple[float, float, float]
    brightness: float = 0.4
    color: str = "#ffffff"
    size: tuple[float, float] = (0.0, 0.0)  # of what shines, on the ceiling [m]

    def __post_init__(self) -> None:
        check_color(self.color)


@dataclass(frozen=True)
class Interior:
    """What makes a world an interior: a ceiling over its rooms, and light that falls on each surface where it should.

    Without one a world is open to the sky and evenly lit.
    """

    height: float  # of the ceiling [m]
    ceiling: str  # name of a texture
    skirting: str = "#e8e6e0"
    skirting_height: float = 0.08  # [m]; 0: none
    frame: str = "#d8d6d0"  # of doors and windows
    frame_width: float = 0.07  # [m]
    dado: str | None = None  # colour of the walls up to dado_height; None: as above it
    dado_height: float = 1.1  # [m]
    ambient: float = 0.5  # light that comes from everywhere
    bounce: float = 0.35  # share of a room's light that comes back from its walls
    daylight: float = 0.5  # what a square metre of window gives one metre in front of it
    sun: tuple[float, float] | None = None  # where it stands: azimuth, elevation [rad]; None: behind clouds
    gloom: float = 0.0  # how much darker it gets from one end of the building to the other (0..1)
    gloom_direction: float = 0.0  # [rad]
    corner: float = 0.25  # how dark corners are

    def __post_init__(self) -> None:
        if self.height <= HEADROOM:
            raise ValueError(f"a ceiling at {self.height} m is too low")
        for color in (self.skirting, self.frame, self.dado):
            if color is not None:
                check_color(color)


@dataclass(frozen=True)
class People:
    """Who moves about in a world; a group or a trolley counts all of its persons.

    `manner`: "polite" persons stop short of the robot, "blind" ones do not look, "orca" is mutual avoidance, and
    "recorded:FILE" is who walked before a camera (columns frame, id, x, z, y and velocities; 2.5 frames a second).
    """

    count: int = 0  # persons; of a recording at most so many at once, 0: all
    speed: float = 0.8  # [m/s]
    manner: str = "polite"
    group: int = 1  # persons who walk together
    children: float = 0.2  # share of the persons
    trolleys: int = 0  # each pushed by one more person
    robots: int = 0  # others, which go their ways as people do
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.count, self.trolleys, self.robots) < 0 or self.count + self.trolleys + self.robots > MOST_PEOPLE:
            raise ValueError(f"people: 0 to {MOST_PEOPLE} of them can move about, found {self.count}")
        if not 0.05 <= self.speed <= 3.0:
            raise ValueError(f"people: speed must be 0.05 to 3.0 m/s, found {self.speed}")
        manners = ("polite", "blind", "orca")
        if self.manner not in manners and not self.recording:
            raise ValueError(
                f"people: there is no manner '{self.manner}'; there are {', '.join(manners)}, {RECORDED}FILE"
            )
        if not (1 <= self.group <= 5 and 0.0 <= self.children <= 1.0):
            raise ValueError("people: a group has 1 to 5 persons, and children are a share of 0 to 1")

    @property
    def recording(self) -> str:
        """The file of recorded walkers; empty: none."""
        return self.manner.removeprefix(RECORDED) if self.manner.startswith(RECORDED) else ""


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
    interior: Interior | None = None
    people: People | None = None
    brightness: float = 1.0  # of the light that comes from everywhere, where there is no interior to say so

    def room_at(self, x: float, y: float) -> int | None:
        """The number of the room around a point."""
        areas = (room.area for room in self.rooms)
        return next((n for n, (x0, y0, x1, y1) in enumerate(areas) if x0 <= x <= x1 and y0 <= y <= y1), None)


def check_color(color: str) -> None:
    """Raises ValueError unless `color` is "#rrggbb"."""
    try:
        valid = len(color) == 7 and color[0] == "#" and int(color[1:], 16) >= 0
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(f"a colour is written '#rrggbb', found '{color}'")
