"""`./ami goto`, `explore`, `patrol` and `stop` as processes, beside a stack that something else started."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np

from ami_ros.core.installation import share
from harness import Children
from harness.processes import ChildProcess

from .conftest import SLOW
from .test_examples import example


def ami(children: Children, *arguments: str) -> ChildProcess:
    return children.python("-m", "ami_ros.cli", *arguments)


def code(stack: Any, child: ChildProcess) -> int:
    stack.ros.spin_until(lambda: child.code is not None, 120.0, child.output)
    return child.code if child.code is not None else -1


def test_a_robot_is_sent_around_from_the_shell_and_exit_codes_are_true(stack: Any, children: Children) -> None:
    stack.model = share("models", "laser")
    stack.robot = {"robot": "ami_bot_laser", "image_size": 0, "real_time_factor": SLOW}
    stack.start("safety", "perception", "world_model", "memory", "planner", use_memory=True)
    stack.add("mission", planner_silence=60.0)
    began = stack.pose.copy()
    there = ami(children, "goto", "0.9,0.3")
    assert code(stack, there) == 0 and "reached" in there.output() and " m left" in there.output(), there.output()
    assert np.hypot(*(stack.pose - began)[:2]) > 0.5
    unknown = ami(children, "goto", "kitchen")
    assert code(stack, unknown) == 1 and "no place 'kitchen'" in unknown.output()
    late = ami(children, "goto", "--timeout", "0.5", "home")
    assert code(stack, late) == 4 and "timeout" in late.output()
    going = ami(children, "patrol", "--rounds", "3", "home", "0.9,0.3")
    stack.ros.spin_until(lambda: stack.moves, 60.0, going.output)
    going.send(signal.SIGINT)
    assert code(stack, going) == 130 and "cancelled; the robot stands" in going.output()
    stack.ros.spin_until(lambda: not stack.moves, what="standing after Ctrl-C")
    exploring = ami(children, "explore", "1")
    stack.ros.spin_until(lambda: stack.moves, 60.0, exploring.output)
    assert code(stack, ami(children, "stop")) == 0
    assert code(stack, exploring) == 130
    stack.ros.spin_until(lambda: not stack.moves, what="standing after stop")
    assert code(stack, ami(children, "stop", "--emergency")) == 0
    assert stack.nodes["safety"].is_stopped
    assert code(stack, ami(children, "stop", "--release")) == 0 and not stack.nodes["safety"].is_stopped


def test_without_a_stack_commands_and_examples_say_what_they_need_and_2(children: Children) -> None:
    usage = {name: example(children, name) for name in ("goto", "patrol", "take_picture")}
    lonely = [ami(children, "goto", "1,2"), ami(children, "stop")]
    lonely += [
        example(children, *words) for words in (("goto", "1,2"), ("patrol", "1", "here"), ("take_picture", "a.png"))
    ]
    for name, child in usage.items():
        assert child.wait(60) == 2 and f"{name}.py" in child.output() and "Traceback" not in child.output()
    for child in lonely:
        assert child.wait(60) == 2 and len(child.output().splitlines()) == 1, child.output()
    assert all("nobody" in child.output() for child in lonely[:2])
