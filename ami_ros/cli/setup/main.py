"""`./ami`: makes sure that what the command needs is there, then runs the command in its place."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from ami_ros.cli.commands import Command, find_command, overview, split, version
from ami_ros.cli.setup import system
from ami_ros.cli.setup.installer import Installation, Installer
from ami_ros.cli.setup.progress import REPOSITORY, Progress, locked, open_state_folder
from ami_ros.core.errors import AmiError


def main(arguments: Sequence[str]) -> NoReturn:
    """Runs `ami` with `arguments`. Does not return: the command takes this process over."""
    asked = split(arguments)
    if asked.version:
        print(f"ami_ros {version()}")
        sys.exit(0)
    if not asked.arguments or asked.arguments[0] in ("-h", "--help"):
        try:
            print(overview(), flush=True)
        except BrokenPipeError:  # ami --help | head
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    command = find_command(asked.arguments[0])
    if command is None:
        print(f"ami: there is no command '{asked.arguments[0]}'; see ami --help", file=sys.stderr)
        sys.exit(2)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        python, environment = prepare(command)
    except AmiError as error:
        print(f"ami: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        print(f"ami: {error}; free some space or set AMI_HOME to another folder", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("ami: set-up interrupted; the next run goes on", file=sys.stderr)
        sys.exit(130)
    os.execve(python, [str(python), "-m", "ami_ros.cli", *arguments], environment)


def prepare(command: Command) -> tuple[Path, dict[str, str]]:
    """Installs what `command` still lacks. Returns the Python to run and its environment.

    Raises:
        AmiError: something is missing and could not be installed.
    """
    state = open_state_folder()
    progress = Progress(state / "log" / "setup.log")
    installer = Installer(state, tests=command.tests)
    if not installer.is_done():
        with locked(state):
            if not installer.is_done():  # another set-up may have done it meanwhile
                installer.run(progress)
    environment = command_environment(installer.installation(), os.environ)
    if command.renders:
        if not system.can_render():
            with locked(state):
                system.provide_rendering(progress)
        environment.setdefault("MUJOCO_GL", "egl" if system.has_egl() else "osmesa")
    return installer.installation().python, environment


def command_environment(installation: Installation, user: Mapping[str, str]) -> dict[str, str]:
    """The user's environment `user`, changed so that Python, ROS and our modules are found, and nothing is written
    outside the state folder."""
    kit, cache = installation, installation.state / "cache"
    environment = dict(user) if kit.sourced else system.without_wheel_variables(user)
    modules = [  # from where Python imports messages
        next(file.parents[2] for kind in ("msg", "action") for file in prefix.rglob(f"*/{kind}/__init__.py"))
        for prefix in kit.interfaces
    ]
    libraries = [prefix / "lib" for prefix in kit.interfaces]
    if not kit.sourced:
        environment["AMENT_PREFIX_PATH"] = os.pathsep.join(map(str, [*kit.interfaces, kit.venv]))
        environment["RMW_IMPLEMENTATION"] = "rmw_fastrtps_cpp"  # the only one among the wheels
        # The wheels would start every Python twice to set LD_LIBRARY_PATH; this tells them that it is set.
        environment["_ROS_WHEELS_BOOTSTRAP_COMPLETE"] = "1"
        libraries += kit.libraries
    before = {
        "PATH": [kit.venv / "bin"],
        "PYTHONPATH": [REPOSITORY, *modules],
        "AMENT_PREFIX_PATH": kit.interfaces if kit.sourced else (),
        "LD_LIBRARY_PATH": libraries,
    }
    for name, folders in before.items():
        present = [environment[name]] if environment.get(name) else []
        if joined := os.pathsep.join([*map(str, folders), *present]):
            environment[name] = joined
    environment["VIRTUAL_ENV"] = str(kit.venv)
    environment["AMI_STATE"] = str(kit.state)
    environment["PYTHONSAFEPATH"] = "1"  # a file torch.py in the user's folder must not be taken for torch
    _limit_discovery(environment, kit.sourced)
    return {  # where programs write, unless the user says otherwise
        "ROS_LOG_DIR": str(kit.state / "ros_log"),
        "XDG_CACHE_HOME": str(cache),
        "MPLCONFIGDIR": str(cache / "matplotlib"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(cache / "hypothesis"),
        "MYPY_CACHE_DIR": str(cache / "mypy"),
        "RUFF_CACHE_DIR": str(cache / "ruff"),
    } | environment


def _limit_discovery(environment: dict[str, str], sourced: bool) -> None:
    """Nodes meet on this machine only, unless the user has set how far they look."""
    loopback = str(REPOSITORY / "config" / "fastdds_this_machine.xml")
    reach, profiles = "ROS_AUTOMATIC_DISCOVERY_RANGE", "FASTRTPS_DEFAULT_PROFILES_FILE"
    if environment.get(reach, "SYSTEM_DEFAULT") != "SYSTEM_DEFAULT":
        if environment.get(profiles) == loopback:  # set within `ami shell`
            del environment[profiles]
    elif sourced:  # perhaps not Fast DDS
        environment.setdefault(reach, "LOCALHOST")
    elif reach not in environment and profiles not in environment:
        # Fast DDS uses shared memory at LOCALHOST, whatever FASTDDS_BUILTIN_TRANSPORTS says.
        environment |= {reach: "SYSTEM_DEFAULT", profiles: loopback}
