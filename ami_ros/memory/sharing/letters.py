"""What robots of one site tell each other about their memories, and how it is packed."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from ami_ros.core.errors import AmiError
from ami_ros.memory.sharing.rows import TABLES, Key, Values


class Kind(IntEnum):
    """What a letter is."""

    STATE = 1  # what the sender has, to all
    SUMS = 2  # asks: these are the sums of my copy, bucket by bucket; what differs?
    KEYS = 3  # answers: these rows are in the buckets that differ
    WANT = 4  # asks for rows
    ROWS = 5  # rows, to all


@dataclass(frozen=True)
class Letter:
    """One message."""

    site: str
    robot: str  # who sends it
    to: str  # whom; empty: all
    stamp: float  # clock of the sender [s]
    kind: Kind
    content: dict[str, Any] = field(default_factory=dict)


def packed(content: dict[str, Any]) -> bytes:
    """The content of a letter as bytes: JSON, compressed."""
    return zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 6)


def unpacked(data: bytes) -> dict[str, Any]:
    """What `packed` made. Raises AmiError where it is nothing of the kind, or far too large."""
    try:
        unzip = zlib.decompressobj()
        text = unzip.decompress(data, 8_000_000)  # bytes: a small letter that unpacks to more is an attack
        if unzip.unconsumed_tail:
            raise AmiError("its content is too large")
        if not unzip.eof:
            raise AmiError("its content is damaged")
        content = json.loads(text)
    except (zlib.error, ValueError, RecursionError) as error:
        raise AmiError("its content is damaged") from error
    if not isinstance(content, dict):
        raise AmiError("its content is damaged")
    return content


def plain(key: Key, row: Values) -> list[Any]:
    """A row for JSON: its table, then its values, bytes as a list of one text."""
    return [key.table, *([base64.b64encode(v).decode()] if isinstance(v, bytes) else v for v in row)]


def row_from(values: Any) -> tuple[Key, Values]:
    """What `plain` made. Raises AmiError where that is no row."""
    try:
        table, *rest = values
        row = tuple(base64.b64decode(v[0], validate=True) if isinstance(v, list) else v for v in rest)
        return key_from([table, row[0], row[1] if TABLES[table][1].startswith("start") else 0]), row
    except (ValueError, TypeError, IndexError) as error:
        raise AmiError("a row in it is damaged") from error


def key_from(numbers: Any) -> Key:
    """A key of its three numbers. Raises AmiError where they are none."""
    key = Key(*numbers) if isinstance(numbers, list) and len(numbers) == 3 else None
    if key is None or not all(type(n) is int and 0 <= n < 1 << 53 for n in key) or key.table >= len(TABLES):
        raise AmiError("a key in it is damaged")
    return key


# What the robots of a site know of each other, as one who listens hears it.


@dataclass
class RobotStatus:
    """One robot, by the last that it said."""

    site: str
    places: int = 0  # of its own
    digest: int = 0
    model: str = ""  # encoder id
    heard: float = 0.0  # on the listener's clock [s]
    clock_ahead: float = 0.0  # [s], with the time that the letter took
    copies: dict[str, tuple[int, int]] = field(default_factory=dict)  # of others: places, and their digest
    refused: dict[str, str] = field(default_factory=dict)  # others that it takes nothing from, and why


class SiteStatus:
    """Adds up letters.

    Attributes:
        robots: by their names.
    """

    def __init__(self) -> None:
        self.robots: dict[str, RobotStatus] = {}

    def take(self, letter: Letter, now: float) -> None:
        """One letter, at `now` [s] on the listener's clock; nonsense counts for nothing."""
        if letter.kind is not Kind.STATE:
            return
        try:
            told = letter.content["holds"].items()
            holds = {str(name): (int(places), int(digest)) for name, (_, places, digest, _) in told}
            places, digest = holds.pop(letter.robot)
            refused = {str(name): str(why) for name, why in letter.content.get("refused", {}).items()}
            model = str(letter.content["encoder"])
        except (KeyError, TypeError, ValueError, AttributeError):
            return
        ahead = letter.stamp - now
        self.robots[letter.robot] = RobotStatus(letter.site, places, digest, model, now, ahead, holds, refused)

    def lines(self) -> list[str]:
        """One for each robot, and one for each that it takes nothing from."""
        found = []
        for name, robot in self._in_order():
            copies = ", ".join(f"{other}: {words}" for other, words in self._copies(name)) or "none"
            found.append(f"{robot.site}  {name}: {robot.places} places; copies: {copies}")
            found += [f"    refuses {other}: {why}" for other, why in sorted(robot.refused.items())]
        return found

    def table(self) -> list[dict[str, Any]]:
        """The same for a page, as JSON has it, and when each was heard last."""
        return [
            {
                "name": name, "site": robot.site, "places": robot.places, "heard": round(robot.heard, 1),
                "copies": self._copies(name), "refused": sorted(robot.refused.items()),
            }
            for name, robot in self._in_order()
        ]  # fmt: skip

    def _in_order(self) -> list[tuple[str, RobotStatus]]:
        return sorted(self.robots.items(), key=lambda item: (item[1].site, item[0]))

    def _copies(self, name: str) -> list[tuple[str, str]]:
        """Names of other robots, and how much of each this one has; those that were not heard come last."""
        robot = self.robots[name]
        others = {other: told for other, told in self.robots.items() if other != name and told.site == robot.site}
        known = []
        for other, told in sorted(others.items()):
            places, digest = robot.copies.get(other, (0, 0))
            whole = f"all {places}" + ("" if digest == told.digest else ", with changes to come")
            known.append((other, whole if places == told.places else f"{places} of {told.places}"))
        return known + [
            (f"{other} (away)", str(places))
            for other, (places, _) in sorted(robot.copies.items())
            if other not in others
        ]
