from collections.abc import Mapping

from ami_ros.console.kept import Ring


class Bag:
    """Notes what is written."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, float, bytes]] = []
        self.types: dict[str, str] = {}
        self.latched = set[str]()

    def define(self, definitions: Mapping[str, str]) -> None:
        self.types.update(definitions)

    def latch(self, topic: str) -> None:
        self.latched.add(topic)

    def raw(self, topic: str, type_name: str, time: float, data: bytes | memoryview) -> None:
        self.messages.append((topic, time, bytes(data)))


def test_the_newest_seconds_are_kept_and_of_each_topic_the_last_word_before_them() -> None:
    ring, bag = Ring(seconds=10.0), Bag()
    ring.define({"a/msg/B": "int8 x"})
    ring.raw("map", "a/msg/B", 0.0, b"old map")
    ring.raw("map", "a/msg/B", 1.0, b"map")
    for k in range(100):
        ring.raw("odom", "a/msg/B", 2.0 + k, b"%d" % k)
    assert ring.seconds <= 10.0 and ring.write(bag) == len(bag.messages)
    times = [time for _, time, _ in bag.messages]
    assert times == sorted(times) and bag.types == {"a/msg/B": "int8 x"}
    assert bag.messages[0] == ("map", times[0], b"map") and bag.messages[-1][2] == b"99"
    assert 12 <= len(bag.messages) <= 14


def test_frames_of_all_who_told_them_once_are_kept_and_what_is_latched_stays_so() -> None:
    ring, bag = Ring(seconds=10.0), Bag()
    ring.latch("/a/tf_static")
    for time, frames in ((0.0, b"camera"), (0.1, b"laser"), (1.0, b"camera"), (50.0, b"wheels")):
        ring.raw("/a/tf_static", "t", time, frames)
    ring.write(bag)
    assert sorted(data for _, _, data in bag.messages) == [b"camera", b"laser", b"wheels"]
    assert bag.latched == {"/a/tf_static"}


def test_a_large_camera_does_not_fill_the_memory() -> None:
    ring = Ring(megabytes=1.0)
    for k in range(50):
        ring.raw("image", "t", float(k), bytes(100_000))
    assert ring.size <= 1_000_000 and ring.seconds == 9.0
    ring.raw("image", "t", 51.0, bytes(5_000_000))
    assert ring.seconds == 0.0


def test_time_that_is_turned_back_begins_anew() -> None:
    ring, bag = Ring(), Bag()
    ring.raw("odom", "t", 100.0, b"before")
    ring.raw("odom", "t", 5.0, b"after")
    assert ring.write(bag) == 1 and bag.messages == [("odom", 5.0, b"after")]


def test_nothing_heard_is_an_empty_bag() -> None:
    bag = Bag()
    assert Ring().write(bag) == 0 and Ring().seconds == 0.0
