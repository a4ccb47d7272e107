"""Statistics of corpora: published counts and those of cards are plotted clip by clip."""

import pandas as pd
import pytest

from benchmarks.report import drawing
from benchmarks.report.corpus_cards import PUBLISHED, looks, read_panel
from benchmarks.report.figures import (
    concept_distribution,
    language_distribution,
    length_distribution,
)
from benchmarks.source import NoResults
from signclip.core.errors import ConfigError

FIGURES = (language_distribution, length_distribution, concept_distribution)
CARD = [
    *(("total", "clips", 40), ("language", "gsg", 30), ("language", "sgg", 10)),
    *(("length", f"{start}-{start}", clips) for start, clips in enumerate([0, 0, 0, 25, 14])),
    *(("length", f"{start}-{start}", int(start == 299)) for start in range(5, 300)),
    *(("concept", "nan", 20), ("concept", "a", 10), ("concept", "b", 10)),
]


@pytest.fixture
def card(workspace):
    """Writes the card of a corpus: the report's own by default."""

    def write(corpus="c", rows=CARD):
        folder = workspace.results / "corpora"
        folder.mkdir(parents=True, exist_ok=True)
        table = pd.DataFrame(rows, columns=["panel", "name", "value"])
        table.to_csv(folder / f"{corpus}.csv", index=False)

    return write


def test_the_reports_own_corpus_comes_first_and_every_name_is_text(card, source):
    card("a")
    card("c")
    found = read_panel(source, "concept")
    assert list(found) == ["c", "a"]
    assert list(found["a"]["name"]) == ["nan", "a", "b"]
    assert len(set(looks(found).values())) == 2


def test_a_card_without_a_panel_is_left_out_and_a_damaged_one_is_named(card, source):
    card("a", CARD[:3])
    with pytest.raises(NoResults, match="signclip corpora card c"):
        read_panel(source, "concept")
    card("c")
    assert list(read_panel(source, "concept")) == ["c"]
    card("a", [("concept", "a", "many")])
    with pytest.raises(ConfigError, match="damaged"):
        read_panel(source, "concept")


@pytest.mark.parametrize(
    ("figure", "published"), zip(FIGURES, (456_913, 453_261, 18_423), strict=True)
)
def test_every_clip_or_concept_is_plotted_once(card, source, figure, published):
    card()
    card("other")
    numbers = figure.draw(source).numbers
    column = "concepts" if "concepts" in numbers else "clips"
    totals = numbers.groupby("corpus", sort=False)[column].sum().to_dict()
    here = 3 if column == "concepts" else 40
    assert totals == {PUBLISHED: published, "c": here, "other": here}


def test_languages_have_readable_names_and_the_papers_come_first(card, source):
    card()
    numbers = language_distribution.draw(source).numbers
    assert numbers["name"][0] == "Swedish (swl)"
    assert list(numbers["name"][-2:]) == ["German (gsg)", "Swiss German (sgg)"]
    assert language_distribution.readable("xyz") == "xyz"
    assert "1 of them among the paper's" in language_distribution.draw(source).caption


def test_bins_are_as_wide_as_the_cards_and_medians_exact(card, source):
    card()
    wide = [("length", f"{start}-{start + 5}", clips) for start, clips in ((0, 10), (6, 30))]
    card("wide", wide)
    numbers = length_distribution.draw(source).numbers
    of = dict(list(numbers.groupby("corpus")))
    assert set(of["c"]["to"] - of["c"]["from"]) == {4}
    assert set(of["wide"]["to"] - of["wide"]["from"]) == {6}
    for bins in of.values():  # a density: its integral is 100 %
        width = bins["to"] - bins["from"]
        assert (bins["percent_per_frame"] * width).sum() == pytest.approx(100)
    first = {corpus: tuple(bins[["median", "longer"]].iloc[0]) for corpus, bins in of.items()}
    assert first == {PUBLISHED: (89, 0), "c": (3, 1), "wide": (8.5, 0)}


def test_concepts_are_counted_by_their_clips(card, source):
    card()
    numbers = concept_distribution.draw(source).numbers
    here = numbers[numbers["corpus"] == "c"][["clips_per_concept", "concepts"]]
    assert here.values.tolist() == [[10, 2], [20, 1]]
    assert "12,758 have more than 20" in concept_distribution.draw(source).caption


def test_without_a_card_the_picture_says_what_makes_one(source, tmp_path):
    drawing.write(concept_distribution.FIGURE, source, tmp_path / "out", tmp_path)
    assert "signclip corpora card c" in (tmp_path / "out/concept_distribution.csv").read_text()
