"""How well a model predicts a recording that has neither odometry nor laser, on what it was not trained on.

"Better than nothing moves" alone can be had for nothing: latents that collapse, or a prediction that falls back to the
mean of all latents, beat it at a second. So the same moments are judged by what such tricks cannot give, too: against
the best mixture of the latent of now and the mean, against the commands of other moments, by whether what was imagined
is nearest to what came, and in the picture itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.bench.model_quality import Encoded, Progress, Rows, encode_recording
from ami_ros.core.errors import AmiError
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.held_out import effective_rank, split_recordings
from ami_ros.world_model.torch_model import WorldModel

Array = NDArray[np.floating[Any]]

LAST = 0.1  # of a recording that the model was trained on: never trained on (`learning.presets`)
FRAMES = 50_000  # of a recording, at most
THUMB = 16  # [px], side of the grey pictures in which predictions are judged


def measure_prediction(
    model: WorldModel, dataset: Dataset, learned_from: Sequence[Dataset], seed: int, progress: Progress | None = None
) -> dict[str, float | int]:
    """Figures of predictions a second ahead; errors are mean squares over the same moments.

    Args:
        model: in evaluation mode.
        dataset: of the model's period. What of it was trained on is left out, the last tenth never was.
        learned_from: what the model was trained on, as far as it is there; pictures are drawn by a regression on it.
        seed: of the choice of moments.

    Raises:
        AmiError: there is nothing in it that the model was not trained on.
    """
    rng = np.random.default_rng(seed)
    encoded = encode_recording(model, dataset, seed, FRAMES, progress)
    encoded = replace(encoded, tested=untrained(dataset, learned_from)[encoded.rows])
    steps = max(1, round(1.0 / model.spec.step_duration))
    starts = encoded.starts(steps, rng, 4000)
    if len(starts) < 2:
        least = (steps * model.spec.chunk + 2) * model.spec.period
        raise AmiError(
            f"evaluate: {dataset.folder} has no stretch of {least:.1f} s that the model was not trained on; "
            "record longer, or evaluate another recording"
        )
    commands, previous = encoded.commands(starts, steps)
    after = starts + steps * model.spec.chunk
    now, came = encoded.latents[starts], encoded.latents[after]
    imagined = encoded.imagine(now, commands, previous)[:, -1]
    other = encoded.imagine(now, commands[rng.permutation(len(starts))], previous)[:, -1]
    found: dict[str, float | int] = {
        "frames": len(dataset),
        "tested_frames": int(encoded.tested.sum()),
        "tested_moments": len(starts),
        "seconds_ahead": round(steps * model.spec.step_duration, 3),
        **_against("", imagined, now, came),
        "better_than_other_commands": 1.0 - _error(imagined, came) / _error(other, came),
        "nearer_than_nothing_moves_share": float(
            (np.square(imagined - came).sum(1) < np.square(now - came).sum(1)).mean()
        ),
        "retrieval_rank": _retrieval(imagined, came),
        "retrieval_rank_nothing_moves": _retrieval(now, came),
        "latent_rank": effective_rank(encoded.latents),
        "tested_latent_spread": float(encoded.latents[encoded.tested].std(0).mean()),
        **_in_pictures(encoded, learned_from, starts, after, imagined),
    }
    return {name: round(value, 4) for name, value in found.items()}


def untrained(dataset: Dataset, learned_from: Sequence[Dataset]) -> NDArray[np.bool_]:
    """Rows (n,) of `dataset` that a model which learned from these data sets has not seen, by content or by time."""
    seen = np.zeros(len(dataset), np.bool_)
    stamp = np.asarray(dataset.stamp)
    for source in learned_from:
        kept, _ = split_recordings(source, LAST)
        if source.card.checksum == dataset.card.checksum:
            for start, stop in kept:
                seen[start:stop] = True
        elif len(stamp) and stamp.min() > 1e8:  # [s]; stamps below are no times of day, and say nothing about that
            for start, stop in kept:
                seen |= (stamp >= source.stamp[start]) & (stamp <= source.stamp[stop - 1])
    return ~seen


def _error(guess: Array, came: Array) -> float:
    return max(float(np.square(guess - came).mean()), 1e-12)


def _against(prefix: str, guess: Array, now: Array, came: Array) -> dict[str, float]:
    """How much smaller the error of `guess` (k, dim) is than that of `now`, of the best mixture of `now` and the mean,
    chosen in hindsight, and of the mean alone; 0: not at all, 1: no error."""
    mean = came.mean(0)
    departure = now - mean
    share = float((departure * (came - mean)).sum() / max(np.square(departure).sum(), 1e-12))
    error = _error(guess, came)
    return {
        f"{prefix}better_than_nothing_moves": 1.0 - error / _error(now, came),
        f"{prefix}better_than_fading_to_the_mean": 1.0 - error / _error(mean + share * departure, came),
        f"{prefix}better_than_the_mean": 1.0 - error / _error(mean, came),
    }


def _retrieval(guess: Array, came: Array) -> float:
    """Median share of the other moments that came nearer to `guess` than the right one did: 0 is best, 0.5 chance."""
    apart = np.square(came).sum(1)[None] - 2.0 * guess @ came.T  # up to a constant of each guess
    own = np.diagonal(apart)[:, None]
    return float(np.median((apart < own).sum(1) / (len(came) - 1)))


def _in_pictures(
    encoded: Encoded, learned_from: Sequence[Dataset], starts: Rows, after: Rows, imagined: NDArray[np.float32]
) -> dict[str, float]:
    """The same in small grey pictures, drawn from latents by a linear regression on what was trained on."""
    if not learned_from or encoded.sampler.images is None:
        return {}
    size, known = encoded.model.spec.inputs.image_size, list[tuple[Array, Array]]()
    for source in learned_from:
        kept, _ = split_recordings(source, LAST)
        rows = np.concatenate([np.arange(*stretch) for stretch in kept])
        rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), FRAMES // 10)).astype(int)]
        seen = encode_recording(encoded.model, source, 0, FRAMES)
        at = np.searchsorted(seen.rows, rows).clip(max=len(seen.rows) - 1)
        known.append((seen.latents[at], _thumbs(source, seen.rows[at], size)))
    draw = regression(*(np.concatenate(part) for part in zip(*known, strict=True)))
    before, came = (_thumbs(encoded.dataset, encoded.rows[at], size) for at in (starts, after))
    return _against("picture_", draw(imagined), before, came) | {
        "picture_drawn_from_what_came": 1.0 - _error(draw(encoded.latents[after]), came) / _error(before, came)
    }


def _thumbs(dataset: Dataset, rows: Rows, size: int) -> Array:
    """Grey pictures (k, THUMB * THUMB), 0 to 1."""
    block = size // THUMB
    images = dataset.images(rows, size)[:, : block * THUMB, : block * THUMB].mean(3) / 255.0
    return np.asarray(images.reshape(len(rows), THUMB, block, THUMB, block).mean((2, 4)).reshape(len(rows), -1))


def regression(latents: Array, values: Array) -> Callable[[Array], Array]:
    """A linear one from latents (n, dim) to numbers (n, k), with a penalty of 0.01 of the latents' variance."""
    mean, offset = latents.mean(0), values.mean(0)
    x = latents - mean
    penalty = 1e-2 * len(x) * max(float(x.var()), 1e-12) * np.eye(x.shape[1])
    weights = np.linalg.solve(x.T @ x + penalty, x.T @ (values - offset))
    return lambda given: np.asarray((given - mean) @ weights + offset)
