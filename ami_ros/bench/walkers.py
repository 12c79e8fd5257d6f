"""Recorded people: how well they are found in labelled scans, and how well it is predicted where they will be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.installation import importing
from ami_ros.core.scan import Scan
from ami_ros.safety.moving_things import Forecast, Kind, MovingThing, MovingThings, PredictionConfig, constant_velocity
from ami_ros.safety.tracker import Tracker
from ami_ros.safety.tracks import TrackerConfig, Tracks
from ami_ros.simulation.people.recorded import Recording, Track, load_recording

# How well people are found in scans of real lasers, whose legs are labelled: bags of leg_tracker (ROS 1, BSD).
#
# Its labels are all clusters of points in a sector where people walked, at most `reach` [m] off and `arc` [rad]
# aside, in scans that have at least one; who walked elsewhere is not labelled. So what is found outside the sector
# does not count.

with importing("train"):
    from rosbags.highlevel import AnyReader, AnyReaderError

LABELS = "leg_cluster_positions"
ONE_PERSON = 0.8  # [m] between two legs of one at most
NEAR = 0.5  # [m] that a person may be off


class LabelledScan(NamedTuple):
    """One scan and the people in it."""

    stamp: float  # [s]
    scan: Scan  # in the frame of the scanner, which stood
    people: Array  # (n, 2) [m], the middle of the legs of each


@dataclass
class LegCounts:
    """Of one bag."""

    found: int = 0  # people who were
    missed: int = 0
    false: int = 0  # tracks of a person in the sector where none is labelled
    elsewhere: int = 0  # tracks outside the sector


def measure(bag: Path, arc: float, reach: float) -> dict[str, Any]:
    """What a tracker finds in a bag, in a sector of `arc` [rad] to each side, up to `reach` [m].

    Returns counts, how many people and tracks there were, F1, and the CPU time of each scan [ms].

    Raises:
        AmiError: it is no such bag.
    """
    tracker, counts, ms = Tracker(), LegCounts(), []
    for labelled in labelled_scans(bag):
        began = time.process_time()
        things = tracker.take(labelled.stamp, labelled.scan, np.zeros(3))
        ms.append(1000 * (time.process_time() - began))
        tracks = np.array([t.position for t in things.things if t.kind is Kind.PERSON]).reshape(-1, 2)
        score(counts, tracks, labelled.people, arc, reach)
    if not ms:
        raise AmiError(f"{bag}: no scan comes with labels of legs on {LABELS}")
    people, tracked = counts.found + counts.missed, counts.found + counts.false
    f1 = 2 * counts.found / max(1, people + tracked)
    return vars(counts) | {"people": people, "tracks": tracked, "f1": f1, "scans": len(ms), "ms": ms}


def score(counts: LegCounts, tracks: Array, people: Array, arc: float, reach: float) -> None:
    """Counts `tracks` (k, 2) of one scan against its `people` (n, 2); each of one stands for one of the other."""
    left = np.ones(len(tracks), bool)
    apart = np.hypot(*(people[:, None] - tracks[None]).transpose(2, 0, 1))
    for person in range(len(people)):
        nearest = np.where(left, apart[person], np.inf)
        if len(tracks) and nearest.min() < NEAR:
            left[nearest.argmin()] = False
            counts.found += 1
        else:
            counts.missed += 1
    inside = (np.hypot(*tracks.T) < reach) & (np.abs(np.arctan2(tracks[:, 1], tracks[:, 0])) < arc)
    counts.false += int((left & inside).sum())
    counts.elsewhere += int((left & ~inside).sum())


def labelled_scans(bag: Path) -> Iterator[LabelledScan]:
    """The scans of a bag, each with the labels that come before it.

    Raises:
        AmiError: it cannot be read.
    """
    try:
        with AnyReader([bag]) as reader:
            people: Array | None = None
            for connection, _, raw in reader.messages():
                if connection.topic.endswith(LABELS):
                    people = people_of(reader.deserialize(raw, connection.msgtype))
                elif connection.msgtype == "sensor_msgs/msg/LaserScan" and people is not None:
                    message: Any = reader.deserialize(raw, connection.msgtype)
                    stamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
                    yield LabelledScan(stamp, scan_of(message), people)
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
    """The people (n, 2) whose legs a PoseArray has."""
    legs = np.array([(pose.position.x, pose.position.y) for pose in message.poses]).reshape(-1, 2)
    found, free = [], np.ones(len(legs), bool)
    while free.any():
        near = free & (np.hypot(*(legs - legs[free.argmax()]).T) < ONE_PERSON)
        found.append(legs[near].mean(0))
        free &= ~near
    return np.array(found).reshape(-1, 2)


# How well where people will be is predicted, on recorded trajectories: errors, and whether the doubt is right.
#
# Positions come at the rate of a laser, with the noise of a tracker, through the tracker's own filter; so velocities
# are as late and as doubtful as those that the planner gets. ADE and FDE as of Pellegrini et al. (ICCV 2009).

PERIOD = 0.1  # [s] between two scans
EVERY = 0.4  # [s] between two predictions of one person: the recordings have 2.5 frames a second
KNOWN = 1.2  # [s] for which somebody has been tracked before the first
LEVELS = (0.5, 0.9)  # shares of the truth that should lie within circles of the predicted doubt

Predictor = Callable[[MovingThings, float, Array, PredictionConfig], Forecast | None]


def standing(things: MovingThings, stamp: float, seconds: Array, config: PredictionConfig) -> Forecast | None:
    """Everybody stays where they are: what a costmap of obstacles takes for granted."""
    forecast = constant_velocity(things, stamp, seconds, config)
    if forecast is None:
        return None
    here = np.repeat(forecast.positions[:, :1], len(seconds), 1)
    return Forecast(
        forecast.seconds, here, forecast.deviations, forecast.headings, forecast.speeds, forecast.radii
    )  # fmt: skip


PREDICTORS: dict[str, Predictor] = {"constant_velocity": constant_velocity, "standing": standing}


@dataclass
class Errors:
    """Of one predictor: distances (n, t) [m] to the truth, and predicted deviations (n, t) [m]."""

    distances: list[Array] = field(default_factory=list)
    deviations: list[Array] = field(default_factory=list)

    def figures(self, seconds: Array) -> dict[str, Any]:
        """ADE and FDE [m], the share of the truth within circles that should hold it, and the mean negative log
        likelihood [nat]; of the last of `seconds` where nothing else is said."""
        if not self.distances:
            return {"n": 0}
        off, doubt = np.array(self.distances), np.array(self.deviations)
        within = {
            f"within_{level:.0%}".replace("%", ""): round(float((off[:, -1] < doubt[:, -1] * radius).mean()), 4)
            for level in LEVELS
            for radius in (np.sqrt(-2 * np.log(1 - level)),)  # of a normal distribution in the plane
        }
        likelihood = np.log(2 * np.pi * doubt**2) + off**2 / (2 * doubt**2)
        return {
            "n": len(off), "ade_m": round(float(off.mean()), 4), "fde_m": round(float(off[:, -1].mean()), 4),
            "fde_p95_m": round(float(np.percentile(off[:, -1], 95)), 4), **within,
            "nll": round(float(likelihood[:, -1].mean()), 4),
        }  # fmt: skip


def prediction_bench_measure(
    path: str, horizon: float, seed: int, config: PredictionConfig, predictors: dict[str, Predictor] | None = None
) -> dict[str, Any]:
    """Of everybody in a recording, up to `horizon` [s] ahead; name of the predictor -> figures.

    Raises:
        AmiError: the file cannot be read.
    """
    recording, asked = load_recording(path), predictors or PREDICTORS
    ahead = np.arange(EVERY, horizon + 1e-6, EVERY)
    errors = {name: Errors() for name in asked}
    for moment, things, truth in _moments(recording, ahead, np.random.default_rng([seed, 0x9ED1C7])):
        for name, predict in asked.items():
            forecast = predict(things, moment, ahead, config)
            if forecast is None:
                continue
            fast = np.hypot(*things.velocities.T) >= config.slowest  # those that are predicted
            off = np.hypot(*(forecast.positions - truth[fast]).transpose(2, 0, 1))
            errors[name].distances += list(off)
            errors[name].deviations += list(forecast.deviations)
    return {name: found.figures(ahead) for name, found in errors.items()}


def _moments(
    recording: Recording, ahead: Array, rng: np.random.Generator
) -> Iterator[tuple[float, MovingThings, Array]]:
    """Moments [s] with all whose future is recorded: as tracked, and (n, t, 2) where they came to be."""
    config = TrackerConfig()
    people = [_tracked(track, config, rng) for track in recording.tracks]
    for moment in np.arange(0.0, recording.seconds, EVERY):
        there = [
            (number, track) for number, track in enumerate(recording.tracks)
            if track.begin + KNOWN <= moment and moment + ahead[-1] <= track.end
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
