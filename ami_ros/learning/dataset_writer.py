"""Makes a data set of what is read from recordings of whatever kind."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.config import dump_yaml, from_mapping, to_mapping
from ami_ros.errors import AmiError
from ami_ros.images import image_size
from ami_ros.learning.alignment import COLUMNS
from ami_ros.learning.dataset import CARD, IMAGES, VERSION, Dataset, DatasetCard, checksum
from ami_ros.learning.resumable import Part, PartialOutput, open_partial
from ami_ros.learning.scanner_mount import common_mount
from ami_ros.scan import Mount


def make_dataset(
    out: Path, sources: Sequence[Path], period: float, made_by: dict[str, Any], read: Callable[[PartialOutput], None]
) -> Dataset:
    """Makes the new data set `out` of what `read` adds. One that was interrupted, or found the disk full, goes on where
    it was when it is repeated with the same sources and the same configuration.

    Args:
        out: folder.
        sources: files and folders that are read.
        period: between rows [s].
        made_by: the configuration, plain values.
        read: adds what is not there yet.

    Raises:
        AmiError: as `read`, nothing usable is in the sources, `out` exists or cannot be written.
    """
    partial = Path(f"{out}.partial")
    if out.exists():
        raise AmiError(f"{out} exists already: name another folder, or remove it")
    try:
        plan = {"sources": [_fingerprint(source) for source in sources], "extraction": made_by}
        with open_partial(partial, IMAGES, plan) as output:
            read(output)
            if not any(part.columns for part in output.parts):
                reasons = ", ".join(f"{count} {reason}" for reason, count in _dropped(output.parts).items())
                raise AmiError(f"nothing usable in {', '.join(map(str, sources))}: {reasons or 'no moments'}")
            _write(partial, output.parts, period, made_by)
        os.replace(partial, out)
    except OSError as error:
        reason = error.strerror or error
        raise AmiError(f"cannot write the data set {out}: {reason}; mend it and repeat: it goes on there") from error
    return Dataset(out)


def append_pictures(
    output: PartialOutput, pictures: Iterable[tuple[int, bytes]], count: int, problems: list[str]
) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """Appends JPEGs to the blob: offsets (count, 2) by row, zeros for those that did not come, and the largest size
    [px]. What looks wrong of them all goes into `problems`."""
    offsets, sizes, different = np.zeros((count, 2), np.int64), set[tuple[int, int]](), set[int]()
    for row, jpeg in pictures:
        start = output.blob.tell()
        output.blob.write(jpeg)
        offsets[row] = start, start + len(jpeg)
        sizes.add(image_size(jpeg))
        different.add(hash(jpeg))
    if len(sizes) > 1:
        names = ", ".join(f"{width}x{height}" for width, height in sorted(sizes))
        problems.append(f"its pictures have several sizes ({names}): the central square of each is used")
    if len(different) == 1 < count:
        problems.append("all its pictures are the same: is the camera covered, or its driver stuck?")
    return offsets, max(sizes, default=(0, 0))


def _fingerprint(source: Path) -> list[Any]:
    """Path, files and size of a recording: when they are the same, so is what it gives."""
    files = [source] if source.is_file() else [file for file in source.rglob("*") if file.is_file()]
    return [str(source.resolve()), len(files), sum(file.stat().st_size for file in files)]


def _dropped(parts: Sequence[Part]) -> Counter[str]:
    return sum((Counter(part.facts["dropped"]) for part in parts), Counter[str]())


def _write(folder: Path, parts: list[Part], period: float, made_by: dict[str, Any]) -> None:
    """Writes the columns and the card beside the images.

    Args:
        folder: with the images.
        parts: what was read; their facts are `source`, `dropped`, `beams`, `scanner` and `image_size`.
        period: between rows [s].
        made_by: the configuration, plain values.
    """
    full = [part for part in parts if part.columns]
    columns = {name: np.concatenate([part.columns[name] for part in full]) for name in (*COLUMNS, "offsets")}
    if all("imu" in part.columns for part in full):
        imu = np.concatenate([part.columns["imu"] for part in full])
        columns |= {"imu": imu} if np.isfinite(imu).any() else {}
    starts = np.concatenate([part.columns["starts"] for part in full])
    columns["episode"] = (np.cumsum(starts) - 1).astype(np.int32)
    for name, values in columns.items():
        np.save(folder / f"{name}.npy", values, allow_pickle=False)
    files = [folder / IMAGES, *(folder / f"{name}.npy" for name in columns)]
    card = DatasetCard(
        version=VERSION,
        frames=len(starts),
        episodes=int(starts.sum()),
        minutes=round(len(starts) * period / 60, 2),
        period=period,
        image_size=tuple(full[0].facts["image_size"]),
        scan_beams=max(part.facts["beams"] for part in parts),
        has_truth=bool(np.isfinite(columns["truth"]).all()),
        has_odometry=bool(np.isfinite(columns["odometry"]).all()),
        has_command=bool(np.isfinite(columns["command"]).all()),
        checksum=checksum(folder),
        sizes={file.name: file.stat().st_size for file in sorted(files)},
        sources=tuple(part.facts["source"] for part in parts),
        dropped=dict(_dropped(parts)),
        extraction=made_by,
        scanner=common_mount(from_mapping(Mount, found) for part in parts if (found := part.facts.get("scanner"))),
    )
    (folder / CARD).write_text(dump_yaml(to_mapping(card)), "utf-8")
