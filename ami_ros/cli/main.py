"""The command line: finds what a command runs, runs it, and turns errors into exit codes."""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ami_ros.cli.commands import Command, find_command, overview, split, version
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import importing, missing, need

with importing("cli"):
    import typer

    need("rich", "cli")

VERBOSE = "AMI_VERBOSE"  # environment variable of ami -v


def run(arguments: Sequence[str]) -> NoReturn:
    """Runs `ami` with `arguments` and exits: 0, what the command returns, 2 for errors that a user can mend, 130 for
    Ctrl-C, 128 + n for the signals TERM and HUP. The command's `finally` blocks have run in every case."""
    asked = split(arguments)
    name, *given = asked.arguments or ["--help"]
    if asked.version or name in ("-h", "--help"):
        typer.echo(f"ami_ros {version()}" if asked.version else overview())
        sys.exit(0)
    if asked.verbose:
        os.environ[VERBOSE] = "1"
    if asked.quiet:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  (until the process ends; errors go to the real one)
    if (command := find_command(name)) is None:
        typer.echo(f"ami: there is no command '{name}'; see ami --help", err=True)
        sys.exit(2)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    if command.renders and not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl")  # where pip installed it; ./ami has looked what there is
    words = _named(command.spelled_out)(given) if command.spelled_out else given
    try:
        sys.exit(_application(command)(args=words, prog_name=f"ami {name}", standalone_mode=False) or 0)
    except Exception as error:
        if (say := getattr(error, "format_message", None)) is None:  # of click, which typer brings under its own name
            raise
        _complain(f"ami {name}: {' '.join(say().split()).rstrip('.')}; see ami {name} --help")
        sys.exit(2)


def functions(command: Command) -> dict[str, Callable[..., int | None]]:
    """What a command runs, by the name of its part; "" where it has no parts."""
    runs = _named(command.runs) if isinstance(command.runs, str) else command.runs
    if callable(runs):
        return {"": runs}
    return {part: _named(where) if isinstance(where, str) else where for part, where in runs.items()}


def with_exit_codes(function: Callable[..., int | None]) -> Callable[..., None]:
    """Wraps a command: it exits with its return value (None is 0), 2 and one line for an `AmiError`, 130 for Ctrl-C."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            code = function(*args, **kwargs)
        except AmiError as error:
            if os.environ.get(VERBOSE):
                traceback.print_exc(file=sys.__stderr__)
            _complain(f"ami: {error}")
            code = error.exit_code
        except ModuleNotFoundError as error:
            if not (line := _remedy(error.name or "")):
                raise
            _complain(f"ami: {line}")
            code = 2
        except KeyboardInterrupt:
            _complain("ami: interrupted")
            code = 130
        sys.exit(code or 0)

    return wrapped


def _named(where: str) -> Any:
    """What "module:name" below `ami_ros` means."""
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(f"ami_ros.{module}"), name)


def _application(command: Command) -> typer.Typer:
    settings = {"help_option_names": ["-h", "--help"], **command.context}
    app = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, context_settings=settings,
        help=command.about,
    )  # fmt: skip
    for part, function in functions(command).items():
        app.command(part or None, context_settings=settings)(with_exit_codes(function))
        if part:
            app.callback()(lambda: None)  # else a command of one part would be that part
    return app


def _remedy(module: str) -> str:
    """What to do about a module that is not there; "" for one of ours."""
    name = module.partition(".")[0]
    if name == "torch":  # imported in too many places to be named in each
        return str(missing(name, "train"))
    if name in ("rclpy", "ami_interfaces", "ament_index_python") or name.endswith(("_msgs", "_srvs", "_interfaces")):
        return f"this needs ROS 2, which has {module}: source one, or run ./ami of a clone, which brings it"
    return ""


def _complain(line: str) -> None:
    """To the real stderr, whatever ami -q made of it; in tests to what stands in for it."""
    typer.echo(line, file=sys.__stderr__ if getattr(sys.stderr, "name", "") == os.devnull else sys.stderr)
