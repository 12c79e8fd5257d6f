"""Where Gazebo is installed, and what processes that use it need in their environment."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ami_ros.errors import AmiError

PREFIX = "GAZEBO_PREFIX"  # environment variable: a folder with bin, lib and share, where `gz` is not in PATH
TOLD = 60.0  # within which it tells its version [s]


@dataclass(frozen=True)
class Gazebo:
    """An installation with its Python bindings."""

    program: str  # gz
    environment: dict[str, str]  # variables to add to this process's own
    version: str  # of gz-sim


def find_gazebo(environment: Mapping[str, str] = os.environ) -> Gazebo:
    """The one in PATH, or in the folder that GAZEBO_PREFIX names.

    Raises:
        AmiError: something is missing; one line says what.
    """
    prefix = Path(environment[PREFIX]) if environment.get(PREFIX) else None
    path = [str(prefix / "bin")] if prefix else []
    program = shutil.which("gz", path=os.pathsep.join([*path, environment.get("PATH", "")]))
    if program is None:
        where = f"in {prefix}/bin, which {PREFIX} names" if prefix else "in PATH"
        raise AmiError(f"there is no gz {where}: install Gazebo Harmonic, or set {PREFIX} to the folder it is in")
    added = {} if prefix is None else _variables(prefix, environment)
    python = [Path(p) for p in added.get("PYTHONPATH", environment.get("PYTHONPATH", "")).split(os.pathsep) if p]
    if not any(_has_bindings(folder) for folder in [*python, *map(Path, sys.path)]):
        raise AmiError("Gazebo is there, but not gz.transport for Python: apt install python3-gz-transport13")
    if importlib.util.find_spec("google") is None or importlib.util.find_spec("google.protobuf") is None:
        raise AmiError("Gazebo is there, but not what its Python bindings need: pip install protobuf")
    return Gazebo(program, added, _version(program, {**environment, **added}))


def _has_bindings(folder: Path) -> bool:
    return any((folder / "gz").glob("transport*/__init__.py"))


def _variables(prefix: Path, environment: Mapping[str, str]) -> dict[str, str]:
    own = {"PATH": prefix / "bin", "PYTHONPATH": prefix / "lib" / "python", "LD_LIBRARY_PATH": prefix / "lib"}
    others = {name: environment.get(name, "") for name in own}
    joined = {name: os.pathsep.join(filter(None, [str(path), others[name]])) for name, path in own.items()}
    return joined | {"GZ_CONFIG_PATH": str(prefix / "share" / "gz")}


def _version(program: str, environment: Mapping[str, str]) -> str:
    try:
        told = subprocess.run(
            [program, "sim", "--versions"], env=dict(environment), capture_output=True, text=True, timeout=TOLD,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AmiError(f"{program} sim does not run: {error}") from error
    words = told.stdout.split()
    if told.returncode != 0 or not words:
        last = (told.stderr.strip() or told.stdout.strip() or "it said nothing").splitlines()[-1]
        raise AmiError(f"{program} sim does not run: {last}")
    return words[0]  # the newest comes first, and is the one that runs
