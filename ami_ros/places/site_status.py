"""What the robots of a site know of each other, as one who listens hears it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ami_ros.places.letters import Kind, Letter


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
        known = [(other, self._of(robot, other, told)) for other, told in sorted(others.items())]
        return known + [
            (f"{other} (away)", str(places))
            for other, (places, _) in sorted(robot.copies.items())
            if other not in others
        ]

    @staticmethod
    def _of(robot: RobotStatus, other: str, told: RobotStatus) -> str:
        places, digest = robot.copies.get(other, (0, 0))
        if places == told.places:
            return f"all {places}" + ("" if digest == told.digest else ", with changes to come")
        return f"{places} of {told.places}"
