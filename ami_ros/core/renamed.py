"""Names that users see and that have changed: the old ones work for one release more, with a warning.

In the release after 0.2 this file goes, and what still uses an old name is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

# Parameters of nodes, and keys of `--set`. A group stands for all that is in it.
PARAMETERS = {
    "memory.relax_growth": "memory.optimise_growth",
    "memory.relax_least": "memory.optimise_least",
    "memory.relaxation": "memory.pose_graph",
    "memory.survey.closures": "memory.front_end.loop_closure",
    "memory.survey.relax_joins": "memory.front_end.optimise_after",
    "memory.survey": "memory.front_end",
    "navigator.situations": "navigator.recovery",
}
# Parts and options of commands.
ARGUMENTS = {"bench": {"situations": "recovery", "solver": "solvers"}}


def parameter(name: str) -> str:
    """The name of today for a parameter, or a key of `--set` that ends in one (`agent.navigator.situations.slow`)."""
    dotted = f".{name}."
    for old, new in PARAMETERS.items():
        if f".{old}." in dotted:
            return dotted.replace(f".{old}.", f".{new}.").strip(".")
    return name


def arguments(command: str, given: Sequence[str]) -> list[str]:
    """The arguments of today for those that were given to `ami COMMAND`."""
    names, found = ARGUMENTS.get(command, {}), []
    for argument in given:
        name, equals, value = argument.partition("=")
        found.append(names.get(name, name) + equals + value)
    return found


def warning(old: str, new: str) -> str:
    """One line for who used `old`."""
    return f"'{old}' is now called '{new}'; the old name goes with the next release"
