"""Recorded people: how well they are found in labelled scans, and how well it is predicted where they will be."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.bench.scenario import Part, Report, Row, recordings
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.installation import importing
from ami_ros.core.scan import Scan
from ami_ros.safety.moving_things import Forecast, Kind, MovingThing, MovingThings, PredictionConfig, constant_velocity
from ami_ros.safety.tracker import Tracker
from ami_ros.safety.tracks import TrackerConfig, Tracks
from ami_ros.simulation.people.recorded import Recording, Track, load_recording

with importing("train"):
    from rosbags.highlevel import AnyReader, AnyReaderError

Predictor = Callable[[MovingThings, float, Array, PredictionConfig], Forecast | None]
PERIOD = 0.1  # [s] between two scans
EVERY = 0.4  # [s] between two predictions of one person: the recordings have 2.5 frames a second


@dataclass(frozen=True)
class Legs:
    """People in scans of real lasers, whose legs are labelled: bags of leg_tracker (ROS 1, BSD).

    Its labels are all clusters of points in a sector where people walked, in scans that have at least one; who walked
    elsewhere is not labelled. So what is found outside the sector does not count.
    """

    folder: str = ""  # with ROS 1 bags of leg_tracker (*.bag); or one bag
    arc: float = 15.0  # [deg] to each side, where legs are labelled
    reach: float = 5.0  # [m] up to which legs are labelled

    def parts(self) -> Sequence[Part]:
        return [Part(bag.stem) for bag in recordings(self.folder, "*.bag", "bags")]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        """Counts, how many people and tracks there were, F1, and the CPU time of each scan [ms]."""
        bag = next(bag for bag in recordings(self.folder, "*.bag", "bags") if bag.stem == part)
        tracker, counts, ms = Tracker(), Counter[str](), []
        for stamp, scan, people in labelled_scans(bag):
            began = time.process_time()
            things = tracker.take(stamp, scan, np.zeros(3))
            ms.append(1000 * (time.process_time() - began))
            tracks = np.array([t.position for t in things.things if t.kind is Kind.PERSON]).reshape(-1, 2)
            counts += self.score(tracks, people)
        if not ms:
            raise AmiError(f"{bag}: no scan comes with labels of legs on leg_cluster_positions")
        found = {name: counts[name] for name in ("found", "missed", "false", "elsewhere")}
        people_there, tracked = counts["found"] + counts["missed"], counts["found"] + counts["false"]
        f1 = 2 * counts["found"] / max(1, people_there + tracked)
        yield found | {"people": people_there, "tracks": tracked, "f1": f1, "scans": len(ms), "ms": ms}

    def score(self, tracks: Array, people: Array) -> Counter[str]:
        """Counts `tracks` (k, 2) of one scan against its `people` (n, 2), within 0.5 m; each of one stands for one of
        the other: people found and missed, false tracks in the sector, and tracks elsewhere."""
        left, found = np.ones(len(tracks), bool), 0
        apart = np.hypot(*(people[:, None] - tracks[None]).transpose(2, 0, 1))
        for person in range(len(people)):
            nearest = np.where(left, apart[person], np.inf)
            if len(tracks) and nearest.min() < 0.5:
                left[nearest.argmin()] = False
                found += 1
        aside = np.abs(np.arctan2(tracks[:, 1], tracks[:, 0]))
        inside = (np.hypot(*tracks.T) < self.reach) & (aside < math.radians(self.arc))
        false, elsewhere = int((left & inside).sum()), int((left & ~inside).sum())
        return Counter(found=found, missed=len(people) - found, false=false, elsewhere=elsewhere)


def labelled_scans(bag: Path) -> Iterator[tuple[float, Scan, Array]]:
    """The scans of a bag, each with its stamp [s] and the people (n, 2) [m] of the labels that come before it: the
    middle of the legs of each, in the frame of the scanner, which stood.

    Raises:
        AmiError: it cannot be read.
    """
    try:
        with AnyReader([bag]) as reader:
            people: Array | None = None
            for connection, _, raw in reader.messages():
                if connection.topic.endswith("leg_cluster_positions"):
                    people = people_of(reader.deserialize(raw, connection.msgtype))
                elif connection.msgtype == "sensor_msgs/msg/LaserScan" and people is not None:
                    message: Any = reader.deserialize(raw, connection.msgtype)
                    stamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
                    yield stamp, scan_of(message), people
                    people = None
    except (AnyReaderError, OSError) as error:
        raise AmiError(f"{bag}: {' '.join(str(error).split())}") from error


def scan_of(message: Any) -> Scan:
    """A scan as `ros.messages.range_sensors` reads it, of a message that was read without ROS."""
    ranges = np.array(message.ranges, np.float32)
    ranges[np.isneginf(ranges)] = message.range_min
    ranges[~((ranges >= message.range_min) & (ranges > 0))] = np.nan
    ranges[ranges >= message.range_max] = np.inf
    return Scan(ranges, float(message.angle_min), float(message.angle_increment), max_range=float(message.range_max))


def people_of(message: Any) -> Array:
    """The people (n, 2) whose legs a PoseArray has; the two legs of one are less than 0.8 m apart."""
    legs = np.array([(pose.position.x, pose.position.y) for pose in message.poses]).reshape(-1, 2)
    found, free = [], np.ones(len(legs), bool)
    while free.any():
        near = free & (np.hypot(*(legs - legs[free.argmax()]).T) < 0.8)
        found.append(legs[near].mean(0))
        free &= ~near
    return np.array(found).reshape(-1, 2)


@dataclass(frozen=True)
class Predict:
    """Where recorded people will be: errors, and whether the doubt is right.

    Positions come at the rate of a laser, with the noise of a tracker, through the tracker's own filter; so velocities
    are as late and as doubtful as those that the planner gets. ADE and FDE as of Pellegrini et al. (ICCV 2009).
    """

    folder: str = ""  # with recorded walkers in the columns of ETH and UCY (*.txt); or one file
    horizon: float = 4.8  # [s] ahead, as benches of the field take
    wander: float = 0.0  # [m/s^1.5] in place of prediction.wander; 0: that

    def parts(self) -> Sequence[Part]:
        return [Part(file.stem) for file in recordings(self.folder, "*.txt", "recorded walkers")]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        file = next(file for file in recordings(self.folder, "*.txt", "recorded walkers") if file.stem == part)
        for predictor, found in self.measure(str(file), seed).items():
            yield {"who": f"{part}, {predictor.replace('_', ' ')}"} | found

    def measure(self, path: str, seed: int) -> dict[str, Row]:
        """Of everybody in a recording; name of the predictor -> figures. Raises AmiError: the file cannot be read."""
        config = PredictionConfig(wander=self.wander) if self.wander else PredictionConfig()
        recording, ahead = load_recording(path), np.arange(EVERY, self.horizon + 1e-6, EVERY)
        predictors: dict[str, Predictor] = {"constant_velocity": constant_velocity, "standing": standing}
        errors: dict[str, list[tuple[Array, Array]]] = {name: [] for name in predictors}
        for moment, things, truth in _moments(recording, ahead, np.random.default_rng([seed, 0x9ED1C7])):
            for name, predict in predictors.items():
                if (forecast := predict(things, moment, ahead, config)) is not None:
                    fast = np.hypot(*things.velocities.T) >= config.slowest  # those that are predicted
                    off = np.hypot(*(forecast.positions - truth[fast]).transpose(2, 0, 1))
                    errors[name] += zip(off, forecast.deviations, strict=True)
        return {name: _errors(*map(np.array, zip(*found, strict=True))) if found else {"n": 0}
                for name, found in errors.items()}  # fmt: skip


def standing(things: MovingThings, stamp: float, seconds: Array, config: PredictionConfig) -> Forecast | None:
    """Everybody stays where they are: what a costmap of obstacles takes for granted."""
    forecast = constant_velocity(things, stamp, seconds, config)
    if forecast is None:
        return None
    return replace(forecast, positions=np.repeat(forecast.positions[:, :1], len(seconds), 1))


def _errors(off: Array, doubt: Array) -> Row:
    """Of one predictor, by distances (n, t) [m] to the truth, and predicted deviations (n, t) [m]: ADE and FDE [m], the
    share of the truth within circles that should hold it, and the mean negative log likelihood [nat]; of the last of
    the times where nothing else is said."""
    radii = {level: np.sqrt(-2 * np.log(1 - level)) for level in (0.5, 0.9)}  # of a normal distribution in the plane
    likelihood = np.log(2 * np.pi * doubt**2) + off**2 / (2 * doubt**2)
    figures = {
        "ade_m": off.mean(), "fde_m": off[:, -1].mean(), "fde_p95_m": np.percentile(off[:, -1], 95),
        **{f"within_{100 * level:.0f}": (off[:, -1] < doubt[:, -1] * radius).mean() for level, radius in radii.items()},
        "nll": likelihood[:, -1].mean(),
    }  # fmt: skip
    return {"n": len(off)} | {name: round(float(value), 4) for name, value in figures.items()}


def _moments(
    recording: Recording, ahead: Array, rng: np.random.Generator
) -> Iterator[tuple[float, MovingThings, Array]]:
    """Moments [s] with all whose future is recorded, and who have been tracked for 1.2 s: as tracked, and (n, t, 2)
    where they came to be."""
    config = TrackerConfig()
    people = [_tracked(track, config, rng) for track in recording.tracks]
    for moment in np.arange(0.0, recording.seconds, EVERY):
        there = [
            (number, track) for number, track in enumerate(recording.tracks)
            if track.begin + 1.2 <= moment and moment + ahead[-1] <= track.end
        ]  # fmt: skip
        if not there:
            continue
        things = tuple(
            MovingThing(number, state[:2], state[2:], covariance, config.radius)
            for number, track in there
            for state, covariance in (people[number][round((moment - track.begin) / PERIOD)],)
        )
        truth = np.array([track.way(moment + ahead) for _, track in there])
        yield float(moment), MovingThings(float(moment), things), truth


def _tracked(track: Track, config: TrackerConfig, rng: np.random.Generator) -> Sequence[tuple[Array, Array]]:
    """States (4,) and covariances (4, 4) of one person at each PERIOD from the first moment on."""
    filtered, one = Tracks(), np.array([0])
    found = []
    for number in range(int((track.end - track.begin) / PERIOD) + 1):
        stamp = track.begin + number * PERIOD
        seen = track.way(stamp) + rng.normal(0.0, config.deviation, 2)
        if not number:
            filtered.begin(one, seen[None], np.zeros(1), stamp, config)
        else:
            filtered.predict(PERIOD, config)
            filtered.update(one, seen[None], np.array([config.deviation]))
        found.append((filtered.state[0].copy(), filtered.covariance[0].copy()))
    return found
