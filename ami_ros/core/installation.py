"""What is installed: the package's own files, optional packages, plugins of other packages, and the processor."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from ami_ros.core.config import from_mapping, parse_yaml
from ami_ros.core.errors import AmiError

# Files that come with the package: in the source tree that this runs from, or in an installation's share folder.


def _roots() -> list[Path]:
    """The source tree goes before installed copies, of which the last is that of pip."""
    prefixes = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    shared = [prefix / "share" / "ami_ros" for prefix in (*prefixes, Path(sys.prefix))]
    return [Path(__file__).resolve().parents[2], *shared]


def share(folder: str, name: str) -> Path:
    """A file or folder of the package.

    Raises:
        AmiError: no copy of the package has it.
    """
    for root in _roots():
        if (root / folder / name).exists():
            return root / folder / name
    raise AmiError(f"{folder}/{name} is in none of the installed copies of ami_ros; install it again")


def packaged(folder: str) -> dict[str, Path]:
    """Name -> YAML file, of all that are in a folder of the package."""
    found: dict[str, Path] = {}
    for root in _roots():
        for file in sorted((root / folder).glob("*.yaml")):
            found.setdefault(file.stem, file)
    return found


def names(folder: str, file: str) -> list[str]:
    """Names of the folders below a folder of the package that have such a file."""
    return sorted({path.parent.name for root in _roots() for path in (root / folder).glob(f"*/{file}")})


# Packages that only some users need: a robot's nodes import none of them. requirements/<extra>.txt names them.


def need(module: str, extra: str) -> Any:
    """The module of an optional package.

    Raises:
        AmiError: it is not installed; the line names the extra.
    """
    with importing(extra):
        return importlib.import_module(module)


@contextmanager
def importing(extra: str) -> Iterator[None]:
    """For the import statements of an extra's packages.

    Raises:
        AmiError: one is not installed; the line names the extra.
    """
    try:
        yield
    except ImportError as error:
        raise missing(error.name or "", extra) from error


def missing(module: str, extra: str) -> AmiError:
    """The line for a module that is not installed."""
    file = Path("requirements") / f"{extra}.txt"  # of a clone; a wheel has none
    what = f"-r {file}" if (Path(__file__).parents[2] / file).is_file() else f"'ami_ros[{extra}]'"
    return AmiError(f"{module} is not installed; it is in the extra {extra}: pip install {what}")


# Solvers, costs, image encoders and predictors by name: those that come with the package, and those of others.
#
# Another package adds one by a class and an entry point, for example in its pyproject.toml:
#
#     [project.entry-points."ami_ros.solvers"]
#     my_solver = "my_package.my_solver:MySolver"
#
# `planning.protocols` has what solvers and costs must offer, `world_model.encoder` and `world_model.predictors` the
# rest.

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


# What figures were measured on.


def processor_name() -> str:
    """The processor, as the system names it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
