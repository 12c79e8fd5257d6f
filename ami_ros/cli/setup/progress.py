"""The state folder, in which lies everything that set-up makes, and progress: a line a step, all the rest in a log."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ami_ros.core.errors import AmiError

REPOSITORY = Path(__file__).resolve().parents[3]
# What the log of a failed step says -> what to do about it.
ADVICE = (
    (r"No space left on device|Disk quota exceeded", "the disk is full; free some space or set AMI_HOME elsewhere"),
    (
        r"Temporary failure in name resolution|Name or service not known|Network is unreachable|NewConnectionError"
        r"|Max retries exceeded|ConnectTimeout|ReadTimeout|ProxyError|Connection refused|Temporary failure resolving"
        r"|Could not connect|Connection (broken|aborted|reset)|SSLError"
        r"|from versions: none",
        "the package index could not be reached; check the network or pip's settings, and run it again",
    ),
    (r"No matching distribution found", "the package index lacks a package for this Python"),
    (r"Permission denied|Read-only file system", "something could not be written; set AMI_HOME to another folder"),
)


def open_state_folder() -> Path:
    """`$AMI_HOME`, else `.ami` in the repository; made where it is missing.

    Raises:
        AmiError: it cannot be written, or its path cannot stand in PYTHONPATH.
    """
    folder = Path(os.environ.get("AMI_HOME") or REPOSITORY / ".ami").absolute()
    for path in (folder, REPOSITORY):
        if os.pathsep in str(path):
            raise AmiError(f"the path {path} contains '{os.pathsep}'; use a folder without it")
    try:
        for name in ("log", "cache", "ros_log"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe_{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise AmiError(f"cannot write {folder}: {reason}; set AMI_HOME to a folder that can be written") from error
    return folder


def digest(parts: Iterable[str | Path]) -> str:
    """12 hex digits that change when a text or the content of a file does."""
    total = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part.encode()
        total.update(len(content).to_bytes(8, "little") + content)
    return total.hexdigest()[:12]


def read_record(path: Path) -> dict[str, Any]:
    """A JSON object; empty when there is none, or a broken one."""
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Writes it whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(record, indent=1))
    partial.replace(path)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of the state folder; waits, and says so, while another set-up holds it."""
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            print(f"ami: waiting for the set-up that process {lock.read().strip()} is running", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def require_space(folder: Path, needed: float) -> None:
    """Refuses to start what the disk cannot hold (`needed` in GB)."""
    free = shutil.disk_usage(folder).free / 1e9
    if free < needed:
        raise AmiError(
            f"{folder}: {free:.1f} GB free, {needed:g} GB needed; free some space or set AMI_HOME to another disk"
        )


class Progress:
    """Shows steps on stderr, unless it is not `shown`, and keeps the output of their commands in `log`."""

    def __init__(self, log: Path, shown: bool = True) -> None:
        self.log = log
        self._quiet = not shown
        self._stopped = threading.Event()
        self._terminal = sys.stderr.isatty()
        self._clear = "\r\033[K" if self._terminal else ""  # the line that is there
        self._title, self._started, self._offset = "", 0.0, 0

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Shows `title` and the seconds while the block runs."""
        self._title, self._started = title, time.monotonic()
        self._offset = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("a") as log:
            log.write(f"\n==== {time.strftime('%Y-%m-%d %H:%M:%S')} {title}\n")
        if not self._terminal:
            self._write(f"  {title} ...\n")
        done, ended = threading.Event(), "failed"
        ticker = threading.Thread(target=self._tick, args=(done,), daemon=True)
        ticker.start()
        try:
            yield
            ended = "done"
        finally:
            done.set()
            ticker.join()
            seconds = time.monotonic() - self._started
            self._write(f"{self._clear}  {title}: {ended} after {seconds:.1f} s\n")

    def run(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Runs a command of the current step.

        Raises:
            AmiError: it failed; the last lines of its output have been shown.
        """
        with self.log.open("a") as log:
            log.write(f"$ {' '.join(command)}\n")
            log.flush()
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                start_new_session=self._quiet,
            )  # fmt: skip
            try:
                while (code := process.poll()) is None and not self._stopped.wait(0.05):
                    pass
            finally:  # after Ctrl-C, a signal or stop(): never leave it running
                if process.poll() is None:
                    if self._quiet:  # with what it has started, which a terminal does: cmake leaves ninja running
                        os.killpg(process.pid, signal.SIGTERM)
                    else:
                        process.terminate()
                    process.wait()
        if code != 0:  # None: stopped
            output = self._output()
            self._write(self._clear + "".join(f"    {line}\n" for line in output.splitlines()[-12:]))
            advice = next((text for pattern, text in ADVICE if re.search(pattern, output)), f"exit code {code}")
            raise AmiError(f"{self._title}: {advice} (the whole output: {self.log})")

    def stop(self) -> None:
        """Ends the command that another thread runs; each later one, too."""
        self._stopped.set()

    def _output(self) -> str:
        """Of this step, so far."""
        with self.log.open("rb") as log:
            log.seek(self._offset)
            return log.read().decode(errors="replace")

    def _tick(self, done: threading.Event) -> None:
        """Tells the seconds: on a terminal with what the command wrote last, elsewhere as a line each half minute."""
        shown = self._started
        while not done.wait(0.5):
            seconds = time.monotonic() - self._started
            if self._terminal:
                lines = self._output()[-2000:].splitlines()
                detail = re.sub(r"\s+", " ", lines[-1]) if len(lines) > 1 else ""
                width = shutil.get_terminal_size().columns - 1
                self._write(self._clear + f"  {self._title} ... {seconds:.0f} s   {detail}"[:width])
            elif time.monotonic() - shown >= 30.0:
                shown = time.monotonic()
                self._write(f"  {self._title}: {seconds:.0f} s so far\n")

    def _write(self, text: str) -> None:
        if self._quiet:
            return
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:  # nobody reads it any more; the log has everything
            pass
