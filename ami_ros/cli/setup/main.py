"""`./ami`: makes sure that what the command needs is there, then runs the command in its place."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from ami_ros.cli.commands import Command, find_command, overview, split, version
from ami_ros.cli.setup import system
from ami_ros.cli.setup.installer import Installer, command_environment
from ami_ros.cli.setup.progress import Progress, locked, open_state_folder
from ami_ros.core.errors import AmiError

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


def main(arguments: Sequence[str]) -> NoReturn:
    """Runs `ami` with `arguments`. Does not return: the command takes this process over."""
    asked = split(arguments)
    if asked.version:
        print(f"ami_ros {version()}")
        sys.exit(0)
    if not asked.arguments or asked.arguments[0] in ("-h", "--help"):
        _print_help()
    command = find_command(asked.arguments[0])
    if command is None:
        print(f"ami: there is no command '{asked.arguments[0]}'; see ami --help", file=sys.stderr)
        sys.exit(2)
    signal.signal(signal.SIGTERM, _exit_by_signal)
    try:
        python, environment = prepare(command)
    except AmiError as error:
        print(f"ami: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in DISK_ERRORS:
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
        if not system.rendering().present():
            with locked(state):
                system.provide_rendering(progress)
        environment.setdefault("MUJOCO_GL", "egl" if system.has_egl() else "osmesa")
    return installer.installation().python, environment


def _print_help() -> NoReturn:
    try:
        print(overview(), flush=True)
    except BrokenPipeError:  # ami --help | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


def _exit_by_signal(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
