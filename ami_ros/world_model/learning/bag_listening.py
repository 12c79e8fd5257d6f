"""What a bag tells of a robot, as `ami_ros.ros.recorder` hears it from a running one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from ami_ros.core.errors import AmiError
from ami_ros.core.robots.checkup import Finding
from ami_ros.core.robots.observation import HEARD, TRANSFORMS, Observation, Topic
from ami_ros.world_model.learning.bag_reader import BagReader, BrokenBagError
from ami_ros.world_model.learning.extract import ExtractConfig, moments_of


def listen_to_bag(path: Path, seconds: float) -> Observation:
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
    _judge_by_stamps(seen)
    return seen


def _judge_by_stamps(seen: Observation) -> None:
    """Simulated time has nothing to do with when it was recorded: arrivals become those of its own clock, on which
    only how late topics are beside each other is known."""
    stamped = [topic for topic in seen.topics.values() if topic.stamps and len(topic.stamps) == len(topic.arrivals)]
    ages = [float(np.median(np.subtract(topic.arrivals, topic.stamps))) for topic in stamped]
    if not ages or min(abs(age) for age in ages) < 3600.0:  # [s], more is another clock
        return
    seen.simulated_time = True
    for topic, age in zip(stamped, ages, strict=True):
        topic.arrivals = [stamp + age - min(ages) for stamp in topic.stamps]


def examine_extraction(path: Path, config: ExtractConfig) -> Finding:
    """Whether `extract` finds moments in a bag, and what it leaves out."""
    dropped: Counter[str] = Counter()
    try:
        kept, total = moments_of(path, config, dropped)
    except AmiError as error:
        return Finding(
            "error", "extract", str(error), "record it anew, or name topics: ./ami extract --topic ROLE=NAME"
        )
    left_out = ", ".join(f"{count} {reason}" for reason, count in dropped.items() if count)
    text = f"{kept} of {total} moments can be used" + (f"; left out: {left_out}" if left_out else "")
    if kept and kept >= total / 2:
        return Finding("ok", "extract", text)
    return Finding("warning" if kept else "error", "extract", text, "mend what is named, and record it anew")


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
