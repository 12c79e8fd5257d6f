"""Commands whose options are the fields of a dataclass. Their work is imported late: it may need torch or ROS."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

Namespace = Annotated[str, typer.Option(help="Namespace of the robot, as its launch file sets it.")]
NodesNamespace = Annotated[str, typer.Option(help="Namespace of the robot's topics and of all nodes.")]
Port = Annotated[
    int | None, typer.Option(help="Port of the page. Default: the first free one from 8770.", min=0, max=65535)
]
Model = Annotated[str, typer.Option(help="Folder or name of the model. Default: the shipped one that fits the robot.")]
Figures = Annotated[Path | None, typer.Option(help="JSON file to write the figures to. Its keys have units.")]


def command(job: type[Any], runs: str) -> Callable[..., int | None]:
    """The `main` of a command: an option for each field of `job`, whose annotations are those of typer.

    Args:
        job: dataclass of the options; its docstring is the help.
        runs: "module:function" below `ami_ros` that gets the job.
    """

    def main(*arguments: Any, **values: Any) -> Any:
        module, _, function = runs.partition(":")
        return getattr(importlib.import_module(f"ami_ros.{module}"), function)(job(*arguments, **values))

    hints = get_type_hints(job, include_extras=True)
    main.__doc__, main.__annotations__ = job.__doc__, hints
    main.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, annotation=hints[field.name],
                default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
            )
            for field in dataclasses.fields(job)
        ]
    )  # fmt: skip
    return main


@dataclass(frozen=True)
class DriveOptions:
    """Start the stack on a robot and keep it running until Ctrl-C. It keeps what it learns of places in a file.

    The robot stands until you send it somewhere. Use the page whose address is printed, or another shell: ami goto, ami
    explore, ami patrol and ami stop, with the same ROS_DOMAIN_ID (0 if it is not set).

    Nodes find each other on this machine only. If the robot's drivers run on another machine, export
    ROS_AUTOMATIC_DISCOVERY_RANGE=SUBNET first.

    Exit code: 0 after Ctrl-C, 2 if something is missing or could not be restarted.
    """

    robot: Annotated[str | None, typer.Option(help="Robot in config/robots, or its file. Not needed with --sim.")] = (
        None
    )
    model: Model = ""
    memory: Annotated[
        Path | None,
        typer.Option(help="File to remember places in. It is made if missing. Default: ROBOT.memory, here."),
    ] = None
    forget: Annotated[bool, typer.Option("--forget", help="Write no file: forget everything at the end.")] = False
    sim: Annotated[bool, typer.Option("--sim", help="Start a simulated robot as well.")] = False
    world: Annotated[str, typer.Option(help="With --sim: a world, a world file, or building:SEED.")] = "home"
    seed: Annotated[int, typer.Option(help="With --sim: random seed of start and noise.", min=0)] = 0
    sim_time: Annotated[bool, typer.Option("--sim-time", help="Take the time from /clock, as with Gazebo.")] = False
    namespace: NodesNamespace = ""
    site: Annotated[
        str, typer.Option(help="Share what the robot remembers with the robots of this site; docs/fleet.md.")
    ] = ""
    composed: Annotated[
        bool, typer.Option("--composed", help="Run all nodes in one process, which takes less memory.")
    ] = False
    keep_out: Annotated[
        Path | None,
        typer.Option(help="YAML file of a map. The robot keeps out of its black cells."),
    ] = None
    params: Annotated[Path | None, typer.Option(help="File with further ROS parameters.")] = None
    no_console: Annotated[bool, typer.Option("--no-console", help="Serve no page. See ami console.")] = False
    host: Annotated[str, typer.Option(help="Address of the page. 0.0.0.0 lets others on the network open it.")] = (
        "127.0.0.1"
    )
    port: Port = None


drive = command(DriveOptions, "cli.drive:drive")


@dataclass(frozen=True)
class DemoOptions:
    """Start the simulator and the stack, send picture goals, and report how many were reached.

    A goal is only a picture, or a pose for a robot without a camera. It counts as reached when the robot reports
    success and stands, and the simulator sees it within 0.30 m and 30 degrees of there.

    Exit code: 0 if enough goals were reached, 1 if fewer, 2 for a wrong set-up or option.
    """

    headless: Annotated[bool, typer.Option("--headless", help="Serve no page.")] = False
    world: Annotated[str, typer.Option(help="A world that comes with the package, or a world file.")] = "home"
    simulator: Annotated[
        Literal["ours", "gazebo"], typer.Option(help="gazebo: gz-sim, where it is installed; see docs/gazebo.md.")
    ] = "ours"
    robot: Annotated[
        str | None, typer.Option(help="Robot in config/robots, or its file. Default: one that fits the model.")
    ] = None
    goals: Annotated[
        int, typer.Option(help="Number of goals: by turns near (same room) and far (another room).", min=1, max=10_000)
    ] = 10
    seed: Annotated[int, typer.Option(help="Random seed of start, goals and noise.", min=0, max=2**31 - 1)] = 0
    json: Annotated[Path | None, typer.Option(help="JSON file to write all figures to, however it ends.")] = None
    record: Annotated[Path | None, typer.Option(help="New folder for a bag (MCAP) and a picture.")] = None
    composed: Annotated[bool, typer.Option("--composed", help="Run all nodes of the stack in one process.")] = False
    explore: Annotated[
        float, typer.Option(help="Minutes to explore first, with an empty memory.", min=0.0, max=600.0)
    ] = 0.0
    foreign_goals: Annotated[
        int,
        typer.Option(
            help="With --explore: number of pictures of another building, which it must refuse.", min=0, max=10_000
        ),
    ] = 0
    min_success: Annotated[
        float, typer.Option(help="Share of goals to reach. Below it the exit code is 1.", min=0.0, max=1.0)
    ] = 0.5
    model: Annotated[
        Path | None, typer.Option(help="Folder of the model. Default: the shipped one that fits the robot.")
    ] = None
    memory: Annotated[
        Path | None,
        typer.Option(help="Memory to start with. Default: the one shipped with the model, if any."),
    ] = None
    real_time_factor: Annotated[
        float | None,
        typer.Option(
            help="Simulated seconds per second. Default: 1, or with --explore as fast as the nodes keep up.",
            min=0.05,
            max=20.0,
        ),
    ] = None
    port: Annotated[
        int | None, typer.Option(help="Port of the page. Default: the first free one from 8770.", min=1, max=65_535)
    ] = None
    domain_id: Annotated[int | None, typer.Option(help="ROS domain. Default: ROS_DOMAIN_ID, or a free one.")] = None


demo = command(DemoOptions, "cli.demo:demo")


@dataclass(frozen=True)
class TrialOptions:
    """Lead you through the first hour on a robot: doctor, a drive by joystick with the gate on, exploring near the
    start, and goals. You confirm each goal. The folder holds the report (report.html, trial.json) and the bags. You can
    interrupt it at any time. The same command continues.

    Exit code: 0 complete, 1 stopped before the end, 2 it cannot continue.
    """

    out: Annotated[
        Path, typer.Option(help="Folder of the trial. Repeat the command to continue after an interruption.")
    ]
    robot: Annotated[str, typer.Option(help="Robot in config/robots, or its file.")] = ""
    model: Model = ""
    goals: Annotated[int, typer.Option(help="Number of goals.")] = 10
    minutes: Annotated[float, typer.Option(help="Minutes to explore. 0: none.")] = 10.0
    leash: Annotated[float, typer.Option(help="How far it may go from where it began [m].")] = 5.0
    speed: Annotated[float, typer.Option(help="Speed limit [m/s].")] = 0.3
    timeout: Annotated[float, typer.Option(help="Time limit for each goal [s].")] = 300.0
    attach: Annotated[
        bool, typer.Option("--attach", help="Use the running stack as it is, without --leash and --speed.")
    ] = False
    sim_time: Annotated[bool, typer.Option("--sim-time", help="Take the time from /clock.")] = False
    namespace: NodesNamespace = ""


trial = command(TrialOptions, "cli.trial:run_trial")


@dataclass(frozen=True)
class TrainOptions:
    """Train a world model on recordings. Under torchrun, several processes train together."""

    recordings: Annotated[
        list[Path],
        typer.Argument(
            help="Bags, folders of bags (as ./ami collect writes), data sets, or the folder of ./ami fleet export."
        ),
    ]
    out: Annotated[Path, typer.Option(help="Model folder. Repeat the command to continue after an interruption.")]
    robot: Annotated[
        str | None,
        typer.Option(help="Robot in config/robots, or its file: preset, speed limits, names of topics."),
    ] = None
    preset: Annotated[
        str,
        typer.Option(
            help="onboard (camera and scan), laser, or camera (neither odometry nor scan: Donkeycar tubs); the default "
            "is that of the model to start from, else what the recordings are, else onboard."
        ),
    ] = ""
    start: Annotated[
        Path | None,
        typer.Option("--from", help="Start from this model. Its training data are mixed in."),
    ] = None
    replay: Annotated[
        list[Path] | None,
        typer.Option(help="Data set of the --from model, if it has moved."),
    ] = None
    heads: Annotated[
        bool,
        typer.Option("--heads", help="Train only the heads of the --from model. Its memories stay valid."),
    ] = False
    dynamics: Annotated[
        bool,
        typer.Option(
            "--dynamics",
            help="Train only what commands do, and the heads, such as for a faster --robot. Memories stay valid.",
        ),
    ] = False
    steps: Annotated[int, typer.Option(help="Number of optimiser steps. 0: as the preset says.")] = 0
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other setting, such as weights.sigreg=0.05. See docs/reference.md."),
    ] = None
    seed: Annotated[int, typer.Option(help="Random seed of weights and batches.")] = 0
    threads: Annotated[int, typer.Option(help="Number of cores to use. 0: all.")] = 0
    name: Annotated[str, typer.Option(help="Name of the model. Default: the name of its folder.")] = ""
    json: Figures = None


train = command(TrainOptions, "cli.train:train")


@dataclass(frozen=True)
class EvaluateOptions:
    """Measure how well a model predicts recordings.

    It measures position and heading, prediction over time, surprise at impossible changes, and relative poses. Figures
    in metres need recordings with ground truth, such as those of the simulator. For Donkeycar tubs it measures
    predictions one second ahead. `./ami bench planning` drives with the model.
    """

    model: Annotated[Path, typer.Argument(help="Model folder.")]
    recordings: Annotated[
        list[Path], typer.Argument(help="Bags of one world that were not trained on, Donkeycar tubs, or one data set.")
    ]
    card: Annotated[bool, typer.Option("--card", help="Also write the figures into the model card.")] = False
    frames: Annotated[int, typer.Option(help="Largest number of frames to use.", min=600)] = 12000
    seed: Annotated[int, typer.Option(help="Random seed of the moments.", min=0)] = 0
    json: Figures = None


evaluate = command(EvaluateOptions, "cli.train:evaluate")


@dataclass(frozen=True, kw_only=True)
class BuildingsOptions:
    """What `ami pairs` and `ami ranges` learn from: pictures of buildings."""

    model: Path
    out: Path
    views: Annotated[
        Path, typer.Option(help="Folder for pictures of the buildings. Pictures that it already has are reused.")
    ]
    buildings: Annotated[int, typer.Option(help="Number of buildings to learn from.")] = 100
    first: Annotated[int, typer.Option(help="Seed of the first of these buildings.")] = 1
    bare: Annotated[
        int, typer.Option(help="Number of plain buildings (building:bare:0, ...) to learn from as well.")
    ] = 0
    held_out: Annotated[
        int, typer.Option(help="Number of buildings for measuring only. Nothing else is learned from them.")
    ] = 20
    held_out_first: Annotated[int, typer.Option(help="Seed of the first of these buildings.")] = 90_000
    steps: int = 2000
    seed: Annotated[int, typer.Option(help="Random seed of weights and batches.")] = 0
    workers: Annotated[int, typer.Option(help="Number of buildings to draw in parallel. 0: one for each core.")] = 0
    threads: Annotated[int, typer.Option(help="Number of cores to learn with. 0: all.")] = 0
    json: Figures = None


@dataclass(frozen=True, kw_only=True)
class PairOptions(BuildingsOptions):
    """Teach a model to compare two pictures, and measure in other buildings how reliable that is."""

    model: Annotated[Path, typer.Argument(help="Model folder. Its memories stay valid.")]
    out: Annotated[Path, typer.Option(help="Model folder to write.")]
    steps: Annotated[int, typer.Option(help="Number of optimiser steps. For a robot take ten times as many.")] = 2000
    name: Annotated[str, typer.Option(help="Name of the model. Default: the name of its folder.")] = ""


pairs = command(PairOptions, "cli.networks:teach_pairs")


@dataclass(frozen=True, kw_only=True)
class RangeOptions(BuildingsOptions):
    """Train a network to predict laser scans from images, for robots without a laser."""

    model: Annotated[
        Path, typer.Argument(help="Model folder that compares pictures. The network starts from its features.")
    ]
    out: Annotated[Path, typer.Option(help="Folder to write the network to.")]
    steps: Annotated[int, typer.Option(help="Number of optimiser steps.")] = 8000


ranges = command(RangeOptions, "cli.networks:train_ranges")


@dataclass(frozen=True)
class ScanOptions:
    """Train a network to tell right matches of two laser scans from wrong ones."""

    out: Annotated[Path, typer.Option(help="Folder to write the network to.")]
    corridors: Annotated[int, typer.Option(help="Number of corridor rings to learn from.", min=0)] = 80
    buildings: Annotated[int, typer.Option(help="Number of buildings to learn from.", min=0)] = 40
    held_out: Annotated[int, typer.Option(help="Number of each for testing only.", min=1)] = 10
    first: Annotated[int, typer.Option(help="Seed of the first of each kind.", min=0)] = 1
    steps: Annotated[int, typer.Option(help="Number of optimiser steps.", min=1)] = 4000
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0
    workers: Annotated[int, typer.Option(help="Number of drives in parallel. 0: one for each core.", min=0)] = 0
    json: Figures = None


scans = command(ScanOptions, "cli.networks:train_scans")
