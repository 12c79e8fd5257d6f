"""What set-up installs, and the environment that a command runs in."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ami_ros.cli.setup import interfaces, packages, system
from ami_ros.cli.setup.interfaces import python_folder
from ami_ros.cli.setup.progress import REPOSITORY, Progress, digest, read_record, write_record
from ami_ros.cli.setup.system import Python, find_ros_python, find_wheel_python, sourced_ros, without_wheel_variables
from ami_ros.core.errors import AmiError

# The environment that a command runs in.

LOOPBACK = REPOSITORY / "config" / "fastdds_this_machine.xml"


@dataclass(frozen=True)
class Installation:
    """What set-up made.

    Attributes:
        state: the state folder.
        venv: the virtual environment.
        sourced: whether ROS is the user's own; else it lies in `venv`.
        interfaces: prefixes of what was built: our interfaces, unless the sourced ROS has them, and for tests others.
        libraries: folders of shared libraries in `venv`.
    """

    state: Path
    venv: Path
    sourced: bool
    interfaces: tuple[Path, ...]
    libraries: tuple[Path, ...]

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.venv / "bin" / "python"


def command_environment(installation: Installation, user: Mapping[str, str]) -> dict[str, str]:
    """The user's environment `user`, changed so that Python, ROS and our modules are found, and nothing is written
    outside the state folder."""
    kit = installation
    environment = dict(user) if kit.sourced else without_wheel_variables(dict(user))
    _prepend(environment, "PATH", [kit.venv / "bin"])
    _prepend(environment, "PYTHONPATH", [REPOSITORY, *map(python_folder, kit.interfaces)])
    libraries = [prefix / "lib" for prefix in kit.interfaces]
    if kit.sourced:
        _prepend(environment, "AMENT_PREFIX_PATH", kit.interfaces)
    else:
        environment["AMENT_PREFIX_PATH"] = os.pathsep.join(map(str, [*kit.interfaces, kit.venv]))
        environment["RMW_IMPLEMENTATION"] = "rmw_fastrtps_cpp"  # the only one among the wheels
        # The wheels would start every Python twice to set LD_LIBRARY_PATH; this tells them that it is set.
        environment["_ROS_WHEELS_BOOTSTRAP_COMPLETE"] = "1"
        libraries += kit.libraries
    _prepend(environment, "LD_LIBRARY_PATH", libraries)
    environment["VIRTUAL_ENV"] = str(kit.venv)
    environment["AMI_STATE"] = str(kit.state)
    environment["PYTHONSAFEPATH"] = "1"  # a file torch.py in the user's folder must not be taken for torch
    _limit_discovery(environment, kit.sourced)
    for name, value in _caches(kit.state).items():
        environment.setdefault(name, value)
    return environment


def _limit_discovery(environment: dict[str, str], sourced: bool) -> None:
    """Nodes meet on this machine only, unless the user has set how far they look."""
    reach, profiles = "ROS_AUTOMATIC_DISCOVERY_RANGE", "FASTRTPS_DEFAULT_PROFILES_FILE"
    if environment.get(reach, "SYSTEM_DEFAULT") != "SYSTEM_DEFAULT":
        if environment.get(profiles) == str(LOOPBACK):  # set within `ami shell`
            del environment[profiles]
    elif sourced:  # perhaps not Fast DDS
        environment.setdefault(reach, "LOCALHOST")
    elif reach not in environment and profiles not in environment:
        # Fast DDS uses shared memory at LOCALHOST, whatever FASTDDS_BUILTIN_TRANSPORTS says.
        environment |= {reach: "SYSTEM_DEFAULT", profiles: str(LOOPBACK)}


def _caches(state: Path) -> dict[str, str]:
    """Where programs write."""
    cache = state / "cache"
    return {
        "ROS_LOG_DIR": str(state / "ros_log"),
        "XDG_CACHE_HOME": str(cache),
        "MPLCONFIGDIR": str(cache / "matplotlib"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(cache / "hypothesis"),
        "MYPY_CACHE_DIR": str(cache / "mypy"),
        "RUFF_CACHE_DIR": str(cache / "ruff"),
    }


def _prepend(environment: dict[str, str], name: str, folders: Sequence[Path]) -> None:
    present = [environment[name]] if environment.get(name) else []
    joined = os.pathsep.join([*map(str, folders), *present])
    if joined:
        environment[name] = joined


# Set-up as a whole: what is wanted, what is there, and the steps between.


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
        self._files = packages.requirement_files(self._distro is not None, tests)
        self._sets = {"interfaces": [interfaces.SOURCE]}  # each with a folder of its own
        if tests and not self._distro:
            self._sets["definitions"] = interfaces.definitions()
        self._record_path = self._folder / "ready.json"
        self._record = read_record(self._record_path)

    def is_done(self) -> bool:
        """Whether nothing is left to do. Quick: reads a few small files."""
        self._record = read_record(self._record_path)
        packages_are_good = self._venv_is_good() and not self._missing_files() and self._bytecode_is_good()
        return packages_are_good and self._interfaces_are_good()

    def run(self, progress: Progress) -> None:
        """Does what is left.

        Raises:
            AmiError: a step failed.
        """
        print(f"ami: setting up in {self._state} (once; the log is {progress.log})", file=sys.stderr)
        self._folder.mkdir(parents=True, exist_ok=True)
        python = find_ros_python() if self._distro else find_wheel_python()
        needs_build = not (python.interfaces and self._distro)
        system.provide([system.python_parts(python), *([system.compiler()] if needs_build else [])], progress)
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
            packages.make_venv(self._venv, python, self._distro is not None, progress)
        first = [file for file in self._missing_files() if file.stem in packages.TO_BUILD]
        if first:
            self._install(first, progress)
        rest = self._missing_files()
        if rest:
            with self._building_interfaces(python, progress):
                self._install(rest, progress)
        if not self._bytecode_is_good():
            packages.compile_bytecode(self._venv, progress)
            self._save({**self._record, "bytecode": True})
        libraries = [self._venv / "lib", *self._venv.glob("lib/python*/site-packages/ros_*.libs")]
        self._save({**self._record, "libraries": [str(folder) for folder in libraries]})

    def _install(self, files: list[Path], progress: Progress) -> None:
        done = {key: value for key, value in self._record.items() if key != "bytecode"}
        # Killed now, pip would leave a package half-way: without a record the next run starts with a new venv.
        self._record_path.unlink(missing_ok=True)
        try:
            packages.install(self._venv, files, self._distro is not None, progress)
        except AmiError:  # without network, say: what was there before still works
            if done:
                self._save(done)
            raise
        digests = {file.stem: packages.requirements_digest(file) for file in files}
        self._save({**done, "venv": str(self._venv), **digests})

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
                    self._build(name, target, python, quiet)
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
        for name in self._sets:
            key = self._interfaces_key(name)
            prefix = ""
            if name in targets:
                self._build(name, targets[name], python, progress)
                self._remove_others(targets[name])
                prefix = str(targets[name])
            self._save({**self._record, name: prefix, f"{name}_key": key})

    def _targets(self, python: Python) -> dict[str, Path]:
        """Of each set that has to be built: the folder for it."""
        if self._distro and python.interfaces:
            return {}
        version = f"{python.version[0]}.{python.version[1]}"
        return {name: self._folder / name / f"{self._interfaces_key(name)}-py{version}" for name in self._sets}

    def _build(self, name: str, target: Path, python: Python, progress: Progress) -> None:
        interfaces.build(self._sets[name], target, self._venv, python.path if self._distro else None, progress)

    def _venv_is_good(self) -> bool:
        # A venv cannot be moved: its record says where it was made.
        return self._record.get("venv") == str(self._venv) and (self._venv / "bin" / "python").exists()

    def _missing_files(self) -> list[Path]:
        return [file for file in self._files if self._record.get(file.stem) != packages.requirements_digest(file)]

    def _bytecode_is_good(self) -> bool:
        return not sys.dont_write_bytecode or bool(self._record.get("bytecode"))

    def _interfaces_are_good(self) -> bool:
        return all(
            self._record.get(f"{name}_key") == self._interfaces_key(name)
            and (not (prefix := self._record.get(name, "")) or Path(prefix).is_dir())
            for name in self._sets
        )

    def _interfaces_key(self, name: str) -> str:
        # An overlay that brings its own ami_interfaces shows in AMENT_PREFIX_PATH.
        ros = os.environ.get("AMENT_PREFIX_PATH", "") if self._distro else str(self._record.get("ros"))
        return digest([ros, *interfaces.files_of(*self._sets[name])])

    def _remove_others(self, kept: Path) -> None:
        for folder in kept.parent.iterdir():
            if folder != kept:
                shutil.rmtree(folder, ignore_errors=True)

    def _save(self, record: dict[str, Any]) -> None:
        self._record = record
        write_record(self._record_path, record)
