"""Child processes of a test: real ones, stopped whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from harness.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]


class ChildProcess:
    """A command in a session of its own, whose output goes to a file (a full pipe would block it)."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str], cwd: Path | None) -> None:
        self.command = list(command)
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def output(self) -> str:
        """All it wrote so far, to stdout and stderr together."""
        return self.log.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the process alone."""
        self._process.send_signal(number)

    def wait(self, deadline: float = 30.0) -> int:
        """Waits for its end, and returns the exit code."""
        wait_until(lambda: self.code is not None, deadline, lambda: f"end of {self.command}:\n{self.output()}")
        return self._process.returncode

    def wait_for_output(self, text: str, deadline: float = 30.0) -> None:
        """Waits until it wrote `text`; fails at once when it ended without."""

        def written() -> bool:
            ended = self.code is not None
            found = text in self.output()
            assert found or not ended, f"{self.command} ended with {self.code} before '{text}':\n{self.output()}"
            return found

        wait_until(written, deadline, lambda: f"'{text}' from {self.command}:\n{self.output()}")

    def stop(self) -> int:
        """Ends it and its whole group: INT, then TERM, then KILL. Returns the exit code of the process."""
        for number, patience in ((signal.SIGINT, 10.0), (signal.SIGTERM, 3.0)):
            if self.code is None:
                os.killpg(self.pid, number)
                try:
                    self._process.wait(patience)
                except subprocess.TimeoutExpired:
                    continue
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self._process.wait()


class Children:
    """Starts processes and, at the end of the test, stops those that still run (newest first)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[ChildProcess] = []

    def start(
        self, *command: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> ChildProcess:
        """Starts `command`; `environment` is added to the test's own."""
        log = self._folder / f"process_{len(self._started)}.log"
        child = ChildProcess(command, log, {**os.environ, **(environment or {})}, cwd)
        self._started.append(child)
        return child

    def python(self, *arguments: str, environment: Mapping[str, str] | None = None) -> ChildProcess:
        """Starts this Python with `arguments`."""
        return self.start(sys.executable, *arguments, environment=environment)

    def node(
        self,
        name: str,
        parameters: Mapping[str, Any] | None = None,
        remappings: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> ChildProcess:
        """Starts the node `ami_ros.ros.nodes.<name>` as `ros2 run ami_ros <name>` would.

        Args:
            name: the module's name, e.g. "planner".
            parameters: plain values by name.
            remappings: from -> to.
            arguments: further arguments before --ros-args.
        """
        ros: list[str] = []
        if parameters:
            file = self._folder / f"parameters_{len(self._started)}.yaml"
            file.write_text(yaml.safe_dump({"/**": {"ros__parameters": dict(parameters)}}))
            ros += ["--params-file", str(file)]
        for source, target in (remappings or {}).items():
            ros += ["-r", f"{source}:={target}"]
        return self.python("-m", f"ami_ros.ros.nodes.{name}", *arguments, *(["--ros-args", *ros] if ros else []))

    def stop(self) -> None:
        """Stops all of them."""
        for child in reversed(self._started):
            child.stop()
