"""Text of tables and notes as HTML: everything is escaped, nothing is loaded from elsewhere.

Decisions
* Notes are Markdown (CommonMark by markdown-it-py) without raw HTML and without images: the page
  must be complete by itself. A link to another site has ``rel="external noreferrer"``.
* A cell has a sort key, made here and not by the script: its leading number, if it has one.
  ``0.573 [0.524, 0.622]`` sorts as 0.573, ``217M`` as 217 millions.

Cost: microseconds a cell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from benchmarks.report.cells import NOTHING

EXTERNAL = "external noreferrer"  # rel of links to other sites
_SCALES = {"": 1.0, "h": 1.0, "%": 1.0, "k": 1e3, "K": 1e3, "M": 1e6}
_NUMBER = re.compile(r"[~<>≈±]*\s*([+\-−]?\d[\d,]*(?:\.\d+)?)\s?([hkKM%]?)(?=$|[\s\[(;])")
_INTERVAL = re.compile(r"(\S+) (\[[^\[\]]*\])")
_BOLD = re.compile(r"\*\*(.+)\*\*", re.DOTALL)


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).disable("image")

    def link_open(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
        if str(tokens[index].attrGet("href")).startswith(("http:", "https:")):
            tokens[index].attrSet("rel", EXTERNAL)
        return str(self.renderToken(tokens, index, options, env))

    parser.add_render_rule("link_open", link_open)
    return parser


def markdown(text: str) -> Markup:
    """Markdown as HTML."""
    return Markup(_parser().render(text))


def is_empty(text: str) -> bool:
    """Whether a cell says nothing."""
    return text.strip() in ("", NOTHING)


def number(text: str) -> float | None:
    """The number that a cell begins with."""
    bold = _BOLD.fullmatch(text)
    found = _NUMBER.match(bold[1] if bold else text)
    if not found:
        return None
    return float(found[1].replace(",", "").replace("−", "-")) * _SCALES[found[2]]


def is_numeric(texts: Sequence[str]) -> bool:
    """Whether a column is one of numbers: more than half of what it says are."""
    said = [text for text in texts if not is_empty(text)]
    return sum(number(text) is not None for text in said) * 2 > len(said)


def cell(text: str) -> Markup:
    """A cell as HTML: bold where it is wholly between ``**``, its interval in small print."""
    bold = _BOLD.fullmatch(text)
    if bold:
        return Markup("<strong>{}</strong>").format(cell(bold[1]))
    interval = _INTERVAL.fullmatch(text)
    if interval and number(text) is not None:
        return Markup('{} <span class="interval">{}</span>').format(*interval.groups())
    return escape(text)


def slug(*names: object) -> str:
    """An id from names: lower case, with hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(map(str, names)).lower()).strip("-")


def name_class(kind: str) -> str:
    """The class of a verdict."""
    return f"is-{slug(kind)}"
