"""Places at which a goal's picture is recognised: it is compared with theirs, cell by cell."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.camera import MOST_SIDE
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, from_cos_sin, pose_gap
from ami_ros.core.images import decode_image
from ami_ros.core.scan import Scan
from ami_ros.memory.coverage import gaussian_sums
from ami_ros.memory.index import Hypothesis, Latents, Matches, PlaceIndex, cluster
from ami_ros.memory.retrieval import KEPT, CodeFile, Descriptors, digest
from ami_ros.memory.types import View
from ami_ros.world_model.array_pairs import ArrayPairs, odds_of
from ami_ros.world_model.perception import fit_image
from ami_ros.world_model.two_views import Turn


@dataclass(frozen=True)
class RecognitionConfig:
    """How many pictures a question compares, and which of them bear witness."""

    encoded: int = 96  # pictures that a question encodes at most: a second; the next one goes on
    compared: int = (
        800  # times that a picture of a goal is compared with that of a place, of those most alike: a second
    )
    remembered: int = 12  # pictures of which it is kept what places say: as many as a goal has
    possible: float = 0.85  # probability of showing the same, from which a place is worth driving to
    spread: float = 0.05  # [m] added to the error of a comparison: a place's own
    sure: float = 0.35  # [m] of expected error, below which a place that shows the goal for certain bears witness
    agree: float = 0.5  # [m], [rad] from a hypothesis, within which a place is for that one
    apart: float = 0.25  # [m] between places whose pictures err each in its own way
    hypotheses: int = 3  # at most
    batch: int = 16  # pictures that are encoded or compared at once
    unsaved: int = 128  # new codes, and a quarter of all, from which on they are saved: the robot may be switched off
    blur: float = 0.5  # [m] around where a place has the goal, within which that speaks for a point
    sharpness: int = 3  # power of the probabilities there; measured, as `blur`, see docs/design/goal_search.md


RECOGNITION = RecognitionConfig()


Evidence = Callable[[Array], Array]  # points (k, 2) [m] of the map -> what speaks for them (k,), of any scale


@dataclass(frozen=True)
class Candidates:
    """A picture of a goal, and the places that may show what it shows."""

    rows: NDArray[np.int64]  # (k,) of the places' index
    picture: Latents  # its code
    turn: float = 0.0  # [rad] of the robot from the goal's heading, when it took the picture


def _standard(values: Latents) -> Latents:
    """Each row (n,) in its standard deviations from its mean."""
    if not values.shape[-1]:
        return values
    return np.asarray((values - values.mean(-1, keepdims=True)) / (values.std(-1, keepdims=True) + 1e-9))


def _nothing() -> None:
    """What is called where nobody waits."""


def _share(seen: Array, evidence: Array, certain: NDArray[np.bool_], pose: Array, frames: Array) -> float:
    """Of the `evidence` (k,) of places, by where they have the goal (k, 3), for one hypothesis; half of it where all
    pictures that show it for certain were taken from one spot: they err together."""
    near = np.less(np.stack(pose_gap(seen, pose)), RECOGNITION.agree).all(axis=0)
    at = frames[near & certain, :2]
    if not len(at):
        return 0.0
    apart = np.hypot(*(at[:, None] - at[None]).T).max() > RECOGNITION.apart
    return float(evidence[near].sum() / evidence.sum()) * (1.0 if apart else 0.5)


class Recogniser:
    """Compares pictures with those of places.

    Args:
        pairs: compares.
        thumbnail: the JPEG of a place by its id; empty: it has none.
        file: codes of earlier runs; None: there are none, and these are not kept either.

    Attributes:
        surroundings: what the laser saw at a place, by its id; None where that is not known.
        between: is called again and again during a question, which takes seconds on a busy core.
    """

    def __init__(self, pairs: ArrayPairs, thumbnail: Callable[[int], bytes], file: CodeFile | None = None) -> None:
        self._pairs, self._thumbnail, self.file = pairs, thumbnail, file
        self.surroundings: Callable[[int], Scan | None] = lambda place_id: None
        self.between: Callable[[], None] = _nothing
        self._codes: OrderedDict[int, NDArray[np.float16]] = OrderedDict()
        self.descriptors = Descriptors()  # of all pictures that ever had a code
        self._digests = dict[int, bytes]()  # of the pictures of places, as far as they were looked at
        self._unsaved = 0  # codes that the file has not
        self._camera = pairs.mount, pairs.window  # by which they were made
        self._prepared = 0  # so many places, the oldest in memory, were encoded ahead
        self._seen = OrderedDict[bytes, dict[int, Array]]()  # what places say of the pictures asked about last

    @property
    def thumbnail_side(self) -> int:
        """[px] of places' pictures, so that what this camera sees of them is as large as it is compared."""
        return min(MOST_SIDE, math.ceil(self._pairs.picture_size / self._pairs.share))

    def prepare(self, ids: NDArray[np.int64], most: int) -> bool:
        """Encodes pictures ahead of questions, which encode some at a time: those of `most` of the places `ids` (n,),
        as they came to memory, whose turn has not come yet. Of those whose codes find no room it keeps only by what
        they are found. False: there are no more."""
        self._follow_camera()
        if self._unsaved > max(RECOGNITION.unsaved, len(self._codes) // 4):
            self._save_codes()
        if self.descriptors.is_due:
            self.descriptors.save(self._made_by)
        ahead = ids[self._prepared : self._prepared + most].tolist()
        if not ahead:
            return False
        if len(self._codes) + len(ahead) <= KEPT:
            self._codes_of(ahead)
        else:
            self._describe(ahead)
        self._prepared += len(ahead)
        return True

    def turn(self, here: Latents, there: Latents, motion: Array, expected: Turn, scan: Scan | None) -> Turn | None:
        """How far the robot turned between two pictures; see `ArrayPairs.turn`."""
        return self._pairs.turn(here, there, motion, expected, scan)

    def save(self) -> None:
        """Writes what is new to the files: some 80 ms for a thousand codes."""
        self._follow_camera()
        self._save_codes()
        if self.descriptors.file is not None:
            self.descriptors.save(self._made_by)

    def _save_codes(self) -> None:
        if self.file is not None and self._unsaved:
            self.file.write(self._made_by, {self._digests[place_id]: code for place_id, code in self._codes.items()})
        self._unsaved = 0  # also where that was not possible: it will not be soon

    def close(self) -> None:
        """Saves codes."""
        self.save()
        for file in (self.file, self.descriptors.file):
            if file is not None:
                file.close()

    def forget(self, ids: Collection[int]) -> None:
        """Places that are no more; others may get their ids."""
        for place_id in ids:
            self._codes.pop(place_id, None)
            self._digests.pop(place_id, None)
            for seen in self._seen.values():
                seen.pop(place_id, None)
        self.descriptors.drop(ids)
        if self.file is not None:
            self.file.erase()
            self._unsaved = len(self._codes)
        self._prepared = max(0, self._prepared - len(ids))

    def candidates(self, index: PlaceIndex, views: Sequence[View]) -> list[Candidates]:
        """Each picture of a goal that has a code, with the places that may show what it shows: those that are most
        alike by picture or by latent, and of those that were never looked at the ones whose latents are."""
        self._follow_camera()
        pictures = [(view.latent, view.picture, view.turn) for view in views if view.picture is not None]
        known, alike = self.descriptors.likeness(self._pairs.descriptor(np.stack([code for _, code, _ in pictures])))
        rows = index.rows(known)
        by_latent = index.keys[rows] @ np.stack([index.query(latent) for latent, *_ in pictures], axis=1)
        merit = np.maximum(_standard(alike), _standard(by_latent.T))  # of a narrow picture latents say nothing
        best = np.argsort(-merit, axis=None, kind="stable")[: RECOGNITION.compared]
        of_view, place = np.unravel_index(best, alike.shape)
        found = []
        for number, (latent, code, turn) in enumerate(pictures):
            resembling, _ = index.most_similar(latent, RECOGNITION.compared)
            new = [row for row in resembling.tolist() if int(index.ids[row]) not in self.descriptors]
            chosen = np.append(rows[place[of_view == number]], new[: RECOGNITION.compared // len(pictures)])
            found.append(Candidates(chosen.astype(np.int64), code, turn))
        return found

    def hypotheses(self, index: PlaceIndex, candidates: Sequence[Candidates]) -> list[Hypothesis] | None:
        """Where the pictures of a goal were taken, best first; empty where no place shows what they show, and None
        where none has a picture.

        The share of a hypothesis is that of the evidence for it: 0 where no place shows a picture for certain, and at
        most 0.5 where that rests on pictures from one spot. A place that does for certain counts as much as any other
        that does, however sure it is of it: where rooms are alike, those of the wrong one are as sure.

        Args:
            index: of the places.
            candidates: for each picture; all were taken at one place.
        """
        rows, found = self._said(index, candidates, RECOGNITION.encoded)
        if not len(rows):
            return None
        pose, error, odds = found[:, :3], found[:, 3], found[:, 4]
        good = odds >= RECOGNITION.possible / (1 - RECOGNITION.possible)
        chosen, pose, error, odds = rows[good], pose[good], error[good], odds[good]
        poses, weights = compose(index.poses[chosen], pose), odds / (error + RECOGNITION.spread)
        enough = float(odds_of(self._pairs.threshold))
        evidence, certain = (
            np.minimum(odds, enough) / (error + RECOGNITION.spread),
            (odds >= enough) & (error < RECOGNITION.sure),
        )
        hypotheses = cluster(
            Matches(chosen, weights, poses, np.hypot(pose[:, 0], pose[:, 1])), most=RECOGNITION.hypotheses
        )
        shares = [_share(poses, evidence, certain, hypothesis.pose, index.poses[chosen]) for hypothesis in hypotheses]
        order = np.argsort([-share for share in shares], kind="stable")
        return [Hypothesis(hypotheses[k].pose, shares[k]) for k in order]

    def evidence(self, index: PlaceIndex, candidates: Sequence[Candidates]) -> Evidence:
        """What speaks for points (k, 2) of the map, (k,), as where pictures were taken: what all places say of that, by
        their probability of showing the same. None may show it for certain, but together they tell where to look first.

        Args:
            index: of the places.
            candidates: the same as `hypotheses` had.
        """
        rows, found = self._said(index, candidates, 0)
        at = compose(index.poses[rows], found[:, :3])[:, :2]
        weight = (found[:, 4] / (1 + found[:, 4])) ** RECOGNITION.sharpness

        def for_points(points: Array) -> Array:
            return gaussian_sums(points, at, weight, RECOGNITION.blur)

        return for_points

    def _said(self, index: PlaceIndex, candidates: Sequence[Candidates], most: int) -> tuple[NDArray[np.int64], Array]:
        """Rows (k,) of places that can tell, and what they say of the goal: see `_looks`; (k, 5)."""
        rows, found = [np.zeros(0, np.int64)], [np.zeros((0, 5))]
        for one in candidates:
            ids = index.ids[one.rows].tolist()
            looks = self._looks(ids, one.picture, most // len(candidates))
            known = [k for k, place_id in enumerate(ids) if place_id in looks]
            said = np.array([looks[ids[k]] for k in known]).reshape(-1, 5)
            said[:, :3] = compose(said[:, :3], np.array([0.0, 0.0, -one.turn]))
            rows.append(one.rows[known])
            found.append(said)
        return np.concatenate(rows), np.concatenate(found)

    def _looks(self, ids: list[int], picture: Latents, most: int) -> dict[int, Array]:
        """What each of the places with a picture says about another: pose (3,) there, error and odds; (5,). Those
        without a code yet say nothing, but for the first `most`, which get one."""
        self._follow_camera()
        key = picture.tobytes()
        seen = self._seen.setdefault(key, {})
        self._seen.move_to_end(key)
        while len(self._seen) > RECOGNITION.remembered:
            self._seen.popitem(last=False)
        new = [place_id for place_id in ids if place_id not in seen]
        codes = self._codes_of(new, most, self.between)
        if codes:
            pose, error, odds = self._compare(codes, picture, self.between)
            seen.update(zip(codes, np.column_stack([pose, error, odds]), strict=True))
        return {place_id: seen[place_id] for place_id in ids if place_id in seen}

    def code(self, jpeg: bytes) -> Latents | None:
        """Of a picture (JPEG), to be compared; None: it is broken."""
        picture = self._fitting(jpeg)
        if picture is None:
            return None
        return self._pairs.code(picture[None].transpose(0, 3, 1, 2))[0]

    def seen_from(self, ids: Sequence[int], picture: Latents) -> list[tuple[int, Array, float, float]]:
        """Of those places that have a picture: id, where (3,) the picture of that code was taken as seen from there, by
        how much that may be off [m], and the probability that both show the same. Each that was never encoded takes
        some 14 ms."""
        self._follow_camera()
        if not (known := self._codes_of(ids)):
            return []
        poses, errors, odds = self._compare(known, picture)
        return list(zip(known, poses, errors.tolist(), (odds / (1 + odds)).tolist(), strict=True))

    def alike(self, ids: Sequence[int], picture: Latents) -> Array | None:
        """Probability (k,) that places see what a picture sees, given its code; of each that has a picture itself, None
        where none has."""
        found = self.seen_from(ids, picture)
        return np.array([same for *_, same in found]) if found else None

    def _compare(
        self, codes: Mapping[int, NDArray[np.float16]], picture: Latents, between: Callable[[], None] = _nothing
    ) -> tuple[Array, Array, Array]:
        """Of places, by the codes (code,) of their ids: the picture's pose (k, 3) in their frames, its error (k,) [m]
        and odds (k,) that both show the same, where they are good as compared either way: what errs one way seldom does
        the other."""
        poses, errors, odds = [], [], []
        asked = list(codes)
        for first in range(0, len(asked), RECOGNITION.batch):
            ids = asked[first : first + RECOGNITION.batch]
            between()
            part = np.stack([codes[place_id] for place_id in ids]).astype(np.float32)
            scans = [self.surroundings(place_id) for place_id in ids]
            picture_too = np.broadcast_to(picture, part.shape)
            there = self._pairs.compare_both_ways(part, picture_too, scans, RECOGNITION.possible**2)
            poses.append(there.pose)
            errors.append(there.error)
            odds.append(odds_of(there.same))
        found = (np.concatenate(values).astype(np.float64) for values in (poses, errors, odds))
        return from_cos_sin(next(found)), next(found), next(found)

    def _follow_camera(self) -> None:
        """Codes of another camera say nothing: camera_info may come after the first pictures were encoded."""
        camera = self._pairs.mount, self._pairs.window
        if camera != self._camera:
            self._camera, self._prepared, self._unsaved = camera, 0, 0
            self.__dict__.pop("_made_by", None)
            for known in (self._codes, self._digests, self._seen, self.descriptors):
                known.clear()

    def _codes_of(
        self, ids: Sequence[int], most: int | None = None, between: Callable[[], None] = _nothing
    ) -> dict[int, NDArray[np.float16]]:
        """Codes of those that have a picture; of those that have no code yet, the first `most`."""
        self._read_codes(ids, between)
        codes, new = self._codes, [place_id for place_id in ids if place_id not in self._codes][:most]
        for start in range(0, len(new), RECOGNITION.batch):
            between()
            jpegs = {i: self._thumbnail(i) for i in new[start : start + RECOGNITION.batch]}
            pictures = {i: picture for i, jpeg in jpegs.items() if (picture := self._fitting(jpeg)) is not None}
            if not pictures:
                continue
            found = self._pairs.code(np.stack(list(pictures.values())).transpose(0, 3, 1, 2)).astype(np.float16)
            codes.update(zip(pictures, found, strict=True))
            digests = {i: digest(jpegs[i]) for i in pictures}
            self.descriptors.add(digests, self._pairs.descriptor(found))
            self._digests.update(digests)
            self._unsaved += len(pictures)
        for place_id in ids:
            if place_id in codes:
                codes.move_to_end(place_id)
        kept = {place_id: codes[place_id] for place_id in ids if place_id in codes}
        while len(codes) > KEPT:
            self._digests.pop(codes.popitem(last=False)[0], None)
        return kept

    def _read_codes(self, ids: Sequence[int], between: Callable[[], None]) -> None:
        """Takes codes of earlier runs from the file, which takes a hundredth of the time of making them."""
        if self.file is None or not len(self.file):
            return
        unread = [place_id for place_id in ids if place_id not in self._codes and place_id not in self._digests]
        for k, place_id in enumerate(unread):
            if k % RECOGNITION.batch == 0:
                between()
            self._digests[place_id] = digest(self._thumbnail(place_id))
            if (code := self.file.find(self._made_by, self._digests[place_id])) is not None:
                self._codes[place_id] = code
                if not self.descriptors.read(self._made_by, place_id, self._digests[place_id]):
                    named = {place_id: self._digests[place_id]}
                    self.descriptors.add(named, self._pairs.descriptor(code[None].astype(np.float32)))

    def _describe(self, ids: Sequence[int]) -> None:
        """Of places whose codes find no room: by what they are found."""
        for place_id in ids:
            jpeg = b"" if place_id in self.descriptors else self._thumbnail(place_id)
            if not jpeg or self.descriptors.read(self._made_by, place_id, picture := digest(jpeg)):
                continue
            if (code := self.code(jpeg)) is not None:
                self.descriptors.add({place_id: picture}, self._pairs.descriptor(code[None]))

    @cached_property
    def _made_by(self) -> bytes:
        """What makes codes: a model, a camera and this version of the program, told by the code of one picture."""
        squares = np.frombuffer(hashlib.shake_256().digest(3 * 24**2), np.uint8).reshape(24, 24, 3)
        picture = fit_image(squares.repeat(8, 0).repeat(8, 1), self._pairs.picture_size, self._pairs.share)
        code = self._pairs.code(picture[None].transpose(0, 3, 1, 2)).astype(np.float16)
        return digest(repr(self._camera).encode(), code.tobytes(), size=8)

    def _fitting(self, jpeg: bytes) -> NDArray[np.uint8] | None:
        """A picture (n, n, 3), as `code` takes it; None: there is none, or it is broken."""
        try:
            return fit_image(decode_image(jpeg), self._pairs.picture_size, self._pairs.share) if jpeg else None
        except AmiError:
            return None
