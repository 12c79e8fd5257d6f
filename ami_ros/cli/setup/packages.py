"""The virtual environment and what pip puts into it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from ami_ros.cli.setup.progress import REPOSITORY, Progress, digest, require_space
from ami_ros.cli.setup.system import Python

# torch is most of it; its CUDA build, which the default package index has, takes over 5 GB.
DISK_NEEDED = 2.5  # [GB]
# What the commands need; a robot's nodes need "runtime" alone.
COMMANDS = ["runtime", "cli", "console", "foxglove", "report", "sim", "train"]
TO_BUILD = ["ros"]  # what the build of the interfaces needs
# With the extras: all but the benchmarks of others, which weigh more than they are worth here.
TESTED = ["test", "docs", "lance", "lerobot"]


def requirement_files(sourced: bool, tests: bool) -> list[Path]:
    """What to install: ROS too where none is sourced, the tools of the tests where they are needed."""
    names = [*COMMANDS, *([] if sourced else ["ros"]), *(TESTED if tests else [])]
    return [REPOSITORY / "requirements" / f"{name}.txt" for name in names]


def requirements_digest(file: Path) -> str:
    """Changes when the requirements do, but not with a comment."""
    lines = [line.strip() for line in file.read_text().splitlines()]
    return digest(line for line in lines if line and not line.startswith("#"))


def make_venv(folder: Path, python: Python, sourced: bool, progress: Progress) -> None:
    """A new virtual environment in `folder`, in place of any other."""
    require_space(folder.parent, DISK_NEEDED)
    with progress.step(f"Python {python.version[0]}.{python.version[1]} ({python.path})"):
        shutil.rmtree(folder, ignore_errors=True)
        options = ["--system-site-packages"] if sourced else []
        progress.run([str(python.path), "-m", "venv", *options, str(folder)])


def install(venv: Path, files: list[Path], sourced: bool, progress: Progress) -> None:
    """Installs the requirements with pip, as the user has configured it."""
    python = str(venv / "bin" / "python")
    command = [python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    for file in files:
        command += ["-r", str(file)]
    command.append("--no-compile")  # 14000 files, of which most are never imported: Python compiles the others then
    if sourced:
        command += _keep_numpy(python)
    names = " + ".join(file.stem for file in files)
    with progress.step(f"Python packages ({names})"):
        progress.run(command)


def compile_bytecode(venv: Path, progress: Progress) -> None:
    """Makes the bytecode of all packages, for a user whose Python may not write any: each start would take seconds."""
    script = "import compileall, sys; compileall.compile_dir(sys.prefix, quiet=2, workers=0)"
    with progress.step("Bytecode (PYTHONDONTWRITEBYTECODE is set)"):
        progress.run([str(venv / "bin" / "python"), "-c", script])


def _keep_numpy(python: str) -> list[str]:
    """The sourced ROS was built against its NumPy: stay with that major version."""
    answer = subprocess.run([python, "-c", "import numpy; print(numpy.__version__)"], capture_output=True, text=True)
    major = answer.stdout.partition(".")[0]
    return [f"numpy<{int(major) + 1}"] if answer.returncode == 0 and major.isdecimal() else []
