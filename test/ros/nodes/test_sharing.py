"""The node `sharing`: robots in namespaces of their own fetch each other's memories over one topic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ami_interfaces.msg import SharedMemory
from ami_ros.core.errors import AmiError
from ami_ros.memory.sharing.letters import SiteStatus
from ami_ros.memory.sharing.replica import copies_beside
from ami_ros.memory.sharing.rows import OwnRows
from ami_ros.memory.store import Store
from ami_ros.memory.types import PlaceRow
from ami_ros.ros.messages.memory import LETTERS, TOPIC, letter_from_message
from ami_ros.ros.nodes.sharing import SharingNode
from harness.copies import digest_of
from harness.ros import RosPeer

DIM = 8
Make = Callable[[str, int], Path]


def node(ros: RosPeer, namespace: str, memory: Path, **parameters: object) -> SharingNode:
    arguments = ["--ros-args", "-r", f"__ns:=/{namespace}"]
    return ros.start(SharingNode, arguments, site="here", memory_file=str(memory), **parameters)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Make]:
    """Makes memories of some places, as the node memory keeps them open."""
    stores: list[Store] = []

    def make(name: str, count: int) -> Path:
        path = tmp_path / f"{name}.memory"
        store = Store(path, "an encoder", DIM)
        rng = np.random.default_rng(count)
        store.put_places(
            PlaceRow(i, rng.standard_normal(DIM).astype(np.float32), rng.standard_normal(3), 1.0, 1.0, 1)
            for i in range(1, count + 1)
        )
        store.begin_sharing()
        store.flush()
        stores.append(store)
        return path

    yield make
    for store in stores:
        store.close()


def test_two_robots_have_the_same_places_and_the_copy_survives_the_node(ros: RosPeer, memory: Make) -> None:
    one, two = memory("one", 50), memory("two", 300)
    first, second = node(ros, "amr1", one), node(ros, "fleet/amr2", two)
    ros.spin_until(lambda: first.exchange.is_complete("fleet.amr2") and second.exchange.is_complete("amr1"))
    first.stop()
    rows = OwnRows(two).rows()
    assert rows is not None
    assert digest_of(copies_beside(one) / "fleet.amr2.memory") == rows.digest()
    assert first.bugs == second.bugs == []


def test_who_listens_hears_what_each_robot_has(ros: RosPeer, memory: Make) -> None:
    first, second = node(ros, "amr1", memory("one", 20)), node(ros, "amr2", memory("two", 30))
    ros.spin_until(lambda: first.exchange.is_complete("amr2") and second.exchange.is_complete("amr1"))
    heard = SiteStatus()

    def take(message: SharedMemory) -> None:
        heard.take(letter_from_message(message), 0.0)

    ros.node.create_subscription(SharedMemory, TOPIC, take, LETTERS)
    wanted = ["here  amr1: 20 places; copies: amr2: all 30", "here  amr2: 30 places; copies: amr1: all 20"]
    ros.spin_until(lambda: heard.lines() == wanted)


def test_a_site_without_a_memory_file_is_refused(ros: RosPeer) -> None:
    made = ros.make(SharingNode, site="here")
    with pytest.raises(AmiError, match="set site and memory_file"):
        made.start()


def test_nonsense_on_the_topic_is_told_with_the_name_of_the_robot_and_harms_nothing(ros: RosPeer, memory: Make) -> None:
    made = node(ros, "amr1", memory("one", 5))
    voice = ros.node.create_publisher(SharedMemory, TOPIC, LETTERS)
    message = SharedMemory(site="here", robot="odd", kind=77, content=b"\x01\x02")
    message.stamp = made.get_clock().now().to_msg()

    def told() -> bool:
        voice.publish(message)
        return made.health.count(TOPIC) > 0

    ros.spin_until(told)
    assert made.bugs == [] and made.is_active
