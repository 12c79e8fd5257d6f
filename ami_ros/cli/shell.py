"""`ami shell`: a shell, or one command, in the environment of ami_ros."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ami_ros.core.errors import AmiError

CONTEXT_SETTINGS = {"ignore_unknown_options": True, "allow_interspersed_args": False}

# The user's own start-up file may put other programs first in PATH again, and sets the prompt.
RC_FILE = """\
[ -r ~/.bashrc ] && . ~/.bashrc
PATH="$AMI_PATH"; export PATH
PS1="(ami) $PS1"
"""


def main(
    command: Annotated[list[str] | None, typer.Argument(help="Command to run, with its arguments.")] = None,
) -> NoReturn:
    """Open a shell that has Python, ROS and ami_ros, or run COMMAND in it."""
    if command:
        _execute(command)
    shell = os.environ.get("SHELL") or "/bin/sh"
    if Path(shell).name != "bash":
        _execute([shell])
    rc_file = Path(os.environ["AMI_STATE"]) / "shellrc"
    rc_file.write_text(RC_FILE)
    os.environ["AMI_PATH"] = os.environ["PATH"]
    _execute([shell, "--rcfile", str(rc_file)])


def _execute(command: list[str]) -> NoReturn:
    if shutil.which(command[0]) is None:
        raise AmiError(f"there is no command '{command[0]}' in this environment")
    os.execvp(command[0], command)
