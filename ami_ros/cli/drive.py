"""What `ami drive` does: starts processes, says when all is ready and what the robot does, and ends all again."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import String

from ami_ros.bench.demo.client import Frames
from ami_ros.bench.demo.stack import USUAL
from ami_ros.cli.main import VERBOSE
from ami_ros.cli.options import DriveOptions
from ami_ros.core.errors import AmiError
from ami_ros.core.robots.description import DEFAULT, load_robot
from ami_ros.core.signals import HeldSignals
from ami_ros.memory.files import check_file
from ami_ros.memory.occupancy_map import read_map
from ami_ros.ros.messages.conversions import pose_from_message
from ami_ros.ros.node.qos import LATCHED, RELIABLE, SENSOR
from ami_ros.ros.start.domain import domain_in_environment, join_domain, remove_orphaned_segments
from ami_ros.ros.start.graph import STACK, Arguments, processes, rules_of
from ami_ros.ros.start.processes import ProcessKeeper
from ami_ros.runtime.supervision import FINAL, Code
from ami_ros.world_model.fit import shipped_model
from ami_ros.world_model.model_files import identify_model, model_folder

if TYPE_CHECKING:
    pass


def drive(asked: DriveOptions) -> int:
    """Runs until Ctrl-C, which is a good end.

    Raises:
        AmiError: it could not start, or something ended for good.
    """
    arguments = arguments_of(asked)
    specs = processes(arguments, ("simulation", "stack") if asked.sim else ("stack",))
    for spec in specs:
        if "safety" in spec.parameters and not asked.no_console:
            spec.parameters["safety"]["keep_out.memory"] = True  # what is painted on the page, the gate keeps out of
    names = (*STACK, "supervisor", *(("simulator",) if asked.sim else ()))
    signals = HeldSignals()
    with signals.held(at_once=True), ExitStack() as stack:
        stack.callback(remove_orphaned_segments)
        folder = Path(tempfile.mkdtemp(prefix="ami_drive_"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        context = join_domain(domain_in_environment() or 0, names)
        stack.callback(context.try_shutdown)
        watcher = Watcher(context, asked.namespace)
        stack.callback(watcher.close)
        addresses = [] if asked.no_console else _serve_page(asked, arguments, context, stack)
        keeper = ProcessKeeper(specs, folder)
        stack.callback(keeper.stop)
        stack.callback(signals.ignore)
        _say(f"starting {', '.join(spec.name for spec in specs)}; the logs are in {folder}")
        try:
            keeper.start()
            began, ready_within = time.monotonic(), 180.0  # [s]; a loaded machine may take long
            while watcher.code is not Code.NONE:
                watcher.look()
                keeper.check()
                if time.monotonic() - began > ready_within:
                    heard = watcher.stack or "nothing is heard of the stack"
                    raise AmiError(f"not ready after {ready_within:.0f} s: {heard}")
            _say(f"ready. Remembers in {arguments.memory_file or 'nowhere: it is forgotten at the end'}")
            commands = "./ami goto GOAL, ./ami explore, ./ami patrol GOALS, ./ami stop"
            _say("\n".join([f"in another shell: {commands}; Ctrl-C here ends all", *addresses]))
            while True:
                watcher.look()
                keeper.check()
        except KeyboardInterrupt:
            _say("ending; the robot stands")
    return 0


def _serve_page(asked: DriveOptions, arguments: Arguments, context: Context, stack: ExitStack) -> list[str]:
    """Starts the page, which `stack` ends, with the true floor plan of a simulated robot. Gives its addresses."""
    from ami_ros.cli.demo import TruthLayer
    from ami_ros.console.listener import Heard
    from ami_ros.console.node import ConsoleSettings, RobotConsole
    from ami_ros.simulation.world_file import load_world

    painted = Path(f"{arguments.memory_file}.keep_out.json") if arguments.memory_file else None
    settings = ConsoleSettings(asked.host, asked.port, asked.namespace, painted, Path.cwd())
    rules = rules_of(arguments, load_robot(arguments.robot))
    console = stack.enter_context(RobotConsole(context, settings, _say, rules))
    if not asked.sim:
        return console.addresses
    try:
        from ami_ros.simulation.mjcf import draw_top_view  # slow to import

        scene, frames = console.scene, Frames()
        layer = TruthLayer(scene, draw_top_view(load_world(asked.world)), off=True)
    except AmiError as error:
        _say(f"the page lacks the true floor plan: {error}")
        return console.addresses

    def take(message: PoseStamped) -> None:
        truth = pose_from_message(message.pose)
        if scene.odometry is not None:
            frames.add(truth, scene.odometry, scene.pose if scene.localised else None)
            layer.update(frames, truth)

    console.node.listener.topics["ground_truth"] = Heard(PoseStamped, SENSOR, take)
    return console.addresses


class Watcher:
    """Hears what the stack says of itself and prints it, a line when it changes.

    Args:
        context: initialised.
        namespace: of the robot.
    """

    def __init__(self, context: Context, namespace: str) -> None:
        self.code: Code | None = None
        self.stack = ""
        self._said: dict[str, str] = {}
        self._node = Node("ami_drive", context=context, namespace=namespace, enable_rosout=False)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self._node)
        subscribe = self._node.create_subscription
        subscribe(DiagnosticStatus, "supervisor/state", self._on_stack, RELIABLE)
        self._gate: tuple[str, float] = "", 0.0  # what the gate said last, and since when
        subscribe(DiagnosticStatus, "safety/status", self._on_gate, LATCHED)
        for name in ("planner", "mission"):
            subscribe(String, f"{name}/decision", lambda m, name=name: self._tell(name, m.data), LATCHED)

    def look(self) -> None:
        """Hears for a moment.

        Raises:
            AmiError: the supervisor gave up.
        """
        self._executor.spin_once(timeout_sec=0.2)
        words, since = self._gate
        if time.monotonic() - since > 1.0:  # [s]; it corrects many a command for a moment
            self._tell("safety", words)
        if self.code in FINAL:
            raise AmiError(self.stack)

    def close(self) -> None:
        """Takes it off the graph."""
        self._executor.shutdown()
        self._node.destroy_node()

    def _on_stack(self, message: DiagnosticStatus) -> None:
        codes = [value.value for value in message.values if value.key == "code"]
        self.code, self.stack = Code[codes[0]], message.message
        self._tell("stack", message.message)

    def _on_gate(self, message: DiagnosticStatus) -> None:
        self._gate = message.message, time.monotonic()

    def _tell(self, who: str, words: str) -> None:
        if words != self._said.get(who, ""):
            self._said[who] = words
            _say(f"{who}: {words or 'all is well'}")


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def arguments_of(asked: DriveOptions) -> Arguments:
    """What is started with.

    Raises:
        AmiError: there is no such robot, model or memory, or they do not fit together.
    """
    if asked.robot is None and not asked.sim:
        raise AmiError("drive: name the robot with --robot (./ami doctor --write writes its file), or give --sim")
    named = asked.robot or DEFAULT
    robot = load_robot(named)
    model = model_folder(asked.model or shipped_model(robot))
    if asked.forget and asked.memory is not None:
        raise AmiError("drive: --forget and --memory are opposites; give one of them")
    world = f"{Path(asked.world).stem.replace(':', '_')}_" if asked.sim else ""
    file = asked.memory or Path(f"{world}{robot.name}.memory")
    memory = None if asked.forget else file.expanduser().resolve()
    if memory is not None and memory.exists():
        identity = identify_model(model)
        check_file(memory, identity.encoder_id, identity.spec.latent_dim)
    if asked.keep_out is not None:
        read_map(asked.keep_out)  # what is wrong with it shows now
    return Arguments(
        robot=named,
        model=str(model),
        memory_file=str(memory or ""),
        namespace=asked.namespace,
        site=asked.site,
        composed=asked.composed,
        keep_out=str(asked.keep_out or ""),
        params_file=str(asked.params or ""),
        use_sim_time=asked.sim or asked.sim_time,
        world=asked.world,
        seed=asked.seed,
        log_level="debug" if os.environ.get(VERBOSE) else "info",
        **(USUAL if asked.sim else {}),
    )
