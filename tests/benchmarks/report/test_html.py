"""The report page: complete, self-contained, safe, and a function of the results."""

import re
from html.parser import HTMLParser

import matplotlib.figure
import pandas as pd
import pytest

from benchmarks import report
from benchmarks.report import drawing, html, page
from benchmarks.report.html import markup, origins, svg
from benchmarks.report.html.tables import part_of
from signclip.core.errors import ConfigError

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>&amp;'
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Outline(HTMLParser):
    """The elements of a page, checked for nesting."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def named(self, *tags):
        return [attributes for tag, attributes in self.elements if tag in tags]


def outline(text: str) -> Outline:
    parser = Outline()
    parser.feed(text)
    parser.close()
    assert not parser.open
    return parser


@pytest.fixture
def table():
    """Builds a table that shows a data frame."""

    def build(frame, name="new", title="A table", notes="", **of):
        made = page.Page(frame, {"Part": frame, **of.pop("more", {})}, **of)
        made_by = f"signbench table {name}"
        return page.Rendered(
            page.Table(name, title, (), lambda _: made), made, title, notes, made_by
        )

    return build


@pytest.fixture
def figure(source):
    """Draws a figure with a line, a marker and a clip path: each has ids in SVG."""

    def draw(name="new", title="A figure", caption="What it shows.", **of):
        def make(_):
            picture = matplotlib.figure.Figure(figsize=(2, 1))
            axes = picture.subplots()
            axes.plot([0, 1], [0, 1], "o-")
            return drawing.Drawing(picture, pd.DataFrame({"a": [1]}), caption=caption, **of)

        return drawing.draw(drawing.Figure(name, title, (), make), source)

    return draw


@pytest.fixture
def page_of(source, tmp_path):
    """Makes a page of tables and figures."""

    def make(*tables, figures=()):
        return html.page_of(tables, figures, source, tmp_path / "tables")

    return make


def test_everything_that_the_report_makes_is_there_even_without_results(empty_report):
    found = outline(empty_report.read_text(encoding="utf-8"))
    ids = [attributes["id"] for _, attributes in found.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    for name in report.table_names():
        assert markup.slug("table", name) in ids
    for name in report.figure_names():
        assert markup.slug("figure", name) in ids
    assert len(found.named("svg")) == len(report.figure_names())
    commands = "".join(found.text)
    for name in report.table_names():
        assert f"signbench table {name}" in commands
    for name in report.figure_names():
        assert f"signbench figure {name}" in commands


def test_links_within_the_page_and_to_its_files_lead_somewhere(empty_report):
    found = outline(empty_report.read_text(encoding="utf-8"))
    ids = {attributes.get("id") for _, attributes in found.elements}
    for attributes in found.named("a"):
        address = attributes["href"]
        if address.startswith("#"):
            assert address[1:] in ids
        elif not address.startswith("https:"):
            target = empty_report.parent / address
            assert target.is_file() or "points" in address, address


def test_without_results_the_page_says_what_is_missing_and_judges_the_paper_alone(empty_report):
    text = " ".join("".join(outline(empty_report.read_text(encoding="utf-8")).text).split())
    counts = r"\d+ are reproduced, 0 differ, \d+ were not run and \d+ are not comparable"
    assert re.search(rf"Of \d+ published numbers, {counts}", text)
    assert "no result on letters, retrieval: make repro makes it" in text
    assert "not run needs Spreadthesign" in text
    assert "No results, so no costs." in text


def test_a_report_without_a_published_table_has_no_verdict(page_of, table):
    assert "There is no verdict here" in page_of(table(pd.DataFrame({"a": ["1"]})))


def test_nothing_is_loaded_from_elsewhere(empty_report, page_of, figure, table):
    hostile = table(
        pd.DataFrame({"a": ["1"]}), notes="[a](https://example.org) ![b](https://x.org/i.png)"
    )
    for text in (empty_report.read_text(encoding="utf-8"), page_of(hostile, figures=[figure()])):
        found = outline(text)
        assert not found.named("img", "iframe", "object", "embed", "source", "video", "base")
        assert not any("src" in attributes for _, attributes in found.elements)
        for tag, attributes in found.elements:
            for name in ("href", "xlink:href"):
                address = attributes.get(name, "")
                if re.match(r"(\w+:)?//", address):
                    assert tag == "a"
                    assert attributes["rel"] == markup.EXTERNAL
        [icon] = found.named("link")
        assert icon["href"] == "data:,"
        assert not re.search(r"@import|url\((?!#)", text)
        assert "default-src 'none'" in text


def test_hostile_text_is_shown_and_not_run(page_of, table, figure):
    frame = pd.DataFrame(
        {HOSTILE: [HOSTILE, f"**{HOSTILE}**"], "verdict": [f"not run: {HOSTILE}", ""]}
    )
    hostile = table(frame, title=HOSTILE, notes=f"{HOSTILE} [x](javascript:alert(1))")
    text = page_of(hostile, figures=[figure(title=HOSTILE, caption=HOSTILE)])
    found = outline(text)
    assert len(found.named("script")) == 1
    assert not found.named("img")
    assert not any(name.startswith("on") for _, of in found.elements for name in of)
    assert not [of for of in found.named("a") if of["href"].startswith("javascript:")]
    assert "".join(found.text).count('alert("x")') >= 7


def test_equal_results_give_equal_bytes(page_of, table, figure, result):
    def make(order):
        shown = [result(encoder=name) for name in order]
        of = table(pd.DataFrame({"a": ["1"]}), shown=shown)
        return page_of(of, figures=[figure(shown=shown, points=("clips",))])

    first = make(["E3", "E5"])
    assert first == make(["E3", "E5"])
    assert "E3" in first


def test_tables_come_in_the_papers_order_and_then_by_name(page_of, table):
    names = ["zebra", "claims", "beyond", "fingerclip", "apple", "representations"]
    frame = pd.DataFrame({"a": ["1"]})
    found = outline(page_of(*(table(frame, name) for name in names)))
    order = [of["id"] for of in found.named("article")]
    expected = ["representations", "fingerclip", "claims", "beyond", "apple", "zebra"]
    assert order == [f"table-{name}" for name in expected]


def test_tables_can_be_read_by_a_screen_reader(empty_report):
    found = outline(empty_report.read_text(encoding="utf-8"))
    tables = found.named("table")
    assert len(found.named("caption")) == len(tables) > 20
    heads = [of for of in found.named("th") if "aria-sort" in of]
    assert heads
    assert all(of["scope"] == "col" and of["aria-sort"] == "none" for of in heads)
    assert len(found.named("button")) == len(heads)
    assert all(of.get("scope") in ("row", "col") for of in found.named("th"))
    for of in found.named("svg"):
        assert of["role"] == "img"
        assert of["aria-labelledby"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.573 [0.524, 0.622]", 0.573),
        ("**-0.371 [-0.427, -0.315]**", -0.371),
        ("+0.059", 0.059),
        ("−3", -3),
        ("217M", 217e6),
        ("62h", 62),
        ("1,143", 1143),
        ("609 [1629]", 609),
        ("5 %", 5),
        ("E7.2", None),
        ("2s-agcn", None),
        ("10x30", None),
        ("–", None),
        ("", None),
        ("not run: needs 2", None),
    ],
)
def test_a_cell_is_sorted_by_the_number_that_it_begins_with(text, number):
    assert markup.number(text) == number


def test_a_column_is_numeric_if_most_of_what_it_says_is():
    assert markup.is_numeric(["1", "–", "", "2 [1, 3]", "see notes"])
    assert not markup.is_numeric(["1", "a", "b"])
    assert not markup.is_numeric(["", "–"])


def test_the_first_columns_are_one_head_and_blank_heads_repeat_the_row_above():
    frame = pd.DataFrame(
        {
            "id": ["E1", "", ""],
            "row": ["one", "", "chance"],
            "v": ["1", "2", ""],
            "w": ["a", "", "b"],
        }
    )
    part = part_of("t", "Part", frame)
    assert [column.text for column in part.columns] == ["id, row", "v", "w"]
    assert [row.head.html for row in part.rows] == [
        '<span class="id">E1</span> one',
        '<span class="id">E1</span> one',
        "chance",
    ]
    assert [row.cells[1].html for row in part.rows] == ["a", "a", "b"]
    assert ["again" in row.cells[1].classes for row in part.rows] == [False, True, False]
    assert [row.cells[0].key for row in part.rows] == ["1", "2", ""]


def test_verdicts_are_marked_with_their_kind():
    frame = pd.DataFrame({"a": ["x", "y"], "verdict": ["not run: needs A", "2 not run, 1 differs"]})
    first, second = (row.cells[0].html for row in part_of("t", "Part", frame).rows)
    assert first == '<span class="kind is-not-run">not run</span> needs A'
    assert second == "2 not run, 1 differs"


def test_pictures_of_one_page_share_no_ids(figure):
    pictures = [svg.inline(name, figure(name).pictures["svg"], "T", "C").html for name in "ab"]
    for name, text in zip("ab", pictures, strict=True):
        ids = re.findall(r'\bid="([^"]+)"', text)
        assert len(ids) == len(set(ids)) > 5
        assert all(one.startswith(f"{name}-") for one in ids)
        references = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)
        assert references
        assert {a or b for a, b in references} <= set(ids)


def test_a_picture_brings_no_style_script_or_address(figure):
    content = figure().pictures["svg"].decode()
    evil = '<script>alert(1)</script><image href="https://x.org/a.png" onload="alert(1)"/></svg>'
    text = svg.inline("a", content.replace("</svg>", evil).encode(), "T").html
    assert not re.search(r"<style|<script|<metadata|onload|x\.org", text)
    assert "http" not in text.replace(f'xmlns="{svg.SVG}"', "")


def test_a_damaged_picture_is_named():
    for content in (b"<svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
        with pytest.raises(ConfigError, match="figure a: not an SVG picture"):
            svg.inline("a", content, "T")


def test_an_origin_tells_equal_facts_once(result):
    shown = [
        *(result(encoder=name, git_commit="abc", runs={"0/a": name}) for name in ("E3", "E5")),
        result(encoder="X", git_commit="def", seeds=[1]),
    ]
    origin = origins.origin_of([*shown, shown[0]], ("clips",))
    assert origin.facts["Commit"] == ["abc (2 of 3 results)", "def (1 of 3 results)"]
    assert origin.facts["Data"] == ["c abc"]
    assert origin.facts["Seeds"] == ["0, 1"]
    assert len(origin.results) == 3
    assert origin.points == ["clips"]
    assert origins.origin_of([]) == origins.Origin({}, [], [])


def test_a_training_that_results_share_counts_once(result):
    shared = dict(encoder="E3", runs={"0/a": "f"})
    shown = [result(**shared), result(**shared, task="few_shot_1"), result(encoder="E5")]
    assert sum(origins.trainings(shown).values()) == 2.0
    [row] = origins.totals(shown).to_dict("records")
    assert (row["results"], row["encoders"], row["training"]) == ("3", "2", "2 s")
    assert list(origins.costs(shown)["id"]) == ["E3", "E5"]


@pytest.mark.slow
def test_sizes_that_were_counted_are_not_told_as_measured_scores(board, workspace):
    board()
    workspace.points.mkdir(parents=True)
    sizes = pd.DataFrame([("E7.2", "v", 203, 609, 217681152)])
    sizes.columns = ["experiment", "variant", "points", "dims", "parameters"]
    sizes.to_csv(workspace.points / "model_sizes.csv", index=False)
    report.write_all(workspace, profile="cpu", corpus="c", seed=0)
    page = (workspace.results / "report/index.html").read_text(encoding="utf-8")
    assert "no score of the paper has been measured again" in page
    assert "measured with trained models" not in page
