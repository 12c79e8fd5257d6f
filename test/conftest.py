"""Every test runs in a ROS domain of its worker, on this machine only, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from ami_ros.app.domain import HIGHEST, claim_domain
from ami_ros.app.shared_memory import orphaned_segments
from harness.processes import REPOSITORY, Children

if TYPE_CHECKING:
    from harness.ros import RosPeer

# Inherited by every process of this run; tells ours from those of others at the end.
MARK = "AMI_TEST_RUN"
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
LEFTOVERS: list[str] = []
SEGMENTS_BEFORE = orphaned_segments()


def pytest_configure(config: pytest.Config) -> None:
    """Sets the environment before anything imports rclpy."""
    environment = os.environ
    if not IS_WORKER:
        environment[MARK] = f"{os.getpid()}"
    # Start anywhere: other programs on this machine may use the low domains.
    start = os.getpid() % HIGHEST
    domain = claim_domain(candidates=[1 + (start + i) % HIGHEST for i in range(HIGHEST)])
    environment["ROS_DOMAIN_ID"] = str(domain)
    environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    # Plain UDP leaves nothing in /dev/shm, even after a kill -9.
    environment["FASTDDS_BUILTIN_TRANSPORTS"] = "UDPv4"
    environment["ROS_LOG_DIR"] = tempfile.mkdtemp(prefix="ami_ros_test_log_")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(REPOSITORY), environment.get("PYTHONPATH")]))
    environment["OMP_NUM_THREADS"] = "1"
    environment.setdefault("AMENT_PREFIX_PATH", sys.prefix)
    config.add_cleanup(lambda: shutil.rmtree(environment["ROS_LOG_DIR"], ignore_errors=True))


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
    """Fails the run if a process or a shared memory segment outlived it."""
    if IS_WORKER:
        return
    LEFTOVERS.extend(_processes_left())
    LEFTOVERS.extend(f"shared memory {path}" for path in orphaned_segments() - SEGMENTS_BEFORE)
    if LEFTOVERS and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Names what was left."""
    for line in LEFTOVERS:
        terminalreporter.write_line(f"LEFT BEHIND: {line}", red=True)


def _processes_left() -> list[str]:
    left = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            if process.pid != os.getpid() and environment.get(MARK) == os.environ[MARK]:
                test = environment.get("PYTEST_CURRENT_TEST", "no test")
                left.append(f"process {process.pid} of {test}: {' '.join(process.cmdline())}")
        except psutil.Error:  # ended meanwhile, or another user's
            continue
    return left
