"""Prose in the pages: the sentences of a Markdown file, and what is wrong with them.

Three libraries do it, without a network. markdown-it-py (MIT) reads the page. sentencex (MIT, by the Wikimedia
Foundation) splits it into sentences. proselint (BSD-3, released in 2025) knows redundancies and misused words.

Rejected: Vale (its wheel downloads the program when it first runs), write-good and textlint (they need Node.js),
pyspelling (it needs a system dictionary), pysbd (no release since 2021), textstat (it counts syllables).
The length of sentences and our own words are a few lines here.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from proselint.checks import __register__
from proselint.config import DEFAULT
from proselint.registry import CheckRegistry
from proselint.tools import LintFile
from sentencex import segment

MOST_WORDS = 25  # in a sentence

# Words of our own, and words that nobody says -> what to write.
HOUSE_WORDS = {
    r"whereabouts": "localiser, or where the robot is",
    r"relax(es|ed|ing|ation)?": "optimise the pose graph",
    r"(?<!loop )closures?": "loop closure",
    r"lookouts?": "next best view",
    r"key frames?": "keyframe",
    r"errands?|pursuits?": "goal, or what is meant",
    r"key ?frame poses": "keyframes",
    r"likewise": "too, or the same",
    r"anew": "again",
    r"seldom": "rarely",
    r"for want of": "because there is no",
    r"is to be had|to be had": "is available",
    r"but for": "except",
    r"as one that": "like one that",
    r"of its own accord": "by itself",
    r"made of (the camera's |its )?pictures": "predicted from images",
    r"what goes on from it": "the fine-tuned model",
    r"surest": "most certain",
    r"by turns": "alternately",
    r"goes without saying": "is implied",
}
# proselint's checks, less those that do not fit: a robot turns on the spot (a cliché), and quotation marks are typed.
# "A circle around base_link" is not redundant.
_UNFIT = ("cliches", "dates_times", "restricted", "typography")
CHECKS = {"redundancy.misc.after_the_deadline": False} | {name: name not in _UNFIT for name in DEFAULT["checks"]}
_WORD = re.compile(r"[^\W_][\w'’.,%/°-]*")


@dataclass(frozen=True)
class Finding:
    """Something to write better."""

    line: int
    what: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}"


def findings(page: Path) -> list[Finding]:
    """What is wrong with the prose of a page, by line. Code, targets of links and comments are no prose."""
    found, parts = [], list(blocks(page.read_text(encoding="utf-8")))
    for line, text in parts:
        for sentence in segment("en", text):
            if len(words := _WORD.findall(sentence)) > MOST_WORDS:
                found.append(Finding(line, f"{len(words)} words: {' '.join(words[:8])} ..."))
        for word, better in HOUSE_WORDS.items():
            found += [Finding(line, f"'{m[0]}': say {better}") for m in re.finditer(rf"\b(?:{word})\b", text, re.I)]
    return sorted([*found, *_proselint(parts)], key=lambda finding: finding.line)


def blocks(text: str) -> Iterator[tuple[int, str]]:
    """Paragraphs, headings, items and cells of tables, each with its line; code in them is one word."""
    codes = count()
    for token in _markdown().parse(text):
        if token.type == "inline" and token.map is not None:
            yield token.map[0] + 1, "".join(_plain(child, codes) for child in token.children or ())


def _plain(token: Token, codes: Iterator[int]) -> str:
    if token.type == "code_inline":
        return f"code{next(codes)}"
    if token.type in ("softbreak", "hardbreak"):
        return " "
    return "" if token.type in ("html_inline", "image") else token.content


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table")


def _proselint(parts: list[tuple[int, str]]) -> Iterator[Finding]:
    """What proselint finds in all blocks of a page at once; a number of its own stands between any two."""
    if not CheckRegistry().checks:
        CheckRegistry().register_many(__register__)
    starts, text = [], ""
    for number, (_, block) in enumerate(parts):
        starts.append(len(text))
        text += f"{block}\n\n[{number}]\n\n"
    for result in LintFile(source="page", content=text).lint({"max_errors": 1000, "checks": CHECKS}):
        begin, end = result.check_result.span
        line = parts[max(0, bisect_right(starts, begin) - 1)][0]
        yield Finding(line, f"'{text[begin:end].strip()}': {result.check_result.message}")
