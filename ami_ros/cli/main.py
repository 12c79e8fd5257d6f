"""The command line: finds the command's module, runs its `main`, turns errors into exit codes."""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn

from ami_ros.cli.commands import find_command, overview, split, version
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import importing, missing, need

with importing("cli"):
    import typer

    need("rich", "cli")

USAGE_ERROR = 2
INTERRUPTED = 130
VERBOSE = "AMI_VERBOSE"  # environment variable of ami -v


def module_of(name: str) -> str:
    """The module of a command."""
    return "ami_ros.bench.command" if name == "bench" else f"ami_ros.cli.{name}"


def run(arguments: Sequence[str]) -> NoReturn:
    """Runs `ami` with `arguments` and exits: 0, what the command returns, 2 for errors that a user can mend, 130 for
    Ctrl-C, 128 + n for the signals TERM and HUP. The command's `finally` blocks have run in every case."""
    asked = split(arguments)
    arguments = asked.arguments
    if asked.version:
        typer.echo(f"ami_ros {version()}")
        sys.exit(0)
    if asked.verbose:
        os.environ[VERBOSE] = "1"
    if asked.quiet:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  (until the process ends; errors go to the real one)
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help"):
        typer.echo(overview())
        sys.exit(0)
    if (command := find_command(name)) is None:
        typer.echo(f"ami: there is no command '{name}'; see ami --help", err=True)
        sys.exit(USAGE_ERROR)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit_by_signal)
    if command.renders and not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl")  # where pip installed it; ./ami has looked what there is
    spelled_out = getattr(importlib.import_module(module_of(name)), "spelled_out", list)
    try:
        sys.exit(
            _application(name)(args=spelled_out(arguments[1:]), prog_name=f"ami {name}", standalone_mode=False) or 0
        )
    except Exception as error:
        if (say := getattr(error, "format_message", None)) is None:  # of click, which typer brings under its own name
            raise
        _complain(f"ami {name}: {' '.join(say().split()).rstrip('.')}; see ami {name} --help")
        sys.exit(USAGE_ERROR)


def _application(name: str) -> typer.Typer:
    module = importlib.import_module(module_of(name))
    settings = {"help_option_names": ["-h", "--help"], **getattr(module, "CONTEXT_SETTINGS", {})}
    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings=settings,
        help=module.__doc__,
    )
    for part, function in functions(name).items():
        app.command(part or None, context_settings=settings)(with_exit_codes(function))
        if part:
            app.callback()(lambda: None)  # else a command of one part would be that part
    return app


def functions(name: str) -> dict[str, Callable[..., int | None]]:
    """What a command runs, by the name of its part: see `ami_ros.cli.commands.Command`; "" where it has no parts."""
    module = importlib.import_module(module_of(name))
    parts = getattr(module, "PARTS", None)
    if parts is None:
        return {"": module.main}
    if isinstance(parts, dict):
        return parts
    return {part: importlib.import_module(f"{module_of(name)}_{part}").main for part in parts}


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
            code = USAGE_ERROR
        except KeyboardInterrupt:
            _complain("ami: interrupted")
            code = INTERRUPTED
        sys.exit(code or 0)

    return wrapped


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


def _exit_by_signal(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
