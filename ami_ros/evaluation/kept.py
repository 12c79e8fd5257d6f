"""Rows of `./ami bench people` and `change` on disk, so that a run can go on. Scenarios have `trial_store`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ami_ros.errors import AmiError
from ami_ros.evaluation.report import write_json

Row = dict[str, Any]


@dataclass(frozen=True)
class Kept:
    """Rows on disk, a file for each method and seed.

    Args:
        folder: where; None: nothing is kept.
        settings: of the run; files of other settings are refused.
        bench: whose they are, for messages.
    """

    folder: Path | None
    settings: Mapping[str, Any]
    bench: str

    def load(self, method: str, seed: int) -> list[Row] | None:
        """What that method did there in an earlier run.

        Raises:
            AmiError: it was a run of other settings, or the file is damaged.
        """
        file = self._file(method, seed)
        if file is None or not file.is_file():
            return None
        try:
            found = json.loads(file.read_text())
            settings, rows = dict(found["settings"]), list(found["rows"])
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise AmiError(f"bench {self.bench}: {file} cannot be read ({type(error).__name__}); delete it") from error
        other = [name for name, value in self.settings.items() if settings.get(name) != value]
        if other:
            raise AmiError(
                f"bench {self.bench}: {file} is of a run with another {', '.join(other)}; choose another --trials"
            )
        return rows

    def keep(self, method: str, seed: int, rows: Sequence[Row]) -> None:
        """Raises AmiError if the folder cannot be written."""
        file = self._file(method, seed)
        if file is None:
            return
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AmiError(f"bench {self.bench}: cannot make {file.parent} ({error.strerror})") from error
        write_json(file, {"settings": dict(self.settings), "rows": list(rows)})

    def _file(self, method: str, seed: int) -> Path | None:
        return self.folder / f"{method.replace(' ', '_')}-{seed}.json" if self.folder is not None else None
