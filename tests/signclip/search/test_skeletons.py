"""Found signs can be looked at: a page of its own, or a picture; what cannot be read is said."""

import json
import re

import numpy as np
import pytest

from signclip.core.errors import ConfigError
from signclip.search import skeletons
from signclip.search.index import Hit


def hits(clips) -> list[Hit]:
    paths = [clips / "a.pose", clips / "b.pose", clips / "gone.pose"]
    return [
        Hit(row, 3.0 - row, f"id-{row}", "</script> $x$", "ase", str(path), 5 + row, 25.0)
        for row, path in enumerate(paths)
    ]


def data_of(page: str) -> dict:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(text)


def test_the_page_holds_every_frame_and_no_text_ends_its_script(clips, tmp_path):
    out = tmp_path / "found.html"
    skeletons.write(out, "<b>house</b>", hits(clips))
    page = out.read_text("utf-8")
    assert "http" not in page
    data = data_of(page)
    assert data["query"] == "<b>house</b>"
    assert [len(sign.get("frames", ())) for sign in data["signs"]] == [5, 6, 0]
    assert data["signs"][0]["title"].startswith("1. </script>")
    assert "cannot be read" in data["signs"][2]["reason"]
    whole = skeletons.skeleton(clips / "a.pose").xy
    drawn = np.array(data["signs"][0]["frames"]).reshape(whole.shape)
    assert np.abs(drawn / 100 - whole).max() <= 0.006


def test_what_was_not_detected_is_not_drawn(tmp_path, make_pose, pose_bytes):
    path = tmp_path / "x.pose"
    path.write_bytes(pose_bytes(make_pose(hands=["RIGHT"], seed=2)))
    xy = skeletons.skeleton(path).xy
    assert np.isnan(xy[:, skeletons._LEFT : skeletons._RIGHT]).all()
    assert np.isfinite(xy[:, skeletons._RIGHT :]).all()


def test_lines_join_points_that_are_no_dots():
    assert max(max(line) for line in skeletons.LINES) < skeletons._DOTS
    assert len(skeletons.POINTS) == len(set(skeletons.POINTS))


@pytest.mark.parametrize("count", [1, 3])
def test_the_picture_has_a_strip_for_every_sign(clips, tmp_path, count):
    out = tmp_path / "found.png"
    skeletons.write(out, "house $\\frac", hits(clips)[:count])
    content = out.read_bytes()
    assert content.startswith(b"\x89PNG")
    height = int.from_bytes(content[20:24], "big")
    assert height == pytest.approx(110 * (1.45 * count + 0.4), abs=1)


def test_another_suffix_is_refused_and_nothing_is_written(clips, tmp_path):
    with pytest.raises(ConfigError, match=r"must end in \.html or \.png"):
        skeletons.write(tmp_path / "found.gif", "house", hits(clips))
    assert not (tmp_path / "found.gif").exists()


def test_the_page_moves_in_a_browser_and_asks_for_nothing(clips, tmp_path, browser):
    skeletons.write(tmp_path / "found.html", "<i>house</i>", hits(clips))
    context = browser.new_context(viewport={"width": 360, "height": 900})
    context.set_default_timeout(60_000)
    page, heard = context.new_page(), []
    for event in ("console", "pageerror", "request"):
        page.on(event, lambda what: heard.append(getattr(what, "url", str(what))))
    page.goto((tmp_path / "found.html").as_uri())
    assert page.locator("h1").inner_text() == "<i>house</i>"
    assert page.locator("canvas").count() == 2
    assert "cannot be read" in page.locator("figcaption").nth(2).inner_text()
    drawn = "document.querySelector('canvas').toDataURL()"
    page.wait_for_function(f"window.before = window.before || {drawn}, {drawn} !== window.before")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert heard == [(tmp_path / "found.html").as_uri()]
    context.close()
