"""Builds packages of messages once, into a folder that is named by what it was built from."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ami_ros.cli.setup.progress import REPOSITORY, Progress
from ami_ros.cli.setup.system import without_wheel_variables
from ami_ros.core.errors import AmiError

SOURCE = REPOSITORY / "ami_interfaces"
DEFINITIONS = REPOSITORY / "test" / "definitions"  # of what the wheels lack; the nodes use it where it is installed


def files_of(*sources: Path) -> list[Path]:
    """All that the build of these packages reads."""
    files = (file for source in sources for file in source.rglob("*"))
    return sorted(f for f in files if f.is_file() and f.suffix != ".rst" and "build" not in f.parts)


def definitions() -> list[Path]:
    """The packages that only the tests have."""
    return sorted(file.parent for file in DEFINITIONS.glob("*/package.xml"))


def build(sources: Sequence[Path], target: Path, venv: Path, ros_python: Path | None, progress: Progress) -> None:
    """Builds and installs packages below `target`, whole or not at all.

    Args:
        sources: their folders.
        target: the folder to make.
        venv: with the ROS wheels, unless a ROS is sourced.
        ros_python: the Python of the sourced ROS, or None.
        progress: shows the step.

    The build runs in a temporary folder: rosidl cannot cope with a space in a path, and a clone's path may have one.
    """
    if target.is_dir():
        return
    temporary = None if " " not in tempfile.gettempdir() else "/tmp"
    what = "ROS interfaces" if SOURCE in sources else "ROS interfaces of the tests"
    with progress.step(what), tempfile.TemporaryDirectory(prefix="ami_interfaces_", dir=temporary) as name:
        work = Path(name)
        (work / "venv").symlink_to(venv)
        environment = dict(os.environ) if ros_python else _environment(work / "venv")
        cmake = shutil.which("cmake", path=environment["PATH"])
        if cmake is None:
            raise AmiError("cmake is missing; install it (Debian and Ubuntu: apt-get install cmake)")
        ninja = ["-G", "Ninja"] if shutil.which("ninja", path=environment["PATH"]) else []
        python = ros_python or work / "venv" / "bin" / "python"
        only = [] if ros_python else ["-DPython3_FIND_VIRTUALENV=ONLY"]
        for source in sources:
            here = work / source.name
            shutil.copytree(source, here)
            shutil.copytree(SOURCE / "cmake", here / "cmake", dirs_exist_ok=True)
            configure = [
                *("-S", str(here), "-B", str(here / "build"), *ninja, *only, f"-DPython3_EXECUTABLE={python}"),
                *(f"-DCMAKE_INSTALL_PREFIX={work}/install", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF"),
                "-DPYTHON_ONLY=ON",
            ]
            progress.run([cmake, *configure], environment)
            progress.run([cmake, "--build", str(here / "build"), "--parallel", str(os.cpu_count() or 2)], environment)
            progress.run([cmake, "--install", str(here / "build")], environment)
        partial = target.with_name(f"{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(work / "install", partial, symlinks=True)
        partial.rename(target)


def python_folder(prefix: Path) -> Path:
    """The folder below `prefix` from which Python imports its packages."""
    return next(file.parents[2] for kind in ("msg", "action") for file in prefix.rglob(f"*/{kind}/__init__.py"))


def _environment(venv: Path) -> dict[str, str]:
    environment = without_wheel_variables(os.environ)
    environment["PATH"] = f"{venv}/bin:{environment.get('PATH', os.defpath)}"
    environment["AMENT_PREFIX_PATH"] = environment["CMAKE_PREFIX_PATH"] = str(venv)
    return environment
