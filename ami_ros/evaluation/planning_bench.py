"""Our closed loop and what it is compared with, on the same starts and goals and at equal compute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.evaluation.closed_loop import ClosedLoop, LoopConfig
from ami_ros.evaluation.rates import SuccessRate
from ami_ros.evaluation.rival_loops import RandomLoop, TrueLoop
from ami_ros.evaluation.trials import Trial
from ami_ros.geometry import Array
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.checkpoint import LoadedModel

OURS = "with memory"
ARMS = (OURS, "flat", "true dynamics", "random")


@dataclass
class Arm:
    """One way to drive, and how it fared."""

    name: str
    trials: list[Trial] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of each search

    def rate(self, kind: str) -> SuccessRate:
        """How many goals of a kind were reached."""
        return SuccessRate.of(t.success for t in self.trials if t.kind == kind)

    def planning_ms(self) -> Array:
        """p50 and p95 (2,) of a search [ms]; NaN without any."""
        return 1000 * np.percentile(self.seconds, [50, 95]) if self.seconds else np.full(2, np.nan)

    def figures(self) -> dict[str, Any]:
        """Flat figures, named by the arm."""
        key, (p50, p95) = self.name.replace(" ", "_"), self.planning_ms()
        found: dict[str, Any] = {f"{key}_collisions": sum(t.collisions for t in self.trials)}
        for kind in ("near", "far"):
            found |= {f"{key}_{kind}_{name}": value for name, value in self.rate(kind).to_json().items()}
        if self.seconds:
            found |= {f"{key}_plan_p50_ms": round(float(p50), 2), f"{key}_plan_p95_ms": round(float(p95), 2)}
        return found


def drive_all(
    loaded: LoadedModel,
    world: str,
    memory: Path | None,
    config: LoopConfig,
    goals: int,
    seed: int,
    arms: dict[str, Arm],
) -> Iterator[tuple[str, Trial]]:
    """Drives `goals` goals with each arm; yields each trial and adds it to its arm.

    Ours goes from goal to goal without being touched. The others start where ours stood before each goal: they have no
    memory that would have to be told that they were carried.

    Args:
        loaded: the model.
        world: its name.
        memory: of that world.
        config: of the stack; the flat arm differs in `use_memory` alone.
        goals: how many, near and far by turns.
        seed: of goals, noise and search.
        arms: by name.
    """
    ours = ClosedLoop(loaded, Simulator(world, "onboard", seed=seed), memory, config, seed)
    course = []
    for trial in ours.run(goals):
        _note(arms[OURS], ours, trial)
        course.append(trial)
        yield OURS, trial
    flat = replace(config, navigator=replace(config.navigator, use_memory=False))
    for name in ARMS[1:]:
        simulator = Simulator(world, "onboard", seed=seed)
        if name == "flat":
            loop = ClosedLoop(loaded, simulator, None, flat, seed)
        elif name == "random":
            loop = RandomLoop(loaded, simulator, config, seed)
        else:
            loop = TrueLoop(loaded, simulator, config, seed)
        for given in course:
            simulator.place(np.array(given.start))
            trial = loop.drive(given.kind, np.array(given.start), np.array(given.goal), given.path_length_m)
            _note(arms[name], loop, trial)
            yield name, trial


def _note(arm: Arm, loop: ClosedLoop, trial: Trial) -> None:
    arm.trials.append(trial)
    arm.seconds += [decision.planning_seconds for *_, decision in loop.trace if decision.shares]
