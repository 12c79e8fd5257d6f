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
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import String

from ami_ros.bench.demo.stack import USUAL
from ami_ros.cli.drive import DriveSettings
from ami_ros.cli.main import VERBOSE
from ami_ros.core.errors import AmiError
from ami_ros.core.robots.description import DEFAULT, load_robot
from ami_ros.core.signals import HeldSignals
from ami_ros.memory.files import check_file
from ami_ros.memory.occupancy_map import read_map
from ami_ros.ros.node.qos import LATCHED, RELIABLE
from ami_ros.ros.start.domain import domain_in_environment, remove_orphaned_segments
from ami_ros.ros.start.graph import STACK, Arguments, processes, rules_of
from ami_ros.ros.start.join import join_domain
from ami_ros.ros.start.processes import ProcessKeeper
from ami_ros.runtime.supervision import FINAL, Code
from ami_ros.world_model.fit import shipped_model
from ami_ros.world_model.model_files import identify_model, model_folder

if TYPE_CHECKING:
    from ami_ros.console.node import RobotConsole


LOOK = 0.2  # [s]
STANDING = 1.0  # [s] that the gate says the same, before it is worth a line
READY_WITHIN = 180.0  # [s]; a loaded machine may take long


def drive(settings: DriveSettings) -> int:
    """Runs until Ctrl-C, which is a good end.

    Raises:
        AmiError: it could not start, or something ended for good.
    """
    arguments = arguments_of(settings)
    specs = processes(arguments, ("simulation", "stack") if settings.sim else ("stack",))
    for spec in specs:
        if "safety" in spec.parameters and not settings.no_console:
            spec.parameters["safety"]["keep_out.memory"] = True  # what is painted on the page, the gate keeps out of
    names = (*STACK, "supervisor", *(("simulator",) if settings.sim else ()))
    signals = HeldSignals()
    with signals.held(at_once=True), ExitStack() as stack:
        stack.callback(remove_orphaned_segments)
        folder = Path(tempfile.mkdtemp(prefix="ami_drive_"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        context = join_domain(domain_in_environment() or 0, names)
        stack.callback(context.try_shutdown)
        watcher = Watcher(context, settings.namespace)
        stack.callback(watcher.close)
        console = _console(settings, arguments, context, stack)
        keeper = ProcessKeeper(specs, folder)
        stack.callback(keeper.stop)
        stack.callback(signals.ignore)
        _say(f"starting {', '.join(spec.name for spec in specs)}; the logs are in {folder}")
        try:
            keeper.start()
            _wait_until_ready(keeper, watcher)
            place = arguments.memory_file or "nowhere: it is forgotten at the end"
            _say(f"ready. Remembers in {place}")
            _say(
                "in another shell: ./ami goto GOAL, ./ami explore, ./ami patrol GOALS, ./ami stop; Ctrl-C here ends all"
            )
            for line in console:
                _say(line)
            while True:
                watcher.look()
                keeper.check()
        except KeyboardInterrupt:
            _say("ending; the robot stands")
    return 0


def _console(settings: DriveSettings, arguments: Arguments, context: Context, stack: ExitStack) -> list[str]:
    """Starts the page, if it is wanted; lines that say where it is."""
    if settings.no_console:
        return []
    from ami_ros.console.node import ConsoleSettings, RobotConsole

    painted = Path(f"{arguments.memory_file}.keep_out.json") if arguments.memory_file else None
    wanted = ConsoleSettings(settings.host, settings.port, settings.namespace, painted, Path.cwd())
    robot = load_robot(arguments.robot)
    console = stack.enter_context(RobotConsole(context, wanted, _say, rules_of(arguments, robot)))
    if settings.sim:
        _show_truth(console, settings.world, robot.shape.radius)
    return console.addresses


def _show_truth(console: RobotConsole, world: str, radius: float) -> None:
    """The true floor plan of a simulated robot, where it can be drawn."""
    from ami_ros.bench.demo.scenery import Backdrop
    from ami_ros.cli.simulated_view import hear_truth
    from ami_ros.simulation.world_file import load_world

    try:
        hear_truth(console.node.listener, console.scene, Backdrop.of(load_world(world), radius))
    except AmiError as error:
        _say(f"the page lacks the true floor plan: {error}")


def _wait_until_ready(keeper: ProcessKeeper, watcher: Watcher) -> None:
    began = time.monotonic()
    while watcher.code is not Code.NONE:
        watcher.look()
        keeper.check()
        if time.monotonic() - began > READY_WITHIN:
            raise AmiError(f"not ready after {READY_WITHIN:.0f} s: {watcher.stack or 'nothing is heard of the stack'}")


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
        self._executor.spin_once(timeout_sec=LOOK)
        words, since = self._gate
        if time.monotonic() - since > STANDING:  # it corrects many a command for a moment
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


def arguments_of(settings: DriveSettings) -> Arguments:
    """What is started with.

    Raises:
        AmiError: there is no such robot, model or memory, or they do not fit together.
    """
    if settings.robot is None and not settings.sim:
        raise AmiError("drive: name the robot with --robot (./ami doctor --write writes its file), or give --sim")
    named = settings.robot or DEFAULT
    robot = load_robot(named)
    model = model_folder(settings.model or shipped_model(robot))
    memory = _memory_of(settings, robot.name)
    if memory is not None and memory.exists():
        identity = identify_model(model)
        check_file(memory, identity.encoder_id, identity.spec.latent_dim)
    if settings.keep_out is not None:
        read_map(settings.keep_out)  # what is wrong with it shows now
    return Arguments(
        robot=named,
        model=str(model),
        memory_file=str(memory or ""),
        namespace=settings.namespace,
        site=settings.site,
        composed=settings.composed,
        keep_out=str(settings.keep_out or ""),
        params_file=str(settings.params or ""),
        use_sim_time=settings.sim or settings.sim_time,
        world=settings.world,
        seed=settings.seed,
        log_level="debug" if os.environ.get(VERBOSE) else "info",
        **(USUAL if settings.sim else {}),
    )


def _memory_of(settings: DriveSettings, robot: str) -> Path | None:
    if settings.forget:
        if settings.memory is not None:
            raise AmiError("drive: --forget and --memory are opposites; give one of them")
        return None
    default = f"{Path(settings.world).stem.replace(':', '_')}_{robot}.memory" if settings.sim else f"{robot}.memory"
    return (settings.memory or Path(default)).expanduser().resolve()
