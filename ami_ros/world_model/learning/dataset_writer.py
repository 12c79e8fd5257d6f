"""Makes a data set of what is read from recordings of whatever kind; one that was interrupted goes on where it was."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.core.camera import Rectifier, camera_of
from ami_ros.core.config import dump_yaml, from_mapping, to_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.images import image_of, image_size
from ami_ros.core.scan import Mount
from ami_ros.world_model.learning.alignment import COLUMNS
from ami_ros.world_model.learning.bag_reader import BagReader, common_mount
from ami_ros.world_model.learning.dataset import CARD, IMAGES, VERSION, Dataset, DatasetCard, checksum

Image = NDArray[np.uint8]


def encode_frame(image: Image) -> bytes:
    """An image (H, W, 3) RGB as JPEG of high quality."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    # Full colour resolution: at 64 pixels halved chroma visibly smears posters and furniture.
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95, *sampling])
    assert done
    return data.tobytes()


def frame_of(message: Any, max_side: int, rectifier: Rectifier | None = None) -> bytes:
    """The picture of a sensor_msgs/Image or CompressedImage as JPEG.

    Args:
        max_side: pictures whose shorter side [px] is longer are reduced to it. Smaller JPEGs stay as they are.
        rectifier: brings them to another camera before; None: they stay that of theirs.

    Raises:
        AmiError: the picture cannot be decoded.
    """
    image = image_of(message)
    if rectifier is not None and rectifier.changes:
        image = rectifier(image)
    elif hasattr(message, "format"):
        return shrunk_frame(image, max_side, bytes(message.data))
    return shrunk_frame(image, max_side)


def shrunk_frame(image: Image, max_side: int, file: bytes = b"") -> bytes:
    """An image (H, W, 3) RGB as JPEG whose shorter side is at most `max_side` [px]; `file`, the JPEG file that it comes
    from, where that is small enough."""
    scale = max_side / min(image.shape[:2])
    if scale >= 1 and file.startswith(b"\xff\xd8"):
        return file
    if scale < 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return encode_frame(image)


def recorded_rectifier(bag: BagReader, pictures: str, field_of_view: float, narrowest: float = 0.0) -> Rectifier | None:
    """Brings pictures of a topic to a square pinhole camera of `field_of_view` [rad], by its camera_info in the bag;
    None where there is no calibrated one. See `Rectifier` for `narrowest`.

    Raises:
        AmiError: several topics may be meant, or the camera sees less.
    """
    infos = [t.name for t in bag.topics.values() if t.type_name == "sensor_msgs/msg/CameraInfo" and t.count]
    folder = pictures.removesuffix("/compressed").rpartition("/")[0]
    beside = [name for name in infos if name.rpartition("/")[0] == folder] or infos
    if len(beside) > 1:
        raise AmiError(f"{bag.path}: which of {', '.join(beside)} belongs to {pictures}? Record them side by side")
    cameras = (camera_of(bag.decode(topic, data)) for topic, _, data in bag.messages(beside))
    camera = next(cameras, None) if beside else None
    return Rectifier(camera, field_of_view, narrowest) if camera is not None else None


@dataclass(frozen=True)
class Part:
    """What one bag gave.

    Attributes:
        columns: arrays of one length by name; none where the bag gave no rows.
        facts: plain values, fit for JSON.
        blob_end: bytes of images up to and with this bag.
    """

    columns: dict[str, NDArray[Any]]
    facts: dict[str, Any]
    blob_end: int


class PartialOutput:
    """A file for each bag that is done, and the images so far.

    Attributes:
        parts: of the bags that are done, in order.
        blob: file of the images, open at its end.
    """

    def __init__(self, folder: Path, blob: BinaryIO) -> None:
        self.folder, self.blob, self.parts = folder, blob, list[Part]()
        while (file := self._file(len(self.parts))).exists():
            with np.load(file, allow_pickle=False) as arrays:
                columns = {name: arrays[name] for name in arrays.files}
            values = json.loads(columns.pop("facts").tobytes())  # plain values, among the arrays
            self.parts.append(Part(columns, values["facts"], values["blob_end"]))
        blob.truncate(self.parts[-1].blob_end if self.parts else 0)
        blob.seek(0, os.SEEK_END)

    def add(self, columns: dict[str, NDArray[Any]], facts: dict[str, Any]) -> None:
        """Keeps what the next bag gave: from here on it need not be read again."""
        self.blob.flush()
        os.fsync(self.blob.fileno())
        part = Part(columns, facts, self.blob.tell())
        text = json.dumps({"facts": facts, "blob_end": part.blob_end})
        partial = self.folder / "partial.npz"
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **columns, facts=np.frombuffer(text.encode(), np.uint8))
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, self._file(len(self.parts)))
        self.parts.append(part)

    def _file(self, number: int) -> Path:
        return self.folder / f"part_{number:05d}.npz"


@contextmanager
def open_partial(partial: Path, blob: str, plan: dict[str, Any]) -> Iterator[PartialOutput]:
    """Opens what an extraction of the same plan left, or begins anew; for this process alone.

    When the block ends well, only the bookkeeping is removed; what a user can mend (an `AmiError`) would end the same
    way again, so nothing is left; anything else leaves all for the next time.

    Args:
        partial: folder of the growing data set.
        blob: name of the file of images in it.
        plan: all that the outcome depends on; plain values.

    Raises:
        AmiError: another process is at it.
    """
    folder = partial / "partial"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "plan.json").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AmiError(f"another process extracts into {partial}: wait for it, or name another folder") from None
        file.seek(0)
        text = json.dumps(plan, indent=2)
        if file.read() != text:
            for stale in folder.glob("*.npz"):
                stale.unlink()
            file.truncate(0)
            file.write(text)
            file.flush()
        try:
            with (partial / blob).open("ab") as images:
                yield PartialOutput(folder, images)
        except AmiError:
            shutil.rmtree(partial)
            raise
        shutil.rmtree(folder)


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

    def fingerprint(source: Path) -> list[Any]:
        """Path, files and size of a recording: when they are the same, so is what it gives."""
        files = [source] if source.is_file() else [file for file in source.rglob("*") if file.is_file()]
        return [str(source.resolve()), len(files), sum(file.stat().st_size for file in files)]

    if out.exists():
        raise AmiError(f"{out} exists already: name another folder, or remove it")
    try:
        plan = {"sources": [fingerprint(source) for source in sources], "extraction": made_by}
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
