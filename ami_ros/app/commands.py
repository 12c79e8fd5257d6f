"""The commands of `./ami`. Standard library only: the bootstrap lists them before anything is installed."""

from __future__ import annotations

from dataclasses import dataclass


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
    Command("demo", "Start simulator and stack, send image goals, report how many were reached.", renders=True),
    Command("world", "Show a world or a building: plan, views, world file, Gazebo.", renders=True),
    Command("robot", "Show a robot; write it for Gazebo and as URDF.", renders=True),
    Command("collect", "Drive the simulated robot by random exploration and write a bag.", renders=True),
    Command("doctor", "Say whether a robot, live or in a bag, is what its description says."),
    Command("record", "Record a robot's sensors and commands into a bag."),
    Command("extract", "Make a data set from bags, and say what was left out."),
    Command("train", "Learn a world model from bags or a data set."),
    Command("pairs", "Teach a model to compare pictures, in buildings.", renders=True),
    Command("ranges", "Teach a network to make scans of pictures, in buildings.", renders=True),
    Command("scans", "Teach a network to compare what lasers see, on simulated drives."),
    Command("remember", "Build a memory of places from bags."),
    Command("fleet", "Put memories of many robots into one data set, and take them out."),
    Command("evaluate", "Measure what a model knows of recordings."),
    Command("export", "Write a data set as LeRobotDataset v3, or a model for robots without a camera."),
    Command("bench", "Measure latencies, rates and memory.", renders=True),
    Command("security", "Write SROS 2 policies with which only the gate drives the robot, and make keys."),
    Command("test", "Run the tests; arguments go to pytest.", renders=True, tests=True),
    Command("shell", "Open a shell, or run a command, in the environment of ami_ros."),
)


def find_command(name: str) -> Command | None:
    """The command of that name."""
    return next((command for command in COMMANDS if command.name == name), None)


def overview() -> str:
    """The text of `./ami --help`."""
    width = max(len(command.name) for command in COMMANDS)
    lines = [f"  {command.name:<{width}}  {command.summary}" for command in COMMANDS]
    return "\n".join(
        [
            "Usage: ami COMMAND [ARGUMENTS]",
            "",
            "A world model, memory and planner for robots, native to ROS 2.",
            "",
            "Commands:",
            *lines,
            "",
            "ami COMMAND --help tells more. What a command needs is set up on first use, in .ami or $AMI_HOME.",
        ]
    )
