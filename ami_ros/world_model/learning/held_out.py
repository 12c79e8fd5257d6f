"""How good a model is: signs of life while it is trained, and figures on what is kept apart from training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from ami_ros.world_model.learning.objective import relative_poses
from ami_ros.world_model.learning.windows import Recording, WindowSampler, recordings_of
from ami_ros.world_model.torch_model import WorldModel


def effective_rank(latents: NDArray[np.float32]) -> float:
    """Exponential of the entropy of the covariance's eigenvalues (Roy & Vetterli 2007); 1 is collapse.

    Args:
        latents: (n, dim), n well above dim.
    """
    values = np.linalg.eigvalsh(np.cov(latents.T)).clip(min=1e-12)
    share = values / values.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


@dataclass(frozen=True)
class Diagnosis:
    """Signs of life of a model while it is trained: a dead one is known after minutes, not after hours.

    Its latents collapse to a few directions, it predicts no better than "nothing changes", or its commands do not
    matter.
    """

    latent_rank: float  # effective rank
    prediction_to_persistence: float  # error of one model step over that of "nothing changes"
    shuffle_to_prediction: float  # error with the commands of other moments over the error
    # From where on they are those of a dead model: share of the latent's dimensions, and of the errors.
    limits: ClassVar[tuple[float, float, float]] = (0.1, 0.9, 1.1)

    def complaints(self, latent_dim: int) -> list[str]:
        """What is wrong, in words; nothing for a healthy model."""
        found, (rank, worst, least) = [], self.limits
        if self.latent_rank < max(2.0, rank * latent_dim):
            found.append(
                f"the latents collapse: they fill {self.latent_rank:.1f} of {latent_dim} dimensions; "
                "raise weights.vicreg"
            )
        if self.prediction_to_persistence > worst:
            found.append(
                f"prediction is hardly better than no change (error ratio {self.prediction_to_persistence:.2f}); "
                "does the robot move in the data, and are its commands those that it followed?"
            )
        elif self.shuffle_to_prediction < least:
            found.append(
                f"commands do not matter to the prediction (error ratio {self.shuffle_to_prediction:.2f} with others); "
                "are they on the same clock as the pictures?"
            )
        return found


def diagnose(model: WorldModel, sampler: WindowSampler, seed: int, windows: int = 64) -> Diagnosis:
    """Measures a model, in whatever mode it is, without changing it, on the same windows each time."""
    was_training = model.training
    model.eval()
    batch = sampler.batch(np.random.default_rng((seed, 1)), windows)
    steps, size = batch.commands.shape[:2]
    with torch.inference_mode():
        flat = model.encode(batch.sensors)
        latents = flat.view(-1, size, flat.shape[-1])
        before, after = latents[:steps].flatten(0, 1), latents[1 : steps + 1].flatten(0, 1)
        commands, previous = batch.commands.flatten(0, 1), batch.previous.flatten(0, 1)
        predicted, _ = model.step(before, commands, previous)
        shuffled, _ = model.step(before, commands.roll(size // 2 + 1, 0), previous)
    model.train(was_training)

    def error(guess: torch.Tensor) -> float:
        return float((guess - after).square().mean())

    still, right = max(error(before), 1e-12), max(error(predicted), 1e-12)
    return Diagnosis(effective_rank(flat.numpy()), right / still, error(shuffled) / right)


Episodes = list[tuple[int, int]]


def split_off(episodes: Sequence[tuple[int, int]], share: float, least: int) -> tuple[Episodes, Episodes]:
    """Cuts the end off each episode.

    Args:
        episodes: (start, stop) rows of each.
        share: of the rows to cut off.
        least: rows that make a window; where the end or the rest would be shorter, the episode stays whole.

    Returns:
        What is left to train on, and the ends.
    """
    kept, held = [], []
    for start, stop in episodes:
        cut = stop - round(share * (stop - start))
        is_cut = share and stop - cut >= least and cut - start >= least
        kept.append((start, cut if is_cut else stop))
        held += [(cut, stop)] if is_cut else []
    return kept, held


def split_recordings(recording: Recording, share: float) -> tuple[Episodes, Episodes]:
    """Cuts the end off each recording as a whole, so that what is held out came after all that is trained on.

    Args:
        recording: a data set, of one or several recordings, or several of them joined.
        share: of each recording's rows to cut off.

    Returns:
        What is left to train on, and the ends; an episode that the cut goes through is in both.
    """
    kept, held = [], []
    for first, last in recordings_of(recording):
        cut = last - round(share * (last - first))
        for start, stop in recording.episodes:
            if first <= start < last:
                kept += [(start, min(stop, cut))] if start < cut else []
                held += [(max(start, cut), stop)] if stop > cut else []
    return kept, held


@dataclass(frozen=True)
class Standing:
    """How good a model is on a recording, by odometry: no ground truth is needed.

    Positions and headings are those of one moment of the recording seen from another, at most some seconds apart.
    """

    prediction_to_persistence: float  # error of one model step over that of "nothing changes"
    position_error_m: float | None  # median; None: no odometry
    heading_error_deg: float | None  # median; likewise
    picture_error: float | None  # of the latent from the picture alone: unexplained variance; None: no pictures


@dataclass(frozen=True)
class BeforeAfter:
    """A new model on data that it was not trained on, beside the model that it started from."""

    data: str  # "new" or "old"
    before: Standing | None  # None: it started from nothing
    after: Standing

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Data, figure, before, after; as text for a table."""
        labels = {
            "prediction_to_persistence": "prediction error, of that of no change",
            "position_error_m": "relative position, median error [m]",
            "heading_error_deg": "relative heading, median error [deg]",
            "picture_error": "picture alone, unexplained variance",
        }
        rows = []
        for name, label in labels.items():
            before, after = (None if each is None else getattr(each, name) for each in (self.before, self.after))
            if after is not None:
                rows.append((f"{self.data} data", label, "-" if before is None else f"{before:.3g}", f"{after:.3g}"))
        return rows

    def figures(self) -> dict[str, float]:
        """Flat, named with units."""
        found = {}
        for when, standing in (("before", self.before), ("after", self.after)):
            for name, value in asdict(standing).items() if standing is not None else ():
                if value is not None:
                    found[f"{self.data}_{when}_{name}"] = round(float(value), 5)
        return found


def stand(model: WorldModel, sampler: WindowSampler) -> Standing:
    """Measures a model, in whatever mode it is, without changing it, on stretches of data: the same windows for every
    model."""
    was_training = model.training
    model.eval()
    batch = sampler.batch(np.random.default_rng((1, 2)), 256)
    with torch.inference_mode():
        flat = model.encode(batch.sensors)
        latents = flat.view(-1, 256, flat.shape[-1])
        columns = torch.arange(256)
        first, second = batch.pairs[..., 0], batch.pairs[..., 1]
        seen = model.relative_pose(latents[first, columns], latents[second, columns])
        true = relative_poses(batch.poses[first, columns], batch.poses[second, columns])
        images = batch.sensors.image
        pictured = None
        if images is not None and model.goal_head is not None:
            pictured = float((model.encode_goal(images) - flat).square().mean() / flat.var(0).mean())
    model.train(was_training)
    metres = (seen[..., :2] - true[..., :2]).norm(dim=-1)
    turn = torch.atan2(seen[..., 3], seen[..., 2]) - true[..., 2]
    degrees = torch.atan2(turn.sin(), turn.cos()).abs().rad2deg()
    ratio, errors = diagnose(model, sampler, 1).prediction_to_persistence, (metres, degrees)
    measured = bool(torch.isfinite(metres).all())
    position, heading = (float(values.median()) if measured else None for values in errors)
    return Standing(ratio, position, heading, pictured)
