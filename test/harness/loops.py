"""Closed loops with a model that is right, on kinematic robots: quick, and without a learned model."""

from __future__ import annotations

from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.bench.closed_loop import LoopConfig
from ami_ros.memory.particle_filter import FilterConfig
from ami_ros.memory.place_memory import MemoryConfig
from ami_ros.planning.planner import PlannerConfig
from ami_ros.planning.solvers import SolverConfig
from ami_ros.runtime.graph import AgentConfig
from ami_ros.world_model.torch_model import LoadedModel
from harness.exact_model import ExactModel

EXACT = LoadedModel(ExactModel(), "exact", "0" * 64)
FEW_PARTICLES = MemoryConfig(filter=FilterConfig(particles=300))


def unhurried(use_memory: bool = True, quick: bool = False) -> LoopConfig:
    """A stack whose searches end by themselves; `quick` ones are small."""
    solver = SolverConfig(samples=48, iterations=2) if quick else SolverConfig()
    planner = PlannerConfig(deadline=60.0, solver=solver)
    navigator = NavigatorConfig(use_memory=use_memory, planner=planner)
    return LoopConfig(agent=AgentConfig(navigator=navigator, memory=FEW_PARTICLES))
