"""A robot in a building that it has never seen: it explores by itself, then gets pictures to go to, on that day or
another."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.behaviour.exploration import Exploration
from ami_ros.behaviour.unexplored import ExplorationConfig
from ami_ros.bench.classical import ClassicalRobot, coverage
from ami_ros.bench.closed_loop import ClosedLoop, LoopConfig, panorama
from ami_ros.bench.known_world import TaskDrive
from ami_ros.bench.rivals import TrueLoop
from ami_ros.bench.trials import SEARCH_ALLOWANCE, GoalSampler, Trial, allowance_of
from ami_ros.core.config import from_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, believed_at, compose, relative, wrap
from ami_ros.core.installation import share
from ami_ros.core.robots.derived import exploration_settings
from ami_ros.core.robots.description import DEFAULT, RobotDescription, load_robot
from ami_ros.memory.coverage import ASIDE, WANTED
from ami_ros.memory.next_best_view import REACH
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.planning.types import Decision, Goal
from ami_ros.runtime.goal_execution import Photograph
from ami_ros.simulation.buildings.kinds import FIRST_TEST_SEED, PREFIX
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.visit import LIGHTS, visited
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.fit import LASER, simulated_robot
from ami_ros.world_model.torch_model import LoadedModel, load_model

# Which pictures could have been taken elsewhere as well: a rule on the simulator's own pictures, without noise.
#
# A goal is ambiguous if some pose at least FAR away gives a picture that differs from it no more than pictures from
# right beside it do, or than a camera's noise makes of one place. Difference is the mean of absolute differences of
# pictures reduced to SMALL and brought to the same brightness.

FAR = 1.0  # [m]
BESIDE = (0.1, np.radians(5.0))  # from the goal, in which a picture still counts as that of the goal [m, rad]
NOISE = 0.012  # difference (0..1) that a camera's noise alone makes, at least
SMALL = (32, 24)  # [pixels]
ALBUM = 300  # poses all over the world that are looked at first
LIKELY = 3  # of them, that are then improved
STEPS = ((0.25, 0.2), (0.12, 0.1), (0.06, 0.05))  # of improving: metres, radians
TRIES = 8  # each step

Code = NDArray[np.float32]


class Ambiguity:
    """The pictures of one world as its robot's camera sees it."""

    def __init__(self, space: FreeSpace, robot: RobotDescription, seed: int) -> None:
        perfect = replace(robot, simulated=replace(robot.simulated, noise={}))
        self._space, self._eye = space, Simulator(space.world, perfect, seed)
        self._rng = np.random.default_rng([seed, 41])
        self._poses = np.array([space.sample_pose(self._rng) for _ in range(ALBUM)])
        self._album = np.stack([self._code(pose) for pose in self._poses])

    def close(self) -> None:
        """Gives back the OpenGL context."""
        self._eye.close()

    def of(self, goal: Array) -> bool:
        """Whether a picture from `goal` (3,) could be one from elsewhere."""
        wanted = self._code(goal)
        limit = max(NOISE, float(np.median([_difference(wanted, self._code(pose)) for pose in self._beside(goal)])))
        elsewhere = np.hypot(*(self._poses[:, :2] - goal[:2]).T) >= FAR
        differences = np.where(elsewhere, np.abs(self._album - wanted).mean(axis=(1, 2, 3)), np.inf)
        for index in np.argsort(differences)[:LIKELY]:
            if elsewhere[index] and self._best(goal, wanted, self._poses[index], float(differences[index])) <= limit:
                return True
        return False

    def _best(self, goal: Array, wanted: Code, pose: Array, difference: float) -> float:
        """The least difference around `pose`, not within FAR of the goal."""
        for metres, radians in STEPS:
            for _ in range(TRIES):
                tried = pose + self._rng.normal(0.0, (metres, metres, radians))
                if np.hypot(*(tried[:2] - goal[:2])) < FAR or not self._space.free(tried):
                    continue
                found = _difference(wanted, self._code(tried))
                if found < difference:
                    pose, difference = tried, found
        return difference

    def _beside(self, goal: Array) -> list[Array]:
        metres, radians = BESIDE
        return [
            np.array([goal[0] + metres * np.cos(a), goal[1] + metres * np.sin(a), wrap(goal[2] + s * radians)])
            for a, s in zip(np.linspace(0, 2 * np.pi, 6, endpoint=False), (1, -1) * 3, strict=True)
        ]

    def _code(self, pose: Array) -> Code:
        small = cv2.resize(self._eye.photograph(pose), SMALL, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        return np.asarray(small * (0.45 / max(float(small.mean()), 0.02)))


def _difference(a: Code, b: Code) -> float:
    return float(np.abs(a - b).mean())


# A robot in a building that it has never seen: it explores by itself, then gets pictures to go to.
#
# All methods get the same goals from the same starts; who has a memory is told where that is. There are pictures of
# another building as well, to be refused.

Row = dict[str, Any]  # JSON: method, kind (near, far, foreign, explore), what happened, and how it was judged
COURSE = "general"  # the method that explores, and whose starts and goals the others follow
CLASSICAL = "classical"  # explores by itself as well
METHODS = (COURSE, CLASSICAL, "without_memory", "exact_dynamics")
FOREIGN_ALLOWANCE = SEARCH_ALLOWANCE["far"]  # [s] for a picture of another building: nobody told the robot that it is
STREAM = 0xB117D1  # keeps random numbers apart from those of other benches

COVERED = 0.75  # [m] of driving from a place within which a spot is known
OUTSIDE = 2.5  # [m] from all places that the robot knows, at least, where it has not been
BUILDING_TRIALS_TRIES = 2000  # of finding such a pose
Report = Callable[[str], None]  # what is going on
Starts = Literal["driven", "anywhere", "outside"]  # where the last goal ended; anywhere that is known, or is not


@dataclass(frozen=True)
class BuildingSetting:
    """What is done in each building. Goes to other processes."""

    model: Path
    goals: int = 8  # near and far by turns
    foreign: int = 2  # pictures of another building
    explore: float = 10.0  # [min]
    seed: int = 0
    robot: str = ""  # what `load_robot` takes; empty: the one that the model drives
    methods: tuple[str, ...] = METHODS
    loop: LoopConfig = field(default_factory=LoopConfig)
    starts: Starts = "driven"  # from where the last goal ended, or switched on anew and not told where; see `Starts`


def general_model(model: Path | None, robot: str) -> Path:
    """The folder of the model that was named, else of the general one, or of its likeness without a camera."""
    if model is not None:
        return model
    blind = load_robot(robot or DEFAULT).camera is None
    return share("models", LASER if blind else "general")


def drive_building(world: str, setting: BuildingSetting, report: Report) -> Iterator[Row]:
    """What each method did in a `world`, row by row.

    Raises AmiError: there is no such world, robot or model, or no OpenGL.
    """
    loaded = load_model(setting.model)
    robot = load_robot(setting.robot or simulated_robot(loaded.model.spec))
    lacks = "camera" if robot.camera is None else "" if robot.has_laser else "laser"
    if lacks and setting.methods != (COURSE,):
        raise AmiError(f"bench buildings: robot {robot.name} has no {lacks}, so its only method is {COURSE}")
    simulator = Simulator(world, robot, seed=setting.seed)
    space = FreeSpace(simulator.world, radius=robot.shape.radius)
    rng = np.random.default_rng([setting.seed, STREAM])
    began = space.sample_pose(rng)
    simulator.reset(began, setting.seed)
    loop = ClosedLoop(loaded, simulator, None, setting.loop, setting.seed)
    found, truths = explore(loop, space, 60.0 * setting.explore, report)
    yield {"method": COURSE, "kind": "explore"} | found
    course: list[Row] = []
    for row in drive_course(loop, space, setting, truths, report):
        course.append(row | {"location_error_m": location_error(loop, truths)})
        yield {"method": COURSE} | course[-1]
    pictures = setting.loop.goal_pictures
    foreign = list(foreign_goals(simulator.world.name, robot, setting.seed, setting.foreign, pictures))
    yield from refuse(loop, foreign, report)
    for method in setting.methods:
        report(method.replace("_", " "))
        if method == CLASSICAL:
            simulator.reset(began, setting.seed)
            yield from drive_classical(ClassicalRobot(simulator), space, began, foreign, setting, report)
        elif method != COURSE:
            yield from follow(method, _other_loop(method, loaded, simulator, setting), course, report)
    simulator.close()


def drive_course(
    loop: ClosedLoop | ClassicalRobot,
    space: FreeSpace,
    setting: BuildingSetting,
    truths: dict[int, Array],
    report: Report,
) -> Iterator[Row]:
    """Who explored drives to its goals, one from where the last one ended, or from anywhere; `truths` are the poses
    (3,) of its places in the world."""
    rng = np.random.default_rng([setting.seed, STREAM, 2])
    simulator, sampler = loop.simulator, GoalSampler(space, setting.seed)
    sees = simulator.description.camera is not None
    ambiguity = Ambiguity(space, simulator.description, setting.seed) if sees else None
    for index in range(setting.goals):
        report(f"goal {index + 1} of {setting.goals}")
        if setting.starts != "driven":
            simulator.place(somewhere(space, truths, rng, setting.starts == "anywhere"))
            loop.restart()
        start = simulator.ground_truth().pose
        goal = sampler.sample(index, start)
        allowance = allowance_of(goal, explored=True)
        trial = loop.drive(goal.kind, start, goal.pose, goal.path_length, allowance)
        yield judged(trial) | {"ambiguous": ambiguity is not None and ambiguity.of(goal.pose)}
    if ambiguity is not None:
        ambiguity.close()


def somewhere(space: FreeSpace, truths: dict[int, Array], rng: np.random.Generator, known: bool) -> Array:
    """A free pose (3,) near a place that the robot knows, or far from all of them.

    Raises AmiError: it has been everywhere.
    """
    places = np.array(list(truths.values())).reshape(-1, 3)[:, :2]
    for _ in range(BUILDING_TRIALS_TRIES):
        pose = space.sample_pose(rng)
        away = np.hypot(*(places - pose[:2]).T).min(initial=np.inf)
        if away <= COVERED if known else away > OUTSIDE:
            return pose
    where = "knows nothing of the building" if known else f"has been within {OUTSIDE} m of all of the building"
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


def refuse(loop: ClosedLoop, foreign: list[list[Photograph]], report: Report) -> Iterator[Row]:
    """What it makes of goals that are not here."""
    for index, taken in enumerate(foreign):
        report(f"picture of another building {index + 1} of {len(foreign)}")
        yield {"method": COURSE, "kind": "foreign"} | refused(loop, taken)


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
    return float(np.mean([space.share_within(places[there, :2], REACH) for there in looks]))


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


def refused(loop: ClosedLoop, taken: list[Photograph]) -> Row:
    """Whether the robot refuses a goal whose pictures were not taken here."""
    simulator = loop.simulator
    began, contacts = simulator.time, simulator.ground_truth().contacts
    loop.start(Goal(time_allowance=FOREIGN_ALLOWANCE), *taken)
    decision: Decision | None = None
    while decision is None or not decision.done:
        thought = loop.tick()
        decision = loop.given_up() if thought is None else thought.decision
    loop.cancel()
    elapsed = simulator.time - began
    loop.wait(loop.config.settle)
    return {
        "claimed": decision.succeeded,
        "code": decision.code.name,
        "error_msg": "" if decision.succeeded else decision.message,
        "time_s": round(elapsed, 2),
        "collisions": simulator.ground_truth().contacts - contacts,
    }


def drive_classical(
    robot: ClassicalRobot, space: FreeSpace, began: Array, foreign: list[list[Photograph]],
    setting: BuildingSetting, report: Report,
) -> Iterator[Row]:  # fmt: skip
    """The method without learning: it explores for as long, and then has a course of its own, drawn by the same seed
    from where it stands."""
    simulator, seconds = robot.simulator, 60.0 * setting.explore
    contacts, start = simulator.ground_truth().contacts, simulator.time
    robot.explore(seconds, lambda done: report(f"classical, exploring {done:.0f} of {seconds:.0f} s"))
    seen = coverage(robot, began)
    yield {
        "method": CLASSICAL,
        "kind": "explore",
        "explored_share": round(space.share_within(seen, COVERED), 4),
        "places": len(robot.album.views),
        "explored_s": round(simulator.time - start, 1),
        "collisions": simulator.ground_truth().contacts - contacts,
    }
    for row in drive_course(robot, space, setting, dict(enumerate(seen)), report):
        yield {"method": CLASSICAL} | row
    for taken in foreign:
        begun, contacts = simulator.time, simulator.ground_truth().contacts
        outcome = robot.seek(taken[0].image, FOREIGN_ALLOWANCE)
        yield {
            "method": CLASSICAL,
            "kind": "foreign",
            "claimed": not outcome.code,
            "code": outcome.code.name,
            "error_msg": outcome.message,
            "time_s": round(simulator.time - begun, 2),
            "collisions": simulator.ground_truth().contacts - contacts,
        }


def _other_loop(method: str, loaded: LoadedModel, simulator: Simulator, setting: BuildingSetting) -> ClosedLoop:
    """Of a method without a memory of its own."""
    if method == "exact_dynamics":
        return TrueLoop(loaded, simulator, setting.loop, setting.seed)
    flat = setting.loop.navigating(replace(setting.loop.agent.navigator, use_memory=False))
    return ClosedLoop(loaded, simulator, None, flat, setting.seed)


def follow(method: str, loop: ClosedLoop, course: list[Row], report: Report) -> Iterator[Row]:
    """A method that is put where the first one stood before each goal."""
    for index, given in enumerate(course):
        report(f"{method.replace('_', ' ')}: goal {index + 1} of {len(course)}")
        start, goal = np.array(given["start"]), np.array(given["goal"])
        loop.simulator.place(start)
        trial = loop.drive(given["kind"], start, goal, given["path_length_m"], given["allowance_s"])
        yield {"method": method} | judged(trial) | {"ambiguous": given["ambiguous"]}


def judged(trial: Trial) -> Row:
    """A row of one drive to a picture of this building."""
    claimed, reached = trial.status == "succeeded", trial.success
    share = trial.path_length_m / max(trial.driven_m, trial.path_length_m, 1e-6)
    return trial.to_json() | {
        "reached": reached,
        "claimed": claimed,
        "false_success": claimed and not trial.there,
        "spl": round(share, 4) if reached else 0.0,
    }


# Explored on one day, driven on others: furniture changed, or light that the robot has never seen there.

SAME = "same"  # as it was explored: what the other days are compared with
FURNITURE = "furniture"  # a share of it moved, added, taken away
DAYS = (SAME, FURNITURE, *LIGHTS)


@dataclass(frozen=True)
class ChangeSetting:
    """What is done in each world."""

    model: Path
    goals: int = 8  # on each day, near and far by turns
    changed: float = 1 / 3  # share of the furniture
    explore: float = 10.0  # [min]
    seed: int = 0
    robot: str = ""  # what `load_robot` takes; empty: the one that the model drives
    days: tuple[str, ...] = DAYS
    loop: LoopConfig = field(default_factory=LoopConfig)


def world_on(world: str, day: str, setting: ChangeSetting) -> str:
    """The name of a world on one of DAYS."""
    if day == SAME:
        return world
    number = 1 + setting.seed
    if day == FURNITURE:
        return visited(world, changed=setting.changed, day=number)
    return visited(world, light=day, day=number)


def drive_world(world: str, setting: ChangeSetting, report: Callable[[str], None]) -> Iterator[Row]:
    """What the robot does in one world: how it explored, then its goals day by day, each with the memory of the first.

    A day whose light cannot be there, as the sun without windows, is left out. Raises AmiError: there is no such world,
    robot or model, or no OpenGL.
    """
    loaded = load_model(setting.model)
    robot = load_robot(setting.robot or simulated_robot(loaded.model.spec))
    simulator = Simulator(world, robot, seed=setting.seed)
    space = FreeSpace(simulator.world, radius=robot.shape.radius)
    simulator.reset(space.sample_pose(np.random.default_rng([setting.seed, 0xC4A]), None, 0.1), setting.seed)
    loop = ClosedLoop(loaded, simulator, None, setting.loop, setting.seed)
    found, _ = explore(loop, space, 60.0 * setting.explore, report)
    yield {"day": SAME, "kind": "explore"} | found
    with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch:
        file = Path(scratch, "first_day.memory")
        loop.memory.save(file)
        beliefs = loop.beliefs
        simulator.close()
        for day in setting.days:
            try:
                other = load_world(world_on(world, day, setting))
            except AmiError as error:
                report(f"{day} is left out: {error}")
                continue
            simulator = Simulator(other, robot, seed=setting.seed)
            try:
                for row in _drive_day(loaded, simulator, file, beliefs, setting, partial(_say, report, day)):
                    yield {"day": day} | row
            finally:
                simulator.close()


def _drive_day(
    loaded: LoadedModel, simulator: Simulator, file: Path, beliefs: tuple[Array, Array], setting: ChangeSetting,
    report: Callable[[str], None],
) -> Iterator[Row]:  # fmt: skip
    """Goals of one day; the robot is told where in its map it is switched on, as where it always stands at night."""
    memory = PlaceMemory.copy_of(loaded.model, loaded.encoder_id, file, setting.loop.agent.memory)
    loop = ClosedLoop(loaded, simulator, memory, setting.loop, setting.seed)
    loop.beliefs = beliefs
    told = believed_at(simulator.ground_truth().pose, *beliefs)
    if told is not None:
        loop.memory.set_initial_pose(told)
    for index in range(setting.goals):
        report(f"goal {index + 1} of {setting.goals}")
        start = simulator.ground_truth().pose
        goal = loop.goals.sample(index, start)
        allowance = allowance_of(goal, explored=True)
        yield judged(loop.drive(goal.kind, start, goal.pose, goal.path_length, allowance))


def _say(report: Callable[[str], None], day: str, said: str) -> None:
    report(f"{day}, {said}")
