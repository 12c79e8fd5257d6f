"""The base class of all nodes: a managed node that can also start itself.

rclpy swallows exceptions in transitions and gates only publishers; here every transition says what failed, and
subscriptions and timers are silent while the node is not active. Nothing that comes from outside ends a node: what a
callback raises is reported, and the node goes on.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from rcl_interfaces.msg import ParameterDescriptor, ParameterType
from rclpy.clock import Clock, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile
from rclpy.timer import Timer

from ami_ros.core.commands import Command
from ami_ros.core.errors import AmiError
from ami_ros.ros.messages.conversions import command_message, command_type
from ami_ros.ros.node.health import Health, Heartbeat
from ami_ros.ros.node.parameters import declare, watch
from ami_ros.ros.node.qos import RELIABLE, SENSOR

ConfigT = TypeVar("ConfigT")


class AmiNode(LifecycleNode, Generic[ConfigT]):
    """A lifecycle node with parameters from a frozen dataclass.

    Derived classes override `configure` (load, create publishers, subscriptions and timers with the methods below),
    `activate`, `deactivate` (a robot must stand still afterwards), `cleanup` and `time_jumped`; each may raise. Those
    with parameters that can be set while the node runs override `allow` and `reconfigure`. They say their name, and the
    dataclass whose fields are their parameters: `class SafetyNode(AmiNode[P], name="safety", parameters=P)`.

    Args:
        options: of `rclpy.node.Node`, as `context` or `parameter_overrides`.

    Raises:
        AmiError: a parameter is unknown, of a wrong type or out of range.
    """

    heartbeat_period = 0.2  # [s], see `Heartbeat`
    _called: ClassVar[tuple[str, Any]]  # name, and type of the parameters

    def __init_subclass__(cls, name: str = "", parameters: Any = None, **more: Any) -> None:
        super().__init_subclass__(**more)
        if name:
            cls._called = name, parameters

    def __init__(self, **options: Any) -> None:
        name, config = self._called
        super().__init__(name, **options)
        clock = ParameterDescriptor(type=ParameterType.PARAMETER_BOOL, description="take the time from /clock")
        self.set_descriptor("use_sim_time", clock)
        managed = ParameterDescriptor(description="configure and activate without a lifecycle manager", read_only=True)
        self.declare_parameter("autostart", True, managed)
        self.config: ConfigT = declare(self, config)
        watch(self, config, self.allow, self._take_config)
        self.health = Health(self)
        self.is_active = False
        self.bugs: list[Exception] = []  # the newest few of what callbacks raised and nobody foresaw
        self.ended: AmiError | None = None  # why its process has to end, if it has to
        self._failure: AmiError | None = None
        self._starting = False
        self._created: list[Callable[[], object]] = []
        backward = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-0.1), on_clock_change=False)
        self._jumps = self.get_clock().create_jump_callback(backward, post_callback=self._jumped)
        self._heartbeat = Heartbeat(self, self.heartbeat_period)

    @property
    def is_stopped(self) -> bool:
        """Whether an emergency stop holds."""
        return False

    def configure(self) -> None:
        """Acquires everything that the node needs."""

    def activate(self) -> None:
        """Starts work."""

    def deactivate(self) -> None:
        """Stops work; publishers still function."""

    def cleanup(self) -> None:
        """Releases what `configure` acquired, also after it failed half-way."""

    def time_jumped(self) -> None:
        """The clock went backwards: buffers belong to another time."""

    def allow(self, config: ConfigT) -> None:
        """Parameters are about to be set; an AmiError refuses their values. Called between two callbacks."""

    def reconfigure(self, before: ConfigT) -> None:
        """Parameters were set while the node is inactive or active: `config` is new. Called between two callbacks."""

    def start(self) -> None:
        """Configures and activates, unless the parameter `autostart` is false; raises AmiError if that fails."""
        if not self.get_parameter("autostart").value:
            return
        self._starting = True
        for transition in (self.trigger_configure, self.trigger_activate):
            if transition() != TransitionCallbackReturn.SUCCESS:
                raise self._failure or AmiError(f"{self.get_name()}: could not start; the error above says why")
        self._starting = False

    def stop(self) -> None:
        """Deactivates, cleans up and goes to finalized."""
        if self.lifecycle_state in ("unconfigured", "inactive", "active"):
            self.trigger_shutdown()

    def destroy_node(self) -> None:
        """Stops, and takes the node off the graph at once.

        rclpy's own leaves that to the garbage collector: a managed node's state machine keeps the node alive, and with
        it the participant of its context, which then answers for a node that is gone.
        """
        self.stop()
        self._state_machine.destroy_when_not_in_use()
        super().destroy_node()

    @property
    def lifecycle_state(self) -> str:
        """As "active"."""
        return str(self._state_machine.current_state[1])

    @property
    def failure(self) -> str:
        """Why the last transition failed; "" if it did not."""
        return "" if self._failure is None else str(self._failure)

    def beat(self) -> None:
        """Gives a sign of life at once: something about the node is new."""
        self._heartbeat.beat()

    def publish_last(self, publisher: Any, message: Any) -> None:
        """Publishes what must arrive before this node or its process ends, and waits a moment for that."""
        publisher.publish(message)
        publisher.wait_for_all_acked(Duration(seconds=0.5))

    def publisher(self, message_type: Any, topic: str, qos: QoSProfile = RELIABLE) -> Any:
        """A publisher that lives until cleanup and publishes while the node is active."""
        publisher = self.create_lifecycle_publisher(message_type, topic, qos)
        self._created.append(lambda: self.destroy_lifecycle_publisher(publisher))
        return publisher

    def subscribe(
        self,
        message_type: Any,
        topic: str,
        callback: Callable[[Any], None],
        qos: QoSProfile | Sequence[QoSProfile] = SENSOR,
        always: bool = False,
        frame: str = "",
    ) -> None:
        """Calls `callback` with messages while the node is active; what it raises is reported, the message dropped.

        With `always` also while it is not: what is latched comes only once. Messages of another `frame` are warned of.

        With several profiles publishers of any of them are heard, and a message that fits several counts once. A
        best-effort reader hears every publisher, but asks for nothing again and gets nothing from before it came; so
        the stricter profiles listen beside it.
        """
        profiles = [qos] if isinstance(qos, QoSProfile) else list(qos)
        self.health.inputs.add(topic, message_type, profiles[0], frame)
        receive = partial(self._receive, topic, callback, always)
        taken: deque[int] = deque(maxlen=16)  # more than all profiles queue together

        def once(message: Any, info: dict[str, Any]) -> None:
            sent = info["source_timestamp"]
            if not (sent and sent in taken):
                taken.append(sent)
                receive(message)

        for profile in profiles:
            heard = self.create_subscription(message_type, topic, once if len(profiles) > 1 else receive, profile)
            self._created.append(partial(self.destroy_subscription, heard))

    def _receive(self, topic: str, callback: Callable[[Any], None], always: bool, message: Any) -> None:
        if not self.is_active and not always:
            return
        if odd := self.health.inputs.came(topic, message):
            self.health.warn(topic, f"{topic}: {odd}")
        self.survive(topic, callback, message)

    def every(self, period: float, callback: Callable[[], None], clock: Clock | None = None) -> Timer:
        """Calls `callback` every `period` [s] of `clock` (the node's if None) while the node is active."""
        name = getattr(callback, "__name__", "timer").strip("_")
        timer = self.create_timer(period, lambda: self.survive(name, callback) if self.is_active else None, clock=clock)
        self._created.append(lambda: self.destroy_timer(timer))
        return timer

    def offer(self, service_type: Any, name: str, callback: Callable[[Any, Any], None]) -> None:
        """Answers a service; an AmiError goes into the response's `success`, `error_code` and `error_msg`.

        So does everything else that `callback` raises, with the code UNKNOWN; its traceback is logged.
        """

        def answer(request: Any, response: Any) -> Any:
            try:
                if not self.is_active:
                    code = getattr(service_type.Response, "NOT_ACTIVE", 0)
                    raise AmiError(f"{self.get_name()} is not active; activate it", code)
                response.success = True
                callback(request, response)
                return response
            except AmiError as error:
                refused, default = error, "INVALID_INPUT"
            except Exception as error:
                refused, default = self.failed(name.removeprefix("~/"), error), "UNKNOWN"
            response = service_type.Response(success=False)  # nothing half done
            if hasattr(response, "error_code"):
                response.error_code = refused.code or getattr(response, default, response.UNKNOWN)
            setattr(response, "error_msg" if hasattr(response, "error_msg") else "message", str(refused))
            return response

        service = self.create_service(service_type, name, answer)
        self._created.append(lambda: self.destroy_service(service))

    def survive(self, what: str, call: Callable[..., object], *arguments: Any) -> None:
        """Calls something; what it raises is reported as of `what`, and the node goes on."""
        try:
            call(*arguments)
        except Exception as error:
            self.failed(what, error)

    def failed(self, what: str, error: Exception) -> AmiError:
        """Reports an exception, one that nobody foresaw with its traceback; returns what to tell a client."""
        if isinstance(error, AmiError):
            self.health.warn(what, f"{what}: {error}")
            return error
        self.bugs = [*self.bugs[-9:], error]
        text = f"{what}: {type(error).__name__}: {' '.join(str(error).split())}"
        self.health.error(what, f"{text}; this is a bug of ami_ros, its traceback is in the log", error)
        return AmiError(f"{text}; the log of {self.get_name()} has the traceback")

    def now(self) -> float:
        """The node's clock [s]."""
        return self.get_clock().now().nanoseconds * 1e-9

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        result = self._transition("configure", self.configure)
        if result != TransitionCallbackReturn.SUCCESS:
            self._release()
            return result
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        super().on_activate(state)
        result = self._transition("activate", self.activate)
        self.is_active = result == TransitionCallbackReturn.SUCCESS
        if not self.is_active:
            super().on_deactivate(state)
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.is_active = False
        result = self._transition("deactivate", self.deactivate)
        super().on_deactivate(state)
        return result

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._release()

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        if self.is_active:
            self.on_deactivate(state)
        return self._release()

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self.on_shutdown(state)

    def _LifecycleNodeMixin__change_state(self, transition_id: int) -> TransitionCallbackReturn:
        """rclpy's, which raises out of the executor, and so ends the process, where a state has no such transition."""
        available = [transition[0] for transition in self._state_machine.available_transitions]
        if transition_id not in available:
            state = self.lifecycle_state
            self.get_logger().warning(f"transition {transition_id} refused: the node is {state}, which has {available}")
            return TransitionCallbackReturn.FAILURE
        self._failure = None
        result: TransitionCallbackReturn = super()._LifecycleNodeMixin__change_state(transition_id)
        self._heartbeat.beat()
        return result

    def _transition(self, name: str, action: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            action()
        except AmiError as error:
            self._failure = error
            if not self._starting:  # else `start` raises it
                self.get_logger().error(f"{name} failed: {error}")
            return TransitionCallbackReturn.FAILURE
        except Exception as error:  # rclpy would swallow it
            self._failure = AmiError(f"{name} failed: {type(error).__name__}: {error}; its traceback is in the log")
            self.get_logger().error(f"{name} failed:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    def _release(self) -> TransitionCallbackReturn:
        result = self._transition("cleanup", self.cleanup)
        self.health.forget()
        for destroy in reversed(self._created):
            destroy()
        self._created.clear()
        return result

    def _take_config(self, config: ConfigT) -> None:
        before, self.config = self.config, config
        if self.lifecycle_state in ("inactive", "active"):
            self.survive("parameters", self.reconfigure, before)

    def _jumped(self, jump: TimeJump) -> None:
        self.get_logger().info("time went backwards: buffers cleared")
        self.survive("time jumped", self.time_jumped)


class CommandPublisher:
    """Sends commands, see `core.commands`, stamped or not.

    Args:
        node: whose publisher it is; it publishes while that is active.
        topic: of the commands.
        stamped: they are TwistStamped; else Twist.
        frame: of the commands.
    """

    def __init__(self, node: AmiNode[Any], topic: str, stamped: bool, frame: str) -> None:
        self._node, self._stamped, self._frame = node, stamped, frame
        self.publisher = node.publisher(command_type(stamped), topic)

    def send(self, command: Command, last: bool = False) -> None:
        """Publishes it now; if it is the `last`, waits until it has arrived."""
        message = command_message(command, self._stamped, self._node.get_clock().now().to_msg(), self._frame)
        if last:
            self._node.publish_last(self.publisher, message)
        else:
            self.publisher.publish(message)
