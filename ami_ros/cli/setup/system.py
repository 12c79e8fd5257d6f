"""What the system has to bring: a Python to run everything with, a compiler, OpenGL without a display."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from ami_ros.cli.setup.progress import Progress
from ami_ros.core.errors import AmiError

# There are ROS wheels for these; the first ones have been used most.
WHEEL_VERSIONS = ((3, 11), (3, 12), (3, 13))

PROBE = """\
import importlib.util, json, os, sys, sysconfig
def has(name):  # a folder of that name is no package: this repository has a folder ami_interfaces
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None
print(json.dumps({
    "path": getattr(sys, "_base_executable", sys.executable),
    "version": sys.version_info[:2],
    "headers": os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")),
    "pip": has("ensurepip"),
    "ros": has("rclpy"),
    "interfaces": has("ami_interfaces"),
}))
"""


@dataclass(frozen=True)
class Python:
    """An interpreter."""

    path: Path  # of the executable
    version: tuple[int, int]  # (major, minor)
    headers: bool  # whether C extensions can be built for it
    pip: bool  # whether it can make a virtual environment with pip
    ros: bool  # whether it imports rclpy
    interfaces: bool  # whether it imports ami_interfaces


def sourced_ros() -> str | None:
    """The name of the ROS 2 that this shell has sourced with its Python side, or None."""
    folders = [Path(folder) for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    if os.environ.get("AMENT_PREFIX_PATH") and any((folder / "rclpy").is_dir() for folder in folders):
        return os.environ.get("ROS_DISTRO")
    return None


def find_ros_python() -> Python:
    """The Python of the sourced ROS.

    Raises:
        AmiError: none here imports its rclpy.
    """
    for python in _pythons(["python3", "/usr/bin/python3", sys.executable], os.environ):
        if python.ros and python.version >= (3, 10):
            return python
    raise AmiError(
        f"ROS 2 {os.environ['ROS_DISTRO']} is sourced, but no python3 here (3.10 or newer) imports its rclpy;"
        " install ros-$ROS_DISTRO-rclpy, or use a shell without ROS"
    )


def find_wheel_python() -> Python:
    """A Python that the ROS wheels exist for: one that needs no system package first, and of those the one that runs
    this, so that `python3.12 ./ami` chooses.

    Raises:
        AmiError: there is none.
    """
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise AmiError(
            f"on {platform.system()} {platform.machine()} ROS 2 cannot be installed with pip;"
            " source a ROS 2 first (source /opt/ros/<name>/setup.bash), then run it again"
        )
    names = [f"python{major}.{minor}" for major, minor in WHEEL_VERSIONS]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    paths = [str(path / "bin" / "python") for name in names for path in sorted(pyenv.glob(f"{name[6:]}.*"))]
    everywhere = _pythons([*names, *paths, sys.executable, "python3"], without_wheel_variables(os.environ))
    found = [python for python in everywhere if python.version in WHEEL_VERSIONS]
    if not found:
        raise AmiError(
            "no Python 3.11, 3.12 or 3.13 found; install one (Debian and Ubuntu: apt-get install python3.12-venv"
            " python3.12-dev), or source a ROS 2"
        )
    own = sys.version_info[:2]
    return min(found, key=lambda p: (not (p.headers and p.pip), p.version != own, WHEEL_VERSIONS.index(p.version)))


def without_wheel_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """A copy without what the ROS wheels set for their own Python: another one would load foreign libraries."""
    copy = {k: v for k, v in environment.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    if copy.pop("_ROS_WHEELS_BOOTSTRAP_COMPLETE", None):
        copy.pop("LD_LIBRARY_PATH", None)
    return copy


def _pythons(commands: list[str], environment: Mapping[str, str]) -> Iterator[Python]:
    """Those of `commands` that run, each interpreter once."""
    for executable in dict.fromkeys(filter(None, map(shutil.which, commands))):
        answer = subprocess.run(
            [executable, "-c", PROBE], env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        if answer.returncode == 0:
            values = json.loads(answer.stdout)
            yield Python(**{**values, "path": Path(values["path"]), "version": tuple(values["version"])})


@dataclass(frozen=True)
class Need:
    """Something of the system's."""

    what: str  # for people
    packages: tuple[str, ...]  # names of the Debian packages that bring it
    present: bool


def has_egl() -> bool:
    """Whether OpenGL can draw off screen with EGL: the loader and a driver below it."""
    folders = ("/usr/lib/*", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib/*", "/lib")
    # Looked for, not loaded: a driver brings a compiler with it, and that takes a while.
    drivers = ("libEGL_mesa.so.0", "libEGL_nvidia.so.0")
    driver = any(glob(f"{folder}/{name}") for name in drivers for folder in folders)
    return driver and _loads("libEGL.so.1") and _loads("libOpenGL.so.0", "libGL.so.1")


def can_render() -> bool:
    """Whether OpenGL can draw without a display: with EGL, or into memory with OSMesa."""
    return has_egl() or _loads("libOSMesa.so.8", "libOSMesa.so.6")


def provide(needs: Sequence[Need], progress: Progress) -> None:
    """Installs what is missing, where this user may; else says what to run.

    Raises:
        AmiError: something is missing and could not be installed.
    """
    missing = [need for need in needs if not need.present]
    if not missing:
        return
    what = " and ".join(need.what for need in missing)
    packages = [package for need in missing for package in need.packages]
    if shutil.which("apt-get") is None:
        raise AmiError(
            f"{what} is missing; install it with this system's package manager (Debian: {' '.join(packages)})"
        )
    root = _become_root()
    if root is None:
        line = f"sudo apt-get update && sudo apt-get install -y --no-install-recommends {' '.join(packages)}"
        raise AmiError(f"{what} is missing; run this once, then try again:  {line}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    options = ("-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300")
    with progress.step(f"System packages ({' '.join(packages)})"):
        progress.run([*root, "apt-get", "update"], environment)
        progress.run([*root, "apt-get", "install", *options, *packages], environment)


def provide_rendering(progress: Progress) -> None:
    """EGL, or OSMesa where EGL cannot be installed."""
    if can_render():
        return
    egl = ("libegl1", "libegl-mesa0", "libgl1-mesa-dri", "libopengl0")
    try:
        provide([Need("OpenGL without a display (EGL)", egl, False)], progress)
    except AmiError:
        if shutil.which("apt-get") is None or _become_root() is None:
            raise
        provide([Need("OpenGL in memory (OSMesa)", ("libosmesa6",), False)], progress)
    if not can_render():
        why = "OpenGL without a display is still missing after its packages were installed"
        raise AmiError(f"{why}; see {progress.log}")


def _become_root() -> list[str] | None:
    """The words before a command that run it as root without a question, or None."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        return ["sudo", "-n"]
    return None


def _loads(*names: str) -> bool:
    for name in names:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False
