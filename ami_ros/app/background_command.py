"""Commands of `./ami` that another command runs beside itself, with their output in a file."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ami_ros.errors import AmiError


def start(
    arguments: Sequence[str], log: Path, said: str, patience: float, environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> tuple[subprocess.Popen[bytes], re.Match[str]]:  # fmt: skip
    """Starts `ami ARGUMENTS` in a session of its own, and waits for at most `patience` [s] until it has said something
    that matches `said`.

    Raises:
        AmiError: it ended before, or did not say that; it is gone then.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ami_ros.app", *arguments], stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True, env=environment, cwd=folder,
        )  # fmt: skip
    try:
        return process, _heard(process, arguments[0], log, said, time.monotonic() + patience)
    except BaseException:
        end(process)
        raise


def _heard(process: subprocess.Popen[bytes], name: str, log: Path, said: str, deadline: float) -> re.Match[str]:
    while True:
        text = log.read_text(errors="replace")
        if (found := re.search(said, text)) is not None:
            return found
        last = (text.strip() or "it said nothing").splitlines()[-1]
        if process.poll() is not None:
            raise AmiError(f"ami {name} ended: {last}")
        if time.monotonic() > deadline:
            raise AmiError(f"ami {name} is not ready in time: {last}; see {log}")
        time.sleep(0.2)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends it as Ctrl-C does, and waits for it."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30.0)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
