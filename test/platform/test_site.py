"""The pages as a site: mkdocs builds it without a warning, and every link on it leads to something that is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

from harness.processes import REPOSITORY

_REFERENCE = re.compile(r'(?:href|src)="([^"#?]+)[^"]*"')


def leads_nowhere(page: Path, reference: str) -> bool:
    """Whether a link within the site has no file; links to elsewhere are not followed."""
    if re.match(r"[a-z]+:", reference):
        return False
    target = (page.parent / unquote(reference)).resolve()
    return not (target.is_file() or (target / "index.html").is_file())


def test_site_is_built_from_the_repository_and_no_link_is_broken(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    pages = [page for page in (tmp_path / "site").rglob("*.html") if page.name != "404.html"]  # its links are absolute
    references = [(page, link) for page in pages for link in _REFERENCE.findall(page.read_text(encoding="utf-8"))]
    names = {str(page.parent.relative_to(tmp_path / "site")) for page in pages}
    assert {".", "docs/tutorials/simulation", "docs/design/search"} <= names
    assert len(references) > 1000
    assert sorted({(str(page), link) for page, link in references if leads_nowhere(page, link)}) == []


def test_every_page_of_docs_is_in_the_navigation() -> None:
    text = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
    docs = REPOSITORY / "docs"
    pages = [
        str(page.relative_to(REPOSITORY))
        for page in [*docs.glob("*.md"), *docs.glob("tutorials/*.md"), *docs.glob("design/*.md")]
    ]
    assert [page for page in pages if f"- {page}\n" not in text] == []
