"""Drives a simulated robot by smooth random exploration and records its runs as bags.

A folder of runs (`run_000`, `run_001`, ...) with its settings in `collect.yaml`. A run appears there when it is
complete; until then it grows in the folder `PARTIAL`. So an interrupted collection goes on with those missing.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from ami_ros.core.commands import Command
from ami_ros.core.config import dump_yaml, from_mapping, parse_yaml, to_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.robots.derived import topics
from ami_ros.core.robots.description import DEFAULT
from ami_ros.core.robots.description import PREFIX as DRAWN
from ami_ros.core.scan import Scan
from ami_ros.simulation.buildings.kinds import PREFIX, is_building, refuse_test_buildings
from ami_ros.simulation.exploration import Explorer
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.robot import CONTROL_PERIOD, Robot, simulated
from ami_ros.simulation.routes import RouteDriver, Routes
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.learning.bag_writer import BagWriter
from ami_ros.world_model.learning.dataset_writer import encode_frame

PARTIAL = ".partial"
Driver = Callable[[Scan], Command]  # the next command, by what the laser sees


@dataclass(frozen=True)
class CollectionConfig:
    """What a folder of runs holds; each run depends on this and its number alone."""

    world: str
    steps: int  # over all runs
    robot: str = DEFAULT  # name of a robot in config/robots, or its file; "drawn": another one in each run
    runs: int = 0  # 0: one for each 4,000 steps, at most 16
    period: float = 0.2  # between steps [s]
    seed: int = 0
    closed_doors: float = 0.0  # probability of each door to be closed throughout a run
    buildings: str = ""  # seeds of buildings to take in turn, one a run, as "0-99"; empty: the world

    def __post_init__(self) -> None:
        if self.steps < 1 or self.runs < 0 or self.runs > self.steps:
            raise ValueError("steps must be at least 1, and runs between 0 (chosen for you) and the number of steps")
        if self.period <= 0 or abs(self.period / CONTROL_PERIOD - round(self.period / CONTROL_PERIOD)) > 1e-6:
            raise ValueError(f"period must be a multiple of {CONTROL_PERIOD} s, not {self.period}")
        if not 0 <= self.closed_doors <= 1:
            raise ValueError(f"closed_doors must be a probability, not {self.closed_doors}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, not {self.seed}")
        seeds = self.building_seeds
        for seed in {*seeds[:1], *seeds[-1:]}:
            refuse_test_buildings(f"{PREFIX}{seed}", "collect")

    @property
    def building_seeds(self) -> range:
        """Of the buildings; none without them."""
        first, _, last = self.buildings.partition("-")
        if not self.buildings:
            return range(0)
        if not first.isdigit() or not (last or first).isdigit() or int(first) > int(last or first):
            raise ValueError(f"buildings are seeds from the first to the last, as 0-99, not '{self.buildings}'")
        return range(int(first), int(last or first) + 1)

    def world_of(self, run: int) -> str:
        """What `load_world` takes for a run."""
        seeds = self.building_seeds
        return f"{PREFIX}{seeds[run % len(seeds)]}" if seeds else self.world

    def robot_of(self, run: int) -> str:
        """What `load_robot` takes for a run."""
        return f"{DRAWN}{self.seed * 10_000 + run}" if self.robot == "drawn" else self.robot

    def run_lengths(self) -> list[int]:
        """Steps of each run."""
        runs = self.runs or len(self.building_seeds) or min(16, max(1, self.steps // 4000))
        return [self.steps // runs + (run < self.steps % runs) for run in range(runs)]


def run_folder(out: Path, run: int) -> Path:
    return out / f"run_{run:03d}"


@contextmanager
def open_collection(out: Path, config: CollectionConfig) -> Iterator[list[int]]:
    """Makes the folder, or goes on with it, for this process alone; gives the numbers of the runs still missing.

    Raises:
        AmiError: the folder holds something else, or runs of other settings; another process collects into it;
            it cannot be written.
    """
    load_world(config.world_of(0)), simulated(config.robot_of(0))  # complain before anything is made
    settings = out / "collect.yaml"
    try:
        if not settings.exists():
            if out.exists() and any(out.iterdir()):
                raise AmiError(f"{out} holds something else than collected runs: name another folder")
            out.mkdir(parents=True, exist_ok=True)
            settings.write_text(dump_yaml(to_mapping(config)), "utf-8")
        lock = settings.open()
    except OSError as error:
        raise AmiError(f"cannot collect into {out}: {error.strerror or error}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AmiError(f"another process collects into {out}: wait for it, or name another folder") from None
        _check_same(out, settings, config)
        shutil.rmtree(out / PARTIAL, ignore_errors=True)
        try:
            yield [run for run in range(len(config.run_lengths())) if not run_folder(out, run).exists()]
        finally:
            shutil.rmtree(out / PARTIAL, ignore_errors=True)


def record_run(out: Path, config: CollectionConfig, run: int, tick: Callable[[], None]) -> int:
    """Drives and records one run; it is at `run_folder` when this returns.

    Args:
        tick: called after each step; what it raises ends the run, which then leaves nothing.

    Returns:
        How often the robot touched something.
    """
    seeds = np.random.SeedSequence([config.seed, run]).spawn(3)
    rng = np.random.default_rng(seeds[0])
    seed = int(seeds[1].generate_state(1)[0])
    world = load_world(config.world_of(run))
    robot = Simulator(world, config.robot_of(run), seed)
    closed = np.random.default_rng(seeds[2]).random(len(world.doors)) < config.closed_doors
    doors = {door.name: door.open and not shut for door, shut in zip(world.doors, closed, strict=True)}
    space = FreeSpace(world, doors, robot.description.shape.radius)
    robot.reset(space.sample_pose(rng), seed)
    for name, is_open in doors.items():
        robot.set_door(name, is_open)
    partial = out / PARTIAL / run_folder(out, run).name
    shutil.rmtree(partial, ignore_errors=True)
    driver = driver_of(robot, space, rng)
    try:
        with BagWriter(partial) as bag:
            for _ in range(config.run_lengths()[run]):
                record_step(bag, robot, driver, config.period)
                tick()
        os.replace(partial, run_folder(out, run))
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return robot.ground_truth().contacts


def driver_of(robot: Robot, space: FreeSpace, rng: np.random.Generator) -> Driver:
    """Who drives a recorded run: along ways from room to room in a building, at random in other worlds."""
    if is_building(robot.world.name):
        routes = RouteDriver(Routes(space, robot.description.shape.radius), rng, robot.description)
        return lambda scan: routes.command(robot.ground_truth().pose, scan)
    return Explorer(rng, robot.description).command


def record_step(bag: BagWriter, robot: Robot, driver: Driver, period: float) -> None:
    """Writes what the robot senses now and the command that it gets, all of one stamp, and drives `period` seconds.

    Topics have the robot's own names, as in a recording of the real one: else `extract --robot` would not find them.
    """
    seen, names = robot.observe(), topics(robot.description)
    command = driver(seen.scan)
    camera = robot.description.camera
    if seen.image is not None:
        bag.image(f"{names.get('image', 'image')}/compressed", seen.stamp, encode_frame(seen.image))
        if camera is not None:
            bag.camera_info(names["camera_info"], seen.stamp, (camera.width, camera.height), camera.matrix)
    laser, stamp = robot.description.laser, seen.stamp
    assert laser is not None, "simulated robots have one"
    own, frame = laser.scan(seen.scan.ranges), laser.frame or robot.description.frames.base
    bag.scan(names["scan"], stamp, own.ranges, own.angle_min, own.angle_increment, own.max_range, frame)
    bag.odometry(names["odom"], stamp, seen.odometry, seen.velocity)
    bag.pose("ground_truth", stamp, robot.ground_truth().pose, "world")
    bag.command(names["cmd_vel"], stamp, *command)
    robot.step(command, period)


def _check_same(out: Path, settings: Path, wanted: CollectionConfig) -> None:
    try:
        known = parse_yaml(settings.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise AmiError(f"{settings} is damaged: name another folder") from None
    old, new = to_mapping(from_mapping(CollectionConfig, known, str(settings))), to_mapping(wanted)
    different = [f"{name} {old[name]} (now {new[name]})" for name in old if old[name] != new[name]]
    if different:
        raise AmiError(f"{out} was collected with {', '.join(different)}: name another folder, or keep the settings")
