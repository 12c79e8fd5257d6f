"""Pages in Markdown: links lead somewhere, and indices are complete."""

from __future__ import annotations

import re
from pathlib import Path

from harness.processes import REPOSITORY

PAGES = [
    *REPOSITORY.glob("*.md"),
    *(page for folder in ("docs", "models", "test") for page in (REPOSITORY / folder).rglob("*.md")),
]


def headings(page: Path) -> list[str]:
    return re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)


def anchor(heading: str) -> str:
    """The fragment by which a heading is linked."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def broken_links(page: Path) -> list[str]:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        file, _, fragment = target.partition("#")
        if "://" in target:
            continue
        linked = page.parent / file if file else page
        if not linked.exists() or (fragment and fragment not in map(anchor, headings(linked))):
            broken.append(target)
    return broken


def test_every_relative_link_leads_somewhere() -> None:
    broken = {str(page.relative_to(REPOSITORY)): links for page in PAGES if (links := broken_links(page))}
    assert len(PAGES) > 10 and broken == {}


def test_architecture_names_files_that_exist() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = {name for name in re.findall(r"`((?:\w+/)+(?:\w+\.\w+)?)`", text)}
    roots = (REPOSITORY, REPOSITORY / "ami_ros")
    assert len(named) > 20 and [name for name in named if not any((root / name).exists() for root in roots)] == []


def test_index_has_every_page_on_the_design() -> None:
    folder = REPOSITORY / "docs" / "design"
    index = (folder / "README.md").read_text(encoding="utf-8")
    pages = [page for page in folder.glob("*.md") if page.name != "README.md"]
    assert len(pages) > 10 and [page.name for page in pages if f"[{headings(page)[0]}]({page.name})" not in index] == []
