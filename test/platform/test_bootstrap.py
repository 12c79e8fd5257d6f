"""The set-up of `./ami`, with real processes, a real virtual environment and no network."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ami_ros.cli.setup.installer import requirement_files, requirements_digest
from ami_ros.cli.setup.progress import read_record, write_record
from ami_ros.cli.setup.system import sourced_ros
from harness import Children, wait_until
from harness.processes import REPOSITORY

AMI = REPOSITORY / "ami"
without_ros = pytest.mark.skipif(sourced_ros() is not None, reason="a ROS 2 is sourced, the wheels are not used")


@pytest.fixture
def silent_index() -> Iterator[str]:
    """Address of a package index that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple"


def index(url: str) -> dict[str, str]:
    """Makes pip use that index alone, without its cache."""
    return {"PIP_INDEX_URL": url, "PIP_EXTRA_INDEX_URL": "", "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}


def ami(*arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `./ami` with its state in `home`."""
    everything = {**os.environ, "AMI_HOME": str(home), **environment}
    return subprocess.run([AMI, *arguments], env=everything, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_help_and_unknown_commands_need_no_set_up(tmp_path: Path) -> None:
    home = tmp_path / "state"
    assert ami("--help", home=home).stdout.startswith("Usage: ami [-q|-v] COMMAND")
    unknown = ami("fly", home=home)
    assert (unknown.returncode, unknown.stderr) == (2, "ami: there is no command 'fly'; see ami --help\n")
    assert not home.exists()


def test_script_works_through_a_link(tmp_path: Path) -> None:
    link = tmp_path / "ami"
    link.symlink_to(AMI)
    assert subprocess.run([link, "--help"], cwd=tmp_path, capture_output=True).returncode == 0


def test_state_folder_that_cannot_be_written_is_one_line_and_2() -> None:
    result = ami("shell", home=Path("/proc/ami"))
    assert result.returncode == 2
    assert result.stderr.startswith("ami: cannot write /proc/ami: ")
    assert result.stderr.endswith("; set AMI_HOME to a folder that can be written\n")
    assert result.stderr.count("\n") == 1


def test_path_that_cannot_stand_in_pythonpath_is_refused(tmp_path: Path) -> None:
    result = ami("shell", home=tmp_path / "a:b")
    assert result.returncode == 2
    assert "contains ':'" in result.stderr


@without_ros
def test_no_network_is_said_in_one_line_with_the_log_and_leaves_what_works(tmp_path: Path) -> None:
    result = ami("shell", home=tmp_path, **index("http://127.0.0.1:9/simple"))
    assert result.returncode == 2
    last = result.stderr.splitlines()[-1]
    assert last.startswith("ami: Python packages (ros): the package index could not be reached; check the network")
    assert str(tmp_path / "log" / "setup.log") in last
    record_path = tmp_path / "ros-wheels" / "ready.json"
    assert not record_path.exists()
    # A complete installation that lacks the tools of the tests only.
    files = requirement_files(sourced=False, tests=False)
    record = {"venv": str(tmp_path / "ros-wheels" / "venv"), **{f.stem: requirements_digest(f) for f in files}}
    write_record(record_path, record)
    result = ami("test", home=tmp_path, **index("http://127.0.0.1:9/simple"))
    assert result.returncode == 2
    assert "Python packages (test + docs + lance + lerobot): the package index could not be reached" in result.stderr
    assert "ROS interfaces" not in result.stderr  # their build, which went on meanwhile, is not what is wrong
    assert read_record(record_path) == record


@without_ros
def test_second_set_up_waits_and_an_interrupted_one_ends_cleanly(
    tmp_path: Path, children: Children, silent_index: str
) -> None:
    environment = {"AMI_HOME": str(tmp_path), **index(silent_index)}
    first = children.start(sys.executable, str(AMI), "shell", environment=environment)
    first.wait_for_output("Python packages", 120)
    second = children.start(sys.executable, str(AMI), "shell", environment=environment)
    second.wait_for_output(f"waiting for the set-up that process {first.pid} is running")
    assert "Python packages" not in second.output()
    os.killpg(first.pid, signal.SIGINT)  # as a terminal does
    assert first.wait() == 130
    assert "set-up interrupted" in first.output()
    # The second one takes over, and starts with a new environment: the first one left pip half-way.
    second.wait_for_output("Python packages", 120)
    second.send(signal.SIGTERM)
    assert second.wait() == 143
    wait_until(lambda: not _processes_below(tmp_path), what="end of pip")


def _processes_below(folder: Path) -> list[str]:
    found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in found if f"{folder}/ros-wheels/venv" in line]
