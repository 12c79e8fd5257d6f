"""A node's process from its arguments to its exit code, with a final zero command before it ends."""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.exceptions import ParameterException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from ami_ros.core.errors import AmiError
from ami_ros.ros.node.executor import LeanExecutor
from ami_ros.ros.node.lifecycle import AmiNode

URGENT = -5  # niceness of what stands between an image and a command
AUTOGROUP = Path("/proc/self/autogroup")  # Linux weighs sessions against each other, and processes only within one
M_ARENA_MAX, HEAPS = -8, 2  # an option of glibc, and its value
M_MMAP_THRESHOLD, LARGE = -3, 2**20  # [bytes]
BLOCKS, BLOCK_SIZES = 7, 1024  # freed blocks that NumPy keeps of each size [bytes], and below which


def be_urgent(niceness: int) -> bool:
    """Raises the priority of this thread and of those that it starts from now on.

    Args:
        niceness: -20 (most urgent) to 19; 0 asks for nothing.

    Returns:
        Whether it was granted; below 0 that takes root or CAP_SYS_NICE.
    """
    if niceness == 0:
        return True
    try:
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
    except PermissionError:
        return False
    with suppress(OSError):  # a kernel without sessions of processes, or one that is asked too often
        AUTOGROUP.write_text(f"{niceness}\n")
    return True


def settle() -> None:
    """Freezes the objects there are: full garbage collections, 0.1 s with torch loaded, then skip them. And takes the
    memory that NumPy will keep, at once: a process that grows for hours looks like one that leaks."""
    fill_block_cache()
    gc.collect()
    gc.freeze()
    give_back()


def fill_block_cache() -> None:
    """Has NumPy keep as many small blocks as it ever will: 3.7 MB, which come in hours else.

    It never gives them back (numpy/_core/src/multiarray/alloc.c).
    """
    for size in range(1, BLOCK_SIZES):
        blocks = [np.empty(size, np.uint8) for _ in range(BLOCKS)]
        del blocks


def give_back() -> None:
    """Hands freed memory back to the system, in about a millisecond.

    What takes much memory for a moment leaves holes that glibc keeps: 20 MB after a map of a thousand places was
    relaxed, more with each larger one. Other C libraries have no need of this.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def share_heaps() -> None:
    """Has all threads allocate from two heaps, where glibc gives up to eight a core to them, and what is large not from
    a heap at all, where glibc raises what it calls large to 32 MB.

    Heaps keep holes: 30 MB less in the composed process. Threads that hold the interpreter's lock in turn do not
    compete for a heap. To be called before threads are started (mallopt(3)); other C libraries have no need of this.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(M_ARENA_MAX, HEAPS)
        set_option(M_MMAP_THRESHOLD, LARGE)


GIVE_BACK = 30.0  # [s] between two times that freed memory is handed back
LOOK = 0.2  # [s] between two checks for a signal: Linux may deliver it to another thread, and Python then wakes nobody


def run(*node_classes: Callable[[], AmiNode[Any]], arguments: Sequence[str] | None = None, niceness: int = 0) -> int:
    """Runs nodes until SIGINT, SIGTERM or a bug of the executor ends them, and returns the exit code.

    Each node is served by a thread of its own, so that none waits for a callback of another. What callbacks raise is
    reported by their node, which goes on.

    rclpy's own signal handlers end the context at once, so no final zero could be sent; ours only wake this
    thread, which then stops the nodes one by one. Later signals change nothing.

    Args:
        node_classes: the nodes.
        arguments: the command line; else that of this process.
        niceness: what the process asks for, where it may (`urgency.be_urgent`).

    Returns:
        0 after a signal; 1 after a bug of ours, with its traceback; 2 after a mistake in the set-up, with one line.
    """
    be_urgent(niceness)
    share_heaps()
    # Python gives signals their own meaning back at its end: a second Ctrl-C would make a failure of a clean one.
    atexit.register(_ignore_signals)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        _initialise(list(sys.argv if arguments is None else arguments))
        executors = [LeanExecutor() for _ in node_classes]
        nodes: list[AmiNode[Any]] = []
        try:
            for make in node_classes:
                nodes.append(make())
            return _spin(nodes, executors, stopping)
        finally:
            for executor in executors:
                executor.shutdown()
            for node in reversed(nodes):
                node.destroy_node()
    except (AmiError, ParameterException) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    finally:
        rclpy.try_shutdown()


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _initialise(arguments: list[str]) -> None:
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    except (rclpy_implementation.RCLError, rclpy_implementation.UnknownROSArgsError) as error:
        raise AmiError(f"ROS arguments: {str(error).splitlines()[0]}") from error
    unknown = remove_ros_args(arguments)[1:]
    if unknown:
        raise AmiError(f"unknown arguments {' '.join(unknown)}; ROS arguments come after --ros-args")


def _report(node: AmiNode[Any], stopping: threading.Event, error: Exception) -> None:
    if not stopping.is_set():  # else it is rclpy's: its `shutdown` takes away what callbacks still need
        node.failed("callback", error)


def _wait(nodes: list[AmiNode[Any]], stopping: threading.Event) -> None:
    """Until a signal, or until a node has to end."""
    settled, given = False, time.monotonic()
    while not (stopping.wait(LOOK) or any(node.ended for node in nodes)):
        if not settled and all(node.is_active for node in nodes):
            settled = True
            settle()
        if time.monotonic() - given > GIVE_BACK:
            given = time.monotonic()
            give_back()


def _spin(nodes: list[AmiNode[Any]], executors: list[LeanExecutor], stopping: threading.Event) -> int:
    """Starts the nodes and serves each on a thread of its own, for this one has to be free for signals."""
    failures: list[str] = []

    def serve(executor: LeanExecutor) -> None:
        try:
            executor.spin()
        except Exception:  # nothing can be served any more: the robot is stopped first, then the process ends
            if not stopping.is_set():  # else it is rclpy's: its `shutdown` takes away what callbacks still need
                failures.append(traceback.format_exc())
        finally:
            stopping.set()

    for node in nodes:
        if not stopping.is_set():
            node.start()
    servers = [threading.Thread(target=serve, args=(e,), name="executor", daemon=True) for e in executors]
    for node, executor, server in zip(nodes, executors, servers, strict=True):
        executor.add_node(node)
        executor.failed = partial(_report, node, stopping)
        server.start()
    _wait(nodes, stopping)
    for executor in executors:
        executor.shutdown()
    for server in servers:
        server.join(2.0)
    for failure in failures:
        sys.stderr.write(failure)
    for ended in [node.ended for node in nodes if node.ended]:
        raise ended
    return 1 if failures else 0
