"""All that moves about in a world by itself: it goes on step by step beside a robot, opens doors, and is judged where
they touch. The same seed goes the same ways."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ami_ros.core.commands import Command, of_width
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, Disc
from ami_ros.simulation.contacts import TouchJudge, could_leave
from ami_ros.simulation.floor_plan import Doors, FloorPlan
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.people.bodies import KINDS, SHIN, Body, Kind, draw_body
from ami_ros.simulation.people.recorded import Recorded, load_recording, most_at_once
from ami_ros.simulation.people.walkers import Orca, RobotDisc, Walkers
from ami_ros.simulation.routes import Routes
from ami_ros.simulation.world import Door, People, World


@dataclass(frozen=True)
class MovingThing:
    """The truth of one thing that moves: `position` (2,) and `velocity` (2,) in the world's frame [m, m/s]."""

    id: int
    kind: Kind
    position: Array
    velocity: Array
    radius: float  # [m]


@dataclass(frozen=True)
class CrowdConfig:
    """When people meet, and what they do with doors."""

    opens: float = 1.0  # a door that is nearer on somebody's way than this is opened [m]
    shuts: float = 0.9  # who is farther from a door than this does not hinder its closing [m]
    stays_open: float = 3.0  # [s]
    close: float = 0.3  # a gap within which it is measured exactly [m]
    meets: float = 1.5  # a gap from which somebody meets the robot [m]
    parts: float = 2.5  # a gap from which somebody has left it [m]


class Crowd:
    """Those whom `world.people` describes. How they go about is `manner`, which has their `poses` (n, 3), `velocities`
    (n, 2) and who is `present` (n,) at all.

    Args:
        world: its doors count as open: people open those on their ways.
        seed: of the run; with that of the world's people it decides everything.
        height: of the plane in which the laser meets them [m].

    Raises:
        AmiError: nobody fits into the world, or a recording or a package is not there.
    """

    def __init__(self, world: World, seed: int, height: float, config: CrowdConfig = CrowdConfig()) -> None:
        people = world.people or People()
        self.config = config
        self.bodies = bodies_of(people)
        self._people, self._world, self._height = people, world, height
        self._routes: dict[str, Routes] = {}
        self._opened: dict[str, float] = {}  # doors that people opened: how long nobody was near [s]
        self.restart(seed)

    def restart(self, seed: int) -> None:
        """From the beginning, by another seed."""
        self.manner = self._make_manner([self._people.seed, seed])
        self._phases = np.random.default_rng([self._people.seed, 1]).random(len(self.bodies))

    def _make_manner(self, seed: list[int]) -> Walkers | Recorded:
        people = self._people
        if people.recording:
            return Recorded(self.bodies, load_recording(people.recording), seed)
        widths: dict[str, Kind] = {"narrow": "adult", **({"wide": "trolley"} if people.trolleys else {})}
        if self.bodies and not self._routes:
            is_open = {door.name: True for door in self._world.doors}
            for width, kind in widths.items():
                radius = KINDS[kind].radius
                self._routes[width] = Routes(FreeSpace(self._world, is_open, radius), radius)
        if people.manner == "orca" and self.bodies:
            plan = self._routes["narrow"].space.plan
            return Orca(self.bodies, self._routes, people.speed, people.group, seed, plan)
        return Walkers(self.bodies, self._routes, people.speed, people.manner, people.group, seed)

    def advance(self, seconds: float, robot: RobotDisc) -> None:
        """They go on for `seconds`, a short step [s]; the robot is where it is."""
        self.manner.advance(seconds, robot, self.gaps(robot) < 0.0)
        for index in np.flatnonzero(self.manner.present).tolist():
            phase, speed = self.gait(index)
            self._phases[index] = (phase + speed * seconds / self.bodies[index].stride(speed)) % 1.0

    def gait(self, index: int) -> tuple[float, float]:
        """Phase (0..1) and speed [m/s] of one who walks."""
        return float(self._phases[index]), float(np.hypot(*self.manner.velocities[index]))

    def things(self) -> tuple[MovingThing, ...]:
        """Who is there, where, and how fast."""
        there = [(int(i), self.bodies[i]) for i in np.flatnonzero(self.manner.present)]
        poses, velocities = self.manner.poses.copy(), self.manner.velocities.copy()
        return tuple(MovingThing(i, body.kind, poses[i, :2], velocities[i], body.radius) for i, body in there)

    def seen(self) -> FloorPlan | None:
        """What the laser meets of them; None: nobody moves about in this world."""
        manner, found = self.manner, []
        for index in np.flatnonzero(manner.present).tolist():
            found += self.bodies[index].met(manner.poses[index], *self.gait(index), self._height)
        return FloorPlan(found) if self.bodies else None

    def gaps(self, robot: RobotDisc) -> Array:
        """From the robot to what it can touch of every body (n,), its legs at the height of SHIN [m]: below 0 they
        touch; inf: it is away. Of those farther than `close` it is the gap to the drum."""
        manner = self.manner
        if not self.bodies:
            return np.zeros(0)
        distances = np.hypot(*(manner.poses[:, :2] - robot.centre).T) - robot.radius
        gaps = np.where(manner.present, distances - [body.radius for body in self.bodies], np.inf)
        for index in np.flatnonzero(gaps < self.config.close).tolist():
            met = self.bodies[index].met(manner.poses[index], *self.gait(index), SHIN)
            gaps[index] = FloorPlan(met).clearance(robot.centre[None])[0] - robot.radius
        return gaps

    def doors_to_set(self, doors: dict[str, bool], robot: RobotDisc, seconds: float) -> Iterator[tuple[str, bool]]:
        """Doors that somebody opens now, and those that fall shut behind them, of `doors` (name -> open)."""
        there = [int(index) for index in np.flatnonzero(self.manner.present)]
        for door in self._world.doors:
            if not doors[door.name] and any(self._wants_through(index, door) for index in there):
                self._opened[door.name] = 0.0
                yield door.name, True
        for door in self._world.doors:
            if door.name not in self._opened:
                continue
            middle = (np.array(door.start) + door.end) / 2
            near = [robot.centre, *self.manner.poses[there, :2]]
            free = min(float(np.hypot(*(place - middle))) for place in near) > self.config.shuts
            self._opened[door.name] = self._opened[door.name] + seconds if free else 0.0
            if self._opened[door.name] > self.config.stays_open and doors[door.name]:
                del self._opened[door.name]
                yield door.name, False

    def _wants_through(self, index: int, door: Door) -> bool:
        """Whether a door lies on the next bit of somebody's way."""
        middle, half = (np.array(door.start) + door.end) / 2, 0.5 * np.hypot(*np.subtract(door.end, door.start))
        return bool(np.hypot(*(self.manner.ahead_of(index, self.config.opens) - middle).T).min() < half)

    def future(self, robot: RobotDisc, times: Array) -> Array:
        """Where everybody will be (n, t, 2) at `times` (t,) from now [s], rising, if the robot stays where it is."""
        other = copy.copy(self)
        other.manner, other._phases = self.manner.copied(), self._phases.copy()
        still = replace(robot, velocity=np.zeros(2))
        found, passed = np.empty((len(self.bodies), len(times), 2)), 0.0
        for number, time in enumerate(times):
            steps = max(1, round((time - passed) / 0.05)) if time > passed else 0
            for _ in range(steps):
                other.manner.advance((time - passed) / steps, still, other.gaps(still) < 0.0)
            passed = float(time)
            found[:, number] = other.manner.poses[:, :2]
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


class Company:
    """The face of a crowd, which may be nobody, to a simulated robot whose outline is `disc`.

    Attributes:
        judge: of contacts of the robot with what moves by itself.
        encounters: how often somebody has come near the robot.
    """

    def __init__(self, crowd: Crowd, disc: Disc, doors: Doors) -> None:
        self.crowd, self._disc, self._doors = crowd, disc, doors
        self.judge, self.encounters = TouchJudge(), 0
        self._nearest = np.inf
        self._met = np.zeros(len(crowd.bodies), bool)

    def beside(self, pose: Array) -> None:
        """The robot was put at `pose` (3,): who stands there makes room."""
        self.judge.forget()
        self.crowd.manner.make_room(self._robot(pose))

    def move(
        self, now: float, pose: Array, velocity: Array | None, driven: Command, seconds: float,
        open_door: Callable[[str, bool], None],
    ) -> None:  # fmt: skip
        """Everybody goes on for `seconds` from time `now` [s], with the robot at `pose` (3,), `driven` by its motors.

        It has `velocity` (2,) in the world's axes; None: as it is driven. `open_door` is told of doors that they open
        and shut.
        """
        if not self.crowd.bodies:
            return
        linear, _, aside = of_width(driven, 3)
        c, s = np.cos(pose[2]), np.sin(pose[2])
        drives = np.array([linear * c - aside * s, linear * s + aside * c])
        robot = self._robot(pose, drives if velocity is None else velocity)
        self.judge.note(now, robot.centre, self.crowd.manner.poses[:, :2], drives)
        self.crowd.advance(seconds, robot)
        gaps = self.gaps(pose)
        self._nearest = min(self._nearest, float(gaps.min(initial=np.inf)))
        meets = gaps < self.crowd.config.meets
        self.encounters += int((meets & ~self._met).sum())
        self._met = meets | (self._met & (gaps < self.crowd.config.parts))
        for name, is_open in self.crowd.doors_to_set(self._doors.open, robot, seconds):
            try:
                open_door(name, is_open)
            except AmiError:  # the robot stands in it
                pass

    def touched(self, now: float, name: str, pose: Array) -> None:
        """A contact with the body of that name begins."""
        index = next(i for i, body in enumerate(self.crowd.bodies) if body.name == name)
        leave = could_leave(pose, self._disc, self._doors.plan, self.crowd.manner.poses, index)
        self.judge.touch(now, index, name, leave)

    def gaps(self, pose: Array) -> Array:
        """From the robot at `pose` (3,) to every body (n,) [m]; below 0 they touch."""
        return self.crowd.gaps(self._robot(pose))

    def nearest(self) -> float:
        """How near anybody has come since this was asked last [m]; inf: nobody is there."""
        found, self._nearest = self._nearest, np.inf
        return found

    def future(self, pose: Array, times: Array) -> Array:
        """Where everybody will be (n, t, 2) at `times` (t,) from now [s] if the robot stays at `pose` (3,)."""
        return self.crowd.future(self._robot(pose), times)

    def _robot(self, pose: Array, velocity: Array | None = None) -> RobotDisc:
        centre = self._disc.centre(pose[None])[0]
        return RobotDisc(centre, self._disc.radius, np.zeros(2) if velocity is None else velocity)
