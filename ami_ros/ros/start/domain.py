"""ROS domains that no other ami process or stack here uses, and shared memory that killed processes left behind."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ami_ros.core.errors import AmiError

if TYPE_CHECKING:
    from rclpy.context import Context

# Above 101 the ports of a domain fall into the range that Linux hands out to outgoing connections.
HIGHEST = 101

_claims: dict[int, IO[str]] = {}


def claim_domain(wanted: int | None = None, candidates: Iterable[int] = range(HIGHEST + 1)) -> int:
    """Claims a ROS domain for this process until it ends, and returns it.

    The claim is a file lock, so a killed process leaves none behind. It is seen by other ami processes of
    this user only: it keeps two demos or two test workers apart, not other people's robots.

    Args:
        wanted: the domain to claim; None takes the first free one of `candidates`.
        candidates: domains to try, in this order.

    Raises:
        AmiError: `wanted` is out of range or in use, or no candidate is free.
    """
    if wanted is None:
        for domain in candidates:
            if _lock(domain):
                return domain
        raise AmiError("every ROS domain is in use by another ami process; stop one of them")
    if not 0 <= wanted <= HIGHEST:
        raise AmiError(f"ROS_DOMAIN_ID={wanted}: out of range; use 0 to {HIGHEST}")
    if not _lock(wanted):
        raise AmiError(f"ROS_DOMAIN_ID={wanted} is in use by another ami process; stop it or choose another domain")
    return wanted


def domain_in_environment() -> int | None:
    """The domain that the user chose with ROS_DOMAIN_ID, or None.

    Raises:
        AmiError: the variable is not a number.
    """
    text = os.environ.get("ROS_DOMAIN_ID", "").strip()
    if not text:
        return None
    if not text.isdecimal():
        raise AmiError(f"ROS_DOMAIN_ID='{text}': not a number; use 0 to {HIGHEST}")
    return int(text)


def join_domain(wanted: int | None, names: Collection[str]) -> Context:
    """An initialised context in a domain that is ours; ROS_DOMAIN_ID is set for children.

    Args:
        wanted: the domain to use, in which no node may be called as one of `names`; None: that of ROS_DOMAIN_ID, or
            else the first one without any node.
        names: of the nodes that are going to be started.

    Raises:
        AmiError: the wanted domain is in use, or no domain is free.
    """
    import rclpy  # a test worker claims its domain before anything imports it
    from rclpy.context import Context
    from rclpy.signals import SignalHandlerOptions

    from ami_ros.ros.start.graph import enclave_arguments

    wanted = domain_in_environment() if wanted is None else wanted
    while True:
        domain = claim_domain(wanted)  # each time another one; raises when none is left
        context = Context()
        rclpy.init(
            args=enclave_arguments("console"), context=context, domain_id=domain,
            signal_handler_options=SignalHandlerOptions.NO,
        )  # fmt: skip
        rival = _rival(context, None if wanted is None else names)
        if rival is None:
            os.environ["ROS_DOMAIN_ID"] = str(domain)
            return context
        context.shutdown()
        if wanted is not None:
            raise AmiError(rivalry(domain, rival))


def rivalry(domain: int, name: str) -> str:
    """What to tell where a node is called as one of ours."""
    return f"ROS domain {domain}: a node '{name}' runs there already; stop it or use another"


def _rival(context: Context, names: Collection[str] | None) -> str | None:
    """A node that shows itself within a second and is called as one of `names`, or (None) in any way."""
    from rclpy.node import Node

    node = Node("demo_domain_probe", context=context, enable_rosout=False, start_parameter_services=False)
    try:
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            others = (name for name in node.get_node_names() if name != node.get_name() and not name.startswith("_"))
            if found := [name for name in others if names is None or name in names]:
                return min(found)
            time.sleep(0.05)
        return None
    finally:
        node.destroy_node()


def _lock(domain: int) -> bool:
    if domain in _claims:
        return False
    folder = Path(tempfile.gettempdir()) / f"ami_ros_domains_{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = (folder / str(domain)).open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return False
    _claims[domain] = handle
    return True


def orphaned_segments() -> set[Path]:
    """Segments of Fast DDS in /dev/shm, with their semaphores, of this user that no running process has mapped or
    opened: a killed process left them."""
    folder, prefixes = Path("/dev/shm"), ("fastrtps_", "fastdds_", "sem.fastrtps_", "sem.fastdds_")
    listed = [path for path in folder.glob("*") if path.name.startswith(prefixes) and path.exists()]
    segments = {path for path in listed if path.stat().st_uid == os.getuid()}
    if not segments:
        return segments
    used: set[Path] = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            maps = (process / "maps").read_text()
            opened = [os.readlink(entry) for entry in (process / "fd").iterdir()]
        except OSError:  # ended meanwhile, or another user's
            continue
        used.update(Path(line[line.index("/") :]) for line in maps.splitlines() if f"{folder}/" in line)
        used.update(Path(name) for name in opened if name.startswith(f"{folder}/"))
    return segments - used


def remove_orphaned_segments() -> int:
    """Removes them, as `fastdds shm clean` does, and returns how many there were."""
    orphans = orphaned_segments()
    for path in orphans:
        path.unlink(missing_ok=True)
    return len(orphans)
