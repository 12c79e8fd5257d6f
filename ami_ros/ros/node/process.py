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
    # Linux weighs sessions against each other, and processes only within one.
    with suppress(OSError):  # a kernel without sessions of processes, or one that is asked too often
        Path("/proc/self/autogroup").write_text(f"{niceness}\n")
    return True


def settle() -> None:
    """Takes the memory that NumPy will keep, and freezes the objects there are.

    NumPy never gives back the small blocks that it has kept (numpy/_core/src/multiarray/alloc.c): 7 of each size below
    1024 bytes, 3.7 MB in all. They would come in hours, and a process that grows for hours looks like one that leaks.
    Full garbage collections, 0.1 s with torch loaded, skip what is frozen.
    """
    for size in range(1, 1024):
        blocks = [np.empty(size, np.uint8) for _ in range(7)]
        del blocks
    gc.collect()
    gc.freeze()
    give_back()


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
        for option, value in ((-8, 2), (-3, 2**20)):  # M_ARENA_MAX, M_MMAP_THRESHOLD [bytes]
            set_option(option, value)


def run(*node_classes: Callable[[], AmiNode[Any]], arguments: Sequence[str] | None = None, niceness: int = 0) -> int:
    """Runs nodes until SIGINT, SIGTERM or a bug of the executor ends them, and returns the exit code.

    Each node is served by a thread of its own, so that none waits for a callback of another. What callbacks raise is
    reported by their node, which goes on.

    rclpy's own signal handlers end the context at once, so no final zero could be sent; ours only wake this
    thread, which then stops the nodes one by one. Later signals change nothing.

    Args:
        node_classes: the nodes.
        arguments: the command line; else that of this process.
        niceness: what the process asks for, where it may (`be_urgent`).

    Returns:
        0 after a signal; 1 after a bug of ours, with its traceback; 2 after a mistake in the set-up, with one line.
    """
    be_urgent(niceness)
    share_heaps()
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
        # Python gives signals their own meaning back at its end: a second Ctrl-C would make a failure of a clean one.
        atexit.register(signal.signal, number, signal.SIG_IGN)
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


def _initialise(arguments: list[str]) -> None:
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    except (rclpy_implementation.RCLError, rclpy_implementation.UnknownROSArgsError) as error:
        raise AmiError(f"ROS arguments: {str(error).splitlines()[0]}") from error
    unknown = remove_ros_args(arguments)[1:]
    if unknown:
        raise AmiError(f"unknown arguments {' '.join(unknown)}; ROS arguments come after --ros-args")


def _report(node: AmiNode[Any], stopping: threading.Event, error: Exception) -> None:
    if not stopping.is_set():
        node.failed("callback", error)


def _wait(nodes: list[AmiNode[Any]], stopping: threading.Event) -> None:
    """Until a signal, or until a node has to end."""
    settled, given = False, time.monotonic()
    # Looks for a signal now and then: Linux may deliver it to another thread, and Python then wakes nobody.
    while not (stopping.wait(0.2) or any(node.ended for node in nodes)):
        if not settled and all(node.is_active for node in nodes):
            settled = True
            settle()
        if time.monotonic() - given > 30.0:  # [s] between two times that freed memory is handed back
            given = time.monotonic()
            give_back()


def _spin(nodes: list[AmiNode[Any]], executors: list[LeanExecutor], stopping: threading.Event) -> int:
    """Starts the nodes and serves each on a thread of its own, for this one has to be free for signals.

    What is raised while all stop is rclpy's: its `shutdown` takes away what callbacks still need.
    """
    failures: list[str] = []

    def serve(executor: LeanExecutor) -> None:
        try:
            executor.spin()
        except Exception:  # nothing can be served any more: the robot is stopped first, then the process ends
            if not stopping.is_set():
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
