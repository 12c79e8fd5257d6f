"""`ami doctor`: whether a robot, live or in a bag, is what its description says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ami_ros.core.robots.checkup import Finding
    from ami_ros.core.robots.description import RobotDescription
    from ami_ros.core.robots.observation import Observation


MARKS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "error": "[red]✗[/]"}


def main(
    robot: Annotated[str, typer.Option(help="Name of a robot in config/robots, or its file.")] = "ami_bot",
    namespace: Annotated[str, typer.Option(help="Namespace of the robot, as its launch file sets it.")] = "",
    seconds: Annotated[float, typer.Option(help="How long to listen [s].", min=1.0, max=600.0)] = 10.0,
    bag: Annotated[
        Path | None, typer.Option(help="Check a recording, or a folder of recordings, instead of the running robot.")
    ] = None,
    write: Annotated[Path | None, typer.Option(help="New file: write a first description from what was heard.")] = None,
    json: Annotated[Path | None, typer.Option(help="JSON file to write the findings to.")] = None,
) -> int:
    """Listen for ten seconds. Say what fits the robot's description, what does not, and what to write instead.

    With --write the new description is what is compared: what is left to write into it is said.

    Exit code: 0 if the stack can drive this robot, 1 if not, 2 if nothing was heard to describe.
    """
    from dataclasses import asdict

    from rich.console import Console

    from ami_ros.bench.report import write_json
    from ami_ros.core.errors import AmiError
    from ami_ros.core.robots.checkup import examine
    from ami_ros.core.robots.description import load_robot
    from ami_ros.core.robots.observation import Observation, write_draft

    if write is not None and write.exists():
        raise AmiError(f"{write} exists; name a new file")
    expected, console = load_robot(robot), Console(emoji=False)
    live = _from_graph(seconds, console) if bag is None else Observation()
    if write is not None:
        write_draft(write, live if bag is None else _from_last_bag(bag, seconds))
        words = f"a first description is in {write}; measure what its head says, then: ./ami doctor --robot {write}"
        console.print(words, soft_wrap=True)
        try:
            expected = load_robot(str(write))
        except AmiError as error:  # a robot without odometry, say
            raise AmiError(
                f"{error}: none was heard; let the robot publish it, and write the description anew"
            ) from error
    if bag is None:
        findings = examine(expected, live, namespace)
        _print(findings, f"robot {expected.name}", console)
    else:
        findings = _from_bags(bag, seconds, expected, namespace, console)
    if json is not None:
        write_json(json, {"robot": expected.name, "findings": [asdict(finding) for finding in findings]})
    return int(any(finding.severity == "error" for finding in findings))


def _from_bags(path: Path, seconds: float, robot: RobotDescription, namespace: str, console: Console) -> list[Finding]:
    """The findings of all the bags at `path`."""
    from ami_ros.cli.datasets import find_bags
    from ami_ros.core.config import from_mapping
    from ami_ros.core.robots.checkup import examine
    from ami_ros.core.robots.derived import extraction_settings
    from ami_ros.world_model.learning.bag_listening import examine_extraction, listen_to_bag
    from ami_ros.world_model.learning.extract import ExtractConfig

    settings, all_findings = from_mapping(ExtractConfig, extraction_settings(robot), "doctor"), []
    for bag in find_bags(path):
        findings = [*examine(robot, listen_to_bag(bag, seconds), namespace), examine_extraction(bag, settings)]
        _print(findings, f"robot {robot.name}, {bag}", console)
        all_findings += findings
    return all_findings


def _from_last_bag(path: Path, seconds: float) -> Observation:
    from ami_ros.cli.datasets import find_bags
    from ami_ros.world_model.learning.bag_listening import listen_to_bag

    return listen_to_bag(find_bags(path)[-1], seconds)


def _from_graph(seconds: float, console: Console) -> Observation:
    from rich.progress import Progress

    from ami_ros.ros.goals.robot_client import RobotClient
    from ami_ros.ros.recorder import listen
    from ami_ros.ros.start.domain import domain_in_environment

    with RobotClient(domain=domain_in_environment()) as client, Progress(console=console, transient=True) as bar:
        task = bar.add_task("listening", total=1.0)
        return listen(client.node, seconds, lambda share: bar.update(task, completed=share))


def _print(findings: list[Finding], title: str, console: Console) -> None:
    from rich.markup import escape

    console.print(title, soft_wrap=True)
    for finding in findings:
        console.print(f" {MARKS[finding.severity]} {escape(finding.topic)}: {escape(finding.text)}", soft_wrap=True)
        if finding.remedy:
            console.print(f"     -> {escape(finding.remedy)}", soft_wrap=True)
    count = {kind: sum(f.severity == kind for f in findings) for kind in ("error", "warning")}
    wrong = [f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in count.items() if n]
    console.print(", ".join(wrong) or "everything fits")
