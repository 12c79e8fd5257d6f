"""Processes of others on this machine: when they end, at once and without asking them; and their end by force."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path


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
        if pid in self._watched and runs_nodes(pid):
            try:
                signal.pidfd_send_signal(self._watched[pid], signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass

    def close(self) -> None:
        """Watches none any more."""
        for descriptor in self._watched.values():
            os.close(descriptor)
        self._watched.clear()


def runs_nodes(pid: int) -> bool:
    """Whether the command line of a process is that of a node of this package."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(word.startswith(b"ami_ros.nodes.") or b"/lib/ami_ros/" in word for word in words[:4])
