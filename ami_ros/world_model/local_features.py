"""Points of a picture by which another picture of the same place is recognised and measured: SIFT (Lowe, IJCV 2004).

What is learned from drawn pictures tells places apart, but how far real pictures are apart it tells badly: its cells
are a tenth of a radian wide, and real surfaces match otherwise than drawn ones. Points are exact to a pixel in any.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.world_model.layers import Floats
from ami_ros.world_model.spec import PAIR_DESCRIPTOR as NUMBERS
from ami_ros.world_model.spec import PAIR_POINTS as POINTS

# Of SIFT's points, half of OpenCV's: small pictures have few of them. A camera that sees a part of the picture finds as
# many fewer in it, and takes weaker ones in their place, down to the least.
CONTRAST, LEAST_CONTRAST = 0.02, 0.005
RATIO = 0.8  # of the distances to the best and to the second best, above which a point is ambiguous (Lowe, IJCV 2004)
BORDER = 6.0  # [px] from the black frame of a narrow camera, within which it makes points by itself


class Points(NamedTuple):
    """Of one picture."""

    at: Array  # (n, 2) across and down, from -1 to 1 in the square that is compared
    descriptors: Floats  # (n, NUMBERS) of length 1


@lru_cache(maxsize=4)
def _sift(contrast: float) -> Any:
    import cv2  # 15 MB that processes without pictures do without

    return cv2.SIFT_create(nfeatures=POINTS, contrastThreshold=contrast)  # type: ignore[attr-defined]


def describe(image: NDArray[np.uint8], rows: slice, columns: slice, sees: float = 1.0) -> Floats:
    """The points of a picture (3, size, size) as numbers (POINTS * (2 + NUMBERS),), those with most contrast; 0 where
    there are no more.

    Args:
        image: see there.
        rows: of pixels that the camera sees.
        columns: likewise.
        sees: share of the picture of the model's camera that this is.
    """
    size = image.shape[-1]
    red, green, blue = image[:, rows, columns].astype(np.uint16)
    grey = ((red + green + blue) // 3).astype(np.uint8)
    code = np.zeros((POINTS, 2 + NUMBERS), np.float32)
    found, descriptors = _sift(max(CONTRAST * sees, LEAST_CONTRAST)).detectAndCompute(grey, None)
    if found:
        count = min(len(found), POINTS)
        best = np.argsort([-point.response for point in found], kind="stable")[:count]
        at = np.array([found[k].pt for k in best]) + (columns.start, rows.start)
        code[:count, :2] = (at + 0.5) / size * 2 - 1
        code[:count, 2:] = descriptors[best]
    return code.ravel()


def points_of(code: Floats) -> Points:
    """What `describe` made numbers of."""
    rows = code.reshape(POINTS, 2 + NUMBERS)
    at, described = rows[:, :2].clip(-1, 1), rows[:, 2:].clip(0, 255)  # a client may have sent anything
    known = described.any(1)
    # The roots of shares compare better than lengths (Arandjelovic and Zisserman, CVPR 2012).
    shares = described[known] / described[known].sum(1, keepdims=True)
    return Points(at[known].astype(np.float64), np.sqrt(shares))


def matched(here: Points, there: Points) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows (n,) of points that are each other's most alike, and more so than the next."""
    none = np.zeros(0, np.int64)
    if len(here.at) < 2 or len(there.at) < 2:
        return none, none
    alike = here.descriptors @ there.descriptors.T
    best = alike.argmax(1)
    rows = np.arange(len(best))
    first = alike[rows, best]
    alike[rows, best] = -1.0
    apart, next_apart = 1 - first, 1 - alike.max(1)
    alike[rows, best] = first
    good = (apart < RATIO**2 * next_apart) & (alike.argmax(0)[best] == rows)
    return np.flatnonzero(good), best[good]


def shrunk(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Pictures (k, 3, n, n), n a multiple of `size`, as ones of `size` pixels."""
    times = images.shape[-1] // size
    if times == 1:
        return images
    total = np.zeros((len(images), 3, size, size), np.float32)
    for down in range(times):  # three times as fast as the mean over two axes
        for across in range(times):
            total += images[:, :, down::times, across::times]
    return np.asarray(np.rint(total / times**2), np.uint8)
