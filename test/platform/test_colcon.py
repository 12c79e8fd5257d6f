"""colcon builds the package from the clone; the workspace then has all that ROS looks for in it.

The messages are those that `./ami` has built, as an underlay: building them again takes minutes and tries nothing new.
"""

import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ami_ros.cli.setup.installer import SOURCE, files_of
from ami_ros.cli.setup.progress import digest
from ami_ros.cli.setup.system import sourced_ros
from harness import Children, RosPeer
from harness.processes import REPOSITORY, ChildProcess

pytest.importorskip("colcon_core", reason="colcon is not installed")
pytest.importorskip("rclpy", reason="needs ROS 2")
ami_interfaces = pytest.importorskip("ami_interfaces", reason="its messages are not built")

BUILD_DEADLINE = 1500.0  # [s]
pytestmark = pytest.mark.timeout(BUILD_DEADLINE + 300)

_UNDERLAY = Path(ami_interfaces.__file__).parents[4]
NODES = ("perception", "world_model", "memory", "planner", "mission", "safety", "simulator", "composed", "loopback")
NOT_SOURCE = shutil.ignore_patterns(".*", "__pycache__", "build", "install", "log", "*.egg-info")

SEEN_FROM_PYTHON = """\
import json, pathlib, ament_index_python, ami_ros
share = pathlib.Path(ament_index_python.get_package_share_directory("ami_ros"))
files = [str(f.relative_to(share)) for f in share.rglob("*") if f.is_file()]
print(json.dumps({"files": files, "module": ami_ros.__file__}))
"""


class Workspace:
    """A colcon workspace with a copy of the clone in it.

    It is kept for as long as the files of the messages do not change.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.install = folder / "install"
        folder.mkdir(parents=True, exist_ok=True)

    def build(self) -> None:
        """Builds what changed, as a user would in the clone: `colcon build` with the clone's defaults."""
        source = self.folder / "src" / "ami_ros"
        shutil.rmtree(source, ignore_errors=True)
        shutil.copytree(REPOSITORY, source, ignore=NOT_SOURCE)
        link = self.folder / "venv"  # a path without a space, whatever the venv's is
        link.unlink(missing_ok=True)
        link.symlink_to(sys.prefix)
        underlay = self.folder / "interfaces"
        underlay.unlink(missing_ok=True)
        underlay.symlink_to(_UNDERLAY)
        bases = ["--build-base", str(self.folder / "build"), "--install-base", str(self.install)]
        arguments = ["build", *bases, "--packages-ignore", "ami_interfaces"]
        command = [self.python, "-m", "colcon", "--log-base", str(self.folder / "log"), *arguments]
        build = ChildProcess(command, self.folder / "build.log", self.environment(), source)
        try:
            assert build.wait(BUILD_DEADLINE) == 0, build.output()[-5000:]
        finally:
            build.stop()
        assert "ami_ros" in set(re.findall(r"Finished <<< (\w+)", build.output()))

    @property
    def messages(self) -> str:
        """From where Python imports the underlay; a path without a space."""
        return str(self.folder / "interfaces" / Path(ami_interfaces.__file__).parents[1].relative_to(_UNDERLAY))

    @property
    def python(self) -> str:
        return str(self.folder / "venv" / "bin" / "python")

    def environment(self) -> dict[str, str]:
        """Without this test's own clone: it must not stand in for what was installed."""
        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
        environment["PYTHONPATH"] = self.messages
        if sourced_ros() is None:
            venv = self.folder / "venv"
            prefixes = f"{self.folder / 'interfaces'}{os.pathsep}{venv}"
            environment["AMENT_PREFIX_PATH"] = environment["CMAKE_PREFIX_PATH"] = prefixes
            environment["PATH"] = f"{venv}/bin:{environment['PATH']}"
        else:
            kept = [
                folder for folder in os.environ["PYTHONPATH"].split(os.pathsep) if (Path(folder) / "rclpy").is_dir()
            ]
            environment["PYTHONPATH"] = os.pathsep.join([self.messages, *kept])
        return environment

    def sourced(self, *command: str) -> list[str]:
        """A command line that runs `command` after `source install/setup.bash`."""
        return ["bash", "-c", f"source {shlex.quote(str(self.install / 'setup.bash'))} && exec {shlex.join(command)}"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Built once in a run, by whichever worker comes first."""
    cache = Path(os.environ.get("AMI_STATE") or REPOSITORY / ".ami") / "cache"
    if " " in str(cache):  # rosidl does not take it
        cache = tmp_path_factory.getbasetemp().parent
    workspace = Workspace(cache / f"colcon-{digest([sys.prefix, sys.version, *files_of(SOURCE)])}")
    stamp = workspace.folder / "built_by"
    with (workspace.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != os.environ["AMI_TEST_RUN"]:
            workspace.build()
            stamp.write_text(os.environ["AMI_TEST_RUN"])
    return workspace


def test_share_has_launch_configuration_and_worlds(workspace: Workspace) -> None:
    seen = json.loads(_output(workspace, workspace.python, "-c", SEEN_FROM_PYTHON))
    assert seen["module"].startswith(str(workspace.install))
    shared = {str(file.relative_to(REPOSITORY)) for name in ("launch", "config", "worlds") for file in _files(name)}
    assert shared
    assert shared | {"package.xml"} <= set(seen["files"])


def test_every_node_is_an_executable(workspace: Workspace) -> None:
    folder = workspace.install / "ami_ros" / "lib" / "ami_ros"
    assert {path.name for path in folder.iterdir() if os.access(path, os.X_OK)} >= set(NODES)


def test_executable_runs_and_stops(workspace: Workspace, children: Children, ros: RosPeer) -> None:
    executable = workspace.install / "ami_ros" / "lib" / "ami_ros" / "safety"
    command = workspace.sourced(str(executable), "--ros-args", "-r", "__node:=installed_safety")
    only = f"PYTHONPATH={workspace.messages}"  # not this test's own clone
    child = children.start("env", only, *command, environment=workspace.environment(), cwd=workspace.folder)

    def is_seen() -> bool:
        assert child.code is None, child.output()
        return "installed_safety" in ros.node.get_node_names()

    ros.spin_until(is_seen, 60, child.output)
    child.send(signal.SIGINT)
    assert child.wait() == 0, child.output()


def test_example_package_is_built_beside_them_and_its_plugins_are_found(workspace: Workspace) -> None:
    bases = ["--build-base", str(workspace.folder / "build"), "--install-base", str(workspace.install)]
    source = ["--base-paths", str(workspace.folder / "src" / "ami_ros" / "examples" / "ami_example_plugins")]
    command = [workspace.python, "-m", "colcon", "--log-base", str(workspace.folder / "log"), "build", *bases, *source]
    subprocess.run(command, env=workspace.environment(), cwd=workspace.folder, stdout=subprocess.DEVNULL, check=True)
    code = "from ami_ros.core.installation import COSTS, find_plugin; print(find_plugin(COSTS, 'slow', {}).__module__)"
    assert _output(workspace, workspace.python, "-c", code).strip() == "ami_example_plugins.slow"


def test_colcon_test_runs_the_tests(workspace: Workspace) -> None:
    bases = ["--build-base", str(workspace.folder / "build"), "--install-base", str(workspace.install)]
    chosen = [
        "--packages-ignore",
        "ami_interfaces",
        "--packages-select",
        "ami_ros",
        "--pytest-args",
        "test/core/test_errors.py",
    ]
    arguments = ["--log-base", str(workspace.folder / "log"), "test", *bases, *chosen]
    source = workspace.folder / "src" / "ami_ros"
    command = [workspace.python, "-m", "colcon", *arguments]
    subprocess.run(command, env=workspace.environment(), cwd=source, stdout=subprocess.DEVNULL, check=True)
    suite = ElementTree.parse(workspace.folder / "build" / "ami_ros" / "pytest.xml").getroot().find("testsuite")
    assert suite is not None and int(suite.attrib["tests"]) > 0
    assert suite.attrib["failures"] == suite.attrib["errors"] == "0"


def _files(folder: str) -> list[Path]:
    return [file for file in (REPOSITORY / folder).rglob("*") if file.is_file() and "__pycache__" not in file.parts]


def _output(workspace: Workspace, *command: str) -> str:
    environment, folder = workspace.environment(), workspace.folder
    result = subprocess.run(
        workspace.sourced(*command), env=environment, cwd=folder, stdout=subprocess.PIPE, check=True
    )
    return result.stdout.decode()
