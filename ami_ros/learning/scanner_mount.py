"""Where the scanner sat on the robot that recorded a bag."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from ami_ros.errors import AmiError
from ami_ros.learning.bag_reader import BagReader, BrokenBagError
from ami_ros.scan import Mount
from ami_ros.static_frames import StaticFrames, mount_of

BASE = "base_link"


def recorded_mount(bag: BagReader, frame: str) -> Mount | None:
    """How the scanner of `frame` was mounted, by the transforms in the bag that never change; None: it does not tell.

    Raises:
        AmiError: it was tilted, or a transform is none.
    """
    if frame == BASE:
        return Mount()
    frames = StaticFrames()
    topics = [t.name for t in bag.topics.values() if t.type_name == "tf2_msgs/msg/TFMessage" and "static" in t.name]
    with suppress(BrokenBagError):  # what was heard before the damage counts
        for topic, _, data in bag.messages(topics):
            for t in bag.decode(topic, data).transforms:
                move, q = t.transform.translation, t.transform.rotation
                frames.put(t.header.frame_id, t.child_frame_id, (move.x, move.y, move.z), (q.x, q.y, q.z, q.w))
    pose = frames.pose_of(frame, BASE)
    return None if pose is None else mount_of(pose, frame)


def common_mount(mounts: Iterable[Mount | None]) -> Mount | None:
    """The one that all of them are, as far as it is known; None: none is.

    Raises:
        AmiError: they differ.
    """
    known = {mount for mount in mounts if mount is not None}
    if len(known) > 1:
        raise AmiError("the scanner sat elsewhere in some of the recordings: what a model learns of one is wrong there")
    return next(iter(known), None)
