"""The guards of the test run itself: what a test leaves running fails the run, is named, and ends; so does a full run
that leaves out a test without need."""

import os
import subprocess
import sys
from pathlib import Path

import psutil

from harness.processes import REPOSITORY

LEAVES_A_PROCESS = """\
import subprocess
def test_careless():
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    open("pid", "w").write(str(child.pid))
"""


LEAVES_ITSELF_OUT = """\
import pytest
def test_lazy():
    pytest.skip("not today")
"""


def run(folder: Path, test: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(test)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY / "test"), str(REPOSITORY)])
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "--rootdir", str(folder), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_full_run_fails_for_a_test_that_is_skipped_without_need(tmp_path: Path) -> None:
    result = run(tmp_path, LEAVES_ITSELF_OUT)
    assert "SKIPPED: test_it.py::test_lazy: Skipped: not today" in result.stdout, result.stdout + result.stderr
    assert result.returncode == 1
    assert run(tmp_path, LEAVES_ITSELF_OUT, "test_it.py").returncode == 0  # asked for by name: no full run


def test_process_that_outlives_its_test_fails_the_run(tmp_path: Path) -> None:
    result = run(tmp_path, LEAVES_A_PROCESS, "test_it.py")
    assert "1 passed" in result.stdout, result.stdout + result.stderr
    assert "of test_it.py::test_careless (call): sleep 600" in result.stdout
    assert result.returncode == 1
    pid = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
