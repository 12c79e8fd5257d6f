"""Every test runs in a ROS domain of its worker, on this machine only, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import psutil
import pytest

from ami_ros.ros.start.domain import HIGHEST, claim_domain, orphaned_segments
from harness.processes import REPOSITORY, Children
from harness.skips import differences, is_full

if TYPE_CHECKING:
    from harness.ros import RosPeer

os.environ["OMP_NUM_THREADS"] = "1"  # here: a conftest below may import torch before pytest_configure

# On a loaded machine any example may take long.
# The same draws each time: what fails is the change under test. `--hypothesis-profile anew`, and `./ami bench gate`,
# draw others.
hypothesis.settings.register_profile("ami_ros", deadline=None, derandomize=True)
hypothesis.settings.register_profile("anew", deadline=None)
hypothesis.settings.load_profile("ami_ros")

# The folder of this run, inherited by all its processes: tells ours from those of others at the end.
# It has a folder for the logs of each domain, named by it.
RUN_FOLDER = "AMI_TEST_RUN"
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
LEFTOVERS: list[str] = []
SKIPS: list[str] = []  # of a full run, that are not as expected
PATIENCE = 5.0  # with processes that are ending [s]


def pytest_configure(config: pytest.Config) -> None:
    """Sets the environment before anything imports rclpy."""
    environment = os.environ
    if not IS_WORKER:
        environment[RUN_FOLDER] = tempfile.mkdtemp(prefix="ami_ros_test_run_")
        config.add_cleanup(lambda: shutil.rmtree(environment[RUN_FOLDER], ignore_errors=True))
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as on Ctrl-C: fixtures clean up
    # Start anywhere: other programs on this machine may use the low domains.
    start = os.getpid() % HIGHEST
    domain = claim_domain(candidates=[1 + (start + i) % HIGHEST for i in range(HIGHEST)])
    environment["ROS_DOMAIN_ID"] = str(domain)
    # Plain UDP leaves nothing in /dev/shm, even after a kill -9.
    environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "SYSTEM_DEFAULT"
    environment["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(REPOSITORY / "config" / "fastdds_this_machine.xml")
    logs = Path(environment[RUN_FOLDER]) / str(domain)
    logs.mkdir()
    environment["ROS_LOG_DIR"] = str(logs)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # children inherit it; a shell's background job ignores it
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(REPOSITORY), environment.get("PYTHONPATH")]))
    environment.setdefault("AMENT_PREFIX_PATH", sys.prefix)


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    """Starts processes and nodes; those still running are stopped at the end of the test."""
    started = Children(tmp_path)
    yield started
    started.stop()


@pytest.fixture
def ros() -> Iterator[RosPeer]:
    """A ROS peer with a context of its own (see `harness.ros.RosPeer`)."""
    from harness.ros import RosPeer  # the core's tests run without ROS

    peer = RosPeer()
    yield peer
    peer.close()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails the run if a process or a shared memory segment outlived it, and ends the process; or if it left out tests
    that it should not."""
    if IS_WORKER:
        return
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and is_full(session.config):
        SKIPS.extend(differences(terminal.stats.get("skipped", [])))
    LEFTOVERS.extend(_processes_left())
    LEFTOVERS.extend(f"shared memory {path}" for path in sorted(orphaned_segments()) if _domain(path) in _domains())
    if (LEFTOVERS or SKIPS) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints figures that tests measured, and names what was left, and what was left out."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in report.user_properties if report.when == "call" else ():
            if name == "figure":
                terminalreporter.write_line(str(value))
    for line in SKIPS:
        terminalreporter.write_line(line, red=True)
    for line in LEFTOVERS:
        terminalreporter.write_line(f"LEFT BEHIND: {line}", red=True)


def _domains() -> set[int]:
    return {int(folder.name) for folder in Path(os.environ[RUN_FOLDER]).iterdir()}


def _domain(segment: Path) -> int | None:
    """The ROS domain of a segment by its port: 7400 and up, 250 for each domain. Others may run ROS here too."""
    port = re.search(r"_port(\d+)", segment.name)
    return (int(port[1]) - 7400) // 250 if port else None


def _environment(process: psutil.Process) -> dict[str, str]:
    """Of a process; one that was started this moment has none until it runs its program, so it is waited for."""
    end = time.monotonic() + PATIENCE
    while True:
        environment: dict[str, str] = process.environ()
        young = time.time() - process.create_time() < PATIENCE
        if environment or not young or time.monotonic() > end:
            return environment
        time.sleep(0.01)


def _processes_left() -> list[str]:
    """Ends the processes of this run that do not end by themselves now, and names the tests that started them."""
    found = {}
    for process in psutil.process_iter():
        try:
            environment = _environment(process)
            if process.pid != os.getpid() and environment.get(RUN_FOLDER) == os.environ[RUN_FOLDER]:
                test = environment.get("PYTEST_CURRENT_TEST", "no test")
                found[process] = f"process {process.pid} of {test}: {' '.join(process.cmdline())}"
        except psutil.Error:  # ended meanwhile, or another user's
            continue
    _, left = psutil.wait_procs(list(found), timeout=PATIENCE)
    for process in left:
        process.kill()
    return [found[process] for process in left]
