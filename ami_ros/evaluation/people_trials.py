"""Goals among people: what is reached, how near the robot comes to anybody, and whose contacts there were."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.evaluation.building_trials import Row, explore, judged
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.rates import SuccessRate
from ami_ros.evaluation.trials import Trial
from ami_ros.geometry import Array, compose, relative, transform_points
from ami_ros.moving.prediction import Forecast, PredictionConfig
from ami_ros.moving.things import MovingThings
from ami_ros.robots.derived import simulated_robot
from ami_ros.robots.description import load_robot
from ami_ros.simulation.contacts import LEAVES, LOOKS_BACK, MOVES, counts
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.people.company import MEETS
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world import World
from ami_ros.world_model.checkpoint import LoadedModel, load_model

EMPTY = "empty"  # the same goals with nobody there: what times are compared with
CONSTANT, NOTHING, EXACT = "constant_velocity", "nothing_predicted", "exact_future"
# The stack as it is, the same with plans that foresee nobody, and with plans that know where those who are near will
# be if the robot stays where it is; and nobody there.
METHODS = (CONSTANT, NOTHING, EXACT, EMPTY)
RULE = (
    "a contact is the robot's (robot_moving) where it came nearer to the other's place by more than "
    f"{MOVES} m/s over the last {LOOKS_BACK} s, whatever the other did; else the robot stood (robot_standing), and "
    f"leaving counts those where it drove away at more than {MOVES} m/s, and could_leave those where it did not and "
    f"had room to drive {LEAVES} m straight ahead or back, away from the other; "
    f"an encounter begins where somebody comes within {MEETS} m"
)
NEAR = 6.0  # [m] from the robot within which the exact future is told
KNOWN_TO = 0.05  # [m] deviation of the exact future: sway
BLOCK = 10  # goals of one run, each of which begins anew: a file in the folder of trials
SEEDS = 1000  # of blocks that belong to one --seed


@dataclass(frozen=True)
class PeopleSetting:
    """What is driven. `world` has its people; `memory` None: the robot explores first, for `explore` minutes."""

    world: World
    model: Path
    memory: Path | None
    goals: int = 10  # near and far by turns
    seed: int = 0
    robot: str = ""  # what `load_robot` takes; empty: the one that the model drives
    explore: float = 10.0  # [min]
    loop: LoopConfig = field(default_factory=LoopConfig)

    @property
    def blocks(self) -> list[int]:
        """Goals of each block."""
        full, rest = divmod(self.goals, BLOCK)
        return [BLOCK] * full + ([rest] if rest else [])


def drive_block(
    setting: PeopleSetting, method: str, block: int, report: Callable[[Row], None] = lambda row: None
) -> list[Row]:
    """What a method does in one block of goals: starts, people and goals are the same for all methods as far as these
    do the same. Raises AmiError: there is no such model or robot, or no OpenGL."""
    loaded = load_model(setting.model)
    world = replace(setting.world, people=None) if method == EMPTY else setting.world
    seed = SEEDS * setting.seed + block
    simulator = Simulator(world, _robot(setting, loaded), seed=seed)
    try:
        simulator.reset(seed=seed)
        rows = []
        for row in _drive(
            setting, loaded, simulator, _config(setting, method), seed, setting.blocks[block], method == EXACT
        ):
            rows.append({"method": method, "block": block} | row)
            report(rows[-1])
        return rows
    finally:
        simulator.close()


def _config(setting: PeopleSetting, method: str) -> LoopConfig:
    """Of the stack; with nothing predicted, plans take what moves for an obstacle that stands where it is seen.
    The gate and the maps know who moves all the same."""
    if method != NOTHING:
        return setting.loop
    navigator = setting.loop.agent.navigator
    costs = replace(navigator.planner.costs, people=replace(navigator.planner.costs.people, enabled=False))
    return setting.loop.navigating(replace(navigator, planner=replace(navigator.planner, costs=costs)))


def _robot(setting: PeopleSetting, loaded: LoadedModel) -> Any:
    return load_robot(setting.robot) if setting.robot else simulated_robot(loaded.model.spec)


def _drive(
    setting: PeopleSetting,
    loaded: LoadedModel,
    simulator: Simulator,
    config: LoopConfig,
    seed: int,
    count: int,
    exact: bool,
) -> Iterator[Row]:
    loop = ClosedLoop(loaded, simulator, setting.memory, config, seed)
    if exact:
        loop.planner.navigator.steering.predict = ExactFuture(simulator)
    if setting.memory is None:
        space = FreeSpace(simulator.world, radius=simulator.description.shape.radius)
        found, _ = explore(loop, space, 60.0 * setting.explore, lambda said: None)
        yield {"kind": "explore"} | found | _touched(simulator, 0)
    touched, met = len(simulator.touches), simulator.encounters
    for trial in loop.run(count):
        encounters = {"encounters": simulator.encounters - met}
        yield judged(trial) | _touched(simulator, touched) | {"time_s": trial.time_s} | encounters
        touched, met = len(simulator.touches), simulator.encounters


class ExactFuture:
    """What predictors say, by the simulator: where those who are near will be, in odom. It knows who is hidden, too."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def __call__(self, things: MovingThings, stamp: float, seconds: Array, config: PredictionConfig) -> Forecast | None:
        """See `constant_velocity`."""
        simulator, there = self._simulator, self._simulator.moving_truth()
        truth, odometry = simulator.ground_truth().pose, simulator.odometry()[0]
        near = np.array([np.hypot(*(thing.position - truth[:2])) < NEAR for thing in there], bool)
        if not near.any():
            return None
        order, late = np.argsort(seconds), simulator.time - stamp
        ways = simulator.moving_future(np.maximum(seconds[order] - late, 0.0))[[thing.id for thing in there]][near]
        positions = np.empty_like(ways)
        positions[:, order] = transform_points(compose(odometry, relative(truth, np.zeros(3))), ways)
        velocities = np.array([thing.velocity for thing in there])[near]
        headings = np.arctan2(velocities[:, 1], velocities[:, 0]) + odometry[2] - truth[2]
        deviations = np.full(positions.shape[:2], KNOWN_TO)
        radii = np.array([thing.radius for thing in there])[near]
        return Forecast(seconds, positions, deviations, headings, np.hypot(*velocities.T), radii)


def _touched(simulator: Simulator, since: int) -> Row:
    """Contacts since number `since` of them, and how near anybody came [m], None: nobody is there."""
    nearest = simulator.nearest_approach()
    return {
        "contacts": counts(simulator.touches[since:]),
        "nearest_m": round(nearest, 3) if np.isfinite(nearest) else None,
    }


def figures_of(rows: Sequence[Row]) -> dict[str, Any]:
    """Of one method: near and far goals, contacts, claims that were false, times [s], the nearest approach [m]."""
    goals = [row for row in rows if row["kind"] in ("near", "far")]
    figures: dict[str, Any] = {
        kind: SuccessRate.of(row["reached"] for row in goals if row["kind"] == kind).to_json()
        for kind in ("near", "far")
    }
    names = ("robot_moving", "robot_standing", "leaving", "could_leave")
    figures["contacts"] = {name: sum(row["contacts"][name] for row in rows) for name in names}
    figures["encounters"] = sum(row.get("encounters", 0) for row in goals)
    claims, false = sum(row["claimed"] for row in goals), sum(row["false_success"] for row in goals)
    figures["false_success"] = {"n": false, "claims": claims, "rate": round(false / claims, 4) if claims else None}
    figures["collisions"] = sum(row["collisions"] for row in rows)
    for kind, own in (("all", goals), *((k, [r for r in goals if r["kind"] == k]) for k in ("near", "far"))):
        times = [row["time_s"] for row in own if row["reached"]]
        figures.setdefault("times", {})[kind] = {
            "median_s": round(float(np.median(times)), 2) if times else None,
            "p95_s": round(float(np.percentile(times, 95)), 2) if times else None,
        }
    distances = [row["nearest_m"] for row in rows if row["nearest_m"] is not None]
    figures["nearest_approach_m"] = min(distances, default=None)
    figures["unreached"] = [row["error_msg"] or "claimed elsewhere, or late" for row in goals if not row["reached"]]
    return figures


def time_ratio(rows: Sequence[Row], empty: Sequence[Row]) -> float | None:
    """Median time of a method by that in the empty world, of the goals that both reached."""
    medians = [
        np.median(times) if (times := [r["time_s"] for r in own if r["kind"] in ("near", "far") and r["reached"]])
        else np.nan
        for own in (rows, empty)
    ]  # fmt: skip
    ratio = medians[0] / medians[1]
    return round(float(ratio), 3) if np.isfinite(ratio) else None


__all__ = ["BLOCK", "EMPTY", "METHODS", "PeopleSetting", "Trial", "drive_block", "figures_of", "time_ratio"]
