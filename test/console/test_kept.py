from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from ami_ros.console.kept import MAX_BYTES, KeepOutStrokes, Pictures, Ring
from ami_ros.console.requests import KeepOut
from ami_ros.core.errors import AmiError
from ami_ros.core.images import encode_jpeg, encode_png

STROKE = KeepOut(((0.0, 0.0), (1.0, 0.0)), 0.3)
PICTURE = np.zeros((240, 320, 3), np.uint8)


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


def test_a_stroke_leaves_no_gap_between_its_points() -> None:
    painted = KeepOutStrokes(None)
    painted.paint(STROKE, None)
    x = painted.circles[:, 0]
    assert x[0] == 0.0 and x[-1] == 1.0 and np.diff(x).max() <= 0.15 + 1e-9
    assert (painted.circles[:, 2] == 0.3).all()


def test_what_was_painted_is_there_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "home.memory.keep_out.json"
    painted = KeepOutStrokes(file)
    painted.paint(STROKE, None)
    painted.paint(KeepOut(((5.0, 5.0),)), None)
    again = KeepOutStrokes(file)
    assert np.allclose(again.circles, painted.circles, atol=1e-3)
    again.clear(last=True)
    assert len(KeepOutStrokes(file).circles) == len(painted.circles) - 1
    again.clear()
    assert len(KeepOutStrokes(file).circles) == 0


def test_the_robot_is_not_locked_in() -> None:
    painted = KeepOutStrokes(None)
    with pytest.raises(AmiError, match="robot stands there"):
        painted.paint(STROKE, np.array([0.5, 0.4, 0.0]), 0.2)
    painted.paint(STROKE, np.array([0.5, 0.6, 0.0]), 0.2)


def test_paint_without_end_is_refused() -> None:
    painted = KeepOutStrokes(None)
    with pytest.raises(AmiError, match="more than 1000"):
        painted.paint(KeepOut(((0.0, 0.0), (1e4, 0.0)), 0.1), None)
    assert len(painted.circles) == 0


@pytest.mark.parametrize(
    "text", ["", "{}", '{"strokes": 3}', '{"strokes": [[[1, 2]]]}', '{"strokes": [[[1, NaN, 1]]]}']
)
def test_a_damaged_file_is_an_error_and_stays_as_it_is(tmp_path: Path, text: str) -> None:
    """Rather than drive where it must not."""
    file = tmp_path / "keep_out.json"
    file.write_text(text)
    with pytest.raises(AmiError, match="mend or remove"):
        KeepOutStrokes(file)
    assert file.read_text() == text


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="cannot be written"):
        KeepOutStrokes(tmp_path / "no" / "folder.json").paint(STROKE, None)


def test_the_newest_pictures_are_kept() -> None:
    pictures = Pictures(most=3)
    for k in range(5):
        pictures.add(encode_jpeg(PICTURE) if k % 2 else encode_png(PICTURE), f"picture {k}")
    assert [p["number"] for p in pictures.listed()] == [3, 4, 5]
    assert pictures.get(5).title == "picture 4"
    with pytest.raises(AmiError, match="drop it again"):
        pictures.get(1)


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", bytes(5000)]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(AmiError, match="picture"):
        Pictures().add(data, "x")


def test_a_huge_picture_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(AmiError, match="bytes are too many"):
        Pictures().add(bytes(MAX_BYTES + 1), "x")
    bomb = bytearray(encode_png(PICTURE))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    with pytest.raises(AmiError, match="60000x60000"):
        Pictures().add(bytes(bomb), "x")
