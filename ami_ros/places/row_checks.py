"""Whether a row of another robot makes sense: what would harm a map is refused before it is written."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ami_ros.commands import unpack
from ami_ros.errors import AmiError
from ami_ros.images import decode_image
from ami_ros.places.reading import MEASURED
from ami_ros.places.row_set import Values
from ami_ros.places.writing import MAX_LABEL, MAX_NOTE, MAX_THUMBNAIL
from ami_ros.submaps import Submap

AHEAD = 60.0  # [s] by which a row may be of the future


def check_values(table: str, row: Values, latent_dim: int, now: float) -> None:
    """Raises AmiError unless a row of a table, the checksum last, makes sense at `now` [s]."""
    try:
        _CHECKS[table](row, latent_dim, now)
    except (TypeError, ValueError, IndexError) as error:
        raise AmiError("its values are of other types") from error


def _finite(values: Iterable[object]) -> None:
    if not all(math.isfinite(v) for v in values if isinstance(v, float)):
        raise AmiError("a number in it is not finite")


def _numbers(content: bytes, kind: str) -> None:
    if not np.isfinite(np.frombuffer(content, kind)).all():
        raise AmiError("a number in it is not finite")


def _check_place(row: Values, latent_dim: int, now: float) -> None:
    latent, created, last_seen, label, note = row[1], row[5], row[6], str(row[8]), str(row[9])
    _finite(row)
    if not isinstance(latent, bytes) or len(latent) != 4 * latent_dim:
        raise AmiError("its latent is of another length")
    _numbers(latent, "<f4")
    if len(label) > MAX_LABEL or len(note) > MAX_NOTE:
        raise AmiError("its label or note is too long")
    if max(float(created), float(last_seen)) > now + AHEAD:  # type: ignore[arg-type]
        raise AmiError("it is of the future")


def _check_picture(row: Values, latent_dim: int, now: float) -> None:
    if not isinstance(row[1], bytes) or len(row[1]) > MAX_THUMBNAIL:
        raise AmiError("its picture is too large, or none")
    if row[1]:
        decode_image(row[1])


def _check_experience(row: Values, latent_dim: int, now: float) -> None:
    covariance, commands = row[1:3]
    if covariance is not None:
        if not isinstance(covariance, bytes) or len(covariance) != 36:
            raise AmiError("its covariance is none")
        _numbers(covariance, "<f4")
    if commands is not None and unpack(np.frombuffer(commands, "<f2")) is None:  # type: ignore[call-overload]
        raise AmiError("its commands are none")


def _check_submap(row: Values, latent_dim: int, now: float) -> None:
    if not isinstance(row[1], bytes) or Submap.unpack(row[1]) is None:
        raise AmiError("its submap is none")


def _check_way(row: Values, latent_dim: int, now: float) -> None:
    _finite(row)
    if float(row[8]) > now + AHEAD:  # type: ignore[arg-type]
        raise AmiError("it is of the future")


def _check_measured(row: Values, latent_dim: int, now: float) -> None:
    if not isinstance(row[2], bytes) or len(row[2]) != MEASURED.size:
        raise AmiError("its measurement is none")
    content = MEASURED.unpack(row[2])
    if content[:2] != row[:2]:
        raise AmiError("its measurement is of another way")
    _finite(content)


_CHECKS = {
    "places": _check_place, "thumbnails": _check_picture, "experience": _check_experience, "outlines": _check_submap,
    "edges": _check_way, "measured": _check_measured,
}  # fmt: skip
