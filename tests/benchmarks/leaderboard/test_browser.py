"""The page in a browser: sort, filter, open, pin two, play; no console error, no request."""

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.leaderboard import page as pages
from benchmarks.points import player
from benchmarks.results import Cost, Result

ENCODERS = {"X": 0.95, "E4": 0.45, "mine": 0.4, "dtw": 0.15}


@pytest.fixture
def placed(drawn) -> list[Result]:
    """Four encoders at two places; at the second the order is reversed, and X has no result."""
    second = [drawn(name, 1 - skill, split="in_domain") for name, skill in ENCODERS.items()][1:]
    return [*(drawn(name, skill) for name, skill in ENCODERS.items()), *second]


@pytest.fixture
def site(placed, board_of, known, tmp_path) -> str:
    """The address of their page, with points of all clips."""
    frames = np.random.default_rng(0).integers(-100, 100, (6, len(player.NAMES), 2)).astype(np.int8)
    known["points"] = base64.b64encode(frames.tobytes()).decode()
    known[["frames", "fps", "hand"]] = ["6", "25", "0.4"]
    slow = Cost(parameters=5, training_seconds=2.0, evaluation_clips_per_second=9.0)
    results = list(placed)
    results[1] = results[1].model_copy(update={"hardware": "another machine", "cost": slow})
    results[2] = results[2].model_copy(update={"title": "<img src=x onerror=alert(1)>"})
    board = board_of(*results)
    predicted = {("letters", "X"): dict.fromkeys(known["id"], "a")}
    path = tmp_path / "index.html"
    path.write_text(pages.render(board, known, predicted), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def opened(browser, site) -> Iterator[Any]:
    """Opens the page at a state; errors and requests of the page fail the test."""
    problems: list[str] = []
    contexts = []

    def go(state: str = "", **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: problems.append(message.text))
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on(
            "request",
            lambda sent: (
                None if sent.url.startswith(("file:", "data:")) else problems.append(sent.url)
            ),
        )
        tab.goto(site + state)
        return tab

    yield go
    for context in contexts:
        context.close()
    assert not problems


def names(tab) -> list[str]:
    """The encoders in the order of the table."""
    return tab.locator("#view > .scroll > table > tbody .encoder").all_inner_texts()


def ranks(tab) -> dict[str, str]:
    """Encoder -> its printed rank."""
    rows = tab.locator("#view > .scroll > table > tbody > tr[data-row]")
    return {
        rows.nth(i).locator(".encoder").inner_text(): rows.nth(i).locator(".rank").inner_text()
        for i in range(rows.count())
    }


def test_sorting_orders_the_rows_and_says_so(opened):
    tab = opened("#view=task")
    before = names(tab)
    assert before[0] == "X"
    assert "chance" in before
    head = tab.get_by_role("button", name="Encoder", exact=True)
    head.click()
    rows = [name for name in names(tab) if name != "chance"]
    assert rows == sorted(rows, key=str.lower)
    assert tab.locator('th[aria-sort="ascending"]').count() == 1
    head.click()
    assert [name for name in names(tab) if name != "chance"] == rows[::-1]
    assert head.evaluate("node => node === document.activeElement")


def test_what_a_submission_says_is_text(opened):
    tab = opened("#view=overall&open=mine@cpu")
    assert tab.locator("img").count() == 0
    assert "<img src=x" in tab.locator("tr[data-row^=mine] .name").inner_text()


def test_hiding_rows_changes_no_rank_and_is_reported(opened):
    tab = opened()
    before = ranks(tab)
    tab.get_by_text("Filters", exact=True).click()
    tab.get_by_label("Search").fill("dtw")
    assert ranks(tab) == {"dtw": before["dtw"]}
    status = tab.locator("#status").inner_text()
    assert "3 rows hidden: 3 by search. Order over all 4 rows; over 2 of 2 columns." in status
    tab.get_by_role("button", name="Reset all").click()
    assert ranks(tab) == before


@pytest.mark.parametrize(
    ("state", "kept", "said"),
    [
        ("kinds=floor", ("X", "E4", "mine"), "kind = not known or pose and text"),
        ("licence=MIT", ("X", "E4", "dtw"), "licence = MIT"),
        ("zero=1", ("X", "dtw"), "zero-shot results only"),
        (
            "kinds=floor&licence=MIT",
            ("X", "E4"),
            "kind = not known or pose and text; licence = MIT",
        ),
    ],
)
def test_kind_licence_and_zero_shot_order_the_rows_that_remain(
    opened, placed, board_of, state, kept, said
):
    """As a board of these rows alone; the page says so beside the order."""
    tab = opened()
    tab.evaluate(
        """() => {
          const unseen = (row) => ["X", "dtw"].includes(leaderboard.data.rows[row].name);
          for (const place of leaderboard.data.places) {
            place.exposure = place.rows.map((row) => unseen(row) ? "none" : "trained here");
          }
        }"""
    )
    tab.goto(tab.url.split("#")[0] + "#" + state)
    shown = [one for one in tab.evaluate("leaderboard.standings()") if one]
    expected = board_of(*(one for one in placed if one.encoder in kept)).standings
    for one, standing in zip(shown, expected, strict=True):
        assert (one["rank"], one["low"], one["high"]) == standing[:3]
        assert one["borda"] == pytest.approx(standing.borda)
        assert one["mean"] == pytest.approx(standing.mean, abs=1e-4)
    assert set(ranks(tab)) == set(kept)
    order = f"Order among {len(kept)} of 4 rows: {said}; over 2 of 2 columns."
    assert f"{4 - len(kept)} rows hidden: " in tab.locator("#status").inner_text()
    assert order in tab.locator("#status").inner_text()
    assert order in tab.locator("#view caption").inner_text()


def test_columns_without_a_result_of_the_order_are_hidden_and_counted(opened):
    tab = opened()
    tab.evaluate(
        """() => {
          for (const place of leaderboard.data.places) {
            const seen = place.split === "letters" ? "none" : "trained here";
            place.exposure = place.rows.map(() => seen);
          }
        }"""
    )
    assert tab.locator("thead tr:last-child th a").count() == 2
    tab.goto(tab.url.split("#")[0] + "#view=overall&zero=1")
    assert tab.locator("thead tr:last-child th a").count() == 1
    status = tab.locator("#status").inner_text()
    assert "over 1 of 2 columns. 1 column hidden: no such result." in status
    assert tab.locator("tr[data-row^=X] td").nth(4).inner_text() == "1/1"


def test_names_in_the_plot_do_not_cover_each_other(opened):
    tab = opened("#view=cost&x=parameters")  # three of four have equal costs
    boxes = tab.evaluate(
        """() => [...document.querySelectorAll(".plot text")].map((node) => {
          const box = node.getBBox();
          return [box.x, box.y, box.x + box.width, box.y + box.height];
        })"""
    )
    assert tab.locator(".plot .point").count() == 4
    assert tab.locator(".plot .point text").count() >= 2
    for number, (left, top, right, bottom) in enumerate(boxes):
        for x, y, to_x, to_y in boxes[number + 1 :]:
            # a pixel or two: a font's line is higher than its letters
            assert right <= x + 2 or to_x <= left + 2 or bottom <= y + 4 or to_y <= top + 4


def test_the_places_of_a_column_are_those_among_all_its_rows(opened):
    tab = opened("#view=task")
    before = ranks(tab)
    tab.goto(tab.url.split("#")[0] + "#view=task&kinds=floor")
    assert ranks(tab) == {name: rank for name, rank in before.items() if name != "dtw"}
    assert "among all 4 rows of the column" in tab.locator("#status").inner_text()


def test_choosing_tasks_computes_the_order_anew(opened):
    """At the place in_domain the order is the other way round."""
    tab = opened("#view=overall")
    data = tab.evaluate("leaderboard.data.places.map((place) => [place.split, place.task])")
    assert len(data) == 2
    before = tab.evaluate("leaderboard.standings().map((one) => one && one.rank)")
    tab.evaluate("leaderboard.data.places.find((one) => one.split === 'letters').task = 'first'")
    tab.goto(tab.url.split("#")[0] + "#view=overall&tasks=first")
    after = tab.evaluate("leaderboard.standings().map((one) => one && one.rank)")
    assert after != before
    assert after.count(None) == 1  # X has no result there


def test_the_browsers_order_is_that_of_the_exports(opened, placed, board_of):
    tab = opened()
    shown = tab.evaluate("leaderboard.standings()")
    for one, expected in zip(shown, board_of(*placed).standings, strict=True):
        assert (one["rank"], one["low"], one["high"]) == expected[:3]
        assert one["borda"] == pytest.approx(expected.borda)
        assert one["mean"] == pytest.approx(expected.mean, abs=1e-4)


def test_a_row_opens_with_its_metadata_scores_and_confusion(opened):
    tab = opened("#view=task")
    button = tab.locator('button[data-open^="X@"]')
    assert button.get_attribute("aria-expanded") == "false"
    button.click()
    text = tab.locator(".opened").inner_text()
    for part in ("Licence", "Trained on", "Parameters", "American Sign Language", "By label"):
        assert part in text
    assert "32 of 40 clips, first seed" in text  # everything predicted as a
    assert tab.locator(".matrix rect").count() == 5
    button.press("Enter")
    assert tab.locator(".opened").count() == 0


def test_two_pinned_rows_are_compared_and_their_clips_play(opened):
    tab = opened("#view=task")
    for name in ("X", "E4"):
        tab.get_by_role("checkbox", name=f"Pin {name} to compare").check()
    text = tab.locator(".compare").inner_text()
    assert "X − E4" in text
    assert "8 sign languages resampled" in text
    assert "the interval excludes 0" in text
    canvases = tab.locator("#flips canvas")
    assert canvases.count() >= 1
    assert "Skeleton of clip" in canvases.first.get_attribute("aria-label")
    first = canvases.first.get_attribute("data-frame")
    expect = pytest.importorskip("playwright.sync_api").expect
    expect(canvases.first).not_to_have_attribute("data-frame", first)
    tab.get_by_role("button", name="Pause").click()
    tab.get_by_label("Position").evaluate(
        "node => { node.value = 900; node.dispatchEvent(new Event('input')); }"
    )
    assert canvases.first.get_attribute("data-frame") == "5"
    picture = "document.querySelector('#flips canvas').toDataURL()"
    plain = tab.evaluate(picture)
    tab.get_by_label("Mirror").check()
    assert tab.evaluate(picture) != plain


def test_the_browsers_difference_is_that_of_compare(opened, drawn):
    from benchmarks.metrics.compare import compare

    a, b = drawn("X", ENCODERS["X"]), drawn("E4", ENCODERS["E4"])
    expected = compare(a, b, groups={clip: clip[:-2] for clip in a.ranks})
    tab = opened()
    found = tab.evaluate(
        """() => {
          const place = leaderboard.data.places.find((one) => one.split === "letters");
          const row = (name) => leaderboard.data.rows.findIndex((one) => one.name === name);
          return leaderboard.compare(place, place.cell.get(row("X")), place.cell.get(row("E4")), 1);
        }"""
    )
    assert found["difference"] == pytest.approx(expected.difference)
    assert len(found["only_a"]) - len(found["only_b"]) == round(expected.difference * 40)
    assert found["low"] <= found["difference"] <= found["high"]


def test_motion_is_off_where_the_reader_wants_none(opened):
    tab = opened("#view=hard", reduced_motion="reduce")
    assert tab.get_by_role("button", name="Play", exact=True).count() == 1
    frame = tab.locator("#hardplayer canvas").get_attribute("data-frame")
    tab.wait_for_timeout(200)
    assert tab.locator("#hardplayer canvas").get_attribute("data-frame") == frame == "0"


def test_speed_is_compared_on_equal_hardware_only(opened):
    tab = opened("#view=task")
    row = tab.locator('tr[data-row^="E4@"] td').last
    assert row.inner_text() == "–"
    tab.get_by_label("Speed on").select_option(label="another machine")
    assert row.inner_text() == "9"
    tab.get_by_role("link", name="Quality and cost").click()
    assert tab.locator(".plot circle").count() == 1
    assert "3 by other hardware" in tab.locator("#status").inner_text()


def test_every_state_has_a_link(opened, site):
    tab = opened("#view=task")
    tab.locator('button[data-open^="X@"]').click()
    tab.get_by_role("checkbox", name="Pin X to compare").check()
    tab.get_by_role("button", name="Kind", exact=True).click()
    state = tab.url.split("#")[1]
    again = opened("#" + state)
    assert names(again) == names(tab)
    assert again.locator(".opened h3").inner_text() == "X"
    assert "X is pinned" in again.locator(".compare").inner_text()
    tab.get_by_role("link", name="Hard cases").click()
    tab.go_back()
    assert "view=task" in tab.url
    assert tab.locator(".opened").count() == 1


@pytest.mark.parametrize("width", [360, 1400])
def test_no_view_is_wider_than_the_screen(opened, width):
    tab = opened("#pin=X@cpu,E4@cpu", viewport={"width": width, "height": 800})
    for view in ("overall", "task", "cost", "hard", "rules"):
        tab.goto(tab.url.split("#")[0] + f"#view={view}&pin=X@cpu,E4@cpu&open=X@cpu")
        assert tab.locator(f'[data-view="{view}"][aria-current]').count() == 1
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, view


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_rows_are_parted_by_lines_wherever_the_table_begins(opened, scheme):
    """With the filters open, it begins between two pixels; a line must not vanish then."""
    tab = opened("", color_scheme=scheme, viewport={"width": 700, "height": 1500})
    tab.locator("header details").first.evaluate("(one) => { one.open = true }")
    line = tab.evaluate(
        """() => {
          const node = document.createElement("i");
          node.style.color = "var(--line)";
          document.body.append(node);
          const rgb = getComputedStyle(node).color.match(/[0-9.]+/g).slice(0, 3).map(Number);
          node.remove();
          return rgb;
        }"""
    )
    for offset in (0.0, 0.2, 0.4, 0.6, 0.8):
        tab.evaluate(f"document.querySelector('header').style.paddingTop = '{offset}px'")
        corners = tab.locator("#view tbody tr:not(:last-child) > :nth-child(-n+6)").evaluate_all(
            "(cells) => cells.map((one) => one.getBoundingClientRect()).map((b) => [b.x, b.bottom])"
        )
        picture = np.asarray(Image.open(io.BytesIO(tab.screenshot())).convert("RGB"), int)
        assert len(corners) == 6 * len(ENCODERS)
        for left, bottom in corners:
            around = picture[round(bottom) - 2 : round(bottom) + 2, int(left) + 3]
            assert (np.abs(around - line).sum(axis=1) < 6).any(), (offset, left, bottom)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(opened, scheme):
    """WCAG's contrast of 4.5 between each text colour and the ground."""
    tab = opened("", color_scheme=scheme)
    ratios = tab.evaluate(
        """() => {
          const style = getComputedStyle(document.documentElement);
          const light = (name) => {
            const node = document.createElement("i");
            node.style.color = style.getPropertyValue(name);
            document.body.append(node);
            const rgb = getComputedStyle(node).color.match(/[0-9.]+/g).slice(0, 3).map((x) => {
              x /= 255;
              return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
            });
            node.remove();
            return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
          };
          const pair = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
          const names = ["ink", "soft", "accent", "bad", "t0", "t1", "t2", "t3", "t4", "t5"];
          return names.map((name) => pair(light("--" + name), light("--paper")));
        }"""
    )
    assert min(ratios) >= 4.5


def test_everything_can_be_reached_by_keyboard_and_has_a_name(opened):
    tab = opened("#view=task&pin=X@cpu,E4@cpu")
    nameless = tab.evaluate(
        """() => {
          const named = (node) => node.getAttribute("aria-label") || node.textContent.trim()
            || (node.labels && node.labels.length && node.labels[0].textContent.trim());
          const nodes = [...document.querySelectorAll("button, a, select, input, canvas")];
          const reached = (node) => node.tabIndex >= 0 || node.tagName === "CANVAS";
          return nodes.filter((x) => !named(x) || !reached(x)).map((x) => x.outerHTML);
        }"""
    )
    assert nameless == []
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"
