"""The page in a browser: a word, a language, a clip, an error; nothing from the network."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.signclip.serving.conftest import Served


@pytest.fixture
def opened(browser, served) -> Iterator[Any]:
    """``opened(**options)``: the page; its errors, and requests to elsewhere, fail the test."""
    problems: list[str] = []
    contexts = []

    def go(one: Served = served, **options: Any) -> Any:
        context = browser.new_context(**options)
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda said: (
                None
                if "the server responded with a status" in said.text
                else problems.append(said.text)
            ),
        )
        page.on(
            "request",
            lambda sent: (
                None if sent.url.startswith((one.address, "data:")) else problems.append(sent.url)
            ),
        )
        page.goto(one.address)
        return page

    yield go
    for context in contexts:
        context.close()
    assert not problems


def test_a_word_is_searched_with_the_keyboard_and_its_signs_move(opened):
    page = opened(viewport={"width": 375, "height": 800})
    page.get_by_text("3 signs in 2 sign languages").wait_for()
    page.get_by_label("Word").focus()
    page.keyboard.type("house")
    page.keyboard.press("Tab")
    page.keyboard.type("American")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("“house”: 2 signs found").wait_for()
    page.locator("#signs canvas").nth(1).wait_for()
    assert page.locator("#signs strong").count() == 2
    labels = [canvas.get_attribute("aria-label") for canvas in page.locator("canvas").all()]
    assert all("Moving skeleton of the sign" in label for label in labels)
    drawn = "document.querySelector('canvas').toDataURL()"
    before = page.evaluate(drawn)
    for _ in range(200):
        if page.evaluate(drawn) != before:
            break
        page.wait_for_timeout(50)
    else:
        pytest.fail("the skeleton does not move")
    page.get_by_role("button", name="Pause").press("Enter")
    assert page.get_by_role("button", name="Play").get_attribute("aria-pressed") == "false"
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_a_clip_shows_its_nearest_words_and_signs(opened, clip):
    page = opened(color_scheme="dark")
    page.get_by_text("3 signs in").wait_for()
    file = {"name": "my clip.pose", "mimeType": "application/octet-stream", "buffer": clip}
    page.set_input_files("#file", file)
    page.get_by_text("my clip.pose: 3 signs found").wait_for()
    assert page.locator("#words button").count() == 3
    assert page.locator("#signs strong").first.inner_text() == "1. house"
    word = page.locator("#words button").first
    word.press("Enter")
    page.get_by_text("signs found").filter(has_text="“").wait_for()
    assert page.locator("#nearest").is_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"


def test_a_dropped_file_that_cannot_be_used_is_said_on_the_page(opened):
    page = opened()
    page.get_by_text("3 signs in").wait_for()
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["<b>x</b>"], "<i>bad.pose"));
          const event = new DragEvent("drop", { dataTransfer: data });
          document.querySelector("#drop").dispatchEvent(event);
        }"""
    )
    page.get_by_role("alert").get_by_text("<i>bad.pose: ").wait_for()
    assert page.locator("#found").is_hidden()


def test_without_an_index_the_page_says_so(opened, serve):
    page = opened(serve(index=None))
    page.get_by_text("has no index of signs").wait_for()
    assert page.get_by_label("Word").is_disabled()


def test_who_asks_for_less_motion_sees_a_still(opened):
    page = opened(reduced_motion="reduce")
    page.get_by_text("3 signs in").wait_for()
    page.get_by_label("Word").fill("a")
    page.get_by_label("Sign language").select_option("gsg")
    page.get_by_role("button", name="Search").click()
    page.locator("#signs canvas").wait_for()
    assert page.locator("#play").is_hidden()
