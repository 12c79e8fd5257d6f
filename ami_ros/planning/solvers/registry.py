"""Which solver: by name, those of other packages included."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ami_ros.planning.protocols import SearchSize, Solver
from ami_ros.planning.solvers.search import Icem, IcemConfig
from ami_ros.plugins import SOLVERS, find_plugin, plugin_config

BUILT_IN: dict[str, Any] = {"icem": Icem}


@dataclass(frozen=True)
class SolverConfig:
    """Which search, and how large it is at most."""

    name: str = "icem"  # icem, or one of another package
    samples: int = 128  # sequences in an iteration; more: better plans, slower
    iterations: int = 3  # each around the best of the one before; more: better plans, slower
    adapt: bool = True  # make the search smaller when a goal begins, until it fits the deadline on this machine
    options: tuple[str, ...] = ()  # for a solver of another package, each "key=value"
    icem: IcemConfig = field(default_factory=IcemConfig)

    def __post_init__(self) -> None:
        if self.samples < 2 or self.iterations < 1:
            raise ValueError("a search needs at least 2 samples and 1 iteration")
        if self.options and self.name in BUILT_IN:
            raise ValueError(f"options are for solvers of other packages; {self.name} has parameters of its own")


def make_solver(config: SolverConfig, size: SearchSize, seed: int) -> Solver:
    """The solver that `config` names, of size `size`.

    Raises:
        AmiError: there is none of that name, or its options do not fit.
    """
    plugin = find_plugin(SOLVERS, config.name, BUILT_IN)
    own = (
        getattr(config, config.name) if config.name in BUILT_IN else plugin_config(plugin, config.options, config.name)
    )
    solver: Solver = plugin(size, own, seed)
    return solver
