"""Solvers, costs, image encoders and predictors by name: those that come with the package, and those of others.

Another package adds one by a class and an entry point, for example in its pyproject.toml:

    [project.entry-points."ami_ros.solvers"]
    my_solver = "my_package.my_solver:MySolver"

`planning.protocols` has what solvers and costs must offer, `world_model.encoder` and `world_model.predictors` the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any

from ami_ros.config import from_mapping, parse_yaml
from ami_ros.errors import AmiError

SOLVERS = "ami_ros.solvers"
COSTS = "ami_ros.costs"
ENCODERS = "ami_ros.encoders"
PREDICTORS = "ami_ros.predictors"


def find_plugin(group: str, name: str, built_in: Mapping[str, Any]) -> Any:
    """The class called `name`: of `built_in`, or of an entry point of `group`.

    Raises:
        AmiError: there is none, or it cannot be imported.
    """
    if name in built_in:
        return built_in[name]
    others = {entry.name: entry for entry in entry_points(group=group)}
    if name not in others:
        known = ", ".join([*built_in, *sorted(others)])
        raise AmiError(
            f"{_asks(group)}: no '{name}' among the {group}; known are {known}; others come from installed "
            f"packages through entry points of the group {group}"
        )
    try:
        return others[name].load()
    except Exception as error:  # whatever the module of another package raises
        raise AmiError(f"{_asks(group)}: '{name}' of {others[name].value} cannot be imported: {error}") from error


def _asks(group: str) -> str:
    """Who wants something of a group, for messages."""
    return "planner" if group in (SOLVERS, COSTS) else "model"


def plugin_config(plugin: Any, options: Iterable[str], name: str) -> Any:
    """`options`, each as "key=value", as the plugin's own configuration.

    Raises:
        AmiError: an option without "=", or one that the plugin does not know.
    """
    values: dict[str, Any] = {}
    for option in options:
        key, found, value = option.partition("=")
        if not found:
            raise AmiError(f"planner: option '{option}' of '{name}' is not of the form key=value")
        values[key.strip()] = parse_yaml(value)
    return from_mapping(plugin.Config, values, f"planner: options of '{name}'")
