"""Pages are in plain English: short sentences, and words that others use. `harness.prose` says which linter checks it.

`EXCEPTIONS` lists the pages that nobody has rewritten yet, with the most findings that each may have. The list only
shrinks: a new page is not in it, and whoever rewrites a page removes its line.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.processes import REPOSITORY
from harness.prose import MOST_WORDS, findings

EXCEPTIONS: dict[str, int] = {
    "docs/fault_matrix.md": 5,  # generated from names of tests
    "docs/figures.md": 20,  # generated from scenarios
}
PAGES = [
    *REPOSITORY.glob("*.md"),
    *(page for folder in ("docs", "examples") for page in (REPOSITORY / folder).rglob("*.md")),
]


def name_of(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


@pytest.mark.parametrize("page", sorted(PAGES), ids=name_of)
def test_a_page_is_plain_english(page: Path) -> None:
    found = findings(page)
    assert len(found) <= EXCEPTIONS.get(name_of(page), 0), "\n".join(f"{name_of(page)}, {what}" for what in found)


def test_every_exception_is_a_page() -> None:
    assert EXCEPTIONS.keys() <= {name_of(page) for page in PAGES}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" ".join(f"word{i}" for i in range(MOST_WORDS + 1)) + ".", f"{MOST_WORDS + 1} words"),
        ("The map relaxes.", "optimise the pose graph"),
        ("It drives to to the goal.", "to to"),
        ("| a | b |\n|---|---|\n| whereabouts | x |\n", "localiser"),
    ],
)
def test_bad_prose_is_found(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "page.md").write_text(text)
    assert [words in str(finding) for finding in findings(tmp_path / "page.md")] == [True]


def test_code_and_links_are_no_prose(tmp_path: Path) -> None:
    code = "`" + "word " * 40 + "`"
    (tmp_path / "page.md").write_text(f"Run {code} or [this](relaxation/whereabouts.md).\n\n```\nanew anew\n```\n")
    assert findings(tmp_path / "page.md") == []
