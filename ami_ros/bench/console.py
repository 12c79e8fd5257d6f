"""What the console costs, with nobody looking and with one page open."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
from websockets.sync.client import connect

from ami_ros.core.processes import end_command, start_command


def measure_started(world: str, domain_id: int, seconds: float) -> dict[str, float]:
    """Figures of `./ami console` beside a simulated robot that explores."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="ami_bench_console_"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        environment = {**os.environ, "ROS_DOMAIN_ID": str(domain_id)}

        def started(said: str, *command: str) -> tuple[int, re.Match[str]]:
            process, found = start_command(command, folder / command[0], said, 180.0, environment, folder)
            stack.callback(end_command, process)
            return process.pid, found

        started("ready.", "drive", "--sim", "--world", world, "--composed", "--forget", "--no-console")
        pid, address = started(r"(http://\S+)#(\S+)", "console")
        started("", "explore", "60")  # says nothing at once
        return measure(pid, address, seconds)


def measure(pid: int, address: re.Match[str], seconds: float) -> dict[str, float]:
    """Figures of a console's process; `address` has its page and its key."""
    process = psutil.Process(pid)
    began = _seconds(process)
    time.sleep(seconds)
    idle = _seconds(process) - began
    with connect(address[1].replace("http", "ws") + "link", max_size=None) as link:
        link.send(json.dumps({"key": address[2]}))
        _listen(link, 5.0)  # a page that was opened is sent all that is known once
        began = _seconds(process)
        count, size = _listen(link, seconds)
        viewed = _seconds(process) - began
    return {
        "idle_percent": 100 * idle / seconds, "viewed_percent": 100 * viewed / seconds,
        "messages_per_s": count / seconds, "kb_per_s": size / seconds / 1000,
        "rss_mb": process.memory_info().rss / 1e6, "seconds": seconds,
    }  # fmt: skip


def _listen(link: Any, seconds: float) -> tuple[int, int]:
    """Messages and their bytes in so long."""
    count = size = 0
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            size += len(link.recv(timeout=left))
            count += 1
        except TimeoutError:
            break
    return count, size


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
