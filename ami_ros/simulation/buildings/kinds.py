"""Kinds of buildings: their names, what each is for, and their floor plans. Lengths are in metres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from ami_ros.core.errors import AmiError
from ami_ros.core.ranges import Draw
from ami_ros.simulation.world import Rectangle

PREFIX = "building:"
TRAINING_KINDS = ("home", "office", "ward", "school", "warehouse")
HELD_OUT_KINDS = ("gallery", "hotel")  # laid out by other rules than those for training
KINDS = (*TRAINING_KINDS, *HELD_OUT_KINDS)
BARE = "bare"  # as people write worlds by hand; never drawn by a seed alone
OPEN_KINDS = ("hall", "car_park", "atrium")  # wider than many lasers reach; never drawn by a seed alone either
NAMED_KINDS = (*KINDS, BARE, *OPEN_KINDS)
TEST_KINDS = (*HELD_OUT_KINDS, "atrium")
FIRST_TEST_SEED = 100_000


@dataclass(frozen=True)
class BuildingName:
    """A building: its kind and its seed."""

    kind: str
    seed: int

    def __str__(self) -> str:
        return f"{PREFIX}{self.kind}:{self.seed}"

    @property
    def use(self) -> Literal["training", "test"]:
        """What it is for: test if its seed is FIRST_TEST_SEED or more, or its kind one of TEST_KINDS; else training."""
        return "test" if self.seed >= FIRST_TEST_SEED or self.kind in TEST_KINDS else "training"


def is_building(world: str | Path) -> bool:
    """Whether a world is named as a building."""
    return str(world).startswith(PREFIX)


def building_name(text: str) -> BuildingName:
    """`building:SEED` or `building:KIND:SEED`; without a kind the seed draws it, held-out kinds for test seeds alone.

    What a visit adds to a name counts for nothing here. Raises AmiError for anything else.
    """
    text = text.partition("@")[0]
    *kinds, number = text.removeprefix(PREFIX).split(":")
    if not text.startswith(PREFIX) or len(kinds) > 1 or not number.isascii() or not number.isdigit():
        raise AmiError(f"'{text}' names no building: write building:SEED or building:KIND:SEED, as building:ward:7")
    if len(number) > 12:
        raise AmiError(f"'{text}': the seed of a building has at most 12 digits")
    seed = int(number)
    if not kinds:
        known = KINDS if seed >= FIRST_TEST_SEED else TRAINING_KINDS
        return BuildingName(known[int(np.random.default_rng([seed, 1]).integers(len(known)))], seed)
    if kinds[0] not in NAMED_KINDS:
        raise AmiError(f"'{text}': there is no kind of building '{kinds[0]}': known are {', '.join(NAMED_KINDS)}")
    return BuildingName(kinds[0], seed)


def refuse_test_buildings(world: str | Path, what: str) -> None:
    """Raises AmiError if `world` is a building kept for tests, which nothing may be trained on; `what` wants it."""
    if is_building(world) and building_name(str(world)).use == "test":
        kinds = ", ".join(kind for kind in NAMED_KINDS if kind not in TEST_KINDS)
        raise AmiError(
            f"{what}: {world} is a building for tests, and no model may learn from one: "
            f"take a seed below {FIRST_TEST_SEED} and a kind of {kinds}"
        )


# Floor plans: rectangles that are rooms, and which of them open into which.
#
# Each kind of building has its own rule: homes are split again and again, offices, wards and schools line up rooms
# along corridors, warehouses, halls and car parks are a large room with rooms beside it. Galleries and hotels follow
# rules of their own.

Link = Literal["door", "wide", "open"]  # a door, a gap wider than a door, no wall at all


@dataclass(frozen=True)
class Space:
    """A room, what it is used for, and its area."""

    use: str
    area: Rectangle

    @property
    def size(self) -> tuple[float, float]:
        x0, y0, x1, y1 = self.area
        return x1 - x0, y1 - y0


@dataclass
class Plan:
    """Rooms, and the links between them by the numbers of two rooms, the lower first."""

    spaces: list[Space] = field(default_factory=list)
    links: dict[tuple[int, int], Link] = field(default_factory=dict)

    def link(self, a: int, b: int, kind: Link) -> None:
        self.links[min(a, b), max(a, b)] = kind

    def add(self, use: str, x0: float, y0: float, x1: float, y1: float) -> int:
        """A room more; its number."""
        self.spaces.append(Space(use, (snap(x0), snap(y0), snap(x1), snap(y1))))
        return len(self.spaces) - 1

    def is_whole(self) -> bool:
        """Whether each room can be reached from each other."""
        reached, ahead = {0}, [0]
        while ahead:
            here = ahead.pop()
            new = {b if a == here else a for a, b in self.links if here in (a, b)} - reached
            reached |= new
            ahead += new
        return len(reached) == len(self.spaces)

    def neighbours(self) -> dict[tuple[int, int], float]:
        """Length of the wall that two rooms share, by their numbers."""
        found = {}
        for b, second in enumerate(self.spaces):
            for a, first in enumerate(self.spaces[:b]):
                length = shared(first.area, second.area)
                if length > 0:
                    found[a, b] = length
        return found

    def connect(self, draw: Draw) -> None:
        """Links rooms at random until all are in reach, and each other pair of neighbours with probability `loops`."""
        group = list(range(len(self.spaces)))

        def join(a: int, b: int) -> bool:
            old, new = group[a], group[b]
            group[:] = [new if g == old else g for g in group]
            return old != new

        for a, b in self.links:
            join(a, b)
        wide_enough = [pair for pair, length in self.neighbours().items() if length >= 1.4]  # room for a door
        # Rooms that lead on come first: halls, then living rooms; bath rooms lead nowhere.
        rank = {"corridor": 0.0, "hall": 0.0, "living": 0.3, "bath": 2.0, "store": 2.0}
        weight = [
            sum(rank.get(self.spaces[n].use, 1.0) for n in pair) + draw.rng.uniform(0.0, 0.8) for pair in wide_enough
        ]
        for index in np.argsort(weight):
            a, b = wide_enough[index]
            private = {self.spaces[a].use, self.spaces[b].use} & {"bath", "store"}
            if join(a, b) or (not private and (a, b) not in self.links and draw.rng.random() < draw["loops"]):
                self.links.setdefault((a, b), "door")


def snap(value: float, grid: float = 0.1) -> float:
    """The nearest length on the grid on which corners of rooms lie."""
    return round(round(value / grid) * grid, 3)


def shared(a: Rectangle, b: Rectangle) -> float:
    """Length of the side that two rectangles have in common."""
    across = min(a[2], b[2]) - max(a[0], b[0])
    up = min(a[3], b[3]) - max(a[1], b[1])
    if abs(across) < 1e-6 and up > 1e-6:
        return up
    return across if abs(up) < 1e-6 and across > 1e-6 else 0.0


def surface(r: Rectangle) -> float:
    """[m^2]"""
    return (r[2] - r[0]) * (r[3] - r[1])


def _home(draw: Draw) -> Plan:
    """A rectangle split again and again; the largest room is to live in. Half of the homes have a hall."""
    area, ratio = draw.number("area"), draw.number("ratio")
    width, depth = snap(np.sqrt(area * ratio)), snap(np.sqrt(area / ratio))
    plan, count = Plan(), draw.count("rooms")
    if draw.chance("hall"):
        hall, at = draw.number("corridor"), snap(depth * draw.rng.uniform(0.4, 0.6))
        plan.add("hall", 0, at, width, at + hall)
        low = max(1, round((count - 1) * at / depth))
        pieces = [*_split(draw, (0, 0, width, at), low), *_split(draw, (0, at + hall, width, depth), count - 1 - low)]
    else:
        pieces = _split(draw, (0, 0, width, depth), count)
    order = sorted(pieces, key=lambda r: -(r[2] - r[0]) * (r[3] - r[1]))
    names = ["living", "kitchen", "bedroom", "bedroom", "study", "dining", "bedroom", "study", "store", "store"]
    uses = names[: len(order)]
    if len(order) > 2:
        uses[-1] = "bath"
    for use, rectangle in zip(uses, order, strict=True):
        plan.add(use, *rectangle)
    living = next(i for i, space in enumerate(plan.spaces) if space.use == "living")
    for (a, b), length in plan.neighbours().items():
        other = plan.spaces[a if b == living else b].use
        if living in (a, b) and other in ("kitchen", "dining", "hall") and length >= 2.4 and draw.chance("open_plan"):
            plan.link(a, b, "open" if draw.chance("without_wall") else "wide")
    plan.connect(draw)
    return plan


def _split(draw: Draw, rectangle: Rectangle, count: int) -> list[Rectangle]:
    """`count` rectangles, or as many as are not smaller than a room may be."""
    pieces, least = [rectangle], float(draw["least_side"])
    while len(pieces) < count:
        sizes = [surface(r) * draw.rng.uniform(0.6, 1.0) for r in pieces]
        order = [int(index) for index in np.argsort(sizes)[::-1]]
        long = [i for i in order if max(pieces[i][2] - pieces[i][0], pieces[i][3] - pieces[i][1]) >= 2 * least]
        if not long:
            return pieces
        x0, y0, x1, y1 = pieces.pop(long[0])
        wide, length = x1 - x0 >= y1 - y0, max(x1 - x0, y1 - y0)
        at = snap(np.clip(length * draw.rng.uniform(0.35, 0.65), least, length - least))
        if wide:
            pieces += [(x0, y0, x0 + at, y1), (x0 + at, y0, x1, y1)]
        else:
            pieces += [(x0, y0, x1, y0 + at), (x0, y0 + at, x1, y1)]
    return pieces


def _along_corridors(draw: Draw) -> Plan:
    """Rooms on both sides of a corridor: a straight one, one with a wing (a second corridor across its end, with rooms
    beyond it and above the upper row), or a ring of corridors with rooms outside and a core within."""
    shape = draw.choice("shapes")
    plan, corridor = Plan(), snap(draw.number("corridor"))
    lower, upper = snap(draw.number("depth")), snap(draw.number("depth"))
    length, middle = snap(draw.number("length")), lower + corridor
    if shape == "ring":
        second = middle + snap(draw.number("core"))
        south = plan.add("corridor", 0, lower, length, middle)
        north = plan.add("corridor", 0, second, length, second + corridor)
        west = plan.add("corridor", 0, middle, corridor, second)
        east = plan.add("corridor", length - corridor, middle, length, second)
        for joint in (west, east):
            plan.link(south, joint, "open")
            plan.link(north, joint, "open")
        _row(draw, plan, south, (0, length), (0, lower))
        _row(draw, plan, north, (0, length), (second + corridor, second + corridor + upper))
        _row(draw, plan, south, (corridor, length - corridor), (middle, second))
    else:
        main = plan.add(_main_use(draw), 0, lower, length, middle)
        _row(draw, plan, main, (0, length), (0, lower))
        _row(draw, plan, main, (0, length), (middle, middle + upper))
        if shape == "wing":
            top = snap(middle + upper + draw.number("wing"))
            wing = plan.add("corridor", length, 0, length + corridor, top)
            plan.link(main, wing, "open")
            depth = snap(draw.number("depth"))
            _row(draw, plan, wing, (0, top), (length + corridor, length + corridor + depth), upright=True)
    plan.connect(draw)
    return plan


def _row(
    draw: Draw, plan: Plan, corridor: int, along: tuple[float, float], across: tuple[float, float],
    upright: bool = False,
) -> None:  # fmt: skip
    """Rooms next to each other between `along`, `across` deep, each with a door to the corridor or open to it."""
    at, end = along
    pitch = draw.number("width")
    while end - at > 1e-6:
        width = snap(pitch if draw["alike"] else draw.number("width"))
        if end - at - width < draw["width"][0]:
            width = end - at
        use = draw.choice("uses")
        kind: Link = "door"
        if use in draw["open_uses"]:
            kind = "open" if draw.rng.random() < 0.5 else "wide"
        area = (at, across[0], at + width, across[1])
        number = plan.add(use, *(area if not upright else (area[1], area[0], area[3], area[2])))
        plan.link(corridor, number, kind)
        at = snap(at + width)


def _main_use(draw: Draw) -> str:
    """What the room is for that the others lie along."""
    use = draw.values.get("main", "corridor")
    return use if isinstance(use, str) else str(draw.choice("main"))


def _warehouse(draw: Draw) -> Plan:
    """A hall, a row of small rooms along one end, sometimes a second hall."""
    plan, depth = Plan(), snap(draw.number("depth"))
    length, office = snap(draw.number("length")), snap(draw.number("office"))
    use = _main_use(draw)
    hall = plan.add(use, office, 0, office + length, depth)
    at, count = 0.0, draw.count("offices")
    for index in range(count):
        end = depth if index == count - 1 else snap(depth * (index + 1) / count + draw.rng.uniform(-0.3, 0.3))
        plan.link(hall, plan.add(draw.choice("uses"), 0, at, office, end), "door")
        at = end
    if draw.chance("second_hall"):
        more = snap(draw.number("second"))
        plan.link(hall, plan.add(use, office + length, 0, office + length + more, depth), "wide")
    plan.connect(draw)
    return plan


def _gallery(draw: Draw) -> Plan:
    """Uneven rows and columns whose cells grow together, each room open to several others, without corridors."""
    columns, rows = draw.count("columns"), draw.count("rows")
    xs = np.concatenate([[0.0], np.cumsum([snap(draw.number("column")) for _ in range(columns)])])
    ys = np.concatenate([[0.0], np.cumsum([snap(draw.number("row")) for _ in range(rows)])])
    taken, plan = np.full((columns, rows), -1), Plan()
    for i in range(columns):
        for j in range(rows):
            if taken[i, j] >= 0:
                continue
            right, up = i + 1, j + 1  # it may grow to two or three cells in a line
            while right < columns and taken[right, j] < 0 and right - i < 3 and draw.chance("merge"):
                right += 1
            while right == i + 1 and up < rows and taken[i, up] < 0 and up - j < 2 and draw.chance("merge"):
                up += 1
            taken[i:right, j:up] = plan.add(draw.choice("uses"), xs[i], ys[j], xs[right], ys[up])
    plan.connect(draw)
    for pair in list(plan.links):
        kind: Link = "wide" if draw.chance("wide") else "door"
        plan.link(*pair, kind)
    return plan


def _hotel(draw: Draw) -> Plan:
    """Bands from the street to the yard: lobby, then corridors like a comb, with rooms on both sides of each tooth."""
    plan, corridor = Plan(), snap(draw.number("corridor"))
    depth, pitch = snap(draw.number("depth")), snap(draw.number("width"))
    teeth, each = draw.count("teeth"), draw.count("each")
    tooth, lobby = 2 * depth + corridor, snap(draw.number("lobby"))
    spine = snap(draw.number("spine"))
    whole = teeth * tooth
    middle = plan.add("corridor", 0, lobby, whole, lobby + spine)
    split = snap(whole * draw.rng.uniform(0.4, 0.7))
    plan.link(middle, plan.add("lobby", 0.0, 0.0, split, lobby), "wide")
    plan.link(middle, plan.add("dining", split, 0.0, whole, lobby), "door")
    for index in range(teeth):
        x, y = index * tooth, lobby + spine
        way = plan.add("corridor", x + depth, y, x + depth + corridor, y + each * pitch)
        plan.link(middle, way, "open")
        for row in range(each):
            for left in (x, x + depth + corridor):
                guest = plan.add("guest", left, y + row * pitch, left + depth, y + (row + 1) * pitch)
                plan.link(way, guest, "door")
    plan.connect(draw)
    return plan


LAYOUTS: dict[str, Callable[[Draw], Plan]] = {
    "home": _home, "office": _along_corridors, "ward": _along_corridors, "school": _along_corridors,
    "warehouse": _warehouse, "gallery": _gallery, "hotel": _hotel,
    "hall": _warehouse, "car_park": _warehouse, "atrium": _along_corridors,
}  # fmt: skip
