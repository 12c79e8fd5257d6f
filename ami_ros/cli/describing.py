"""`ami world`, `robot`, `doctor` and `security`: what a world or a robot is, for people and for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ami_ros.cli.options import Namespace
from ami_ros.core.errors import AmiError

if TYPE_CHECKING:
    from rich.console import Console

    from ami_ros.core.robots.checkup import Finding
    from ami_ros.core.robots.description import RobotDescription
    from ami_ros.core.robots.observation import Observation


def world(
    world: Annotated[str, typer.Argument(help="A world that comes with the package, a world file, or building:SEED.")],
    people: Annotated[int | None, typer.Option(help="People who walk about in the world. See docs/worlds.md.")] = None,
    changed: Annotated[float, typer.Option(help="Share of the furniture to move, add or take away.")] = 0.0,
    light: Annotated[str, typer.Option(help="day, night, lamps_off, dim, other_lamps or sun_patch.")] = "",
    picture: Annotated[
        Path | None, typer.Option(help="PNG file to write: the plan, and views from where a robot can be.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="World file to write.")] = None,
    sdf: Annotated[
        Path | None, typer.Option(help="Folder to write it into for Gazebo: an SDFormat world, meshes, pictures.")
    ] = None,
    robot: Annotated[
        str | None, typer.Option(help="With --sdf: a robot to put into it, by its name in config/robots or its file.")
    ] = None,
    views: Annotated[int, typer.Option(help="Number of views in the picture.")] = 8,
    seed: Annotated[int, typer.Option(help="Random seed of the views, and of where the robot starts.")] = 0,
) -> None:
    """Show a world: size and rooms, a picture, its file, and a version for Gazebo."""
    import numpy as np

    from ami_ros.core.robots.description import load_robot
    from ami_ros.simulation.free_space import FreeSpace
    from ami_ros.simulation.gazebo.robot_sdf import robot_model
    from ami_ros.simulation.gazebo.world_sdf import write_world
    from ami_ros.simulation.visit import visited
    from ami_ros.simulation.world_file import load_world, save_world

    found = load_world(visited(world, people, changed, light))
    space, (width, depth) = FreeSpace(found), found.size
    rooms, doors, pieces = len(found.rooms), len(found.doors), len(found.furniture)
    typer.echo(f"{found.name}: {width:g} x {depth:g} m, {rooms} rooms, {doors} doors, {pieces} pieces of furniture")
    typer.echo(f"the robot's middle can be in {space.area:.0f} m2")
    if out is not None:
        save_world(found, out)
        typer.echo(f"world file: {out}")
    if sdf is not None:
        inside = []  # the robot, at a random place of its start area
        if robot is not None:
            described = load_robot(robot)
            start = FreeSpace(found, radius=described.shape.radius).sample_start(np.random.default_rng(seed))
            inside = [robot_model(described), start.tolist()]
        typer.echo(f"for Gazebo: {write_world(found, sdf, *inside)}")
    elif robot is not None:
        raise AmiError("--robot goes with --sdf: it says which robot stands in the world")
    if picture is not None:
        from ami_ros.cli.pictures import draw_world

        draw_world(picture, space, views, seed)
        typer.echo(f"picture: {picture}")


def robot(
    robot: Annotated[str, typer.Argument(help="Name of a robot in config/robots, its file, or drawn:SEED.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write model.sdf, model.config (Gazebo) and NAME.urdf into.")
    ] = None,
) -> None:
    """Show a robot's drive, limits and sensors. Write it for Gazebo and robot_state_publisher."""
    from ami_ros.core.robots.description import load_robot
    from ami_ros.simulation.gazebo.robot_sdf import write_robot

    found = load_robot(robot)
    typer.echo(f"{found.name}: {found.drive.kind}, radius {found.shape.radius:g} m, up to {found.limits.linear:g} m/s")
    for sensor in found.sensors:
        shape = " x ".join(str(n) for n in sensor.shape)
        typer.echo(f"  {sensor.name}: {shape} at {sensor.rate:g} Hz on {sensor.topic}")
    if out is not None:
        write_robot(found, out)
        typer.echo(f"model for Gazebo and URDF: {out}")


def doctor(
    robot: Annotated[str, typer.Option(help="Name of a robot in config/robots, or its file.")] = "ami_bot",
    namespace: Namespace = "",
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
    from ami_ros.core.robots.checkup import examine
    from ami_ros.core.robots.description import load_robot
    from ami_ros.core.robots.observation import write_draft

    if write is not None and write.exists():
        raise AmiError(f"{write} exists; name a new file")
    expected, console = load_robot(robot), Console(emoji=False)
    findings: list[Finding] = []
    heard = _heard(bag, seconds, console)
    if write is not None:
        write_draft(write, heard[-1][1])
        words = f"a first description is in {write}; measure what its head says, then: ./ami doctor --robot {write}"
        console.print(words, soft_wrap=True)
        try:
            expected = load_robot(str(write))
        except AmiError as error:  # a robot without odometry, say
            remedy = "none was heard; let the robot publish it, and write the description anew"
            raise AmiError(f"{error}: {remedy}") from error
    for source, seen in heard:
        found = [*examine(expected, seen, namespace), *([] if source is None else [_extraction(source, expected)])]
        _print(found, f"robot {expected.name}" + (f", {source}" if source is not None else ""), console)
        findings += found
    if json is not None:
        write_json(json, {"robot": expected.name, "findings": [asdict(finding) for finding in findings]})
    return int(any(finding.severity == "error" for finding in findings))


def _heard(bag: Path | None, seconds: float, console: Console) -> list[tuple[Path | None, Observation]]:
    """What the running robot says, or what each bag at `bag` has."""
    if bag is not None:
        from ami_ros.cli.datasets import find_bags
        from ami_ros.world_model.learning.bag_listening import listen_to_bag

        return [(found, listen_to_bag(found, seconds)) for found in find_bags(bag)]
    from rich.progress import Progress

    from ami_ros.ros.goals.robot_client import RobotClient
    from ami_ros.ros.recorder import listen
    from ami_ros.ros.start.domain import domain_in_environment

    with RobotClient(domain=domain_in_environment()) as client, Progress(console=console, transient=True) as bar:
        task = bar.add_task("listening", total=1.0)
        return [(None, listen(client.node, seconds, lambda share: bar.update(task, completed=share)))]


def _extraction(bag: Path, robot: RobotDescription) -> Finding:
    """Whether a data set can be made of a bag."""
    from ami_ros.core.config import from_mapping
    from ami_ros.core.robots.derived import extraction_settings
    from ami_ros.world_model.learning.bag_listening import examine_extraction
    from ami_ros.world_model.learning.extract import ExtractConfig

    return examine_extraction(bag, from_mapping(ExtractConfig, extraction_settings(robot), "doctor"))


def _print(findings: list[Finding], title: str, console: Console) -> None:
    from rich.markup import escape

    marks = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "error": "[red]✗[/]"}
    console.print(title, soft_wrap=True)
    for finding in findings:
        console.print(f" {marks[finding.severity]} {escape(finding.topic)}: {escape(finding.text)}", soft_wrap=True)
        if finding.remedy:
            console.print(f"     -> {escape(finding.remedy)}", soft_wrap=True)
    count = {kind: sum(f.severity == kind for f in findings) for kind in ("error", "warning")}
    wrong = [f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in count.items() if n]
    console.print(", ".join(wrong) or "everything fits")


def security(
    out: Annotated[Path, typer.Option(help="Folder for policies, keys and certificates.")],
    robot: Annotated[str, typer.Option(help="Robot in config/robots, or its file. Its topics are used.")] = "ami_bot",
    namespace: Annotated[str, typer.Option(help="Namespace of all nodes.")] = "",
) -> None:
    """Write SROS 2 policies, one enclave for each node. Where `ros2 security` is installed, also make the keys."""
    import os
    import shutil
    import subprocess

    from ami_ros.core.robots.derived import topics
    from ami_ros.core.robots.description import load_robot
    from ami_ros.ros.interfaces import enclaves, policies

    policy, keystore = out / "policies.xml", out / "keystore"
    described = load_robot(robot)
    text = policies(topics(described), namespace, described.laser is not None and described.laser.is_made)
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        policy.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AmiError(f"security: cannot write {policy}: {error.strerror}; name another folder") from error
    typer.echo(f"policies of {len(enclaves())} enclaves: {policy}")
    command = ["ros2", "security", "generate_artifacts", "-k", str(keystore), "-p", str(policy)]
    tool = shutil.which("ros2")
    if tool is None or subprocess.run([tool, "security", "--help"], capture_output=True, check=False).returncode:
        typer.echo(
            "`ros2 security` is not installed here (package sros2), and the middleware of the ROS wheels has no DDS "
            "Security: use a ROS 2 that apt installed; there: " + " ".join(command)
        )
    else:
        made = subprocess.run(command, capture_output=True, text=True, check=False, umask=0o077)
        if made.returncode:
            raise AmiError(f"security: {' '.join(command)} failed: {(made.stderr or made.stdout).strip()[-300:]}")
        typer.echo(f"keys and certificates: {keystore}")
    typer.echo(
        "start nodes with: ROS_SECURITY_ENABLE=true ROS_SECURITY_STRATEGY=Enforce "
        f"ROS_SECURITY_KEYSTORE={os.path.abspath(keystore)}"
    )
