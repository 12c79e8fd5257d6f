"""An extraction under way, on disk: one that was interrupted goes on with the bag it was at."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ami_ros.errors import AmiError

FOLDER, PLAN = "partial", "plan.json"
FACTS = "facts"  # the name under which a part's plain values stand among its arrays, as JSON


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
        self.folder, self.blob = folder, blob
        self.parts = list(self._read())
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
            np.savez(file, allow_pickle=False, **columns, **{FACTS: np.frombuffer(text.encode(), np.uint8)})
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, self._file(len(self.parts)))
        self.parts.append(part)

    def _file(self, number: int) -> Path:
        return self.folder / f"part_{number:05d}.npz"

    def _read(self) -> Iterator[Part]:
        number = 0
        while (file := self._file(number)).exists():
            with np.load(file, allow_pickle=False) as arrays:
                columns = {name: arrays[name] for name in arrays.files}
            values = json.loads(columns.pop(FACTS).tobytes())
            yield Part(columns, values["facts"], values["blob_end"])
            number += 1


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
    folder = partial / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / PLAN).open("a+", encoding="utf-8") as file:
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
