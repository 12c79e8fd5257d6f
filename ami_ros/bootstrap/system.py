"""What only the system's package manager can bring: a compiler, and OpenGL without a display."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from glob import glob

from ami_ros.bootstrap.progress import Progress
from ami_ros.bootstrap.pythons import Python
from ami_ros.errors import AmiError

APT_OPTIONS = ("-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300")


@dataclass(frozen=True)
class Need:
    """Something of the system's.

    Attributes:
        what: for people.
        packages: the names of the Debian packages that bring it.
        present: whether it is there.
    """

    what: str
    packages: tuple[str, ...]
    present: Callable[[], bool]


def has_egl() -> bool:
    """Whether OpenGL can draw off screen with EGL: the loader and a driver below it."""
    drivers = ("libEGL_mesa.so.0", "libEGL_nvidia.so.0")
    return _loads("libEGL.so.1") and _loads("libOpenGL.so.0", "libGL.so.1") and any(map(_installed, drivers))


def has_osmesa() -> bool:
    """Whether OpenGL can draw into memory."""
    return _loads("libOSMesa.so.8", "libOSMesa.so.6")


def rendering() -> Need:
    """OpenGL without a display."""
    packages = ("libegl1", "libegl-mesa0", "libgl1-mesa-dri", "libopengl0")
    return Need("OpenGL without a display (EGL)", packages, lambda: has_egl() or has_osmesa())


def rendering_in_memory() -> Need:
    """OpenGL on the processor, where there is no EGL."""
    return Need("OpenGL in memory (OSMesa)", ("libosmesa6",), has_osmesa)


def compiler() -> Need:
    """A C and C++ compiler."""
    return Need("a C++ compiler", ("build-essential",), lambda: bool(shutil.which("cc") and shutil.which("c++")))


def python_parts(python: Python) -> Need:
    """The headers and the venv module of `python`, which Debian packs apart."""
    name = f"python{python.version[0]}.{python.version[1]}"
    complete = python.headers and python.pip
    return Need(f"the headers and venv of {python.path}", (f"{name}-dev", f"{name}-venv"), lambda: complete)


def provide(needs: Sequence[Need], progress: Progress) -> None:
    """Installs what is missing, where this user may; else says what to run.

    Raises:
        AmiError: something is missing and could not be installed.
    """
    missing = [need for need in needs if not need.present()]
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
        line = f"sudo apt-get update && sudo apt-get install {' '.join(APT_OPTIONS[:2])} {' '.join(packages)}"
        raise AmiError(f"{what} is missing; run this once, then try again:  {line}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with progress.step(f"System packages ({' '.join(packages)})"):
        progress.run([*root, "apt-get", "update"], environment)
        progress.run([*root, "apt-get", "install", *APT_OPTIONS, *packages], environment)


def provide_rendering(progress: Progress) -> None:
    """EGL, or OSMesa where EGL cannot be installed."""
    if rendering().present():
        return
    try:
        provide([rendering()], progress)
    except AmiError:
        if shutil.which("apt-get") is None or _become_root() is None:
            raise
        provide([rendering_in_memory()], progress)
    if not rendering().present():
        raise AmiError(
            "OpenGL without a display is still missing after its packages were installed; see " + str(progress.log)
        )


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


def _installed(name: str) -> bool:
    # Looked for, not loaded: a driver brings a compiler with it, and that takes a while.
    folders = ("/usr/lib/*", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib/*", "/lib")
    return any(glob(f"{folder}/{name}") for folder in folders)
