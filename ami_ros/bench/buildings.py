"""A robot in a building that it has never seen: it explores by itself, then gets pictures to go to, on that day or
another.

All methods get the same goals from the same starts; who has a memory is told where that is. There are pictures of
another building as well, to be refused.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.behaviour.exploration import Exploration
from ami_ros.behaviour.unexplored import ExplorationConfig
from ami_ros.bench.classical import ClassicalRobot
from ami_ros.bench.closed_loop import ClosedLoop, TaskDrive, loop_config, panorama
from ami_ros.bench.rivals import TrueLoop
from ami_ros.bench.scenario import Part, Report, Row, chosen, model_at, unseen_building
from ami_ros.bench.trials import ALLOWANCES, GoalSampler, allowance_of, judged
from ami_ros.core.config import from_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, believed_at, compose, relative, wrap
from ami_ros.core.robots.derived import exploration_settings
from ami_ros.core.robots.description import DEFAULT, RobotDescription, load_robot
from ami_ros.memory.coverage import ASIDE, WANTED
from ami_ros.memory.next_best_view import LOOKS
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.planning.types import Decision, Goal
from ami_ros.runtime.goal_execution import Photograph
from ami_ros.simulation.buildings.kinds import FIRST_TEST_SEED, NAMED_KINDS, PREFIX
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.visit import LIGHTS, visited
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.fit import LASER, simulated_robot
from ami_ros.world_model.torch_model import LoadedModel, load_model

METHODS = ("general", "classical", "without_memory", "exact_dynamics")  # the first one's course the others follow
STREAM = 0xB117D1  # keeps random numbers apart from those of other benches
COVERED = 0.75  # [m] of driving from a place within which a spot is known


def opened(model: Path, robot: str) -> tuple[LoadedModel, RobotDescription]:
    """A model, and the robot: what `load_robot` takes, or the one that the model drives."""
    loaded = load_model(model)
    return loaded, load_robot(robot or simulated_robot(loaded.model.spec))


def general_model(model: str, robot: str) -> Path:
    """The folder of the model that is named, else of the general one, or of its likeness without a camera."""
    return model_at(model, LASER if load_robot(robot or DEFAULT).camera is None else "general")


@dataclass(frozen=True)
class Buildings:
    """Buildings that the robot has never seen: it explores, then goes where pictures were taken."""

    kinds: tuple[str, ...] = ()  # of buildings; empty: all, as their seeds draw them
    each: int = 1  # how many of each kind for each seed
    goals: int = 8  # near and far alternately
    foreign: int = 2  # pictures of another building
    explore: float = 10.0  # [min] before, from an empty memory
    starts: Literal["driven", "anywhere", "outside"] = "driven"  # before each goal switched on where it was, or was not
    visit: str = ""  # what follows the name of a building: people, changed furniture, light (`simulation.visit`)
    robot: str = ""  # name, file or drawn:SEED; empty: the one that the model drives
    baselines: tuple[str, ...] = ("general",)  # or classical, without_memory, exact_dynamics; empty: all
    model: str = ""  # folder; empty: models/general, or its likeness without a camera
    set: tuple[str, ...] = ()  # of the stack, as agent.navigator.planner.solver.samples=64

    def parts(self) -> Sequence[Part]:
        chosen(self.baselines, METHODS)
        if unknown := [kind for kind in self.kinds if kind not in NAMED_KINDS]:
            raise AmiError(f"bench: there is no kind of building '{unknown[0]}'; there are {', '.join(NAMED_KINDS)}")
        return [Part(f"{kind or 'any'}-{number}") for kind in self.kinds or ("",) for number in range(self.each)]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        kind, number = part.rsplit("-", 1)
        name = unseen_building("" if kind == "any" else kind, seed, int(number))
        for row in self.drive(f"{name}{self.visit}", name.seed, report):
            yield {"building": name.kind} | row

    def drive(self, world: str, seed: int, report: Report) -> Iterator[Row]:
        """What each method did in a `world`, row by row: method, kind (near, far, foreign, explore), what happened, and
        how it was judged.

        Raises AmiError: there is no such world, robot or model, or no OpenGL.
        """
        config, methods = loop_config(self.set), chosen(("general", *self.baselines) if self.baselines else (), METHODS)
        loaded, robot = opened(general_model(self.model, self.robot), self.robot)
        lacks = "camera" if robot.camera is None else "" if robot.has_laser else "laser"
        if lacks and methods != ["general"]:
            raise AmiError(f"bench buildings: robot {robot.name} has no {lacks}, so its only method is general")
        simulator = Simulator(world, robot, seed=seed)
        space, rng = FreeSpace(simulator.world, radius=robot.shape.radius), np.random.default_rng([seed, STREAM])
        began = space.sample_pose(rng)
        simulator.reset(began, seed)
        loop = ClosedLoop(loaded, simulator, None, config, seed)
        found, truths = explore(loop, space, 60.0 * self.explore, report)
        yield {"method": "general", "kind": "explore"} | found
        course: list[Row] = []
        for row in self.course(loop, space, seed, truths, report):
            course.append(row | {"location_error_m": location_error(loop, truths)})
            yield {"method": "general"} | course[-1]
        foreign = list(foreign_goals(simulator.world.name, robot, seed, self.foreign, config.goal_pictures))
        for index, taken in enumerate(foreign):
            report(f"picture of another building {index + 1} of {len(foreign)}")
            yield {"method": "general", "kind": "foreign"} | refused(loop, taken)
        for method in methods[1:]:
            report(method.replace("_", " "))
            if method == "classical":
                simulator.reset(began, seed)
                rows = self._classical(ClassicalRobot(simulator), space, began, foreign, seed, report)
            elif method == "exact_dynamics":
                rows = follow(TrueLoop(loaded, simulator, config, seed), course)
            else:
                flat = config.navigating(replace(config.agent.navigator, use_memory=False))
                rows = follow(ClosedLoop(loaded, simulator, None, flat, seed), course)
            for row in rows:
                yield {"method": method} | row
        simulator.close()

    def course(
        self, loop: ClosedLoop | ClassicalRobot, space: FreeSpace, seed: int, truths: dict[int, Array], report: Report
    ) -> Iterator[Row]:
        """Who explored drives to its goals, one from where the last one ended, or from anywhere; `truths` are the poses
        (3,) of its places in the world."""
        rng = np.random.default_rng([seed, STREAM, 2])
        simulator, sampler = loop.simulator, GoalSampler(space, seed)
        sees = simulator.description.camera is not None
        ambiguity = Ambiguity(space, simulator.description, seed) if sees else None
        for index in range(self.goals):
            report(f"goal {index + 1} of {self.goals}")
            if self.starts != "driven":
                simulator.place(somewhere(space, truths, rng, self.starts == "anywhere"))
                loop.restart()
            start = simulator.ground_truth().pose
            goal = sampler.sample(index, start)
            trial = loop.drive(goal.kind, start, goal.pose, goal.path_length, allowance_of(goal, explored=True))
            yield judged(trial) | {"ambiguous": ambiguity is not None and ambiguity.of(goal.pose)}
        if ambiguity is not None:
            ambiguity.close()

    def _classical(
        self, robot: ClassicalRobot, space: FreeSpace, began: Array, foreign: list[list[Photograph]], seed: int,
        report: Report,
    ) -> Iterator[Row]:  # fmt: skip
        """The method without learning: it explores for as long, and then has a course of its own, drawn by the same
        seed from where it stands."""
        simulator, seconds = robot.simulator, 60.0 * self.explore
        contacts, start = simulator.ground_truth().contacts, simulator.time
        robot.explore(seconds, lambda done: report(f"classical, exploring {done:.0f} of {seconds:.0f} s"))
        poses = [robot.mapping.pose_of(anchor) for anchor in robot.album.anchors]
        seen = np.array([compose(began, pose) for pose in poses]).reshape(-1, 3)
        yield {
            "kind": "explore",
            "explored_share": round(space.share_within(seen, COVERED), 4),
            "places": len(robot.album.views),
            "explored_s": round(simulator.time - start, 1),
            "collisions": simulator.ground_truth().contacts - contacts,
        }
        yield from self.course(robot, space, seed, dict(enumerate(seen)), report)
        for taken in foreign:
            yield {"kind": "foreign"} | refused(robot, taken)


def somewhere(space: FreeSpace, truths: dict[int, Array], rng: np.random.Generator, known: bool) -> Array:
    """A free pose (3,) near a place that the robot knows, or far from all of them.

    Raises AmiError: it has been everywhere.
    """
    places, outside = np.array(list(truths.values())).reshape(-1, 3)[:, :2], 2.5  # [m]
    for _ in range(2000):
        pose = space.sample_pose(rng)
        away = np.hypot(*(places - pose[:2]).T).min(initial=np.inf)
        if away <= COVERED if known else away > outside:
            return pose
    where = "knows nothing of the building" if known else f"has been within {outside} m of all of the building"
    raise AmiError(f"bench buildings: the robot {where}: let it explore {'longer' if known else 'less (explore)'}")


def location_error(loop: ClosedLoop, truths: dict[int, Array]) -> float | None:
    """How far off the robot believes to be [m], as seen from the known place that it believes to be nearest; None: it
    does not know where it is."""
    location, index = loop.memory.location(), loop.memory.map.index
    known = [place for place in truths if place in index]
    if location is None or not location.localised or not known:
        return None
    poses = index.poses[index.rows(np.array(known))]
    nearest = int(np.hypot(*(poses[:, :2] - location.pose[:2]).T).argmin())
    believed = compose(truths[known[nearest]], relative(poses[nearest], location.pose))
    return round(float(np.hypot(*(believed - loop.simulator.ground_truth().pose)[:2])), 3)


def explore(loop: ClosedLoop, space: FreeSpace, seconds: float, report: Report) -> tuple[Row, dict[int, Array]]:
    """The robot explores for so long, or until it finds nothing new; what it came to know, and where its places are in
    truth (3,), by id."""
    config = from_mapping(ExplorationConfig, exploration_settings(loop.simulator.description))
    drive = TaskDrive(loop, Exploration(config, seconds))
    contacts, shown = loop.simulator.ground_truth().contacts, 0.0
    try:
        for _ in drive.run(seconds + 1.0):
            if drive.elapsed >= shown:
                shown += 15.0
                report(f"exploring {drive.elapsed:.0f} of {seconds:.0f} s, {len(loop.memory)} places")
            if drive.elapsed >= seconds:
                break
    except AmiError:  # patience is over between two thoughts
        pass
    loop.cancel()
    loop.wait(loop.config.settle)
    loop.beliefs = np.array(drive.believed).reshape(-1, 3), np.array(drive.true).reshape(-1, 3)
    places = np.array(list(drive.truths.values())).reshape(-1, 3)
    found = {
        "explored_share": round(space.share_within(places, COVERED), 4) if len(places) else 0.0,
        "places": len(loop.memory),
        "explored_s": round(drive.elapsed, 1),
        "driven_m": round(drive.distance, 2),
        "collisions": loop.simulator.ground_truth().contacts - contacts,
        "ended": drive.task.message,
    }
    if loop.simulator.description.camera is not None:
        found["seen_share"] = round(seen_share(space, places), 4)
    return found, drive.truths


def seen_share(space: FreeSpace, places: Array) -> float:
    """Share of all pictures of a building, from everywhere and in all directions, that places (n, 3) show: one is near,
    and looks there. Any other goal has to be looked for."""
    looks = np.abs(wrap(places[:, 2] - WANTED[:, None])) < ASIDE
    return float(np.mean([space.share_within(places[there, :2], LOOKS.reach) for there in looks]))


def foreign_goals(
    world: str, robot: RobotDescription, seed: int, count: int, pictures: int = 1
) -> Iterator[list[Photograph]]:
    """`count` goals in another building than `world`, each with so many pictures that the robot's camera takes."""
    if not count or robot.camera is None:
        return
    rng = np.random.default_rng([seed, STREAM, 1])
    name = f"{PREFIX}{FIRST_TEST_SEED + 500_000 + int(rng.integers(100_000))}"
    assert name != world
    elsewhere = load_world(name)
    space = FreeSpace(elsewhere, radius=robot.shape.radius)
    simulator = Simulator(elsewhere, robot, seed)
    for _ in range(count):
        yield panorama(simulator, space.sample_pose(rng, clearance=0.1), pictures)
    simulator.close()


def refused(robot: ClosedLoop | ClassicalRobot, taken: list[Photograph]) -> Row:
    """Whether the robot refuses a goal whose pictures were not taken here; nobody told it that there is none."""
    simulator, allowance = robot.simulator, ALLOWANCES["explored"]["far"]
    began, contacts = simulator.time, simulator.ground_truth().contacts
    if isinstance(robot, ClassicalRobot):
        outcome = robot.seek(taken[0].image, allowance)
        claimed, code, message, elapsed = not outcome.code, outcome.code.name, outcome.message, simulator.time - began
    else:
        robot.start(Goal(time_allowance=allowance), *taken)
        decision: Decision | None = None
        while decision is None or not decision.done:
            thought = robot.tick()
            decision = robot.given_up() if thought is None else thought.decision
        claimed, code, message, elapsed = (
            decision.succeeded,
            decision.code.name,
            decision.message,
            simulator.time - began,
        )
        robot.cancel()
        robot.wait(robot.config.settle)
    return {
        "claimed": claimed, "code": code, "error_msg": "" if claimed else message, "time_s": round(elapsed, 2),
        "collisions": simulator.ground_truth().contacts - contacts,
    }  # fmt: skip


def follow(loop: ClosedLoop, course: list[Row]) -> Iterator[Row]:
    """A method without a memory of its own, that is put where the first one stood before each goal."""
    for given in course:
        start, goal = np.array(given["start"]), np.array(given["goal"])
        loop.simulator.place(start)
        trial = loop.drive(given["kind"], start, goal, given["path_length_m"], given["allowance_s"])
        yield judged(trial) | {"ambiguous": given["ambiguous"]}


class Ambiguity:
    """Which pictures of a world could have been taken elsewhere as well: a rule on the simulator's own pictures, as its
    robot's camera sees it without noise.

    A goal is ambiguous if some pose at least 1 m away gives a picture that differs from it no more than pictures from
    right beside it do, or than a camera's noise makes of one place. Difference is the mean of absolute differences of
    pictures reduced to 32 x 24 pixels and brought to the same brightness.
    """

    def __init__(self, space: FreeSpace, robot: RobotDescription, seed: int) -> None:
        perfect = replace(robot, simulated=replace(robot.simulated, noise={}))
        self._space, self._eye = space, Simulator(space.world, perfect, seed)
        self._far, self._rng = 1.0, np.random.default_rng([seed, 41])
        self._poses = np.array([space.sample_pose(self._rng) for _ in range(300)])
        self._album = np.stack([self._code(pose) for pose in self._poses])

    def close(self) -> None:
        """Gives back the OpenGL context."""
        self._eye.close()

    def of(self, goal: Array) -> bool:
        """Whether a picture from `goal` (3,) could be one from elsewhere."""
        wanted, noise = self._code(goal), 0.012  # difference (0..1) that a camera's noise alone makes, at least
        beside = [
            np.array([goal[0] + 0.1 * np.cos(a), goal[1] + 0.1 * np.sin(a), wrap(goal[2] + s * np.radians(5.0))])
            for a, s in zip(np.linspace(0, 2 * np.pi, 6, endpoint=False), (1, -1) * 3, strict=True)
        ]
        limit = max(noise, float(np.median([np.abs(wanted - self._code(pose)).mean() for pose in beside])))
        elsewhere = np.hypot(*(self._poses[:, :2] - goal[:2]).T) >= self._far
        differences = np.where(elsewhere, np.abs(self._album - wanted).mean(axis=(1, 2, 3)), np.inf)
        for index in np.argsort(differences)[:3]:  # the likeliest ones are improved
            if elsewhere[index] and self._best(goal, wanted, self._poses[index], float(differences[index])) <= limit:
                return True
        return False

    def _best(self, goal: Array, wanted: NDArray[np.float32], pose: Array, difference: float) -> float:
        """The least difference around `pose`, not near the goal."""
        for metres, radians in ((0.25, 0.2), (0.12, 0.1), (0.06, 0.05)):
            for _ in range(8):
                tried = pose + self._rng.normal(0.0, (metres, metres, radians))
                if np.hypot(*(tried[:2] - goal[:2])) < self._far or not self._space.free(tried):
                    continue
                found = float(np.abs(wanted - self._code(tried)).mean())
                if found < difference:
                    pose, difference = tried, found
        return difference

    def _code(self, pose: Array) -> NDArray[np.float32]:
        small = cv2.resize(self._eye.photograph(pose), (32, 24), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        return np.asarray(small * (0.45 / max(float(small.mean()), 0.02)))


@dataclass(frozen=True)
class Change:
    """Worlds that are explored on one day and driven on others: furniture changed, or light that the robot has never
    seen there."""

    worlds: tuple[str, ...] = ()  # empty: a building for tests, each seed another
    goals: int = 8  # on each day, near and far alternately
    changed: float = 1 / 3  # share of the furniture that changes
    days: tuple[str, ...] = ()  # same, furniture, or a light; empty: all
    explore: float = 10.0  # [min] on the first day
    robot: str = ""  # name or file; empty: the one that the model drives
    model: str = ""  # folder; empty: models/general, or its likeness without a camera
    set: tuple[str, ...] = ()  # of the stack, as agent.navigator.planner.solver.samples=64

    def parts(self) -> Sequence[Part]:
        return [Part(world) for world in self.worlds or ("building",)]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        """How it explored, then its goals day by day, each with the memory of the first.

        A day whose light cannot be there, as the sun without windows, is left out.
        """
        days, config = chosen(self.days, ("same", "furniture", *LIGHTS)), loop_config(self.set)
        world = part if self.worlds else f"{PREFIX}{FIRST_TEST_SEED + 1000 * seed}"
        loaded, robot = opened(general_model(self.model, self.robot), self.robot)
        simulator = Simulator(world, robot, seed=seed)
        space = FreeSpace(simulator.world, radius=robot.shape.radius)
        simulator.reset(space.sample_pose(np.random.default_rng([seed, 0xC4A]), None, 0.1), seed)
        loop = ClosedLoop(loaded, simulator, None, config, seed)
        found, _ = explore(loop, space, 60.0 * self.explore, report)
        yield {"day": "same", "kind": "explore"} | found
        with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch:
            file, beliefs = Path(scratch, "first_day.memory"), loop.beliefs
            loop.memory.save(file)
            simulator.close()
            for day in days:
                other = {"changed": self.changed} if day == "furniture" else {"light": day}
                try:
                    there = load_world(world if day == "same" else visited(world, day=1 + seed, **other))  # type: ignore[arg-type]
                except AmiError as error:
                    report(f"{day} is left out: {error}")
                    continue
                simulator = Simulator(there, robot, seed=seed)
                try:
                    memory = PlaceMemory.copy_of(loaded.model, loaded.encoder_id, file, config.agent.memory)
                    loop = ClosedLoop(loaded, simulator, memory, config, seed)
                    for row in self._day(loop, beliefs, lambda said: report(f"{day}, {said}")):  # noqa: B023
                        yield {"day": day} | row
                finally:
                    simulator.close()

    def _day(self, loop: ClosedLoop, beliefs: tuple[Array, Array], report: Report) -> Iterator[Row]:
        """Goals of one day; the robot is told where in its map it is switched on, as where it always stands at
        night."""
        loop.beliefs = beliefs
        if (told := believed_at(loop.simulator.ground_truth().pose, *beliefs)) is not None:
            loop.memory.set_initial_pose(told)
        for index in range(self.goals):
            report(f"goal {index + 1} of {self.goals}")
            start = loop.simulator.ground_truth().pose
            goal = loop.goals.sample(index, start)
            allowance = allowance_of(goal, explored=True)
            yield judged(loop.drive(goal.kind, start, goal.pose, goal.path_length, allowance))
