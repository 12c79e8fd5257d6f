"""Starts the graph as processes where there is no `ros2 launch`, starts those again that die, and ends all whatever
happens. What the nodes in them do is the node `supervisor`'s to see.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ami_ros.core.errors import AmiError
from ami_ros.ros.start.graph import ProcessSpec
from ami_ros.runtime.supervision import backoff


@dataclass(frozen=True)
class KeepingConfig:
    """How often a process is started again, and how all are ended."""

    respawns: int = 6  # of one process within the window; the supervisor gives up before
    window: float = 600.0  # [s]
    # One server in twenty ignored its first SIGINT under load, so each is followed by a stronger one, so late [s].
    escalation: tuple[tuple[signal.Signals, float], ...] = (
        (signal.SIGINT, 5.0),
        (signal.SIGTERM, 3.0),
        (signal.SIGKILL, 5.0),
    )


class NodeProcess:
    """One process, in a session of its own so that a terminal's Ctrl-C reaches it only through its keeper."""

    def __init__(self, spec: ProcessSpec, folder: Path, environment: Mapping[str, str], config: KeepingConfig) -> None:
        self.spec, self.log, self._config = spec, folder / f"{spec.name}.log", config
        self.respawns = 0
        self._noticed = 0  # process id of the end that is counted last
        self._ends: list[float] = []  # when it ended, by steady time, within the window
        node = (sys.executable, "-m", f"ami_ros.ros.nodes.{spec.executable}")
        self._command = list(spec.program or (*node, *spec.ros_arguments(folder)))
        self._environment = dict(environment)
        self._process = self._start()

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def respawn_if_due(self) -> bool:
        """Starts a process that has ended again, after a pause that grows; False if it ended too often for that."""
        now = time.monotonic()
        if self._noticed != self.pid:
            self._noticed = self.pid
            self._ends = [*(t for t in self._ends if t > now - self._config.window), now]
        if len(self._ends) > self._config.respawns:
            return False
        if now >= self._ends[-1] + backoff(len(self._ends)):
            self.respawns += 1
            self._process = self._start()
        return True

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the process and its children."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            pass

    def last_words(self) -> str:
        """The end of its log that says why it ended."""
        written = self.log.read_text(errors="replace").strip()
        return written.splitlines()[-1] if written else "it wrote nothing"

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )


class ProcessKeeper:
    """Keeps the processes of a graph running.

    Args:
        specs: in the order in which to start them.
        folder: for parameter files and logs; must exist.
        environment: variables to add to this process's own.
        config: how they are kept.
    """

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        config: KeepingConfig | None = None,
    ) -> None:
        self._specs, self._folder, self._config = specs, folder, config or KeepingConfig()
        self._environment = {**os.environ, **(environment or {})}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._failure: AmiError | None = None
        self.processes: dict[str, NodeProcess] = {}
        self._watcher = threading.Thread(target=self._watch, name="process keeper", daemon=True)

    def __enter__(self) -> ProcessKeeper:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts all processes."""
        try:
            for spec in self._specs:
                self.processes[spec.name] = NodeProcess(spec, self._folder, self._environment, self._config)
        except BaseException:
            self.stop()
            raise
        self._watcher.start()

    def pids(self) -> dict[str, int]:
        """Process ids by name, as they are now."""
        with self._lock:
            return {name: process.pid for name, process in self.processes.items()}

    def check(self) -> None:
        """Raises AmiError if a process ended for good."""
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Ends all processes, the planner's end of the graph first, so that the gate sends the last zero."""
        self._closing.set()
        if self._watcher.is_alive():
            self._watcher.join()
        remaining = list(reversed(self.processes.values()))
        for number, patience in self._config.escalation:
            for process in remaining:
                if process.code is None:
                    process.send(number)
            deadline = time.monotonic() + patience
            while any(process.code is None for process in remaining) and time.monotonic() < deadline:
                time.sleep(0.02)
            if all(process.code is not None for process in remaining):
                return

    def _watch(self) -> None:
        while not self._closing.wait(0.1):
            for process in list(self.processes.values()):
                if process.code is not None and self._failure is None:
                    self._ended(process)

    def _ended(self, process: NodeProcess) -> None:
        """A process ended on its own: mistakes in the set-up stay mistakes, everything else is tried again."""
        name = process.spec.name
        if process.code == AmiError.exit_code:
            words = process.last_words().removeprefix("error: ")
            self._failure = AmiError(f"{words}; the log of {name} is {process.log}")
            return
        with self._lock:
            if process.spec.respawn and process.respawn_if_due():
                return
        self._failure = AmiError(f"{name} ended with {process.code}: {process.last_words()}; its log is {process.log}")


class ProcessWatch:
    """Holds a descriptor of each process, so that no later process with the same number is taken for it."""

    def __init__(self) -> None:
        self._watched: dict[int, int] = {}  # descriptor by process id
        self._gone: set[int] = set()

    def watch(self, pid: int) -> None:
        """Watches a process from now on."""
        if pid in self._watched or pid in self._gone:
            return
        try:
            self._watched[pid] = os.pidfd_open(pid)
        except ProcessLookupError:
            self._gone.add(pid)
        except OSError:  # a kernel without such descriptors, or too many open files: silence tells, but later
            pass

    def ended(self) -> set[int]:
        """Those of the processes that have ended, each once."""
        if self._watched:
            poll = select.poll()
            by_descriptor = {descriptor: pid for pid, descriptor in self._watched.items()}
            for descriptor in by_descriptor:
                poll.register(descriptor, select.POLLIN)
            for descriptor, _ in poll.poll(0):
                self._gone.add(by_descriptor[descriptor])
                os.close(self._watched.pop(by_descriptor[descriptor]))
        gone, self._gone = self._gone, set()
        return gone

    def kill(self, pid: int) -> None:
        """Ends a process that is watched, that runs nodes of ours, and that does not listen any more: what a message
        calls a node may be any process of the user."""
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            ours = any(word.startswith(b"ami_ros.ros.nodes.") or b"/lib/ami_ros/" in word for word in words[:4])
            if pid in self._watched and ours:
                signal.pidfd_send_signal(self._watched[pid], signal.SIGKILL)
        except OSError:  # it is gone, or another user's
            pass

    def close(self) -> None:
        """Watches none any more."""
        for descriptor in self._watched.values():
            os.close(descriptor)
        self._watched.clear()
