"""`ami security`: keys and policies with which only the gate may drive the robot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    out: Annotated[Path, typer.Option(help="Folder for policies, keys and certificates.")],
    robot: Annotated[str, typer.Option(help="Robot in config/robots, or its file. Its topics are used.")] = "ami_bot",
    namespace: Annotated[str, typer.Option(help="Namespace of all nodes.")] = "",
) -> None:
    """Write SROS 2 policies, one enclave for each node. Where `ros2 security` is installed, also make the keys."""
    import os
    import shutil
    import subprocess

    from ami_ros.core.errors import AmiError
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
