"""Pages in Markdown: links lead somewhere, every record of a decision has its sections, and indices are complete."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from harness.processes import REPOSITORY

DECISIONS = REPOSITORY / "docs" / "archive"  # records of decisions
DECISION_PAGES = sorted(DECISIONS.glob("[0-9]*.md"))
PAGES = [
    *REPOSITORY.glob("*.md"),
    *(page for folder in ("docs", "models", "test") for page in (REPOSITORY / folder).rglob("*.md")),
]
REQUIRED = ["Context", "Decision", "Consequences"]
OPTIONAL = ["Figures", "Tried and left"]


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


@pytest.mark.parametrize("page", DECISION_PAGES, ids=lambda page: page.stem)
def test_decision_has_its_sections(page: Path) -> None:
    title, *sections = headings(page)
    assert re.fullmatch(rf"{page.stem[:4]}\. .+", title) and re.fullmatch(r"\d{4}(-[a-z0-9]+)+", page.stem)
    assert sections == REQUIRED + [name for name in OPTIONAL if name in sections]
    assert not re.search(r"^## .*\n\n(##|\Z)", page.read_text(encoding="utf-8"), re.MULTILINE), "an empty section"


def test_index_has_a_line_for_every_decision() -> None:
    lines = []
    for page in DECISION_PAGES:
        text = page.read_text(encoding="utf-8")
        number, title = headings(page)[0].split(". ", 1)
        [status] = re.findall(r"^Status: (accepted|superseded by \[\d{4}\]\(\S+\)|deprecated: .+)$", text, re.MULTILINE)
        lines.append(f"| [{number}]({page.name}) | {title} | {status} |")
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    assert [line for line in index.splitlines() if re.match(r"\| \[\d", line)] == lines


def test_numbers_of_decisions_are_unique() -> None:
    assert [n for n, count in Counter(page.name[:4] for page in DECISION_PAGES).items() if count > 1] == []


def test_architecture_names_files_that_exist() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = {name for name in re.findall(r"`((?:\w+/)+(?:\w+\.\w+)?)`", text)}
    roots = (REPOSITORY, REPOSITORY / "ami_ros")
    assert len(named) > 20 and [name for name in named if not any((root / name).exists() for root in roots)] == []


def test_code_refers_to_decisions_that_exist() -> None:
    numbers = {page.name[:4] for page in DECISION_PAGES}
    sources = (REPOSITORY / "ami_ros").rglob("*.py")
    named = {n for file in sources for n in re.findall(r"docs/archive/?(\d{4}|\.md)?", file.read_text("utf-8"))}
    assert named and named <= numbers


def test_index_has_every_page_on_the_design() -> None:
    folder = REPOSITORY / "docs" / "design"
    index = (folder / "README.md").read_text(encoding="utf-8")
    pages = [page for page in folder.glob("*.md") if page.name != "README.md"]
    assert len(pages) > 10 and [page.name for page in pages if f"[{headings(page)[0]}]({page.name})" not in index] == []
