"""The writer of tables: escaping, notes, costs."""

import pandas as pd
import pytest

from benchmarks.report import page
from benchmarks.results import Cost

TEXT = r"a|b \c _d_ in_domain <ase> *e* `f` 5 % & {g}"


def test_markdown_shows_text_unchanged():
    escaped = page.markdown_text(TEXT)
    assert escaped == r"a\|b \\c \_d\_ in_domain \<ase> \*e\* \`f\` 5 % & {g}"
    assert page.markdown_text("**+0.1 [a|b]**") == r"**+0.1 [a\|b]**"


def test_latex_shows_text_unchanged():
    escaped = page.latex_text(TEXT)
    assert escaped == (
        r"a|b \textbackslash{}c \_d\_ in\_domain \textless{}ase\textgreater{} *e* `f` 5 \% \& \{g\}"
    )
    assert page.latex_text("**a_b**") == r"\textbf{a\_b}"


def test_a_markdown_table_has_as_many_columns_whatever_its_cells_hold():
    part = pd.DataFrame({"a|b": ["x|y", "z\\"], "c": ["1", "**2**"]})
    head, rule, *rows = page.markdown_table(part).splitlines()
    cells = [line.replace(r"\\", "").replace(r"\|", "").count("|") for line in (head, rule, *rows)]
    assert cells == [3] * 4


def test_a_latex_page_has_a_table_a_part():
    parts = {"one_1": pd.DataFrame({"a": ["x"], "b": ["**y**"]}), "two": pd.DataFrame({"c": ["z"]})}
    text = page.latex_page("A & B", parts, "name")
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 2
    assert r"\caption{A \& B. one\_1.}" in text
    assert r"\begin{tabular}{ll}" in text
    assert r"x & \textbf{y} \\" in text
    assert [text.count(rf"\label{{tab:name-{number}}}") for number in (1, 2)] == [1, 1]


def test_a_table_without_a_template_has_no_notes(source):
    made = page.Page(pd.DataFrame({"a": [1]}), {"Part": pd.DataFrame({"a": ["1"]})})
    table = page.Table("nothing", "A title", (), lambda _: made)
    folder = source.workspace.results
    paths = page.write(table, source, folder, folder / "costs.csv")
    assert [path.name for path in paths] == [f"nothing.{suffix}" for suffix in page.SUFFIXES]
    assert (folder / "nothing.md").read_text().startswith("# A title\n\n## Part\n\n| a ")
    assert "Notes" not in (folder / "nothing.md").read_text()
    assert (folder / "nothing.csv").read_text() == "a\n1\n"


def test_a_variable_that_a_template_lacks_is_an_error(source):
    with pytest.raises(Exception, match="undefined"):
        page.render_notes("breakdown", {})


def test_costs_have_one_row_an_encoder_and_place(result):
    def timed(speed: float, **of):
        cost = Cost(parameters=7, training_seconds=2.04, evaluation_clips_per_second=speed)
        return result(cost=cost, **of)

    shown = [
        timed(10, task="tagged_retrieval"),
        timed(20, task="few_shot_1"),
        timed(30, split="in_domain"),
        timed(40, revision="cpu.in_domain"),
        timed(50, encoder="X"),
        timed(60, corpus="other"),
        timed(70, group="full"),
    ]
    lines = page.costs_csv(shown).splitlines()
    assert lines[0] == (
        "group,encoder,revision,corpus,split,task,"
        "parameters,training_seconds,evaluation_clips_per_second,hardware"
    )
    rows = [line.split(",") for line in lines[1:]]
    assert [row[8] for row in rows] == ["10.0", "30.0", "40.0", "50.0", "60.0", "70.0"]
    assert [row[5] for row in rows] == ["tagged_retrieval"] + ["retrieval"] * 5
    assert {row[7] for row in rows} == {"2.0"}
