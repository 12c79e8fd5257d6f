"""The trials of a scenario on disk: JSON lines, a file for each part and seed, in a folder for each commit.

A run that is interrupted goes on with the parts that are missing; parts may come from several machines.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ami_ros import __version__
from ami_ros.errors import AmiError
from ami_ros.evaluation.report import hardware
from ami_ros.evaluation.scenario import Row, Scenario

REPOSITORY = Path(__file__).resolve().parents[2]
MEASURED = ("ami_ros", "ami_interfaces", "config", "models", "worlds")  # what figures depend on


def git(*arguments: str) -> str | None:
    """What git says in the repository; None outside of one."""
    command = ["git", "-C", str(REPOSITORY), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def version() -> str:
    """The commit that is checked out, `-changed` with what is not committed; outside of a repository the version."""
    commit = git("rev-parse", "--short", "HEAD")
    if commit is None:
        return __version__
    return f"{commit}-changed" if git("status", "--porcelain", "--", *MEASURED) else commit


class TrialStore:
    """The trials of one scenario at one version of the code.

    Args:
        folder: of all scenarios.
        scenario: whose.
        at: version; None: of now.
    """

    def __init__(self, folder: Path, scenario: Scenario, at: str | None = None) -> None:
        self.scenario, self.at = scenario, at or version()
        self.folder = folder / scenario.name / self.at

    @property
    def keys(self) -> list[tuple[str, int]]:
        """Part and seed of all that is to be done, all parts of a seed first: what was interrupted has some of each."""
        seeds = range(self.scenario.seed, self.scenario.seed + self.scenario.seeds)
        return [(part.name, seed) for seed in seeds for part in self.scenario.made().parts()]

    def missing(self) -> list[tuple[str, int]]:
        """Of `keys`, those that are not there in whole."""
        return [key for key in self.keys if self.load(*key) is None]

    def rows(self) -> list[Row]:
        """All that is there."""
        return [row for key in self.keys for row in self.load(*key) or ()]

    def head(self) -> dict[str, Any]:
        """When and where the last part was measured; empty without any."""
        heads = [self._lines(*key)[0] for key in self.keys if self._file(*key).is_file()]
        return max(heads, key=lambda head: str(head["date"]), default={})

    def load(self, part: str, seed: int) -> list[Row] | None:
        """The rows of a part; None: it is not there, or was interrupted.

        Raises:
            AmiError: it was measured with other settings, or the file is damaged.
        """
        file = self._file(part, seed)
        if not file.is_file():
            return None
        lines = self._lines(part, seed)
        if lines[0].get("settings") != json.loads(json.dumps(self.scenario.settings)):
            raise AmiError(f"bench {self.scenario.name}: {file} is of a run with other settings; choose another --out")
        return lines[1:-1] if lines[-1].get("end") else None

    def _lines(self, part: str, seed: int) -> list[Row]:
        file = self._file(part, seed)
        text = file.read_text(encoding="utf-8")
        try:
            return [json.loads(line) for line in text.splitlines()[: text.count("\n")]] or [{}]
        except ValueError as error:
            raise AmiError(f"bench {self.scenario.name}: {file} cannot be read ({error}); delete it") from error

    def keep(self, part: str, seed: int, rows: Iterable[Row]) -> Iterator[Row]:
        """Writes rows as they come, and gives them on.

        Raises:
            AmiError: the folder cannot be written.
        """
        began = time.monotonic()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        head = {"settings": self.scenario.settings, "version": self.at, "date": now} | hardware()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(self._file(part, seed), "w", encoding="utf-8", buffering=1) as file:
                file.write(json.dumps(head) + "\n")
                for row in rows:
                    own = {"part": part, "seed": seed} | row
                    file.write(json.dumps(own, allow_nan=False) + "\n")
                    yield own
                file.write(json.dumps({"end": True, "seconds": round(time.monotonic() - began, 1)}) + "\n")
        except OSError as error:
            raise AmiError(f"bench: cannot write {self.folder} ({error.strerror}); choose another --out") from error

    def _file(self, part: str, seed: int) -> Path:
        return self.folder / f"{part.replace(' ', '_').replace('/', '_')}-{seed}.jsonl"
