"""Set-up as a whole: what is wanted, what is there, and the steps between: Python, packages, ROS interfaces."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ami_ros.cli.setup.progress import REPOSITORY, Progress, digest, read_record, require_space, write_record
from ami_ros.cli.setup.system import (
    Need,
    Python,
    find_ros_python,
    find_wheel_python,
    provide,
    sourced_ros,
    without_wheel_variables,
)
from ami_ros.core.errors import AmiError

SOURCE = REPOSITORY / "ami_interfaces"


@dataclass(frozen=True)
class Installation:
    """What set-up made."""

    state: Path  # the state folder
    venv: Path  # the virtual environment
    sourced: bool  # whether ROS is the user's own; else it lies in `venv`
    interfaces: tuple[
        Path, ...
    ]  # prefixes of what was built: ours, unless the sourced ROS has them, and for tests others
    libraries: tuple[Path, ...]  # folders of shared libraries in `venv`

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.venv / "bin" / "python"


def requirement_files(sourced: bool, tests: bool) -> list[Path]:
    """What to install: what the commands need (a robot's nodes need "runtime" alone), ROS too where none is sourced,
    and for tests all but the benchmarks of others, which weigh more than they are worth here."""
    names = ["runtime", "cli", "console", "foxglove", "report", "sim", "train"]
    names += [*([] if sourced else ["ros"]), *(["test", "docs", "lance", "lerobot"] if tests else [])]
    return [REPOSITORY / "requirements" / f"{name}.txt" for name in names]


def requirements_digest(file: Path) -> str:
    """Changes when the requirements do, but not with a comment."""
    lines = [line.strip() for line in file.read_text().splitlines()]
    return digest(line for line in lines if line and not line.startswith("#"))


def files_of(*sources: Path) -> list[Path]:
    """All that the build of these packages of messages reads."""
    files = (file for source in sources for file in source.rglob("*"))
    return sorted(f for f in files if f.is_file() and f.suffix != ".rst" and "build" not in f.parts)


class Installer:
    """Brings the state folder to what the requirement and interface files ask for.

    Every ROS (the wheels, or one that is sourced) has a folder of its own in the state folder, with a record of what
    is complete in it. The record is written last, so an interrupted set-up is seen by what it lacks.
    """

    def __init__(self, state: Path, tests: bool) -> None:
        self._state = state
        self._distro = sourced_ros()
        self._folder = state / (f"ros-{self._distro}" if self._distro else "ros-wheels")
        self._venv = self._folder / "venv"
        self._files = requirement_files(self._distro is not None, tests)
        self._sets = {"interfaces": [SOURCE]}  # each with a folder of its own
        if tests and not self._distro:  # what the wheels lack; the nodes use it where it is installed
            definitions = (REPOSITORY / "test" / "definitions").glob("*/package.xml")
            self._sets["definitions"] = sorted(file.parent for file in definitions)
        self._record_path = self._folder / "ready.json"
        self._record = read_record(self._record_path)

    def is_done(self) -> bool:
        """Whether nothing is left to do. Quick: reads a few small files."""
        self._record = read_record(self._record_path)
        if not self._venv_is_good() or self._missing_files() or not self._bytecode_is_good():
            return False
        return all(
            self._record.get(f"{name}_key") == self._interfaces_key(name)
            and (not (prefix := self._record.get(name, "")) or Path(prefix).is_dir())
            for name in self._sets
        )

    def run(self, progress: Progress) -> None:
        """Does what is left.

        Raises:
            AmiError: a step failed.
        """
        print(f"ami: setting up in {self._state} (once; the log is {progress.log})", file=sys.stderr)
        self._folder.mkdir(parents=True, exist_ok=True)
        python = find_ros_python() if self._distro else find_wheel_python()
        name = f"python{python.version[0]}.{python.version[1]}"
        needs = [
            Need(
                f"the headers and venv of {python.path}", (f"{name}-dev", f"{name}-venv"), python.headers and python.pip
            )
        ]
        if not (python.interfaces and self._distro):  # then interfaces have to be built
            there = bool(shutil.which("cc") and shutil.which("c++"))
            needs.append(Need("a C++ compiler", ("build-essential",), there))
        provide(needs, progress)
        self._provide_packages(python, progress)
        self._provide_interfaces(python, progress)

    def installation(self) -> Installation:
        """What is there now."""
        return Installation(
            state=self._state,
            venv=self._venv,
            sourced=self._distro is not None,
            interfaces=tuple(Path(prefix) for name in self._sets if (prefix := self._record.get(name))),
            libraries=tuple(map(Path, self._record.get("libraries", []))),
        )

    def _provide_packages(self, python: Python, progress: Progress) -> None:
        if not self._venv_is_good():
            self._record_path.unlink(missing_ok=True)
            self._record = {}
            # torch is most of it; its CUDA build, which the default package index has, takes over 5 GB.
            require_space(self._folder, 2.5)
            with progress.step(f"Python {python.version[0]}.{python.version[1]} ({python.path})"):
                shutil.rmtree(self._venv, ignore_errors=True)
                options = ["--system-site-packages"] if self._distro else []
                progress.run([str(python.path), "-m", "venv", *options, str(self._venv)])
        if first := [file for file in self._missing_files() if file.stem == "ros"]:  # the build of interfaces needs it
            self._install(first, progress)
        if rest := self._missing_files():
            with self._building_interfaces(python, progress):
                self._install(rest, progress)
        if not self._bytecode_is_good():  # for a user whose Python may not write any: each start would take seconds
            script = "import compileall, sys; compileall.compile_dir(sys.prefix, quiet=2, workers=0)"
            with progress.step("Bytecode (PYTHONDONTWRITEBYTECODE is set)"):
                progress.run([str(self._venv / "bin" / "python"), "-c", script])
            self._save({**self._record, "bytecode": True})
        libraries = [self._venv / "lib", *self._venv.glob("lib/python*/site-packages/ros_*.libs")]
        self._save({**self._record, "libraries": [str(folder) for folder in libraries]})

    def _install(self, files: list[Path], progress: Progress) -> None:
        """Installs requirements with pip, as the user has configured it."""
        done = {key: value for key, value in self._record.items() if key != "bytecode"}
        # Killed now, pip would leave a package half-way: without a record the next run starts with a new venv.
        self._record_path.unlink(missing_ok=True)
        python = str(self._venv / "bin" / "python")
        command = [python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
        for file in files:
            command += ["-r", str(file)]
        command.append("--no-compile")  # 14000 files, of which most are never imported: Python compiles the others then
        if self._distro:  # it was built against its NumPy: stay with that major version
            probe = [python, "-c", "import numpy; print(numpy.__version__)"]
            answer = subprocess.run(probe, capture_output=True, text=True)
            major = answer.stdout.partition(".")[0]
            command += [f"numpy<{int(major) + 1}"] if answer.returncode == 0 and major.isdecimal() else []
        try:
            with progress.step(f"Python packages ({' + '.join(file.stem for file in files)})"):
                progress.run(command)
        except AmiError:  # without network, say: what was there before still works
            if done:
                self._save(done)
            raise
        self._save({**done, "venv": str(self._venv), **{file.stem: requirements_digest(file) for file in files}})

    @contextmanager
    def _building_interfaces(self, python: Python, progress: Progress) -> Iterator[None]:
        """Builds the interfaces while pip installs what they do not need.

        What fails here, perhaps because pip replaces something meanwhile, is built again by `_provide_interfaces`.
        """
        quiet = Progress(progress.log.with_name("interfaces.log"), shown=False)
        targets = self._targets(python)

        def build() -> None:
            try:
                for name, target in targets.items():
                    self._build(self._sets[name], target, python, quiet)
            except (AmiError, OSError, shutil.Error):
                pass  # the log has it

        thread = threading.Thread(target=build)
        thread.start()
        try:
            yield
            if thread.is_alive():
                with progress.step(f"ROS interfaces (the log is {quiet.log})"):
                    thread.join()
        finally:
            quiet.stop()
            thread.join()

    def _provide_interfaces(self, python: Python, progress: Progress) -> None:
        targets = self._targets(python)
        for name, sources in self._sets.items():
            key, target = self._interfaces_key(name), targets.get(name)
            if target is not None:
                self._build(sources, target, python, progress)
                for folder in target.parent.iterdir():
                    if folder != target:
                        shutil.rmtree(folder, ignore_errors=True)
            self._save({**self._record, name: str(target or ""), f"{name}_key": key})

    def _targets(self, python: Python) -> dict[str, Path]:
        """Of each set that has to be built: the folder for it, named by what it is built from."""
        if self._distro and python.interfaces:
            return {}
        version = f"{python.version[0]}.{python.version[1]}"
        return {name: self._folder / name / f"{self._interfaces_key(name)}-py{version}" for name in self._sets}

    def _build(self, sources: Sequence[Path], target: Path, python: Python, progress: Progress) -> None:
        """Builds and installs packages of messages below `target`, whole or not at all.

        The build runs in a temporary folder: rosidl cannot cope with a space in a path, and a clone's path may have
        one.
        """
        if target.is_dir():
            return
        temporary = None if " " not in tempfile.gettempdir() else "/tmp"
        what = "ROS interfaces" if SOURCE in sources else "ROS interfaces of the tests"
        with progress.step(what), tempfile.TemporaryDirectory(prefix="ami_interfaces_", dir=temporary) as name:
            work = Path(name)
            (work / "venv").symlink_to(self._venv)
            if self._distro:
                environment, which, only = dict(os.environ), python.path, []
            else:
                environment = without_wheel_variables(os.environ)
                environment["PATH"] = f"{work}/venv/bin:{environment.get('PATH', os.defpath)}"
                environment["AMENT_PREFIX_PATH"] = environment["CMAKE_PREFIX_PATH"] = str(work / "venv")
                which, only = work / "venv" / "bin" / "python", ["-DPython3_FIND_VIRTUALENV=ONLY"]
            cmake = shutil.which("cmake", path=environment["PATH"])
            if cmake is None:
                raise AmiError("cmake is missing; install it (Debian and Ubuntu: apt-get install cmake)")
            ninja = ["-G", "Ninja"] if shutil.which("ninja", path=environment["PATH"]) else []
            for source in sources:
                here = work / source.name
                shutil.copytree(source, here)
                shutil.copytree(SOURCE / "cmake", here / "cmake", dirs_exist_ok=True)
                configure = [
                    *("-S", str(here), "-B", str(here / "build"), *ninja, *only, f"-DPython3_EXECUTABLE={which}"),
                    *(f"-DCMAKE_INSTALL_PREFIX={work}/install", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF"),
                    "-DPYTHON_ONLY=ON",
                ]
                build = ["--build", str(here / "build"), "--parallel", str(os.cpu_count() or 2)]
                for arguments in (configure, build, ["--install", str(here / "build")]):
                    progress.run([cmake, *arguments], environment)
            partial = target.with_name(f"{target.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(work / "install", partial, symlinks=True)
            partial.rename(target)

    def _venv_is_good(self) -> bool:
        # A venv cannot be moved: its record says where it was made.
        return self._record.get("venv") == str(self._venv) and (self._venv / "bin" / "python").exists()

    def _missing_files(self) -> list[Path]:
        return [file for file in self._files if self._record.get(file.stem) != requirements_digest(file)]

    def _bytecode_is_good(self) -> bool:
        return not sys.dont_write_bytecode or bool(self._record.get("bytecode"))

    def _interfaces_key(self, name: str) -> str:
        # An overlay that brings its own ami_interfaces shows in AMENT_PREFIX_PATH.
        ros = os.environ.get("AMENT_PREFIX_PATH", "") if self._distro else str(self._record.get("ros"))
        return digest([ros, *files_of(*self._sets[name])])

    def _save(self, record: dict[str, Any]) -> None:
        self._record = record
        write_record(self._record_path, record)
