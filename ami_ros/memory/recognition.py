"""Places at which a goal's picture is recognised: it is compared with theirs, cell by cell."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ami_ros.errors import AmiError
from ami_ros.geometry import Array, compose, from_cos_sin
from ami_ros.images import decode_image
from ami_ros.memory.index import Latents, PlaceIndex
from ami_ros.memory.matching import Hypothesis, Matches, cluster
from ami_ros.world_model.pairs import PairHead
from ami_ros.world_model.perception import fit_image

KEPT = 2000  # maps of features, of places asked about last: some 20 MB
COMPARED = 400  # places that a picture is compared with, those that its latent resembles most: about a second at first
POSSIBLE = 0.85  # probability of showing the same, from which a place is worth driving to: there the goal is looked for
SPREAD = 0.05  # [m] added to the error of a comparison: a place's own
MOST = 3  # hypotheses
BATCH = 16  # pictures


def _odds(same: torch.Tensor) -> torch.Tensor:
    return same / (1 - same).clamp(min=1e-6)


class Recogniser:
    """Compares pictures with those of places.

    Args:
        pairs: compares.
        thumbnail: the JPEG of a place by its id; empty: it has none.
    """

    def __init__(self, pairs: PairHead, thumbnail: Callable[[int], bytes]) -> None:
        self._pairs, self._thumbnail = pairs, thumbnail
        self._size = pairs.size
        self._codes: OrderedDict[int, NDArray[np.float16]] = OrderedDict()

    def hypotheses(self, index: PlaceIndex, rows: NDArray[np.int64], picture: Latents) -> list[Hypothesis] | None:
        """Where a picture was taken, best first; empty where none of the places in `rows` (k,) shows what it shows, and
        None where none of them has a picture.

        Args:
            index: of the places.
            rows: of those that may.
            picture: its code.
        """
        ids = index.ids[rows].tolist()
        known = self._codes_of(ids)
        there = [k for k, place_id in enumerate(ids) if place_id in known]
        if not there:
            return None
        codes = torch.from_numpy(np.stack([known[ids[k]] for k in there]).astype(np.float32))
        pose, error, odds = self._compare(codes, torch.from_numpy(picture))
        good = odds >= POSSIBLE / (1 - POSSIBLE)
        chosen = rows[there][good]
        distances = np.hypot(pose[good, 0], pose[good, 1])
        weights = odds[good] / (error[good] + SPREAD)
        return cluster(Matches(chosen, weights, compose(index.poses[chosen], pose[good]), distances), most=MOST)

    def alike(self, ids: Sequence[int], jpeg: bytes) -> Array | None:
        """Probability (k,) that places see what a picture (JPEG) sees, each that has one itself; None: none has."""
        known, picture = self._codes_of(ids), _fitting(jpeg, self._size)
        if not known or picture is None:
            return None
        codes = torch.from_numpy(np.stack(list(known.values())).astype(np.float32))
        with torch.inference_mode():
            own = self._pairs.code(torch.from_numpy(picture)[None].permute(0, 3, 1, 2))[0]
        odds = self._compare(codes, own)[2]
        return odds / (1 + odds)

    def _compare(self, codes: torch.Tensor, picture: torch.Tensor) -> tuple[Array, Array, Array]:
        """Of places' codes (k, code): the picture's pose (k, 3) in their frames, its error (k,) [m], and the odds (k,)
        that both show the same, as they are compared either way: what errs one way seldom does the other."""
        poses, errors, odds = [], [], []
        with torch.inference_mode():
            for part in codes.split(4 * BATCH):
                other = picture.expand_as(part)
                there, back = self._pairs(part, other), self._pairs(other, part)
                poses.append(there.pose)
                errors.append(there.error)
                odds.append((_odds(there.same) * _odds(back.same)).sqrt())
        found = (torch.cat(values).double().numpy() for values in (poses, errors, odds))
        return from_cos_sin(next(found)), next(found), next(found)

    def _codes_of(self, ids: Sequence[int]) -> dict[int, NDArray[np.float16]]:
        """Codes of those that have a picture."""
        codes, new = self._codes, [place_id for place_id in ids if place_id not in self._codes]
        for start in range(0, len(new), BATCH):
            pictures = {i: image for i in new[start : start + BATCH] if (image := self._picture(i)) is not None}
            if not pictures:
                continue
            batch = torch.from_numpy(np.stack(list(pictures.values()))).permute(0, 3, 1, 2)
            with torch.inference_mode():
                found = self._pairs.code(batch).numpy().astype(np.float16)
            codes.update(zip(pictures, found, strict=True))
        for place_id in ids:
            if place_id in codes:
                codes.move_to_end(place_id)
        kept = {place_id: codes[place_id] for place_id in ids if place_id in codes}
        while len(codes) > KEPT:
            codes.popitem(last=False)
        return kept

    def _picture(self, place_id: int) -> NDArray[np.uint8] | None:
        return _fitting(self._thumbnail(place_id), self._size)


def _fitting(jpeg: bytes, size: int) -> NDArray[np.uint8] | None:
    """A picture (size, size, 3); None: there is none, or it is broken."""
    try:
        return fit_image(decode_image(jpeg), size) if jpeg else None
    except AmiError:
        return None
