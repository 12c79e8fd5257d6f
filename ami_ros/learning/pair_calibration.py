"""How far what is said of pairs of pictures can be relied on, in worlds that it was not learned in.

The threshold is that of split conformal prediction (Angelopoulos and Bates, arXiv 2107.07511): of pairs that show
nothing of each other and yet say that the goal is near, at most a share `ALPHA` reaches it, where worlds are like those
it was found in. How exact a pose is is another question, which the expected error answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ami_ros.geometry import Array, from_cos_sin, pose_gap
from ami_ros.learning.pair_labels import columns_of, label
from ami_ros.learning.pair_phase import draw
from ami_ros.learning.photographs import photographed, rays_of
from ami_ros.learning.views import Views
from ami_ros.world_model.pairs import PairHead
from ami_ros.world_model.spec import relied_on

ALPHA = 0.002  # share of unrelated pairs that may be relied on: hundreds are looked at on the way to one claim
UNRELATED = 0.02  # share of what the first shows, below which the second shows nothing of it
NEAR = 1.0  # [m] seen distance at which arrivals are claimed: what is seen farther off is looked at again
GROUPS, PAIRS = 12, 220  # of a batch
TEMPERATURES = np.geomspace(0.25, 6.0, 60)


@dataclass(frozen=True)
class Judged:
    """Pairs, what is true of them, and what was said (n, ...)."""

    pose: Array  # (n, 3) said
    truth: Array  # (n, 3)
    overlap: NDArray[np.float32]  # share of what the first shows that the second shows, too
    logit: NDArray[np.float32]  # that both see the same, not calibrated
    error: NDArray[np.float32]  # [m] expected, not calibrated
    same: NDArray[np.float32]  # probability, as calibrated now

    @property
    def off(self) -> tuple[Array, Array]:
        """Distance [m] and angle [rad] between said and true poses."""
        return pose_gap(self.pose, self.truth)

    @property
    def misleading(self) -> NDArray[np.bool_]:
        """Pairs that show nothing of each other, and whose pose says that the goal is near."""
        return np.asarray((self.overlap < UNRELATED) & (np.hypot(self.pose[:, 0], self.pose[:, 1]) < NEAR))


@dataclass(frozen=True)
class PairQuality:
    """Figures of pairs in worlds that were not learned from."""

    pairs: int
    near_position_median_m: float  # of pairs that see the same and are less than 0.7 m apart
    near_position_p90_m: float
    near_heading_median_rad: float
    position_median_m: float  # of all that see the same
    auroc: float  # of seeing the same
    threshold: float
    accepted_here: float  # share that reaches it of pairs less than 0.3 m and 0.3 rad apart
    accepted_near: float  # the same of all near ones
    accepted_unrelated: float  # the same of those that show nothing of each other, and say that they are near


def judge_pairs(head: PairHead, views: Views, batches: int, seed: int) -> Judged:
    """Random pairs of views, with cameras' noise."""
    parts = []
    rng = np.random.default_rng((seed, 5))
    for _ in range(batches):
        batch = draw(views, rng, GROUPS, PAIRS)
        seen = photographed(views, batch.rows, rng)
        labels = label(seen, batch.first, batch.second)
        with torch.inference_mode():
            told, bearings = rays_of(seen, rng)
            cells = head.features(torch.from_numpy(seen.images).permute(0, 3, 1, 2), told).flatten(1, 2)
            columns = torch.from_numpy(columns_of(seen, batch.first))
            found = head.match(cells[batch.first], cells[batch.second], (bearings[batch.first], bearings[batch.second]))
            out = head.judge(found, columns)
            verdict = head.verdict(out)
        values = (from_cos_sin(out[:, :4]), labels.pose, labels.overlap, out[:, 5], out[:, 4].exp(), verdict.same)
        parts.append([np.asarray(value) for value in values])
    return Judged(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def calibrate(head: PairHead, judged: Judged, narrow: Judged) -> None:
    """Sets the head's calibration by what it said: temperature, scale of errors, and thresholds.

    Args:
        head: see there.
        judged: pairs of cameras that see all of the picture.
        narrow: pairs of narrow ones.
    """
    logits, same = torch.from_numpy(judged.logit), torch.from_numpy(_sees(judged.overlap))
    losses = [float(functional.binary_cross_entropy_with_logits(logits / t, same)) for t in TEMPERATURES]
    temperature = float(TEMPERATURES[int(np.argmin(losses))])
    good = judged.overlap > 0.25
    scale = float(np.median(judged.off[0][good] / judged.error[good]) / math.log(2)) if good.any() else 1.0
    least = (_beyond_what_misleads(pairs, temperature) for pairs in (judged, narrow))
    head.calibration.copy_(torch.tensor([temperature, max(scale, 0.1), *least]))


def _beyond_what_misleads(judged: Judged, temperature: float) -> float:
    """Logit that at most a share ALPHA of misleading pairs reaches."""
    claims = np.sort(judged.logit[judged.misleading] / temperature)
    rank = math.ceil((len(claims) + 1) * (1 - ALPHA)) - 1
    # Weights are stored in half precision: up to the next such number, and beyond what misleads.
    return float(np.nextafter(np.float16(claims[rank]), np.float16(np.inf))) if rank < len(claims) else 20.0


def quality(head: PairHead, judged: Judged, sees: float = 1.0) -> PairQuality:
    """Figures of calibrated pairs, of cameras that see a share `sees` of the picture."""
    threshold = 1 / (1 + math.exp(-relied_on(head.calibration.tolist(), sees)))
    distance, turn = judged.off
    same, blind = judged.overlap > 0.25, judged.overlap < 0.05
    near = same & (np.hypot(judged.truth[:, 0], judged.truth[:, 1]) < 0.7)
    claims = judged.misleading
    there = same & (np.hypot(judged.truth[:, 0], judged.truth[:, 1]) < 0.3) & (np.abs(judged.truth[:, 2]) < 0.3)
    above = judged.logit[same][:, None] > judged.logit[blind][None]
    return PairQuality(
        pairs=len(distance),
        near_position_median_m=_quantile(distance[near], 0.5),
        near_position_p90_m=_quantile(distance[near], 0.9),
        near_heading_median_rad=_quantile(turn[near], 0.5),
        position_median_m=_quantile(distance[same], 0.5),
        auroc=float(above.mean()) if above.size else math.nan,
        threshold=threshold,
        accepted_here=float((judged.same[there] >= threshold).mean()) if there.any() else 0.0,
        accepted_near=float((judged.same[near] >= threshold).mean()) if near.any() else 0.0,
        accepted_unrelated=float((judged.same[claims] >= threshold).mean()) if claims.any() else 0.0,
    )


def _sees(overlap: NDArray[np.float32]) -> NDArray[np.float32]:
    """As `pair_labels.Labels.same`."""
    return np.asarray(np.clip((overlap - 0.05) / 0.2, 0, 1), np.float32)


def _quantile(values: Array, share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else math.nan
