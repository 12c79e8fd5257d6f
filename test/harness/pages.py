"""Code blocks of the pages in Markdown, and how each block of commands is tested.

The line above a block of commands says it, in a comment that readers do not see:

    <!-- run -->         run as written, in a copy of the clone; the blocks of a page one after the other
    <!-- long -->        takes minutes, or changes the environment: the arguments are checked
    <!-- needs: WHAT --> needs what a test machine does not have, such as a robot: the arguments are checked
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from harness.processes import REPOSITORY

PAGES = [
    *sorted(REPOSITORY.glob("*.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *sorted((REPOSITORY / "examples").rglob("*.md")),
]
_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    language: str  # "" and "bash": commands
    mark: str  # of the comment above it; "": there is none
    text: str

    @property
    def lines(self) -> list[str]:
        """Of commands, each whole: a backslash at the end of a line goes on with the next."""
        return self.text.replace("\\\n", "").splitlines()


def blocks(page: Path, *languages: str) -> list[Block]:
    """The code blocks of a page in any of `languages` ("" for those without)."""
    found = (Block(**match.groupdict("")) for match in _BLOCK.finditer(page.read_text(encoding="utf-8")))
    return [block for block in found if block.language in languages]


def commands(page: Path) -> list[Block]:
    """The blocks of a page that hold commands."""
    return blocks(page, "", "bash")


def page_name(page: Path) -> str:
    """For the names of tests."""
    return str(page.relative_to(REPOSITORY))
