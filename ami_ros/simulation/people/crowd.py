"""All that moves about in a world by itself: it goes on step by step, and the same seed goes the same ways."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.commands import Command, of_width
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, Disc
from ami_ros.simulation.contacts import Touch, TouchJudge, could_leave
from ami_ros.simulation.floor_plan import Doors, FloorPlan
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.people.bodies import RADII, SHIN, Body, Kind, draw_body
from ami_ros.simulation.people.recorded import Recorded, load_recording, most_at_once
from ami_ros.simulation.people.walkers import Orca, RobotDisc, Walkers
from ami_ros.simulation.routes import Routes
from ami_ros.simulation.world import People, World

OPENS = 1.0  # a door that is nearer on somebody's way than this is opened [m]
SHUTS = 0.9  # who is farther from a door than this does not hinder its closing [m]
CLOSE = 0.3  # a gap within which it is measured exactly [m]
STAYS_OPEN = 3.0  # [s]


@dataclass(frozen=True)
class MovingThing:
    """The truth of one thing that moves: `position` (2,) and `velocity` (2,) in the world's frame [m, m/s]."""

    id: int
    kind: Kind
    position: Array
    velocity: Array
    radius: float  # [m]


class Manner(Protocol):
    """How bodies go about. `poses` (n, 3), `velocities` (n, 2), `present` (n,): who is there at all."""

    poses: Array
    velocities: Array
    present: NDArray[np.bool_]

    def advance(self, seconds: float, robot: RobotDisc, touching: NDArray[np.bool_]) -> None:
        """They go on for `seconds`, a short step [s]; `touching`: (n,) who touches the robot."""
        ...

    def make_room(self, robot: RobotDisc) -> None:
        """The robot was put where somebody may be."""
        ...

    def ahead_of(self, index: int, distance: float) -> Array:
        """Points (n, 2) of where a body goes next, as far as `distance` [m] on."""
        ...

    def copied(self) -> Manner:
        """The same from now on, apart."""
        ...


class Crowd:
    """Those whom `world.people` describes.

    Args:
        world: its doors count as open: people open those on their ways.
        seed: of the run; with that of the world's people it decides everything.
        height: of the plane in which the laser meets them [m].

    Raises:
        AmiError: nobody fits into the world, or a recording or a package is not there.
    """

    def __init__(self, world: World, seed: int, height: float) -> None:
        people = world.people or People()
        self.bodies = bodies_of(people)
        self._people, self._world, self._height = people, world, height
        self._routes: dict[str, Routes] = {}
        self._opened: dict[str, float] = {}  # doors that people opened: how long nobody was near [s]
        self.restart(seed)

    def restart(self, seed: int) -> None:
        """From the beginning, by another seed."""
        self._manner = self._make_manner([self._people.seed, seed])
        self._phases = np.random.default_rng([self._people.seed, 1]).random(len(self.bodies))

    def _make_manner(self, seed: list[int]) -> Manner:
        people = self._people
        if people.recording:
            return Recorded(self.bodies, load_recording(people.recording), seed)
        if not self._routes:
            is_open = {door.name: True for door in self._world.doors}
            widths: dict[str, Kind] = {"narrow": "adult", "wide": "trolley"}
            for width, kind in widths.items():
                if width == "narrow" or people.trolleys:
                    space = FreeSpace(self._world, is_open, RADII[kind])
                    self._routes[width] = Routes(space, RADII[kind])
        if people.manner == "orca":
            plan = self._routes["narrow"].space.plan
            return Orca(self.bodies, self._routes, people.speed, people.group, seed, plan)
        return Walkers(self.bodies, self._routes, people.speed, people.manner, people.group, seed)

    def advance(self, seconds: float, robot: RobotDisc) -> None:
        """They go on for `seconds`, a short step [s]; the robot is where it is."""
        self._manner.advance(seconds, robot, self.gaps(robot) < 0.0)
        for index in np.flatnonzero(self._manner.present):
            speed = float(np.hypot(*self._manner.velocities[index]))
            stride = self.bodies[index].stride(speed)
            self._phases[index] = (self._phases[index] + speed * seconds / stride) % 1.0

    def make_room(self, robot: RobotDisc) -> None:
        """The robot was put where somebody may be."""
        self._manner.make_room(robot)

    @property
    def poses(self) -> Array:
        """(n, 3) of all bodies, also of those who are away."""
        return self._manner.poses

    @property
    def present(self) -> NDArray[np.bool_]:
        """(n,) who is there."""
        return self._manner.present

    def gait(self, index: int) -> tuple[float, float]:
        """Phase (0..1) and speed [m/s] of one who walks."""
        return float(self._phases[index]), float(np.hypot(*self._manner.velocities[index]))

    def things(self) -> tuple[MovingThing, ...]:
        """Who is there, where, and how fast."""
        manner = self._manner
        return tuple(
            MovingThing(int(i), self.bodies[i].kind, manner.poses[i, :2].copy(), manner.velocities[i].copy(),
                        self.bodies[i].radius)
            for i in np.flatnonzero(manner.present)
        )  # fmt: skip

    def seen(self) -> FloorPlan:
        """What the laser meets of them."""
        found = []
        for index in np.flatnonzero(self.present):
            phase, speed = self.gait(int(index))
            found += self.bodies[index].met(self.poses[index], phase, speed, self._height)
        return FloorPlan(found)

    def gaps(self, robot: RobotDisc) -> Array:
        """From the robot to what it can touch of every body (n,), its legs at the height of SHIN [m]: below 0 they
        touch; inf: it is away. Of those farther than CLOSE it is the gap to the drum."""
        distances = np.hypot(*(self.poses[:, :2] - robot.centre).T) - robot.radius
        gaps = np.where(self.present, distances - [body.radius for body in self.bodies], np.inf)
        for index in np.flatnonzero(gaps < CLOSE):
            phase, speed = self.gait(int(index))
            met = self.bodies[index].met(self.poses[index], phase, speed, SHIN)
            gaps[index] = FloorPlan(met).clearance(robot.centre[None])[0] - robot.radius
        return gaps

    def doors_to_set(self, doors: dict[str, bool], robot: RobotDisc, seconds: float) -> Iterable[tuple[str, bool]]:
        """Doors that somebody opens now, and those that fall shut behind them, of `doors` (name -> open)."""
        closed = [door for door in self._world.doors if not doors[door.name]]
        if not closed and not self._opened:
            return
        for door in closed:
            middle = (np.array(door.start) + door.end) / 2
            for index in np.flatnonzero(self.present):
                ahead = self._manner.ahead_of(int(index), OPENS)
                if np.hypot(*(ahead - middle).T).min() < 0.5 * np.hypot(*np.subtract(door.end, door.start)):
                    self._opened[door.name] = 0.0
                    yield door.name, True
                    break
        for name in list(self._opened):
            own = self._world.door(name)
            assert own is not None
            middle = (np.array(own.start) + own.end) / 2
            near = [robot.centre, *self.poses[self.present, :2]]
            free = min(float(np.hypot(*(place - middle))) for place in near) > SHUTS
            self._opened[name] = self._opened[name] + seconds if free else 0.0
            if self._opened[name] > STAYS_OPEN and doors[name]:
                del self._opened[name]
                yield name, False

    def future(self, robot: RobotDisc, times: Array) -> Array:
        """Where everybody will be (n, t, 2) at `times` (t,) from now [s], rising, if the robot stays where it is."""
        other = copy.copy(self)
        other._manner, other._phases = self._manner.copied(), self._phases.copy()
        still = replace(robot, velocity=np.zeros(2))
        found, passed = np.empty((len(self.bodies), len(times), 2)), 0.0
        for number, time in enumerate(times):
            steps = max(1, round((time - passed) / 0.05)) if time > passed else 0
            for _ in range(steps):
                other._manner.advance((time - passed) / steps, still, other.gaps(still) < 0.0)
            passed = float(time)
            found[:, number] = other.poses[:, :2]
        return found


def bodies_of(people: People) -> tuple[Body, ...]:
    """The bodies of who moves about; who pushes a trolley comes right after it."""
    rng = np.random.default_rng([people.seed, 0])
    count = people.count
    if people.recording:
        most = most_at_once(load_recording(people.recording))
        count = min(count, most) if count else most
    kinds: list[Kind] = ["child" if rng.random() < people.children else "adult" for _ in range(count)]
    if people.recording:
        kinds = ["adult"] * count
    kinds += ["trolley", "adult"] * people.trolleys
    kinds += ["robot"] * people.robots
    return tuple(draw_body(f"{kind}_{number}", kind, rng) for number, kind in enumerate(kinds))


# The crowd of a world beside the robot in it: goes on with it, opens doors, and is judged where they touch.

MEETS, PARTS = 1.5, 2.5  # [m] of a gap from which somebody meets the robot, and has left it


class Company:
    """The face of a crowd to a simulated robot whose outline is `disc`."""

    def __init__(self, crowd: Crowd, disc: Disc, doors: Doors) -> None:
        self.crowd, self._disc, self._doors = crowd, disc, doors
        self._judge = TouchJudge()
        self._nearest = np.inf
        self.encounters = 0  # how often somebody has come within MEETS of the robot
        self._met = np.zeros(len(crowd.bodies), bool)

    @property
    def touches(self) -> tuple[Touch, ...]:
        """Contacts of the robot with what moves by itself, since construction."""
        return tuple(self._judge.touches)

    def beside(self, pose: Array) -> None:
        """The robot was put at `pose` (3,): who stands there makes room."""
        self._judge.forget()
        self.crowd.make_room(self._robot(pose, np.zeros(2)))

    def move(
        self, now: float, pose: Array, velocity: Array, driven: Command, seconds: float,
        open_door: Callable[[str, bool], None],
    ) -> None:  # fmt: skip
        """Everybody goes on for `seconds` from time `now` [s], with the robot at `pose` (3,) and `velocity` (2,) in the
        world's axes, `driven` by its motors; `open_door` is told of doors that they open and shut."""
        robot = self._robot(pose, velocity)
        linear, _, aside = of_width(driven, 3)
        c, s = np.cos(pose[2]), np.sin(pose[2])
        drives = np.array([linear * c - aside * s, linear * s + aside * c])
        self._judge.note(now, robot.centre, self.crowd.poses[:, :2], drives)
        self.crowd.advance(seconds, robot)
        gaps = self.gaps(pose)
        self._nearest = min(self._nearest, float(gaps.min(initial=np.inf)))
        self.encounters += int(((gaps < MEETS) & ~self._met).sum())
        self._met = (gaps < MEETS) | (self._met & (gaps < PARTS))
        for name, is_open in self.crowd.doors_to_set(self._doors.open, robot, seconds):
            try:
                open_door(name, is_open)
            except AmiError:  # the robot stands in it
                pass

    def touched(self, now: float, name: str, pose: Array) -> None:
        """A contact with the body of that name begins."""
        index = next(i for i, body in enumerate(self.crowd.bodies) if body.name == name)
        leave = could_leave(pose, self._disc, self._doors.plan, self.crowd.poses, index)
        self._judge.touch(now, index, name, leave)

    def gaps(self, pose: Array) -> Array:
        """From the robot at `pose` (3,) to every body (n,) [m]; below 0 they touch."""
        return self.crowd.gaps(self._robot(pose, np.zeros(2)))

    def nearest(self) -> float:
        """How near anybody has come since this was asked last [m]; inf: nobody is there."""
        found, self._nearest = self._nearest, np.inf
        return found

    def future(self, pose: Array, times: Array) -> Array:
        """Where everybody will be (n, t, 2) at `times` (t,) from now [s] if the robot stays at `pose` (3,)."""
        return self.crowd.future(self._robot(pose, np.zeros(2)), times)

    def _robot(self, pose: Array, velocity: Array) -> RobotDisc:
        return RobotDisc(self._disc.centre(pose[None])[0], self._disc.radius, velocity)
