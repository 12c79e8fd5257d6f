"""What a model knows, measured on a recording that it was not trained on, before any robot moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

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

Rows = NDArray[np.int64]
Latents = NDArray[np.float32]
Progress = Callable[[str, int, int], None]  # what, done, total


@dataclass(frozen=True)
class QualityConfig:
    """What a model is measured on; the floors of `./ami evaluate` are for these numbers."""

    tested: float = 1 / 3  # of the episodes
    steps: int = 10  # of the model, that are imagined
    starts: int = 2000  # from which
    pairs: int = 3000  # of moments, whose relative poses are asked
    within: float = (
        1.5  # [m], the pairs of the figures, drawn evenly over the floor: nine times as many at 1 m as at 1/3
    )
    beyond: tuple[float, ...] = (1.5, 2.5, 4.0)  # [m], bounds of the bins of pairs farther apart
    span: int = 60  # rows that pairs of recordings without truth are apart at most, so that odometry is still good
    events: int = 80  # of each kind, that cannot happen
    sudden: int = 3  # readings after which an event is judged: one model step, or ...
    lasting: int = 10  # ... two seconds at 5 Hz
    history: int = 40  # rows of ordinary driving before an event, at least
    far: float = 1.0  # [m], a teleport goes at least so far
    moving: float = 0.15  # [m] or [rad]; a robot that moves less in two seconds cannot tell that its camera froze


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

    def encode_images(self, positions: Rows, encode: Callable[[torch.Tensor], torch.Tensor]) -> Latents:
        """What the pictures alone at some positions give (k, ...), by the model's `encode_goal` or `encode_picture`."""

        def images(at: Rows) -> torch.Tensor:
            image = self.sampler.sensors(self.rows[at]).image
            assert image is not None
            return encode(image)

        return batched(images, positions)

    def imagine(self, now: Latents, commands: NDArray[np.float32], previous: NDArray[np.float32]) -> Latents:
        """Latents (k, steps, latent_dim) after each step of `commands` from latents (k, latent_dim) on."""
        with torch.inference_mode():
            latents, _ = self.model.rollout(*map(torch.from_numpy, (now, commands, previous)))
        return np.asarray(latents.numpy())


def encode_recording(
    model: WorldModel,
    dataset: Dataset,
    seed: int,
    frames: int,
    progress: Progress | None = None,
    tested: float = QualityConfig.tested,
) -> Encoded:
    """Encodes a recording.

    A share of its episodes, drawn at random, is for figures; of a single one it is the last part.

    Args:
        model: in evaluation mode.
        dataset: to be measured on.
        seed: of the draw.
        frames: encoded at most, the first ones of each episode.
        progress: called with what is done, and how far.
        tested: that share.
    """
    each = max(2, frames // len(dataset.episodes))
    stretches = [np.arange(start, min(stop, start + each)) for start, stop in dataset.episodes]
    count = len(stretches)
    if count > 1:
        chosen = np.random.default_rng(seed).permutation(count)[: max(1, round(tested * count))]
        is_tested = [np.full(len(stretch), number in chosen) for number, stretch in enumerate(stretches)]
    else:
        is_tested = [np.arange(len(stretches[0])) >= (1 - tested) * len(stretches[0])]
    rows = np.concatenate(stretches)
    sampler = WindowSampler(dataset, model.spec, WindowConfig(starts=2))
    latents = batched(lambda at: model.encode(sampler.sensors(at)), rows, progress)
    return Encoded(model, dataset, rows, latents, np.concatenate(is_tested), sampler)


def batched(encode: Callable[[Rows], torch.Tensor], rows: Rows, progress: Progress | None = None) -> Latents:
    """What `encode` gives of all rows, 256 of them at a time."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(rows), 256):
            parts.append(encode(rows[start : start + 256]).float().numpy())
            if progress:
                progress("encoding", min(start + 256, len(rows)), len(rows))
    return np.concatenate(parts)


def measure_model(
    model: WorldModel,
    dataset: Dataset,
    seed: int,
    frames: int = 12000,
    progress: Progress | None = None,
    config: QualityConfig = QualityConfig(),
) -> dict[str, float | int]:
    """Flat figures of `model`, whose names carry the unit, on random moments of `dataset`, which should not have been
    trained on.

    Args:
        model: in evaluation mode.
        dataset: with or without ground truth.
        seed: of every choice.
        frames: encoded at most.
        progress: called with what is done, and how far.
        config: what it is measured on.

    Raises:
        AmiError: the recording lacks a sensor of the model, has another period, or is too short.
    """
    card, period = dataset.card, model.spec.period
    if abs(card.period - period) > 1e-6:
        raise AmiError(
            f"evaluate: {dataset.folder} has a frame every {card.period} s, the model wants one every "
            f"{period} s: extract it again with --period {period}"
        )
    if model.spec.inputs.scan_beams and not card.scan_beams:
        raise AmiError(f"evaluate: the model needs a scan, {dataset.folder} has none")
    report = progress or (lambda what, done, total: None)
    rng = np.random.default_rng(seed)
    encoded = encode_recording(model, dataset, seed, frames, report, config.tested)
    if not len(encoded.starts(max(config.steps, config.lasting), rng, 1)):
        needed = config.steps * model.spec.step_duration
        raise AmiError(f"evaluate: no tested episode of {dataset.folder} lasts {needed:.0f} s; record longer ones")
    report("imagining", 0, 1)
    foresight = look_ahead(encoded, rng, config)
    report("surprising", 0, 1)
    surprises = violate(encoded, rng, config)
    report("comparing", 0, 1)
    figures: dict[str, float | int] = {
        "frames": len(encoded.rows),
        "tested_frames": int(encoded.tested.sum()),
        "latent_rank": effective_rank(encoded.latents[encoded.tested]),
        **foresight,
        **_pose_figures(encoded, rng, config),
        **surprises,
    }
    return {name: round(value, 5) for name, value in figures.items()}


def look_ahead(encoded: Encoded, rng: np.random.Generator, config: QualityConfig = QualityConfig()) -> dict[str, float]:
    """Rollouts of the commands that were really given, from random tested moments, against what came: mean squared
    errors in relation to those of nothing moving, and of the commands of other moments; and of an ensemble how well the
    expected error (root mean square, in latent units) ranks the one that came."""
    model, chunk, steps = encoded.model, encoded.model.spec.chunk, config.steps
    starts = encoded.starts(steps, rng, config.starts)
    commands, previous = encoded.commands(starts, steps)
    now, came = encoded.latents[starts], encoded.latents[starts[:, None] + chunk * np.arange(1, steps + 1)]
    other = rng.permutation(len(starts))
    imagined = encoded.imagine(now, commands, previous)
    guesses = imagined, encoded.imagine(now, commands[other], previous), now[:, None]
    squared = [np.asarray(((guess - came) ** 2).mean((0, 2)), dtype=np.float64) for guess in guesses]
    prediction, shuffled, persistence = squared
    found = {
        "prediction_to_persistence": float(prediction[0] / persistence[0]),
        "prediction_to_persistence_4_steps": float(prediction[3] / persistence[3]),
        "prediction_to_persistence_10_steps": float(prediction[9] / persistence[9]),
        "shuffle_to_prediction": float(shuffled[0] / prediction[0]),
        "shuffle_to_prediction_4_steps": float(shuffled[3] / prediction[3]),
    }
    if not model.spec.ensemble:
        return found
    with torch.inference_mode():
        given = map(torch.from_numpy, (now, imagined, commands, previous))
        expected = accumulated(model.path_disagreement(*given)).numpy().astype(np.float64)
    error = np.asarray(np.sqrt(((imagined - came) ** 2).mean(-1)), np.float64)
    ranked = {h: float(spearmanr(expected[:, h - 1], error[:, h - 1]).statistic) for h in (1, 4, 10)}
    return found | {
        "uncertainty_spearman": ranked[1],
        "uncertainty_spearman_4_steps": ranked[4],
        "uncertainty_spearman_10_steps": ranked[10],
        "uncertainty_median": float(np.median(expected[:, 0])),
        "prediction_error_median": float(np.median(error[:, 0])),
    }


def _pose_figures(encoded: Encoded, rng: np.random.Generator, config: QualityConfig) -> dict[str, float]:
    """Errors of relative poses over pairs of moments: "relative" of two latents; where the second moment is a picture
    only, "goal" by its guessed latent, and "sighted" by comparing pictures."""
    model, has_truth = encoded.model, encoded.dataset.card.has_truth
    poses = encoded.truth if has_truth else np.asarray(encoded.dataset.odometry)[encoded.rows]
    first, second = _pairs(encoded, poses, rng, config)
    now, latents = torch.from_numpy(encoded.latents[first]), torch.from_numpy(encoded.latents[second])
    seen: dict[str, torch.Tensor] = {}
    goals = encoded.encode_images(second, model.encode_goal) if model.spec.inputs.image_size else None
    with torch.inference_mode():
        seen["relative"] = model.relative_pose(now, latents)
        if goals is not None:
            seen["goal"] = model.relative_pose(now, torch.from_numpy(goals))
    if model.sighting is not None:
        here, there = (torch.from_numpy(encoded.encode_images(at, model.encode_picture)) for at in (first, second))
        with torch.inference_mode():
            seen["sighted"] = model.sighting(now, here, there)
    wanted = relative(poses[first], poses[second])
    near = np.hypot(wanted[:, 0], wanted[:, 1]) < config.within
    found: dict[str, float] = {}
    for name, tensor in seen.items() if near.any() else ():
        guess = tensor.numpy().astype(np.float64)
        position = np.hypot(guess[:, 0] - wanted[:, 0], guess[:, 1] - wanted[:, 1])[near]
        heading = np.abs(wrap(np.arctan2(guess[:, 3], guess[:, 2]) - wanted[:, 2]))[near]
        found |= {
            f"{name}_position_median_m": float(np.median(position)),
            f"{name}_position_p90_m": float(np.percentile(position, 90)),
            f"{name}_heading_median_rad": float(np.median(heading)),
        }
    return found


def _pairs(encoded: Encoded, poses: Array, rng: np.random.Generator, config: QualityConfig) -> tuple[Rows, Rows]:
    """Random tested positions, in every bin of distance about as many; fewer where there are few."""
    tested = np.flatnonzero(encoded.tested)
    first = rng.choice(tested, 60 * config.pairs)
    if encoded.dataset.card.has_truth:
        second = rng.choice(tested, len(first))
    else:
        second = first + rng.integers(-config.span, config.span + 1, len(first))
        second = np.clip(second, 0, len(encoded.rows) - 1)
        near = (encoded.episode[first] == encoded.episode[second]) & encoded.tested[second]
        first, second = first[near], second[near]
    apart = np.hypot(*(poses[first, :2] - poses[second, :2]).T)
    index = np.concatenate(
        [
            np.flatnonzero(apart < config.within)[: config.pairs],
            *(
                np.flatnonzero((apart >= low) & (apart < high))[: config.pairs // 5]
                for low, high in pairwise(config.beyond)
            ),
        ]
    )
    return first[index], second[index]


def area(positive: Array, negative: Array) -> float:
    """Area under the ROC curve: the share of pairs in which the positive one is higher (Mann-Whitney)."""
    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    return float((ranks.sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative)))


def violate(encoded: Encoded, rng: np.random.Generator, config: QualityConfig = QualityConfig()) -> dict[str, float]:
    """Violation of expectation: does the model notice when the world does not do what it has to?

    After the experiments with infants (Baillargeon 1985): what cannot happen is shown to the surprise monitor at random
    tested moments of ordinary driving, and surprise is compared with that at what did happen. Each kind of event is
    made from recorded sensors:

    - teleport: from one moment to the next the robot is somewhere else, with all its sensors;
    - swapped view: the camera shows another place, the scan goes on;
    - frozen camera: the picture stays while the robot moves on, the scan goes on;
    - wheel slip: commands as recorded, but nothing moves: all sensors stay.

    Returns for each kind how often an event surprises more than an ordinary moment, by the mean over its readings, and
    the share that raises an alarm; and false alarms of ordinary driving.

    Raises:
        AmiError: there are no such moments.
    """
    begins = _begins(encoded, rng, config)
    if not len(begins):
        raise AmiError(f"evaluate: the robot hardly moves in the tested episodes of {encoded.dataset.folder}")
    histories, alarms_per_hour = _ordinary_driving(encoded, config.history)
    there = _elsewhere(encoded, begins, rng, config)[:, None] + np.arange(config.sudden)
    after = begins[:, None] + np.arange(config.lasting)
    still = np.repeat(begins[:, None], config.lasting, 1)
    streams: dict[str, tuple[Rows, Rows | None]] = {"teleport": (there, None)}  # what is seen, and whose scans
    if encoded.sampler.images is not None and encoded.sampler.scan is not None:
        streams["swapped_view"] = (there, after[:, : config.sudden])
        streams["frozen_camera"] = (still, after)
    streams["wheel_slip"] = (still, None)
    found, detected, both = dict[str, float](), dict[str, float](), list[tuple[Array, Array]]()
    for kind, (seen, others) in streams.items():
        violated, alarmed = _scores(encoded, histories, begins, _perceived(encoded, seen, others))
        ordinary, _ = _scores(encoded, histories, begins, encoded.latents[after[:, : seen.shape[1]]])
        both.append((violated.mean(1), ordinary.mean(1)))
        found[f"surprise_auroc_{kind}"] = area(*both[-1])
        detected[f"surprise_detected_{kind}"] = float(alarmed.mean())
    over_all = area(*(np.concatenate(side) for side in zip(*both, strict=True)))
    return found | detected | {"surprise_auroc": over_all, "surprise_false_alarms_per_h": alarms_per_hour}


def _perceived(encoded: Encoded, seen: Rows, others: Rows | None) -> Latents:
    """Latents (k, readings, dim) of the positions `seen`; scan of `others` where given."""
    if others is None:
        return encoded.latents[seen]
    rows, sampler, model = encoded.rows, encoded.sampler, encoded.model
    pairs = np.stack([seen.ravel(), others.ravel()], 1)

    def sensors(index: Rows) -> Sensors:
        image = sampler.sensors(rows[pairs[index, 0]]).image
        return sampler.sensors(rows[pairs[index, 1]])._replace(image=image)

    return batched(lambda at: model.encode(sensors(at)), np.arange(len(pairs))).reshape(*seen.shape, -1)


def _scores(
    encoded: Encoded, histories: dict[int, list[Any]], begins: Rows, perceived: Latents
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


def _ordinary_driving(encoded: Encoded, history: int) -> tuple[dict[int, list[Any]], float]:
    """The monitor's readings before each tested position with so much history, and alarms in an hour."""
    command = np.asarray(encoded.dataset.command)
    monitor = SurpriseMonitor(encoded.model)
    reach = monitor.reach
    histories: dict[int, list[Any]] = {}
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
            if position - since > history:
                histories[position] = list(monitor.readings)
            row = int(encoded.rows[position - reach])
            latents = encoded.latents[position - reach], encoded.latents[position]
            reading = monitor.observe(latents[0], command[row : row + reach], command[row - 1], latents[1])
            alarms += reading.alarm and not was_alarmed
            was_alarmed = reading.alarm
            readings += 1
    return histories, 3600 * alarms / max(readings * encoded.dataset.period, 1e-9)


def _begins(encoded: Encoded, rng: np.random.Generator, config: QualityConfig) -> Rows:
    """Random tested positions with history before them and motion behind."""
    steps = -(-config.lasting // encoded.model.spec.chunk)
    found = encoded.starts(steps, rng, len(encoded.rows))
    episode, tested = encoded.episode, encoded.tested
    back = found - config.history - 2
    found = found[(back >= 0) & tested[back] & (episode[back] == episode[found])]
    odometry = np.asarray(encoded.dataset.odometry)
    motion = relative(odometry[encoded.rows[found]], odometry[encoded.rows[found + config.lasting - 1]])
    moves = (np.hypot(motion[:, 0], motion[:, 1]) > config.moving) | (np.abs(motion[:, 2]) > config.moving)
    found = found[moves]
    return np.sort(rng.choice(found, min(config.events, len(found)), replace=False))


def _elsewhere(encoded: Encoded, begins: Rows, rng: np.random.Generator, config: QualityConfig) -> Rows:
    """For each position another tested one, which has rows behind it, far from there: in metres, or else in time."""
    there = encoded.starts(1, rng, len(encoded.rows))
    truth, out = encoded.truth, np.zeros(len(begins), np.int64)
    for i, begin in enumerate(begins):
        apart = np.hypot(*(truth[there, :2] - truth[begin, :2]).T)
        fits = apart > config.far if np.isfinite(apart).all() else np.abs(there - begin) > config.history
        out[i] = rng.choice(there[fits] if fits.any() else there)
    return out
