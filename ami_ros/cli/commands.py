"""The commands of `./ami`. Standard library only: the bootstrap lists them before anything is installed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Command:
    """A command, made of the function `main` in the module `ami_ros.cli.<name>` (typer annotations).

    A module with `PARTS` instead is a command of several: functions by name, or names of parts, each the `main` of
    `ami_ros.cli.<name>_<part>`.

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
    Command("drive", "Start the stack on a robot, or on a simulated one.", renders=True),
    Command("goto", "Send the robot to a picture, a place or a pose."),
    Command("explore", "Let the robot explore by itself, and come back."),
    Command("patrol", "Visit places one after the other."),
    Command("stop", "Cancel what the robot does, or stop it in an emergency."),
    Command("console", "Serve a page that shows and controls a running robot."),
    Command("view", "Show a running robot in Foxglove, Lichtblick or Rerun."),
    Command("replay", "Show a recorded run on that page."),
    Command("demo", "Drive a simulated robot to pictures, and count those it reached.", renders=True),
    Command("world", "Show a world or a building: plan, views, world file, Gazebo.", renders=True),
    Command("robot", "Show a robot. Write it for Gazebo and as URDF.", renders=True),
    Command("collect", "Drive the simulated robot about at random, and write bags.", renders=True),
    Command("doctor", "Check a robot, live or in a bag, against its description."),
    Command("trial", "Lead you through the first hour on a robot, and write a report.", renders=True),
    Command("record", "Record a robot's sensors and commands into a bag."),
    Command("film", "Make a GIF of a recorded drive."),
    Command("extract", "Turn bags into a data set, and say what was left out."),
    Command("train", "Train a world model on bags or a data set."),
    Command("pairs", "Teach a model to compare pictures.", renders=True),
    Command("ranges", "Train a network to predict laser scans from images.", renders=True),
    Command("scans", "Train a network to match laser scans."),
    Command("remember", "Build a memory of places from bags."),
    Command("map", "Turn a memory into a map for Nav2, or a map into a memory."),
    Command("fleet", "Show what robots share. Collect memories and recordings."),
    Command("evaluate", "Measure how well a model predicts recordings."),
    Command("export", "Write a LeRobot data set, or a model for robots without a camera."),
    Command("bench", "Run a benchmark: latency, success rates, gate, memory and more.", renders=True),
    Command("security", "Write SROS 2 policies: only the safety gate drives the robot."),
    Command("completion", "Print a completion script for bash or zsh."),
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
            "-q prints results and errors only. -v adds tracebacks and all logs of nodes.",
            "ami COMMAND --help explains a command. What a command needs is installed at its",
            "first use, into .ami or $AMI_HOME.",
        ]
    )
