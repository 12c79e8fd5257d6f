"""The commands of `./ami`. Standard library only: the bootstrap lists them before anything is installed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        name: what the user types.
        summary: one line for the list of commands.
        runs: "module:function" below `ami_ros`, with typer annotations; of a command with parts one for each of them,
            by name, or where such a mapping is.
        about: of a command with parts what its help begins with.
        spelled_out: "module:function" that rewrites the arguments before they are parsed.
        context: settings of click, such as that unknown options are arguments.
        renders: it draws camera images, which needs system libraries.
        tests: it needs the tools of the tests.
    """

    name: str
    summary: str
    runs: str | Mapping[str, str]
    about: str = ""
    spelled_out: str = ""
    context: Mapping[str, bool] = field(default_factory=dict)
    renders: bool = False
    tests: bool = False


POSES = "cli.driving:spelled_out"  # a pose may begin with a minus
COMMANDS = (
    Command("drive", "Start the stack on a robot, or on a simulated one.", "cli.options:drive", renders=True),
    Command("goto", "Send the robot to a picture, a place or a pose.", "cli.driving:goto", spelled_out=POSES),
    Command("explore", "Let the robot explore by itself, and come back.", "cli.driving:explore"),
    Command("patrol", "Visit places one after the other.", "cli.driving:patrol", spelled_out=POSES),
    Command("stop", "Cancel what the robot does, or stop it in an emergency.", "cli.driving:stop"),
    Command("console", "Serve a page that shows and controls a running robot.", "cli.watching:console"),
    Command("view", "Show a running robot in Foxglove, Lichtblick or Rerun.", "cli.watching:view"),
    Command("replay", "Show a recorded run on that page.", "cli.watching:replay"),
    Command(
        "demo", "Drive a simulated robot to pictures, and count those it reached.", "cli.options:demo", renders=True
    ),
    Command(
        "world", "Show a world or a building: plan, views, world file, Gazebo.", "cli.describing:world", renders=True
    ),
    Command("robot", "Show a robot. Write it for Gazebo and as URDF.", "cli.describing:robot", renders=True),
    Command("collect", "Drive the simulated robot about at random, and write bags.", "cli.data:collect", renders=True),
    Command("doctor", "Check a robot, live or in a bag, against its description.", "cli.describing:doctor"),
    Command(
        "trial", "Lead you through the first hour on a robot, and write a report.", "cli.options:trial", renders=True
    ),
    Command("record", "Record a robot's sensors and commands into a bag.", "cli.watching:record"),
    Command("film", "Make a GIF of a recorded drive.", "cli.watching:film"),
    Command("extract", "Turn bags into a data set, and say what was left out.", "cli.data:extract"),
    Command("train", "Train a world model on bags or a data set.", "cli.options:train"),
    Command("pairs", "Teach a model to compare pictures.", "cli.options:pairs", renders=True),
    Command("ranges", "Train a network to predict laser scans from images.", "cli.options:ranges", renders=True),
    Command("scans", "Train a network to match laser scans.", "cli.options:scans"),
    Command("remember", "Build a memory of places from bags.", "cli.memory:remember"),
    Command(
        "map",
        "Turn a memory into a map for Nav2, or a map into a memory.",
        {"export": "cli.memory:export_map", "import": "cli.memory:import_map"},
        about="Turn a memory into a map for Nav2, or such a map into a memory.",
    ),
    Command(
        "fleet",
        "Show what robots share. Collect memories and recordings.",
        {
            "status": "cli.memory:fleet_status",
            "export": "cli.memory:fleet_export",
            "import": "cli.memory:fleet_import",
            "compact": "cli.memory:fleet_compact",
            "merge": "cli.memory:fleet_merge",
        },
        about="What the robots of a site share while they drive; memories and recordings of many robots in one Lance "
        "data set.",
    ),
    Command("evaluate", "Measure how well a model predicts recordings.", "cli.options:evaluate"),
    Command("export", "Write a LeRobot data set, or a model for robots without a camera.", "cli.data:export"),
    Command(
        "bench",
        "Run a benchmark: latency, success rates, gate, memory and more.",
        "bench.command:PARTS",
        about="Run a benchmark. `./ami bench SCENARIO` runs a scenario: a file, or one of scenarios/.",
        spelled_out="bench.command:spelled_out",
        renders=True,
    ),
    Command("security", "Write SROS 2 policies: only the safety gate drives the robot.", "cli.describing:security"),
    Command("completion", "Print a completion script for bash or zsh.", "cli.tools:completion"),
    Command(
        "test",
        "Run the tests; arguments go to pytest.",
        "cli.tools:test",
        context={"ignore_unknown_options": True},
        renders=True,
        tests=True,
    ),
    Command(
        "shell",
        "Open a shell, or run a command, in the environment of ami_ros.",
        "cli.tools:shell",
        context={"ignore_unknown_options": True, "allow_interspersed_args": False},
    ),
)


def find_command(name: str) -> Command | None:
    """The command of that name."""
    return next((command for command in COMMANDS if command.name == name), None)


@dataclass(frozen=True)
class Asked:
    """A command line: its `arguments` without the options that stand before the command, and these."""

    arguments: Sequence[str]
    quiet: bool = False  # nothing but results and errors
    verbose: bool = False  # errors with their tracebacks, and logs of nodes down to debug
    version: bool = False  # only the version


def split(arguments: Sequence[str]) -> Asked:
    """Takes the options before the command off a command line."""
    options = {"-q": "quiet", "--quiet": "quiet", "-v": "verbose", "--verbose": "verbose", "--version": "version"}
    count = next((k for k, word in enumerate(arguments) if word not in options), len(arguments))
    return Asked(arguments[count:], **{options[word]: True for word in arguments[:count]})


def version() -> str:
    """Of the package: in a clone its package.xml says it, else what pip installed."""
    try:
        text = (Path(__file__).resolve().parents[2] / "package.xml").read_text(encoding="utf-8")
        return re.findall(r"<version>(.*?)</version>", text)[0]
    except (OSError, IndexError):
        from importlib.metadata import version as installed

        return installed("ami_ros")


def overview() -> str:
    """The text of `./ami --help`."""
    width = max(len(command.name) for command in COMMANDS)
    commands = "\n".join(f"  {command.name:<{width}}  {command.summary}" for command in COMMANDS)
    return f"""Usage: ami [-q|-v] COMMAND [ARGUMENTS], ami --version

A world model, memory and planner for robots, native to ROS 2.

Commands:
{commands}

-q prints results and errors only. -v adds tracebacks and all logs of nodes.
ami COMMAND --help explains a command. What a command needs is installed at its
first use, into .ami or $AMI_HOME."""
