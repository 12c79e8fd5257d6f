"""The wheel without ROS: library, simulator and training work, and what needs ROS says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from harness.processes import REPOSITORY

WITHOUT_ROS = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in ("rclpy", "ami_interfaces") or top.endswith("_msgs"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment into which pip has installed the wheel; it sees all other packages but ROS."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in (
        "ami_ros",
        "launch",
        "config",
        "scenarios",
        "worlds",
        "rviz",
        "models",
        "description",
        "resource",
        "requirements",
    ):
        shutil.copytree(
            REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*-shm", "*-wal")
        )
    for name in ("setup.py", "setup.cfg", "package.xml"):
        shutil.copy(REPOSITORY / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", str(folder), str(source)], check=True
    )
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    (wheel,) = folder.glob("*.whl")
    python = folder / "venv" / "bin" / "python"
    subprocess.run([*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)], check=True)
    site = next((folder / "venv" / "lib").glob("python*/site-packages"))
    (site / "all.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n")
    (site / "sitecustomize.py").write_text(WITHOUT_ROS)
    return folder / "venv"


def ami(installed: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return run(installed, "ami", *arguments, folder=folder)


def run(installed: Path, program: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH", "MUJOCO_GL") if name in os.environ}
    environment = {**kept, "_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1"}
    command = [str(installed / "bin" / program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)


def test_wheel_has_the_program_its_files_and_robots(installed: Path, tmp_path: Path) -> None:
    assert ami(installed, "--version", folder=tmp_path).stdout.startswith("ami_ros 0.")
    robot = ami(installed, "robot", "turtlebot4", folder=tmp_path)
    assert robot.returncode == 0 and "rplidar" in robot.stdout, robot.stderr
    code = (
        "import ami_ros; from ami_ros.world_model.model_files import shipped_models as s; print(ami_ros.__file__, *s())"
    )
    found = run(installed, "python", "-c", code, folder=tmp_path)
    assert str(installed) in found.stdout and "general" in found.stdout, found.stderr
    package = Path(found.stdout.split()[0]).parent
    page = {file.name for file in (package / "console" / "static").iterdir()}
    assert page == {file.name for file in (REPOSITORY / "ami_ros" / "console" / "static").iterdir()}


def test_without_the_extra_of_the_commands_the_program_says_how_to_get_it(installed: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['typer'] = None; from ami_ros.cli.__main__ import main; main()"
    found = run(installed, "python", "-c", code, folder=tmp_path)
    assert found.returncode == 2
    assert found.stderr == "ami: typer is not installed; it is in the extra cli: pip install 'ami_ros[cli]'\n"
    code = (
        "import sys; sys.modules['torch'] = None; from ami_ros.cli.main import run; run(['train', 'a', '--out', 'b'])"
    )
    found = run(installed, "python", "-c", code, folder=tmp_path)
    assert (found.returncode, len(found.stderr.splitlines())) == (2, 1) and "'ami_ros[train]'" in found.stderr


def test_simulator_works_without_ros_and_what_needs_it_says_so(installed: Path, tmp_path: Path) -> None:
    collected = ami(
        installed, "collect", "--out", "runs", "--world", "empty", "--steps", "20", "--runs", "1", folder=tmp_path
    )
    assert collected.returncode == 0 and (tmp_path / "runs").is_dir(), collected.stderr
    for command in (("goto", "1,2"), ("demo",)):
        asked = ami(installed, *command, folder=tmp_path)
        assert asked.returncode == 2 and "needs ROS 2" in asked.stderr, asked.stderr
        assert len(asked.stderr.splitlines()) == 1
