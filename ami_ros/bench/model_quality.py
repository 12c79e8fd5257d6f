"""What a model knows, measured on a recording that it was not trained on, before any robot moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, relative, wrap
from ami_ros.world_model.layers import accumulated
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.held_out import effective_rank
from ami_ros.world_model.learning.windows import WindowConfig, WindowSampler
from ami_ros.world_model.spec import Sensors
from ami_ros.world_model.surprise import SurpriseMonitor
from ami_ros.world_model.torch_model import WorldModel

# A recording as a model sees it: the latents of all its moments, and of which of them figures are taken.

Rows = NDArray[np.int64]
Latents = NDArray[np.float32]
Progress = Callable[[str, int, int], None]  # what, done, total

BATCH = 256
TESTED = 1 / 3  # of the episodes


@dataclass(frozen=True)
class Encoded:
    """A model and the moments it is measured on; positions below count these moments, not rows of the data set.

    Attributes:
        model: in evaluation mode.
        dataset: the recording; the model has not been trained on it.
        rows: (n,) of the data set.
        latents: (n, latent_dim).
        tested: (n,) whether figures are taken there.
        sampler: gives the sensors of rows.
    """

    model: WorldModel
    dataset: Dataset
    rows: Rows
    latents: Latents
    tested: NDArray[np.bool_]
    sampler: WindowSampler

    @property
    def truth(self) -> Array:
        """True poses (n, 3); NaN in recordings without."""
        return np.asarray(self.dataset.truth)[self.rows]

    @property
    def episode(self) -> NDArray[np.int32]:
        """Number of the episode (n,)."""
        return np.asarray(self.dataset.episode)[self.rows]

    def starts(self, steps: int, rng: np.random.Generator, count: int) -> Rows:
        """At most `count` random tested positions with one row before and `steps` model steps after in the episode.

        Args:
            steps: of the model, so rows behind a position are `steps` times `chunk`.
        """
        reach = steps * self.model.spec.chunk
        index = np.arange(1, len(self.rows) - reach)
        # Rows ascend, so equal distances in rows and positions mean that nothing was left out between.
        whole = (self.rows[index + reach] - self.rows[index - 1] == reach + 1) & self.tested[index]
        same = self.episode[index + reach] == self.episode[index - 1]
        found = index[whole & same]
        return np.sort(rng.choice(found, min(count, len(found)), replace=False))

    def commands(self, starts: Rows, steps: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What was commanded from each start on (k, steps, chunk, command_dim), and just before (k, command_dim)."""
        chunk = self.model.spec.chunk
        command = np.asarray(self.dataset.command)
        after = self.rows[starts][:, None, None] + chunk * np.arange(steps)[:, None] + np.arange(chunk)
        return command[after], command[self.rows[starts] - 1]

    def encode(self, sensors: Callable[[Rows], Sensors], positions: Rows) -> Latents:
        """Latents of `positions` by other sensors than their own."""
        return _batched(lambda at: self.model.encode(sensors(at)), positions)

    def goals(self, positions: Rows) -> Latents:
        """What the pictures alone at some positions give (k, latent_dim), of a model that sees."""
        return _batched(lambda at: self.model.encode_goal(self._images(at)), positions)

    def pictures(self, positions: Rows) -> Latents:
        """Codes of the pictures at some positions (k, sight_code), of a model that compares them."""
        return _batched(lambda at: self.model.encode_picture(self._images(at)), positions)

    def imagine(self, now: Latents, commands: NDArray[np.float32], previous: NDArray[np.float32]) -> Latents:
        """Latents (k, steps, latent_dim) after each step of `commands` from latents (k, latent_dim) on."""
        with torch.inference_mode():
            latents, _ = self.model.rollout(*map(torch.from_numpy, (now, commands, previous)))
        return np.asarray(latents.numpy())

    def _images(self, positions: Rows) -> torch.Tensor:
        image = self.sampler.sensors(self.rows[positions]).image
        assert image is not None
        return image


def encode_recording(
    model: WorldModel, dataset: Dataset, seed: int, frames: int, progress: Progress | None = None
) -> Encoded:
    """Encodes a recording.

    A third of its episodes, drawn at random, is for figures; of a single one it is the last third.

    Args:
        model: in evaluation mode.
        dataset: to be measured on.
        seed: of the draw.
        frames: encoded at most, the first ones of each episode.
        progress: called with what is done, and how far.
    """
    each = max(2, frames // len(dataset.episodes))
    stretches = [np.arange(start, min(stop, start + each)) for start, stop in dataset.episodes]
    count = len(stretches)
    if count > 1:
        chosen = np.random.default_rng(seed).permutation(count)[: max(1, round(TESTED * count))]
        tested = [np.full(len(stretch), number in chosen) for number, stretch in enumerate(stretches)]
    else:
        tested = [np.arange(len(stretches[0])) >= (1 - TESTED) * len(stretches[0])]
    rows = np.concatenate(stretches)
    sampler = WindowSampler(dataset, model.spec, WindowConfig(starts=2))
    latents = _batched(lambda at: model.encode(sampler.sensors(at)), rows, progress)
    return Encoded(model, dataset, rows, latents, np.concatenate(tested), sampler)


def _batched(encode: Callable[[Rows], torch.Tensor], rows: Rows, progress: Progress | None = None) -> Latents:
    """What `encode` gives of all rows, BATCH of them at a time."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            parts.append(encode(rows[start : start + BATCH]).float().numpy())
            if progress:
                progress("encoding", min(start + BATCH, len(rows)), len(rows))
    return np.concatenate(parts)


# Violation of expectation: does the model notice when the world does not do what it has to?
#
# After the experiments with infants (Baillargeon 1985): what cannot happen is shown, and surprise is compared with
# that at what did happen. Each kind of event is made from recorded sensors:
#
# - teleport: from one moment to the next the robot is somewhere else, with all its sensors;
# - swapped view: the camera shows another place, the scan goes on;
# - frozen camera: the picture stays while the robot moves on, the scan goes on;
# - wheel slip: commands as recorded, but nothing moves: all sensors stay.

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


HORIZONS = (1, 4, 10)  # model steps
STEPS, STARTS = 10, 2000


@dataclass(frozen=True)
class Foresight:
    """Rollouts of the commands that were really given; entry h is h + 1 model steps ahead.

    Attributes:
        starts: (k,) positions they begin at.
        imagined: (k, steps, latent_dim).
        prediction: (steps,) mean squared error of the imagined latents.
        shuffled: (steps,) the same with the commands of other moments.
        persistence: (steps,) the same if the latent stayed as it was.
    """

    starts: Rows
    imagined: NDArray[np.float32]
    prediction: Array
    shuffled: Array
    persistence: Array


def look_ahead(encoded: Encoded, rng: np.random.Generator) -> Foresight:
    """Imagines from random tested moments and compares with what came.

    Args:
        encoded: the recording.
        rng: of the choice of moments.
    """
    chunk = encoded.model.spec.chunk
    starts = encoded.starts(STEPS, rng, STARTS)
    commands, previous = encoded.commands(starts, STEPS)
    now, latents = encoded.latents[starts], encoded.latents
    after = starts[:, None] + chunk * np.arange(1, STEPS + 1)
    other = rng.permutation(len(starts))
    imagined = encoded.imagine(now, commands, previous)
    wrong = encoded.imagine(now, commands[other], previous)
    came = latents[after]

    def squared(guess: NDArray[np.float32]) -> Array:
        return np.asarray(((guess - came) ** 2).mean((0, 2)), dtype=np.float64)

    return Foresight(starts, imagined, squared(imagined), squared(wrong), squared(now[:, None]))


@dataclass(frozen=True)
class Uncertainty:
    """Errors of imagined latents, and what was to be expected; entry h is h + 1 model steps ahead."""

    expected: Array  # (k, steps), root mean square [latent units]
    came: Array  # (k, steps)

    def spearman(self, steps: int) -> float:
        """Whether it ranks the errors `steps` ahead."""
        return float(spearmanr(self.expected[:, steps - 1], self.came[:, steps - 1]).statistic)

    def figures(self) -> dict[str, float]:
        """Flat figures, whose names carry the unit."""
        return {
            "uncertainty_spearman": self.spearman(1),
            **{f"uncertainty_spearman_{h}_steps": self.spearman(h) for h in HORIZONS[1:]},
            "uncertainty_median": float(np.median(self.expected[:, 0])),
            "prediction_error_median": float(np.median(self.came[:, 0])),
        }


def measure_uncertainty(encoded: Encoded, foresight: Foresight) -> Uncertainty | None:
    """Of a model at the moments where it imagined; None: it has no ensemble."""
    if not encoded.model.spec.ensemble:
        return None
    steps = foresight.imagined.shape[1]
    commands, previous = encoded.commands(foresight.starts, steps)
    now = encoded.latents[foresight.starts]
    with torch.inference_mode():
        given = map(torch.from_numpy, (now, foresight.imagined, commands, previous))
        expected = accumulated(encoded.model.path_disagreement(*given)).numpy().astype(np.float64)
    after = foresight.starts[:, None] + encoded.model.spec.chunk * np.arange(1, steps + 1)
    error = np.sqrt(((foresight.imagined - encoded.latents[after]) ** 2).mean(-1))
    return Uncertainty(expected, np.asarray(error, np.float64))


PAIRS = 3000
DISTANCES = (0.0, 0.5, 1.0, 1.5, 2.5, 4.0)  # [m], bounds of the bins of relative poses
WITHIN = 1.5  # [m], the pairs of the figures
SPAN = 60  # rows that the pairs of recordings without ground truth are apart at most, so that odometry is still good


@dataclass(frozen=True)
class PoseErrors:
    """Errors of the relative-pose head over pairs of moments."""

    distance_m: Array  # true ones
    position_m: Array
    heading_rad: Array

    def within(self, low: float, high: float) -> PoseErrors:
        """Those of pairs `low` to `high` [m] apart."""
        inside = (self.distance_m >= low) & (self.distance_m < high)
        return PoseErrors(*(part[inside] for part in (self.distance_m, self.position_m, self.heading_rad)))


@dataclass(frozen=True)
class ModelQuality:
    """All that was measured; what needs ground truth is None in recordings without it."""

    encoded: Encoded
    foresight: Foresight
    violations: Violations
    poses: PoseErrors
    pictured: PoseErrors | None  # where the second moment is a picture only, whose latent is guessed
    sighted: PoseErrors | None  # where the second moment is a picture only, and pictures are compared
    latent_rank: float
    uncertainty: Uncertainty | None  # None: it has no ensemble

    def figures(self) -> dict[str, float | int]:
        """Flat figures, whose names carry the unit."""
        found: dict[str, float | int | None] = {
            "frames": len(self.encoded.rows),
            "tested_frames": int(self.encoded.tested.sum()),
            "latent_rank": self.latent_rank,
            **self._foresight(),
            **_pose_figures("relative", self.poses.within(0.0, WITHIN)),
            **(_pose_figures("goal", self.pictured.within(0.0, WITHIN)) if self.pictured else {}),
            **(_pose_figures("sighted", self.sighted.within(0.0, WITHIN)) if self.sighted else {}),
            **self._surprise(),
            **(self.uncertainty.figures() if self.uncertainty else {}),
        }
        return {name: round(value, 5) for name, value in found.items() if value is not None}

    def _foresight(self) -> dict[str, float]:
        seen = self.foresight
        ratio = seen.prediction / seen.persistence
        return {
            "prediction_to_persistence": float(ratio[0]),
            "prediction_to_persistence_4_steps": float(ratio[3]),
            "prediction_to_persistence_10_steps": float(ratio[9]),
            "shuffle_to_prediction": float(seen.shuffled[0] / seen.prediction[0]),
            "shuffle_to_prediction_4_steps": float(seen.shuffled[3] / seen.prediction[3]),
        }

    def _surprise(self) -> dict[str, float]:
        seen = self.violations
        kinds = seen.violated
        found = {f"surprise_auroc_{kind}": seen.auroc(kind) for kind in kinds}
        found |= {f"surprise_detected_{kind}": seen.detected(kind) for kind in kinds}
        return found | {"surprise_auroc": seen.auroc_all, "surprise_false_alarms_per_h": seen.false_alarms_per_h}


def measure_model(
    model: WorldModel, dataset: Dataset, seed: int, frames: int = 12000, progress: Progress | None = None
) -> ModelQuality:
    """Measures `model` on random moments of `dataset`, which should not have been trained on.

    Args:
        model: in evaluation mode.
        dataset: with or without ground truth.
        seed: of every choice.
        frames: encoded at most.
        progress: called with what is done, and how far.

    Raises:
        AmiError: the recording lacks a sensor of the model, has another period, or is too short.
    """
    _check(model, dataset)
    report = progress or (lambda what, done, total: None)
    rng = np.random.default_rng(seed)
    encoded = encode_recording(model, dataset, seed, frames, report)
    if not len(encoded.starts(max(STEPS, LASTING), rng, 1)):
        needed = STEPS * model.spec.step_duration
        raise AmiError(f"evaluate: no tested episode of {dataset.folder} lasts {needed:.0f} s; record longer ones")
    report("imagining", 0, 1)
    foresight = look_ahead(encoded, rng)
    report("surprising", 0, 1)
    violations = violate(encoded, rng)
    report("comparing", 0, 1)
    first, second = _pairs(encoded, rng)
    goals = encoded.goals(second) if model.spec.inputs.image_size else None
    latents = encoded.latents
    return ModelQuality(
        encoded=encoded,
        foresight=foresight,
        violations=violations,
        poses=_pose_errors(encoded, first, second, latents[second]),
        pictured=None if goals is None else _pose_errors(encoded, first, second, goals),
        sighted=None if model.sighting is None else _sight_errors(encoded, first, second),
        latent_rank=effective_rank(latents[encoded.tested]),
        uncertainty=measure_uncertainty(encoded, foresight),
    )


def _check(model: WorldModel, dataset: Dataset) -> None:
    inputs, card = model.spec.inputs, dataset.card
    if abs(card.period - model.spec.period) > 1e-6:
        raise AmiError(
            f"evaluate: {dataset.folder} has a frame every {card.period} s, the model wants one every "
            f"{model.spec.period} s: extract it again with --period {model.spec.period}"
        )
    if inputs.scan_beams and not card.scan_beams:
        raise AmiError(f"evaluate: the model needs a scan, {dataset.folder} has none")


def _poses(encoded: Encoded) -> Array:
    """True poses, or those of odometry, which only compare within an episode."""
    return encoded.truth if encoded.dataset.card.has_truth else np.asarray(encoded.dataset.odometry)[encoded.rows]


def _pairs(encoded: Encoded, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Random tested positions, in every bin of distance about as many; shorter than PAIRS where there are few."""
    tested = np.flatnonzero(encoded.tested)
    first = rng.choice(tested, 60 * PAIRS)
    if encoded.dataset.card.has_truth:
        second = rng.choice(tested, len(first))
    else:
        second = np.clip(first + rng.integers(-SPAN, SPAN + 1, len(first)), 0, len(encoded.rows) - 1)
        near = (encoded.episode[first] == encoded.episode[second]) & encoded.tested[second]
        first, second = first[near], second[near]
    poses = _poses(encoded)
    apart = np.hypot(*(poses[first, :2] - poses[second, :2]).T)
    bins = list(zip(DISTANCES[:-1], DISTANCES[1:], strict=True))
    # The figures are over pairs up to WITHIN, drawn evenly over the floor: nine times as many at 1 m as at 1/3 m.
    chosen = [np.flatnonzero(apart < WITHIN)[:PAIRS]]
    chosen += [
        np.flatnonzero((apart >= low) & (apart < high))[: PAIRS // len(bins)] for low, high in bins if low >= WITHIN
    ]
    index = np.concatenate(chosen)
    return first[index], second[index]


def _pose_errors(
    encoded: Encoded, first: NDArray[np.int64], second: NDArray[np.int64], other: NDArray[np.float32]
) -> PoseErrors:
    with torch.inference_mode():
        latents = torch.from_numpy(encoded.latents[first]), torch.from_numpy(other)
        seen = encoded.model.relative_pose(*latents).numpy().astype(np.float64)
    return _errors(encoded, first, second, seen)


def _sight_errors(encoded: Encoded, first: NDArray[np.int64], second: NDArray[np.int64]) -> PoseErrors:
    assert encoded.model.sighting is not None
    here, there = (torch.from_numpy(encoded.pictures(positions)) for positions in (first, second))
    with torch.inference_mode():
        seen = encoded.model.sighting(torch.from_numpy(encoded.latents[first]), here, there)
    return _errors(encoded, first, second, seen.numpy().astype(np.float64))


def _errors(encoded: Encoded, first: NDArray[np.int64], second: NDArray[np.int64], seen: Array) -> PoseErrors:
    """Of poses `seen` (k, 4 or more) against the truth."""
    poses = _poses(encoded)
    wanted = relative(poses[first], poses[second])
    position = np.hypot(seen[:, 0] - wanted[:, 0], seen[:, 1] - wanted[:, 1])
    heading = np.abs(wrap(np.arctan2(seen[:, 3], seen[:, 2]) - wanted[:, 2]))
    return PoseErrors(np.hypot(wanted[:, 0], wanted[:, 1]), position, heading)


def _pose_figures(name: str, errors: PoseErrors) -> dict[str, float]:
    if not len(errors.position_m):
        return {}
    return {
        f"{name}_position_median_m": float(np.median(errors.position_m)),
        f"{name}_position_p90_m": float(np.percentile(errors.position_m, 90)),
        f"{name}_heading_median_rad": float(np.median(errors.heading_rad)),
    }
