"""The executor of all nodes serves whatever rclpy's own serves, and does not turn while nothing happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import rclpy
from rclpy.action import ActionClient
from rclpy.clock import Clock, ClockType
from rclpy.context import Context
from std_msgs.msg import String
from std_srvs.srv import Trigger

from ami_interfaces.action import NavigateToGoal
from ami_ros.ros.goals.action_server import GoalTicket, Outcome, SimpleActionServer
from ami_ros.ros.node.executor import LeanExecutor
from harness.ros import RosPeer
from harness.waiting import wait_until


class Served:
    """A node on an executor of its own, which turns on a thread."""

    def __init__(self, ros: RosPeer) -> None:
        self.ros = ros
        self.node = ros.make_node("served")
        ros.executor.remove_node(self.node)
        self.executor = LeanExecutor(context=ros.context)
        self.executor.add_node(self.node)
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        try:
            self.executor.spin()
        except Exception as error:
            self.failure = error

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def close(self) -> None:
        self.executor.shutdown()
        wait_until(lambda: self.ended, what="the executor's thread")


@pytest.fixture
def served(ros: RosPeer) -> Iterator[Served]:
    served = Served(ros)
    yield served
    served.close()


def test_messages_come_in_order_to_a_subscription_made_while_it_waits(served: Served) -> None:
    heard: list[str] = []
    served.node.create_subscription(String, "words", lambda message: heard.append(message.data), 100)
    publisher = served.ros.node.create_publisher(String, "words", 100)
    wait_until(lambda: publisher.get_subscription_count() == 1, what="discovery")
    sent = [str(i) for i in range(50)]
    for word in sent:
        publisher.publish(String(data=word))
    wait_until(lambda: len(heard) == 50, what="50 messages")
    assert heard == sent


def test_a_node_hears_what_its_own_process_publishes(served: Served) -> None:
    heard: list[str] = []
    served.node.create_subscription(String, "own", lambda message: heard.append(message.data), 10)
    publisher = served.node.create_publisher(String, "own", 10)
    served.node.create_timer(0.01, lambda: publisher.publish(String(data="x")))
    wait_until(lambda: len(heard) > 20, what="its own messages")


def test_services_timers_and_tasks_are_served(served: Served) -> None:
    ticks: list[int] = []
    served.node.create_timer(0.01, lambda: ticks.append(1), clock=Clock(clock_type=ClockType.STEADY_TIME))

    def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.message = "here"
        return response

    served.node.create_service(Trigger, "ask", answer)
    assert served.ros.call(Trigger, "ask", Trigger.Request()).message == "here"
    task = served.executor.create_task(lambda: 7)
    wait_until(lambda: task.done() and len(ticks) > 5, what="task and timer")
    assert task.result() == 7


def test_an_action_goal_is_served_to_its_end(served: Served) -> None:
    def reach(ticket: GoalTicket) -> None:
        server.finish(ticket, Outcome.SUCCEEDED, NavigateToGoal.Result(final_distance=0.5))

    server = SimpleActionServer(
        served.node,
        NavigateToGoal,
        "go",
        check=lambda goal: None,
        rejected=lambda error: None,
        preempted=lambda ticket: NavigateToGoal.Result(),
        canceled=lambda ticket: NavigateToGoal.Result(),
        accepted=reach,
    )
    ros, client = served.ros, ActionClient(served.ros.node, NavigateToGoal, "go")
    ros.spin_until(client.server_is_ready)
    sent = client.send_goal_async(NavigateToGoal.Goal())
    ros.spin_until(sent.done)
    answered = sent.result().get_result_async()
    ros.spin_until(answered.done)
    assert answered.result().result.final_distance == 0.5
    client.destroy()


def test_what_a_callback_raises_ends_it_and_comes_out(served: Served) -> None:
    def fail() -> None:
        raise ValueError("over")

    served.executor.create_task(fail)
    wait_until(lambda: served.ended, what="the executor's end")
    assert isinstance(served.failure, ValueError)


def test_what_a_callback_raises_can_be_caught_and_the_rest_is_served(served: Served) -> None:
    caught: list[Exception] = []
    served.executor.failed = caught.append

    def fail() -> None:
        raise ValueError("over")

    served.executor.create_task(fail)
    wait_until(lambda: caught, what="the error")
    task = served.executor.create_task(lambda: 7)
    wait_until(task.done, what="the next task")
    assert isinstance(caught[0], ValueError) and not served.ended


def test_nothing_is_called_after_its_entity_was_destroyed(served: Served) -> None:
    ticks: list[int] = []
    timer = served.node.create_timer(0.01, lambda: ticks.append(1), clock=Clock(clock_type=ClockType.STEADY_TIME))
    wait_until(lambda: ticks, what="the timer")
    served.executor.create_task(served.node.destroy_timer, timer)
    wait_until(lambda: timer not in list(served.node.timers), what="its end")
    count = len(ticks)
    time.sleep(0.1)
    assert len(ticks) == count


def test_a_waiting_executor_does_not_turn(served: Served) -> None:
    """Each turn serves something; one that wakes itself would take thousands a second."""
    turns: list[int] = []
    serve = served.executor._serve

    def counted() -> bool:
        turns.append(1)
        return serve()

    served.executor._serve = counted  # type: ignore[method-assign]
    served.executor.create_task(lambda: None)
    time.sleep(0.5)
    assert len(turns) < 10


def test_what_a_task_destroys_does_not_end_the_executor(served: Served) -> None:
    """A console that unsubscribed because nobody looked any more was deaf from then on."""
    heard: list[str] = []
    served.node.create_subscription(String, "words", lambda message: heard.append(message.data), 10)
    publisher = served.ros.node.create_publisher(String, "words", 10)
    other = served.node.create_subscription(String, "others", lambda message: None, 10)
    wait_until(lambda: publisher.get_subscription_count() == 1, what="discovery")
    publisher.publish(String(data="x"))
    wait_until(lambda: heard, what="a message, so that it waits for both")

    def destroy() -> None:
        served.node.destroy_subscription(other)
        served.executor._events_at = 0.0  # its events are looked at next

    served.executor.create_task(destroy)
    publisher.publish(String(data="y"))
    wait_until(lambda: heard == ["x", "y"] or served.failure, what="a message after that")
    assert served.failure is None


def test_a_shutdown_while_entities_are_gathered_ends_quietly() -> None:
    """What there was to wait for is gone then, and an empty set cannot be waited for."""
    context = Context()
    rclpy.init(context=context)
    executor = LeanExecutor(context=context)
    gather = executor._gather

    def late(held: ExitStack) -> None:
        executor.shutdown()
        gather(held)

    executor._gather = late  # type: ignore[method-assign]
    executor.spin()
    context.try_shutdown()
