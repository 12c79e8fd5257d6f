"""Builds ami_interfaces once, into a folder that is named by what it was built from."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from ami_ros.bootstrap.progress import Progress
from ami_ros.bootstrap.pythons import without_wheel_variables
from ami_ros.bootstrap.state import REPOSITORY
from ami_ros.errors import AmiError

SOURCE = REPOSITORY / "ami_interfaces"


def interface_files() -> list[Path]:
    """All that the build reads."""
    return sorted(file for file in SOURCE.rglob("*") if file.is_file() and "build" not in file.parts)


def build(target: Path, venv: Path, ros_python: Path | None, progress: Progress) -> None:
    """Builds and installs ami_interfaces below `target`, whole or not at all.

    Args:
        target: the folder to make.
        venv: with the ROS wheels, unless a ROS is sourced.
        ros_python: the Python of the sourced ROS, or None.
        progress: shows the step.

    The build runs in a temporary folder: rosidl cannot cope with a space in a path, and a clone's path may have one.
    """
    if target.is_dir():
        return
    temporary = None if " " not in tempfile.gettempdir() else "/tmp"
    with progress.step("ROS interfaces"), tempfile.TemporaryDirectory(prefix="ami_interfaces_", dir=temporary) as name:
        work = Path(name)
        shutil.copytree(SOURCE, work / "source")
        (work / "venv").symlink_to(venv)
        environment = dict(os.environ) if ros_python else _environment(work / "venv")
        cmake = shutil.which("cmake", path=environment["PATH"])
        if cmake is None:
            raise AmiError("cmake is missing; install it (Debian and Ubuntu: apt-get install cmake)")
        ninja = ["-G", "Ninja"] if shutil.which("ninja", path=environment["PATH"]) else []
        python = ros_python or work / "venv" / "bin" / "python"
        only = [] if ros_python else ["-DPython3_FIND_VIRTUALENV=ONLY"]
        configure = [
            *("-S", str(work / "source"), "-B", str(work / "build"), *ninja, *only),
            f"-DPython3_EXECUTABLE={python}",
            *(f"-DCMAKE_INSTALL_PREFIX={work}/install", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF"),
        ]
        progress.run([cmake, *configure], environment)
        progress.run([cmake, "--build", str(work / "build"), "--parallel", str(os.cpu_count() or 2)], environment)
        progress.run([cmake, "--install", str(work / "build")], environment)
        partial = target.with_name(f"{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(work / "install", partial, symlinks=True)
        partial.rename(target)


def python_folder(prefix: Path) -> Path:
    """The folder below `prefix` from which Python imports ami_interfaces."""
    return next(prefix.rglob("ami_interfaces/msg/__init__.py")).parents[2]


def _environment(venv: Path) -> dict[str, str]:
    environment = without_wheel_variables(os.environ)
    environment["PATH"] = f"{venv}/bin:{environment.get('PATH', os.defpath)}"
    environment["AMENT_PREFIX_PATH"] = environment["CMAKE_PREFIX_PATH"] = str(venv)
    return environment
