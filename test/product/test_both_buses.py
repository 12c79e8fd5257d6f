"""The same four goals on both buses: real nodes (composed, beside the simulator) and simulated time.

What is compared is what a bench claims of a robot: which goals are reached, and how old things are when it decides.
Times on real nodes depend on what else the machine does. That makes them longer, so the youngest tenth is compared,
and within a factor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from rclpy.parameter import Parameter

from ami_ros.bench.closed_loop import ClosedLoop, LoopConfig
from ami_ros.bench.demo.client import DemoClient
from ami_ros.bench.demo.course import Course
from ami_ros.bench.demo.stack import USUAL
from ami_ros.bench.latency import Ages
from ami_ros.bench.trials import Trial, allowance_of
from ami_ros.core.installation import share
from ami_ros.ros.node.executor import LeanExecutor
from ami_ros.ros.nodes.memory import MemoryNode
from ami_ros.ros.nodes.mission import MissionNode
from ami_ros.ros.nodes.perception import PerceptionNode
from ami_ros.ros.nodes.planner import PlannerNode
from ami_ros.ros.nodes.safety import SafetyNode
from ami_ros.ros.nodes.world_model import WorldModelNode
from ami_ros.ros.start.graph import Arguments, processes
from ami_ros.ros.start.processes import ProcessKeeper
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.torch_model import load_model
from harness.ros import RosPeer
from harness.waiting import wait_until

SEED = 88107
GOALS = (0, 2, 1, 4)  # numbers of the sampler: even ones are near
STACK = (SafetyNode, PerceptionNode, WorldModelNode, MemoryNode, PlannerNode, MissionNode)
YOUNG = 10  # percentile of the ages, which other programs change little
FACTOR = 3.0  # by which it may differ
APART = 1  # of the goals, that one bus may reach and the other not
Record = Callable[[str, Any], None]


@contextmanager
def running(ros: RosPeer, folder: Path) -> Iterator[PlannerNode]:
    """Simulator and nodes, each node served by a thread of its own, as `nodes.composed` does."""
    memory = share("models", "onboard") / "home.memory"
    arguments = Arguments(
        use_sim_time=True, **USUAL, composed=True, memory_file=str(memory), keep_memory=False, world="home", seed=SEED
    )
    keeper = ProcessKeeper(processes(arguments, ("simulation",)), folder)
    (spec,) = processes(replace(arguments, autostart=False), ("stack",))
    with ExitStack() as stack:
        stack.callback(keeper.stop)
        keeper.start()
        found = {}
        for make in STACK:
            own = [Parameter("autostart", value=True)]
            node = make(context=ros.context, cli_args=spec.ros_arguments(folder), parameter_overrides=own)
            stack.callback(node.destroy_node)
            node.start()
            found[make] = node
        for node in found.values():
            executor = LeanExecutor(context=ros.context)
            executor.add_node(node)
            thread = Thread(target=executor.spin, daemon=True)
            thread.start()
            stack.callback(thread.join, 5.0)
            stack.callback(executor.shutdown)
        yield found[PlannerNode]


def on_ros(ros: RosPeer, folder: Path) -> tuple[Ages, list[Trial]]:
    with running(ros, folder) as planner:
        client = DemoClient(ros.context)
        try:
            wait_until(lambda: not set(client.missing()) - {"supervisor"}, 90.0, lambda: f"no {client.missing()}")
            ages = Ages.of(planner.part, planner._bus)
            course = Course(client, FreeSpace(load_world("home")), SEED, lambda: None)
            trials = [course.drive(index) for index in GOALS]
        finally:
            client.close()
    return ages, trials


def in_simulated_time() -> tuple[Ages, list[Trial]]:
    model = share("models", "onboard")
    simulator = Simulator("home", seed=SEED)
    loop = ClosedLoop(load_model(model), simulator, model / "home.memory", LoopConfig(), SEED)
    ages, trials = Ages.of(loop.planner, loop.bus), []
    for index in GOALS:
        start = simulator.ground_truth().pose
        goal = loop.goals.sample(index, start)
        trials.append(loop.drive(goal.kind, start, goal.pose, goal.path_length, allowance_of(goal)))
    simulator.close()
    return ages, trials


@pytest.mark.timeout(900)
def test_goals_go_alike_on_both_buses(ros: RosPeer, tmp_path: Path, record_property: Record) -> None:
    began = time.monotonic()
    real, driven = on_ros(ros, tmp_path)
    between = time.monotonic()
    simulated, imagined = in_simulated_time()
    reached = [sum(trial.success for trial in trials) for trials in (driven, imagined)]
    figures = {"ROS": real.figures(), "simulated": simulated.figures()}
    took = f"{between - began:.0f} and {time.monotonic() - between:.0f} s"
    record_property("figure", f"both buses: reached {reached} of {len(GOALS)}, took {took}, {figures}")
    assert abs(reached[0] - reached[1]) <= APART and min(reached) >= len(GOALS) - APART, (driven, imagined)
    for name in ("command", "location"):
        young = [float(np.percentile(getattr(ages, name), YOUNG)) for ages in (real, simulated)]
        assert max(young) < FACTOR * min(young), (name, young, figures)
    assert len(simulated.routes) and len(real.routes)
    assert max(trial.collisions for trial in (*driven, *imagined)) <= 1
