"""A picture of matplotlib as a part of an HTML page.

Decisions
* Ids get the figure's name as prefix, since pictures of one page share its ids. References to them
  (``href`` and ``url(#...)``) follow.
* What would act on the page or name other sites goes: the global style (the page's style sheet has
  it), metadata, and the size, so that the picture scales.
* The picture is one image to a screen reader: title and caption are its name and description.

Cost: a second for a picture of a megabyte.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from xml.etree import ElementTree

from markupsafe import Markup

from signclip.core.errors import ConfigError

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
DROPPED = ("metadata", "style", "script", "foreignObject", "a")
_URL = re.compile(r"url\(#([^)]+)\)")
_SPACE = re.compile(r"\s*\n\s*")
_DATA = "data:image/"


class Picture(NamedTuple):
    """A picture as HTML, with its natural width in points."""

    html: Markup
    width: float


def inline(name: str, svg: bytes, title: str, caption: str = "") -> Picture:
    """The picture of a figure, to stand in a page.

    Args:
        name: of the figure; begins all ids.

    Raises:
        ConfigError: it is not an SVG picture with a viewBox.
    """
    try:
        root = ElementTree.fromstring(svg)
        width = float(root.attrib["viewBox"].split()[2])
    except (ElementTree.ParseError, KeyError, IndexError, ValueError) as error:
        raise ConfigError(f"figure {name}: not an SVG picture ({error})") from None
    _clean(root, name)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    title_id, caption_id = f"{name}-title", f"{name}-caption"
    about = ElementTree.Element(f"{{{SVG}}}title", {"id": title_id})
    about.text = title
    root.insert(0, about)
    root.attrib |= {"role": "img", "aria-labelledby": title_id, "focusable": "false"}
    if caption:
        root.set("aria-describedby", caption_id)
    ElementTree.register_namespace("", SVG)
    text = ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)
    return Picture(Markup(text), width)


def _clean(element: ElementTree.Element, name: str) -> None:
    """Prefix ids and references, and drop what does not belong into a page."""
    for child in list(element):
        if not isinstance(child.tag, str) or _local(child.tag) in DROPPED:
            element.remove(child)
        else:
            _clean(child, name)
    element.text = _blank(element.text)
    element.tail = _blank(element.tail)
    for key, value in list(element.attrib.items()):
        local = _local(key)
        if local == "id":
            element.set(key, f"{name}-{value}")
        elif local == "href":
            del element.attrib[key]
            if value.startswith("#"):
                element.set("href", f"#{name}-{value[1:]}")
            elif value.startswith(_DATA):
                element.set("href", value)
        elif local.startswith("on"):
            del element.attrib[key]
        else:
            shorter = _SPACE.sub(" ", value).strip()
            element.set(key, _URL.sub(rf"url(#{name}-\1)", shorter))


def _blank(text: str | None) -> str | None:
    """None for white space between elements."""
    return text if text and text.strip() else None


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
