"""Hooks of mkdocs: the site has the files of the repository at their places in it, so that links work in both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = ("*.md", "docs/**/*.md", "examples/**/*.md", "models/*/*.md")
_LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, *, config: Any) -> Files:
    """In place of what is in docs: the pages of the repository, and the pictures and other files that they link to."""
    site = [file for file in files if not file.src_dir or Path(file.src_dir).resolve() != REPOSITORY / "docs"]
    pages = [str(page.relative_to(REPOSITORY)) for pattern in PAGES for page in REPOSITORY.glob(pattern)]
    for path in sorted({*pages, *(link for page in pages for link in _linked(page))}):
        site.append(File(path, str(REPOSITORY), config["site_dir"], config["use_directory_urls"]))
    return Files(site)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Links to folders become their names: a site has none to show."""

    def plain(match: re.Match[str]) -> str:
        folder = (REPOSITORY / page.file.src_uri).parent / match[2]
        return f"`{match[1]}`" if folder.is_dir() else match[0]

    return re.sub(r"\[([^]]+)\]\((?![a-z]+:)([^)#\s]+)\)", plain, markdown)


def _linked(page: str) -> set[str]:
    """Files beside the pages that `page` links to, such as sources."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    paths = {((REPOSITORY / page).parent / match[1]).resolve() for match in _LINK.finditer(text)}
    inside = {path.relative_to(REPOSITORY) for path in paths if path.is_file() and path.is_relative_to(REPOSITORY)}
    return {str(path) for path in inside if path.suffix != ".md"}
