"""The report page in a browser: sorting, widths, dark mode, and nothing from elsewhere.

Skipped where Playwright or a Chromium is missing (Debian: ``apt-get install chromium``).
"""

import pytest

WIDTHS = (360, 768, 1600)
CONTRAST = """
() => {
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => parts(text).slice(0, 3).map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }).reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
  const backOf = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const back = getComputedStyle(one).backgroundColor;
      if (parts(back).length === 3) return back;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = "p, a, h1, h2, dt, code, caption, .kind, .tiles li";
  const cells = ".interval, .empty, .again, .number";
  return Array.from(document.querySelectorAll(`${texts}, ${cells}`)).map((element) => {
    const [a, b] = [light(getComputedStyle(element).color), light(backOf(element))].sort();
    return [(b + 0.05) / (a + 0.05), element.className + " " + element.textContent.slice(0, 40)];
  }).filter(([ratio]) => ratio < 4.5);
}
"""


@pytest.fixture
def visit(browser, empty_report):
    """Opens the page; returns it and what it asked for or complained of."""
    contexts = []

    def open_page(width=1600, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        context.set_default_timeout(60_000)
        contexts.append(context)
        page, heard = context.new_page(), []
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: heard.append(request.url))
        page.goto(empty_report.as_uri())
        return page, heard

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def table(visit):
    """The first part of the pretraining table."""
    page, _ = visit()
    return page.locator("#table-pretraining table").first


def column(table, name):
    """The texts of a column, by its head."""
    heads = table.locator("thead th").all_inner_texts()
    index = next(i for i, text in enumerate(heads) if text.startswith(name))
    return [row.split("\t")[index] for row in table.locator("tbody tr").all_inner_texts()]


def head(table, name):
    return table.locator("thead th").filter(has_text=name).first


def test_the_page_is_complete_by_itself(visit, empty_report):
    page, heard = visit()
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    assert [text for text in heard if text not in (empty_report.as_uri(), "data:,")] == []
    assert page.title()


def test_a_click_sorts_by_number_and_puts_empty_cells_last(table):
    before = column(table, "paper R@1")
    assert "–" in before
    numbers = sorted(float(text) for text in before if text != "–")
    empty = ["–"] * before.count("–")
    button = head(table, "paper R@1").get_by_role("button")
    for order, expected in (
        ("ascending", [*numbers, *empty]),
        ("descending", [*numbers[::-1], *empty]),
    ):
        button.click()
        assert head(table, "paper R@1").get_attribute("aria-sort") == order
        found = [text if text == "–" else float(text) for text in column(table, "paper R@1")]
        assert found == expected
    button.click()
    assert head(table, "paper R@1").get_attribute("aria-sort") == "none"
    assert column(table, "paper R@1") == before


@pytest.mark.parametrize("key", ["Enter", " "])
def test_the_keyboard_sorts_too_and_one_column_at_a_time(table, key):
    for name in ("paper R@1", "paper MedR"):
        head(table, name).get_by_role("button").focus()
        table.page.keyboard.press(key)
    orders = [one.get_attribute("aria-sort") for one in table.locator("thead th").all()]
    assert orders.count("ascending") == 1
    assert orders.count("none") == len(orders) - 1
    ranks = [float(text) for text in column(table, "paper MedR") if text != "–"]
    assert ranks == sorted(ranks)
    assert ranks[-1] > 1000 > 100 > ranks[0]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_does_not_scroll_sideways(visit, width):
    page, _ = visit(width)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_head_of_a_row_stays_in_sight(visit):
    page, _ = visit(360)
    box = page.locator("#table-pretraining .scroll").first
    box.evaluate("element => { element.scrollLeft = 300 }")
    cell = box.locator("tbody th").first
    assert abs(cell.bounding_box()["x"] - box.bounding_box()["x"]) < 2
    assert cell.bounding_box()["width"] < 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_told_from_its_background(visit, scheme):
    page, _ = visit(color_scheme=scheme)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate(CONTRAST) == []
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(255, 255, 255)") == (scheme == "light")
    cards = page.locator(".card").evaluate_all(
        "all => all.map(one => getComputedStyle(one).backgroundColor)"
    )
    assert set(cards) == {"rgb(255, 255, 255)"}


def test_on_paper_every_part_is_open_and_the_contents_are_not_there(visit):
    page, _ = visit()
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.part:not([open])").count() == 0
