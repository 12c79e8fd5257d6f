"""A stack of real processes around a kinematic robot, to which things happen for a long time; and what it did."""

from __future__ import annotations

import math
import os
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TwistStamped
from numpy.typing import NDArray
from rclpy.action import ActionClient
from rclpy.context import Context
from rclpy.node import Node
from std_msgs.msg import UInt32

from ami_interfaces.action import NavigateToGoal
from ami_ros.bench.demo.stack import NODES
from ami_ros.core.commands import STILL
from ami_ros.core.installation import importing
from ami_ros.core.robots.description import DEFAULT, load_robot
from ami_ros.ros.goals.clients import ResultWatch
from ami_ros.ros.goals.robot_client import pose_goal
from ami_ros.ros.messages.conversions import command_from_message
from ami_ros.ros.node.executor import LeanExecutor
from ami_ros.ros.node.qos import RELIABLE
from ami_ros.ros.start.domain import join_domain, orphaned_segments
from ami_ros.ros.start.graph import STACK, Arguments, ProcessSpec, processes
from ami_ros.ros.start.processes import ProcessKeeper

with importing("report"):
    import psutil


class ProcessLog:
    """Memory, threads and descriptors of one process over time."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        # Time [s], resident [MB], of it private to the process [MB], threads, descriptors.
        self.samples: list[tuple[float, float, float, int, int]] = []

    def sample(self, now: float) -> None:
        """Reads it; a process that has ended stays as it was."""
        try:
            with self._process.oneshot():
                memory, threads = self._process.memory_info(), self._process.num_threads()
                # What is not in files is what a leak would fill; the kernel takes pages of files away and brings
                # them back as it sees fit, which moves the resident size by itself.
                private = memory.rss - getattr(memory, "shared", 0)
                self.samples.append((now, memory.rss / 1e6, private / 1e6, threads, self._process.num_fds()))
        except psutil.Error:
            pass

    @property
    def seconds(self) -> float:
        """From the first sample to the last."""
        return self.samples[-1][0] - self.samples[0][0] if self.samples else 0.0

    def figures(self, name: str) -> dict[str, float]:
        """Slopes of memory [MB/h] after a quarter of the time, and by how much that, threads and descriptors have grown
        since.

        Slopes are those of a line with one step, wherever that fits best: what is taken once is no leak, as half a
        megabyte that safety and supervisor take, each at a moment of its own, and never again.
        """
        kept = np.array(self.samples[len(self.samples) // 4 :]).reshape(-1, 5)
        if len(kept) < 3:
            return {}
        resident, private = (3600 * slope_but_for_a_step(kept[:, 0], kept[:, k]) for k in (1, 2))
        return {
            f"{name}_rss_mb": round(float(kept[-1, 1]), 1),
            f"{name}_rss_slope_mb_h": round(float(resident), 2),
            f"{name}_private_slope_mb_h": round(float(private), 2),
            f"{name}_rss_grown_mb": round(float(kept[-1, 1] - kept[0, 1]), 2),
            f"{name}_threads_grown": int(kept[-1, 3] - kept[0, 3]),
            f"{name}_descriptors_grown": int(kept[-1, 4] - kept[0, 4]),
        }


def slope_but_for_a_step(times: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Slope of the line with one step in it that fits values (n,) best, by least squares.

    Args:
        times: (n,) in order.
        values: (n,).
    """
    since, best = times - times[0], (np.inf, 0.0)
    for step in range(1, len(times)):
        parts = np.column_stack([since, np.ones_like(since), np.arange(len(times)) >= step])
        found = np.linalg.lstsq(parts, values, rcond=None)[0]
        best = min(best, (float(np.square(values - parts @ found).sum()), float(found[0])))
    return best[1]


@dataclass
class SoakRecord:
    """What happened, and what came of it."""

    events: Counter[str] = field(default_factory=Counter)
    goals: Counter[str] = field(default_factory=Counter)
    commands: int = 0
    unsafe: Counter[str] = field(default_factory=Counter)  # commands
    contacts: int = 0
    stops: list[float] = field(default_factory=list)  # [s] from a kill to the first zero
    returns: list[float] = field(default_factory=list)  # [s] from a kill until every node was active
    logs: dict[str, ProcessLog] = field(default_factory=dict)
    left: list[int] = field(default_factory=list)  # processes

    def figures(self, segments: int) -> dict[str, Any]:
        """Flat, with units in the names.

        Args:
            segments: of shared memory that were left.
        """
        found: dict[str, Any] = {f"soak_{kind.replace(' ', '_')}s": n for kind, n in sorted(self.events.items())}
        found |= {f"soak_goals_{kind}": n for kind, n in sorted(self.goals.items())}
        found |= {f"soak_commands_{kind.replace(' ', '_')}": n for kind, n in sorted(self.unsafe.items())}
        found |= {
            "soak_commands": self.commands,
            "soak_commands_unsafe": sum(self.unsafe.values()),
            "soak_contacts": self.contacts,
            "soak_kill_to_zero_max_s": round(max(self.stops, default=0.0), 2),
            "soak_kill_to_active_max_s": round(max(self.returns, default=0.0), 1),
            "soak_processes_left": len(self.left),
            "soak_shared_memory_left": segments,
            "soak_quiet_min": round(max((log.seconds for log in self.logs.values()), default=0.0) / 60, 1),
        }
        for name, log in self.logs.items():
            found |= log.figures(name)
        return found


def verdict(figures: dict[str, Any], say: Callable[[str], None] = lambda line: None) -> dict[str, bool]:
    """Of each figure that has a floor, whether it was kept, or may have been broken by a busy machine; slopes of memory
    only where 20 min were without kills."""
    most = {  # end of a figure's name -> the most that it may be
        "soak_commands_unsafe": 0.0, "soak_kill_to_zero_max_s": 0.5, "soak_kill_to_active_max_s": 10.0,
        "soak_processes_left": 0.0, "soak_shared_memory_left": 0.0, "_rss_slope_mb_h": 1.0,
        "_private_slope_mb_h": 1.0, "_threads_grown": 0.0, "_descriptors_grown": 0.0,
    }  # fmt: skip
    found, long_enough = dict[str, bool](), figures["soak_quiet_min"] >= 20.0
    for name, value in figures.items():
        ending = next((end for end in most if name.endswith(end)), None)
        if ending is None or (ending.endswith("_slope_mb_h") and not long_enough):
            continue
        by_machine, kept = "_kill_to_" in name, float(value) <= most[ending]
        found[name] = kept or by_machine
        word = "kept" if kept else "broken; is the machine busy?" if by_machine else "broken"
        say(f"{name:36} {float(value):g}, at most {most[ending]:g}: {word}")
    if not long_enough:
        say("slopes of memory say nothing: less than 20 min without kills")
    return found


def soak(seconds: float, seed: int, domain_id: int | None) -> dict[str, Any]:
    """Figures of a stack to which things happen for so long; see `command.soak`."""
    before, context = orphaned_segments(), join_domain(domain_id, NODES)
    try:
        with tempfile.TemporaryDirectory(prefix="ami_soak_") as folder:
            run = SoakRun(context, Path(folder), seconds, seed)
            run.run()
    finally:
        context.try_shutdown()
    return run.record.figures(len(orphaned_segments() - before))


ROBOT = "loopback"
READY_WITHIN = 240.0  # [s]


class Watcher:
    """Hears commands and the supervisor, and sends goals; served by a thread of its own."""

    def __init__(self, context: Context, record: SoakRecord) -> None:
        self.record = record
        self.whole, self.since, self.moves = False, time.time(), False
        self.node = Node("soak", context=context)
        limits = load_robot(DEFAULT).limits
        self._most = limits.linear, limits.angular
        self.node.create_subscription(TwistStamped, "cmd_vel", self._command, RELIABLE)
        self.node.create_subscription(DiagnosticStatus, "supervisor/state", self._state, RELIABLE)
        self.node.create_subscription(UInt32, f"{ROBOT}/contacts", self._contact, RELIABLE)
        self._client = ActionClient(self.node, NavigateToGoal, "navigate_to_goal")
        self._newest: Any = None  # handle of the newest goal
        self._executor = LeanExecutor(context=context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._executor.spin, name="soak", daemon=True)
        self._thread.start()

    def send(self, x: float, y: float) -> None:
        """A goal in odom [m]."""
        goal = NavigateToGoal.Goal(goal=pose_goal(np.array([x, y]), "odom"))
        self.record.goals["sent"] += 1
        self._executor.create_task(self._send, goal)

    def cancel(self) -> None:
        """The newest goal."""
        if self._newest is not None:
            self._executor.create_task(self._newest.cancel_goal_async)

    def close(self) -> None:
        """Ends the thread and the node."""
        self._executor.shutdown(timeout_sec=2.0)
        self._thread.join(2.0)
        self._client.destroy()
        self.node.destroy_node()

    def _send(self, goal: NavigateToGoal.Goal) -> None:
        self._client.send_goal_async(goal).add_done_callback(self._accepted)

    def _accepted(self, future: Any) -> None:
        handle = future.result()
        if not handle.accepted:
            self.record.goals["rejected"] += 1
            return
        self._newest = handle
        ResultWatch(self.node, self._client, handle, self._ended)

    def _ended(self, status: int, result: NavigateToGoal.Result) -> None:
        ends = {
            GoalStatus.STATUS_SUCCEEDED: "succeeded", GoalStatus.STATUS_CANCELED: "canceled",
            GoalStatus.STATUS_UNKNOWN: "lost_with_planner",
        }  # fmt: skip
        self.record.goals[ends.get(status, "aborted")] += 1

    def _command(self, message: TwistStamped, info: Any) -> None:
        command, record = command_from_message(message), self.record
        record.commands += 1
        self.moves = any(command)
        if not all(map(math.isfinite, command)):
            record.unsafe["not finite"] += 1
        elif any(abs(v) > most + 1e-6 for v, most in zip(command, self._most, strict=True)):
            record.unsafe["over a limit"] += 1
        elif command != STILL and not self.whole and _sent(info) - self.since > 0.5:  # [s] after a node was lost
            record.unsafe["while a node is missing"] += 1

    def _state(self, message: DiagnosticStatus, info: Any) -> None:
        whole = message.level == DiagnosticStatus.OK
        if whole != self.whole:
            self.whole, self.since = whole, _sent(info)

    def _contact(self, message: UInt32) -> None:
        self.record.contacts = message.data


def _sent(info: Any) -> float:
    """When a message was sent [s]: on a busy machine this process may hear of it much later."""
    return float(info["source_timestamp"]) * 1e-9


class SoakRun:
    """Goals, newer goals, cancels, drop-outs of all sensors, and kills, drawn by a seed.

    Args:
        context: in a domain of its own.
        folder: for parameters and logs.
        seconds: how long.
        seed: of what happens.
    """

    def __init__(self, context: Context, folder: Path, seconds: float, seed: int) -> None:
        self.seconds, self.record = seconds, SoakRecord()
        self._rng = np.random.default_rng(seed)
        self._killed = Counter[str]()
        # In a file, as on a robot: places that are kept in RAM alone take more of it with each that is founded.
        arguments = Arguments(use_sim_time=True, memory_file=str(folder / "soak.memory"))
        robot = {"world": "two_rooms", "image_size": 96, "seed": seed}
        specs = [ProcessSpec(ROBOT, {ROBOT: robot}, (), {}, "", "info"), *processes(arguments, ("stack",))]
        self._keeper, self._watcher = ProcessKeeper(specs, folder), Watcher(context, self.record)

    def run(self) -> None:
        """Raises AmiError where a process ended for good, or the stack does not become active."""
        with ExitStack() as stack:
            stack.callback(self._watcher.close)
            stack.callback(self._keeper.stop)
            self._keeper.start()
            self._wait_until_whole()
            began, quiet = time.monotonic(), False
            while (elapsed := time.monotonic() - began) < self.seconds:
                self._keeper.check()
                if elapsed > 0.4 * self.seconds and not quiet:
                    quiet = True
                    self.record.logs = {name: ProcessLog(pid) for name, pid in self._keeper.pids().items()}
                self._happen(kills=not quiet)
                for log in self.record.logs.values():
                    log.sample(time.monotonic() - began)
        self.record.left = [pid for pid in self._keeper.pids().values() if Path(f"/proc/{pid}").exists()]

    def _happen(self, kills: bool) -> None:
        watcher, rng = self._watcher, self._rng
        watcher.send(*rng.uniform(-2.0, 2.0, 2))
        kind = rng.choice(
            ["drive", "preempt", "cancel", "drop out", "kill"] if kills else ["drive", "preempt", "cancel"]
        )
        if not kills and rng.random() < 0.2:
            kind = "drop out"
        self.record.events[str(kind)] += 1
        time.sleep(4.0)
        if kind == "preempt":
            watcher.send(*rng.uniform(-2.0, 2.0, 2))
        elif kind == "cancel":
            watcher.cancel()
        elif kind == "drop out":
            pid = self._keeper.pids()[ROBOT]  # the robot, its sensors and the clock stand still for a while
            os.kill(pid, signal.SIGSTOP)
            time.sleep(1.5)
            os.kill(pid, signal.SIGCONT)
        elif kind == "kill":
            self._kill()
        time.sleep(4.0)

    def _kill(self) -> None:
        """One process, in turn: the supervisor forgives only so many losses of one."""
        name = min((*STACK, "supervisor"), key=lambda each: self._killed[each])
        self._killed[name] += 1
        pid, began = self._keeper.pids()[name], time.monotonic()
        os.kill(pid, signal.SIGKILL)
        while self._watcher.moves and time.monotonic() - began < 5.0:
            time.sleep(0.01)
        self.record.stops.append(time.monotonic() - began)
        while self._keeper.pids()[name] == pid and time.monotonic() - began < READY_WITHIN:
            time.sleep(0.02)
        time.sleep(0.5)  # until the supervisor has said so
        self._wait_until_whole()
        self.record.returns.append(time.monotonic() - began)

    def _wait_until_whole(self) -> None:
        end = time.monotonic() + READY_WITHIN
        while not self._watcher.whole and time.monotonic() < end:
            self._keeper.check()
            time.sleep(0.05)
