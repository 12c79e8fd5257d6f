"""The commands of `./ami`. Standard library only: the bootstrap lists them before anything is installed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Command:
    """A command, made of the function `main` in the module `ami_ros.app.<name>` (typer annotations).

    A module with `PARTS` instead is a command of several: functions by name, or names of parts, each the `main` of
    `ami_ros.app.<name>_<part>`.

    Attributes:
        name: what the user types.
        summary: one line for the list of commands.
        renders: it draws camera images, which needs system libraries.
        tests: it needs the tools of the tests.
    """

    name: str
    summary: str
    renders: bool = False
    tests: bool = False


COMMANDS = (
    Command("drive", "Start the stack on a robot, or a simulated one, and keep it running.", renders=True),
    Command("goto", "Send the robot to a picture, a place or a pose, and wait until it is there."),
    Command("explore", "Let the robot look around by itself."),
    Command("patrol", "Visit places one after the other."),
    Command("stop", "Cancel what the robot does; also an emergency stop, and its release."),
    Command("console", "Serve the page of a robot: what it knows, and what it is to do."),
    Command("view", "Show a running robot in Foxglove, Lichtblick or Rerun."),
    Command("replay", "Show a recorded run on the page of a robot."),
    Command("demo", "Start simulator and stack, send image goals, report how many were reached.", renders=True),
    Command("world", "Show a world or a building: plan, views, world file, Gazebo.", renders=True),
    Command("robot", "Show a robot; write it for Gazebo and as URDF.", renders=True),
    Command("collect", "Drive the simulated robot by random exploration and write a bag.", renders=True),
    Command("doctor", "Say whether a robot, live or in a bag, is what its description says."),
    Command("trial", "Lead through the first hour on a robot, and report how it went.", renders=True),
    Command("record", "Record a robot's sensors and commands into a bag."),
    Command("film", "Make a short film of a recorded drive."),
    Command("extract", "Make a data set from bags, and say what was left out."),
    Command("train", "Learn a world model from bags or a data set."),
    Command("pairs", "Teach a model to compare pictures, in buildings.", renders=True),
    Command("ranges", "Teach a network to make scans of pictures, in buildings.", renders=True),
    Command("scans", "Teach a network to compare what lasers see, on simulated drives."),
    Command("remember", "Build a memory of places from bags."),
    Command("map", "Write a map for Nav2 from a memory, or a memory from such a map."),
    Command("fleet", "Put memories of many robots into one data set, and take them out."),
    Command("evaluate", "Measure what a model knows of recordings."),
    Command("export", "Write a data set as LeRobotDataset v3, or a model for robots without a camera."),
    Command("bench", "Measure latencies, rates and memory.", renders=True),
    Command("security", "Write SROS 2 policies with which only the gate drives the robot, and make keys."),
    Command("completion", "Print what completes commands and options in bash or zsh."),
    Command("test", "Run the tests; arguments go to pytest.", renders=True, tests=True),
    Command("shell", "Open a shell, or run a command, in the environment of ami_ros."),
)


def find_command(name: str) -> Command | None:
    """The command of that name."""
    return next((command for command in COMMANDS if command.name == name), None)


@dataclass(frozen=True)
class Asked:
    """A command line.

    Attributes:
        arguments: without the options that stand before the command.
        quiet: nothing but results and errors.
        verbose: errors with their tracebacks, and logs of nodes down to debug.
        version: only the version.
    """

    arguments: Sequence[str]
    quiet: bool = False
    verbose: bool = False
    version: bool = False


def split(arguments: Sequence[str]) -> Asked:
    """Takes the options before the command off a command line."""
    count = next((k for k, word in enumerate(arguments) if word not in OPTIONS), len(arguments))
    found = {OPTIONS[word] for word in arguments[:count]}
    return Asked(arguments[count:], **{name: name in found for name in set(OPTIONS.values())})


OPTIONS = {"-q": "quiet", "--quiet": "quiet", "-v": "verbose", "--verbose": "verbose", "--version": "version"}


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
    lines = [f"  {command.name:<{width}}  {command.summary}" for command in COMMANDS]
    return "\n".join(
        [
            "Usage: ami [-q|-v] COMMAND [ARGUMENTS], ami --version",
            "",
            "A world model, memory and planner for robots, native to ROS 2.",
            "",
            "Commands:",
            *lines,
            "",
            "-q: results and errors only; -v: errors with tracebacks, nodes log all.",
            "ami COMMAND --help tells more. What a command needs is set up on first use, in .ami or $AMI_HOME.",
        ]
    )
