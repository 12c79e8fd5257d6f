"""Violation of expectation: does the model notice when the world does not do what it has to?

After the experiments with infants (Baillargeon 1985): what cannot happen is shown, and surprise is compared with that
at what did happen. Each kind of event is made from recorded sensors:

- teleport: from one moment to the next the robot is somewhere else, with all its sensors;
- swapped view: the camera shows another place, the scan goes on;
- frozen camera: the picture stays while the robot moves on, the scan goes on;
- wheel slip: commands as recorded, but nothing moves: all sensors stay.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ami_ros.errors import AmiError
from ami_ros.evaluation.encoded import Encoded, Rows
from ami_ros.geometry import Array, relative
from ami_ros.world_model.spec import Sensors
from ami_ros.world_model.surprise import SurpriseMonitor

EVENTS = 80  # of each kind
SUDDEN, LASTING = 3, 10  # readings after which an event is judged: one model step, two seconds at 5 Hz
HISTORY = 40  # rows of ordinary driving before an event, at least
FAR = 1.0  # [m], a teleport goes at least so far
MOVING = 0.15  # [m] or [rad]; a robot that moves less in two seconds cannot tell that its camera froze

Histories = dict[int, list[tuple[float, float, float]]]  # position -> what the monitor has read before it


@dataclass(frozen=True)
class Violations:
    """The z scores of what was shown; an event is judged by the mean over its readings.

    Attributes:
        violated: kind -> (k, readings) of events of this kind.
        ordinary: kind -> (k, readings) of the same moments as they were.
        alarmed: kind -> (k,) whether an event of this kind raised an alarm.
        threshold: of an alarm.
        false_alarms_per_h: of ordinary driving.
    """

    violated: dict[str, Array]
    ordinary: dict[str, Array]
    alarmed: dict[str, NDArray[np.bool_]]
    threshold: float
    false_alarms_per_h: float

    def auroc(self, kind: str) -> float:
        """How often an event of `kind` surprises more than an ordinary moment."""
        return area(self.violated[kind].mean(1), self.ordinary[kind].mean(1))

    @property
    def auroc_all(self) -> float:
        """The same over all kinds together."""
        return area(*(np.concatenate([z.mean(1) for z in side.values()]) for side in (self.violated, self.ordinary)))

    def detected(self, kind: str) -> float:
        """The share of events of `kind` that raise an alarm."""
        return float(self.alarmed[kind].mean())


def area(positive: Array, negative: Array) -> float:
    """Area under the ROC curve: the share of pairs in which the positive one is higher (Mann-Whitney)."""
    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    return float((ranks.sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative)))


def violate(encoded: Encoded, rng: np.random.Generator) -> Violations:
    """Shows events to the surprise monitor at random tested moments of ordinary driving.

    Raises:
        AmiError: there are no such moments.
    """
    begins = _begins(encoded, rng)
    if not len(begins):
        raise AmiError(f"evaluate: the robot hardly moves in the tested episodes of {encoded.dataset.folder}")
    histories, alarms, seconds = _ordinary_driving(encoded)
    elsewhere = _elsewhere(encoded, begins, rng)
    after = begins[:, None] + np.arange(LASTING)
    still = np.repeat(begins[:, None], LASTING, 1)
    streams: dict[str, tuple[Rows, Rows | None]] = {"teleport": (elsewhere[:, None] + np.arange(SUDDEN), None)}
    sampler = encoded.sampler
    if sampler.images is not None and sampler.scan is not None:
        streams["swapped_view"] = (elsewhere[:, None] + np.arange(SUDDEN), after[:, :SUDDEN])
        streams["frozen_camera"] = (still, after)
    streams["wheel_slip"] = (still, None)
    violated, ordinary, alarmed = {}, {}, {}
    for kind, (seen, others) in streams.items():
        violated[kind], alarmed[kind] = _scores(encoded, histories, begins, _perceived(encoded, seen, others))
        ordinary[kind], _ = _scores(encoded, histories, begins, encoded.latents[after[:, : seen.shape[1]]])
    threshold = SurpriseMonitor(encoded.model).threshold
    return Violations(violated, ordinary, alarmed, threshold, 3600 * alarms / max(seconds, 1e-9))


def _perceived(encoded: Encoded, seen: Rows, others: Rows | None) -> NDArray[np.float32]:
    """Latents (k, readings, dim) of the positions `seen`; scan of `others` where given."""
    if others is None:
        return encoded.latents[seen]
    pairs = np.stack([seen.ravel(), others.ravel()], 1)

    def sensors(index: Rows) -> Sensors:
        image = encoded.sampler.sensors(encoded.rows[pairs[index, 0]]).image
        return encoded.sampler.sensors(encoded.rows[pairs[index, 1]])._replace(image=image)

    return encoded.encode(sensors, np.arange(len(pairs))).reshape(*seen.shape, -1)


def _scores(
    encoded: Encoded, histories: Histories, begins: Rows, perceived: NDArray[np.float32]
) -> tuple[Array, NDArray[np.bool_]]:
    """Readings when the latents from each position on are `perceived` (k, readings, dim).

    Returns z scores (k, readings), and (k,) whether there was an alarm.
    """
    scores, alarmed = np.zeros(perceived.shape[:2]), np.zeros(len(perceived), np.bool_)
    command = np.asarray(encoded.dataset.command)
    for i, begin in enumerate(begins.tolist()):
        monitor = SurpriseMonitor(encoded.model)
        monitor.readings.extend(histories[begin])
        for reading, now in enumerate(perceived[i]):
            at = begin + reading - monitor.reach
            before = perceived[i, reading - monitor.reach] if reading >= monitor.reach else encoded.latents[at]
            row = int(encoded.rows[at])
            seen = monitor.observe(before, command[row : row + monitor.reach], command[row - 1], now)
            scores[i, reading] = seen.z_score
            alarmed[i] |= seen.alarm
    return scores, alarmed


def _ordinary_driving(encoded: Encoded) -> tuple[Histories, int, float]:
    """The monitor's readings before each tested position, the number of alarms, and the time [s]."""
    command = np.asarray(encoded.dataset.command)
    monitor = SurpriseMonitor(encoded.model)
    reach = monitor.reach
    histories: Histories = {}
    alarms = readings = 0
    was_alarmed = False
    tested = np.flatnonzero(encoded.tested)
    since = before = -1
    for position in tested.tolist():
        if position != before + 1 or encoded.episode[position] != encoded.episode[before]:
            monitor.reset()
            since = position
        before = position
        if position - since > reach:
            if position - since > HISTORY:
                histories[position] = list(monitor.readings)
            row = int(encoded.rows[position - reach])
            latents = encoded.latents[position - reach], encoded.latents[position]
            reading = monitor.observe(latents[0], command[row : row + reach], command[row - 1], latents[1])
            alarms += reading.alarm and not was_alarmed
            was_alarmed = reading.alarm
            readings += 1
    return histories, alarms, readings * encoded.dataset.period


def _begins(encoded: Encoded, rng: np.random.Generator) -> Rows:
    """Random tested positions with history before them and motion behind."""
    steps = -(-LASTING // encoded.model.spec.chunk)
    found = encoded.starts(steps, rng, len(encoded.rows))
    episode, tested = encoded.episode, encoded.tested
    back = found - HISTORY - 2
    found = found[(back >= 0) & tested[back] & (episode[back] == episode[found])]
    odometry = np.asarray(encoded.dataset.odometry)
    motion = relative(odometry[encoded.rows[found]], odometry[encoded.rows[found + LASTING - 1]])
    moves = (np.hypot(motion[:, 0], motion[:, 1]) > MOVING) | (np.abs(motion[:, 2]) > MOVING)
    found = found[moves]
    return np.sort(rng.choice(found, min(EVENTS, len(found)), replace=False))


def _elsewhere(encoded: Encoded, begins: Rows, rng: np.random.Generator) -> Rows:
    """For each position another tested one, which has rows behind it, far from there: in metres, or else in time."""
    there = encoded.starts(1, rng, len(encoded.rows))
    truth, out = encoded.truth, np.zeros(len(begins), np.int64)
    for i, begin in enumerate(begins):
        apart = np.hypot(*(truth[there, :2] - truth[begin, :2]).T)
        fits = apart > FAR if np.isfinite(apart).all() else np.abs(there - begin) > HISTORY
        out[i] = rng.choice(there[fits] if fits.any() else there)
    return out
