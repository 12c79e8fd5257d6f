"""What a bag tells of a robot, as `ami_ros.ros.survey` hears it from a running one."""

from __future__ import annotations

from pathlib import Path

from ami_ros.learning.bag_reader import BagReader, BrokenBagError
from ami_ros.robots.observation import HEARD, TRANSFORMS, Observation, Topic


def survey_bag(path: Path, seconds: float) -> Observation:
    """What was heard in the first `seconds` of a bag, and all its static transforms.

    Raises:
        AmiError: there is nothing that can be read.
    """
    seen = Observation(live=False)
    with BagReader(path) as bag:
        found = {name: topic for name, topic in bag.topics.items() if topic.count}
        seen.topics = {_absolute(name): Topic(topic.type_name, ("bag",)) for name, topic in found.items()}
        wanted = {name for name, topic in found.items() if topic.type_name in HEARD}
        try:
            _read(bag, seen, wanted, seconds)
        except BrokenBagError:  # what came before the damage is enough
            pass
    return seen


def _read(bag: BagReader, seen: Observation, wanted: set[str], seconds: float) -> None:
    began: float | None = None
    for name, time, data in bag.messages(wanted):
        topic, now = seen.topics[_absolute(name)], 1e-9 * time
        began = now if began is None else began
        if topic.type == TRANSFORMS:
            if name.endswith("tf_static"):
                seen.take_transforms(bag.decode(name, data))
        elif now - began <= seconds:
            topic.take(bag.decode(name, data), now)


def _absolute(name: str) -> str:
    return f"/{name.lstrip('/')}"
