"""The environment that a command runs in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ami_ros.bootstrap.interfaces import python_folder
from ami_ros.bootstrap.pythons import without_wheel_variables
from ami_ros.bootstrap.state import REPOSITORY

LOOPBACK = REPOSITORY / "config" / "fastdds_this_machine.xml"


@dataclass(frozen=True)
class Installation:
    """What set-up made.

    Attributes:
        state: the state folder.
        venv: the virtual environment.
        sourced: whether ROS is the user's own; else it lies in `venv`.
        interfaces: prefixes of what was built: our interfaces, unless the sourced ROS has them, and for tests others.
        libraries: folders of shared libraries in `venv`.
    """

    state: Path
    venv: Path
    sourced: bool
    interfaces: tuple[Path, ...]
    libraries: tuple[Path, ...]

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.venv / "bin" / "python"


def command_environment(installation: Installation, user: Mapping[str, str]) -> dict[str, str]:
    """The user's environment `user`, changed so that Python, ROS and our modules are found, and nothing is written
    outside the state folder."""
    kit = installation
    environment = dict(user) if kit.sourced else without_wheel_variables(dict(user))
    _prepend(environment, "PATH", [kit.venv / "bin"])
    _prepend(environment, "PYTHONPATH", [REPOSITORY, *map(python_folder, kit.interfaces)])
    libraries = [prefix / "lib" for prefix in kit.interfaces]
    if kit.sourced:
        _prepend(environment, "AMENT_PREFIX_PATH", kit.interfaces)
    else:
        environment["AMENT_PREFIX_PATH"] = os.pathsep.join(map(str, [*kit.interfaces, kit.venv]))
        environment["RMW_IMPLEMENTATION"] = "rmw_fastrtps_cpp"  # the only one among the wheels
        # The wheels would start every Python twice to set LD_LIBRARY_PATH; this tells them that it is set.
        environment["_ROS_WHEELS_BOOTSTRAP_COMPLETE"] = "1"
        libraries += kit.libraries
    _prepend(environment, "LD_LIBRARY_PATH", libraries)
    environment["VIRTUAL_ENV"] = str(kit.venv)
    environment["AMI_STATE"] = str(kit.state)
    environment["PYTHONSAFEPATH"] = "1"  # a file torch.py in the user's folder must not be taken for torch
    _limit_discovery(environment, kit.sourced)
    for name, value in _caches(kit.state).items():
        environment.setdefault(name, value)
    return environment


def _limit_discovery(environment: dict[str, str], sourced: bool) -> None:
    """Nodes meet on this machine only, unless the user has set how far they look."""
    reach, profiles = "ROS_AUTOMATIC_DISCOVERY_RANGE", "FASTRTPS_DEFAULT_PROFILES_FILE"
    if environment.get(reach, "SYSTEM_DEFAULT") != "SYSTEM_DEFAULT":
        if environment.get(profiles) == str(LOOPBACK):  # set within `ami shell`
            del environment[profiles]
    elif sourced:  # perhaps not Fast DDS
        environment.setdefault(reach, "LOCALHOST")
    elif reach not in environment and profiles not in environment:
        # Fast DDS uses shared memory at LOCALHOST, whatever FASTDDS_BUILTIN_TRANSPORTS says.
        environment |= {reach: "SYSTEM_DEFAULT", profiles: str(LOOPBACK)}


def _caches(state: Path) -> dict[str, str]:
    """Where programs write."""
    cache = state / "cache"
    return {
        "ROS_LOG_DIR": str(state / "ros_log"),
        "XDG_CACHE_HOME": str(cache),
        "MPLCONFIGDIR": str(cache / "matplotlib"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(cache / "hypothesis"),
        "MYPY_CACHE_DIR": str(cache / "mypy"),
        "RUFF_CACHE_DIR": str(cache / "ruff"),
    }


def _prepend(environment: dict[str, str], name: str, folders: Sequence[Path]) -> None:
    present = [environment[name]] if environment.get(name) else []
    joined = os.pathsep.join([*map(str, folders), *present])
    if joined:
        environment[name] = joined
