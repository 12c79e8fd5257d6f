"""`ami bench console`: what the console costs, with nobody looking and with one page open."""

from __future__ import annotations

import json as json_module
import os
import re
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

SETTLE = 5.0  # [s] after a page was opened: it is sent all that is known once
MOST_IDLE, MOST_VIEWED = 5.0, 15.0  # [% of one core]
PATIENCE = 180.0  # [s] to start


def main(
    seconds: Annotated[float, typer.Option(help="To measure each of the two.", min=1.0, max=600.0)] = 20.0,
    world: Annotated[str, typer.Option(help="A world, a world file, or building:SEED.")] = "home",
    domain_id: Annotated[int, typer.Option(help="ROS domain of the simulated robot.", min=0, max=101)] = 77,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> int:
    """Measure the processor time of ./ami console while a simulated robot explores.

    Exit code: 0 if it stays below 5 % of one core with nobody looking and 15 % with one page, 1 if not.
    """
    from ami_ros.bench.report import write_json
    from ami_ros.core.processes import background_command_start as start
    from ami_ros.core.processes import end

    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="ami_bench_console_"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        environment = {**os.environ, "ROS_DOMAIN_ID": str(domain_id)}

        def started(said: str, *command: str) -> tuple[int, re.Match[str]]:
            process, found = start(command, folder / command[0], said, PATIENCE, environment, folder)
            stack.callback(end, process)
            return process.pid, found

        started("ready.", "drive", "--sim", "--world", world, "--composed", "--forget", "--no-console")
        pid, address = started(r"(http://\S+)#(\S+)", "console")
        started("", "explore", "60")  # says nothing at once
        figures = measure(pid, address, seconds)
    idle, viewed = figures["idle_percent"], figures["viewed_percent"]
    typer.echo(f"console: {idle:.1f} % of one core with nobody looking, {viewed:.1f} % with one page")
    got = figures["messages_per_s"], figures["kb_per_s"], figures["rss_mb"]
    typer.echo("the page got {:.1f} messages and {:.0f} kB a second; the process has {:.0f} MB".format(*got))
    if json is not None:
        write_json(json, figures)
    return int(idle > MOST_IDLE or viewed > MOST_VIEWED)


def measure(pid: int, address: re.Match[str], seconds: float) -> dict[str, float]:
    """Figures of a console's process; `address` has its page and its key."""
    import psutil
    from websockets.sync.client import connect

    process = psutil.Process(pid)
    began = _seconds(process)
    time.sleep(seconds)
    idle = _seconds(process) - began
    with connect(address[1].replace("http", "ws") + "link", max_size=None) as link:
        link.send(json_module.dumps({"key": address[2]}))
        _listen(link, SETTLE)
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
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            size += len(link.recv(timeout=left))
            count += 1
        except TimeoutError:
            break
    return count, size


def _seconds(process: Any) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
