"""The guard of the test run itself: what a test leaves running fails the run, is named, and ends."""

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


def test_process_that_outlives_its_test_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(LEAVES_A_PROCESS)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY / "test"), str(REPOSITORY)])
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "--rootdir", str(tmp_path), "test_it.py"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "1 passed" in result.stdout, result.stdout + result.stderr
    assert "of test_it.py::test_careless (call): sleep 600" in result.stdout
    assert result.returncode == 1
    pid = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
