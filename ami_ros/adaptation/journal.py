"""The journal of an adaptation: a JSON line for every step that was taken, kept or not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ami_ros.errors import AmiError

Rows = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Step:
    """What one step did: a line of the journal."""

    stamp: float  # [s]
    number: int  # of steps taken, this one included
    part: str  # what was changed: "drive" or "colours"
    kept: bool  # or rolled back
    reason: str  # why it was rolled back
    loss_before: float  # on held-out segments of the newest driving
    loss_after: float


def rounded(rows: Rows) -> list[list[float]]:
    """For people to read."""
    return [[round(value, 4) for value in row] for row in rows]


class Journal:
    """Appends to a file; each line is whole.

    Raises:
        AmiError: the file cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("a").close()
        except OSError as error:
            raise AmiError(f"adaptation: cannot write {path} ({error.strerror}); choose another journal") from error

    def write(self, step: Step, in_use: bool, drive: Rows, colours: Rows) -> None:
        """One step, whether what was adapted is in use after it, how commands act now, and what the camera makes of
        red, green and blue: gain and offset each."""
        line = asdict(step) | {"in_use": in_use, "drive": rounded(drive), "colours": rounded(colours)}
        try:
            with self._path.open("a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise AmiError(f"adaptation: cannot write {self._path} ({error.strerror}); make room") from error
