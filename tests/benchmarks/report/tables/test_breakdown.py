"""Predictions by group: small ones by hand, and from files."""

import pandas as pd
import pytest

from benchmarks import suites
from benchmarks.evaluation.predictions import CLIPS_FILE, GALLERY_FILE, TAGGED
from benchmarks.report import page
from benchmarks.report.tables import breakdown
from benchmarks.report.transfer import breakdown as of_transfer
from benchmarks.source import Source
from signclip.core import files
from signclip.core.errors import ConfigError
from signclip.corpora import manifest

CLIPS = pd.DataFrame(
    {
        "id": list("pqrs"),
        "text": ["a", "b", "A", "b"],
        "sign_language": ["ase", "ase", "gsg", "gsg"],
        "signer": [""] * 4,
    }
).set_index("id", drop=False)
SIGNED = CLIPS.assign(signer=["anna", "anna", "ben", ""])


TEXTS = "abcdefghi"


def predicted(ranks: dict[str, list[int]]) -> pd.DataFrame:
    """Predictions of seeds 0, 1, ...; a wrong one is c."""
    rows = [
        {
            "id": clip,
            "seed": seed,
            "fold": 0,
            "label": CLIPS.loc[clip, "text"].lower(),
            "predicted": CLIPS.loc[clip, "text"].lower() if rank == 1 else "c",
            "rank": rank,
        }
        for clip, of_seed in ranks.items()
        for seed, rank in enumerate(of_seed)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


def of_points(predictions: pd.DataFrame, texts: str, *, prompts: bool = False) -> pd.DataFrame:
    """Predictions as the points have them, in a gallery of one-letter texts."""
    inside = predictions["label"].isin(list(texts)).astype(int)
    return predictions.assign(gallery=len(texts), in_gallery=inside, prompts=int(prompts))


def grouped(predictions: pd.DataFrame, clips: pd.DataFrame, texts: str) -> breakdown.Groups:
    return breakdown.break_down(of_points(predictions, texts), clips)


def notes_of(found: breakdown.Found, source: Source) -> str:
    return page.render_notes("breakdown", breakdown.page(found, source).notes)


def test_letters_and_languages_are_counted_by_clip_and_seed():
    found = grouped(predicted({"p": [1, 1], "q": [1, 3], "r": [2, 2], "s": [1, 1]}), CLIPS, TEXTS)
    table = breakdown.frame({("letters", "x"): found}).fillna("")
    table = table.set_index(["by", "group"])
    assert table.loc[("all", ""), "R@1"] == pytest.approx(2.5 / 4)
    assert table.loc[("language", "ase"), "R@1"] == pytest.approx(0.75)
    assert table.loc[("language", "gsg"), "R@1"] == pytest.approx(0.5)
    assert table.loc[("class", "a"), "R@1"] == pytest.approx(0.5)
    assert table.loc[("class", "mean over groups"), "R@1"] == pytest.approx(0.625)
    assert "signer" not in table.index.get_level_values(0)
    assert (found.coverage.texts, found.coverage.clips) == (9, 4)
    row = breakdown.summary({("letters", "x"): found}).iloc[0]
    assert (row["texts with clips"], row["texts predicted"], row["texts"]) == ("2", "3", "9")
    assert row["R@1 by signer"] == "–"


def test_a_column_an_encoder_and_a_row_a_language():
    both = {
        ("letters", name): grouped(predicted({c: [rank] for c in "pqrs"}), CLIPS, TEXTS)
        for name, rank in (("good", 1), ("bad", 2))
    }
    part = breakdown.by_group(both, "letters", "language")
    assert part.to_dict("list") == {
        "language": ["ase", "gsg"],
        "clips": ["2", "2"],
        "good": ["1.000"] * 2,
        "bad": ["0.000"] * 2,
    }


def test_a_row_a_signer_and_the_clips_without_one_are_counted(source):
    ranks = {"p": [1], "q": [2], "r": [1], "s": [2]}
    found = {("official", "x"): grouped(predicted(ranks), SIGNED, TEXTS)}
    parts = breakdown.parts(found)
    assert parts["R@1 by signer, official"].to_dict("list") == {
        "signer": ["anna", "ben"],
        "clips": ["2", "1"],
        "x": ["0.500", "1.000"],
    }
    assert parts["All clips"]["R@1 by signer"].tolist() == ["0.750"]
    notes = notes_of(found, source)
    assert "No signer is recorded for 1 of 4 clips (official)" in notes
    assert "No language" not in notes
    assert "The text of every clip is in its gallery." in notes


def test_more_groups_than_an_alphabet_are_in_the_csv_alone():
    many = pd.DataFrame(
        {"id": [f"{i:02d}" for i in range(27)], "text": "a", "sign_language": "ase"}
    )
    many = many.assign(signer=many["id"]).set_index("id", drop=False)
    predictions = many[["id"]].assign(seed=0, label="a", predicted="a", rank=1)
    found = {("official", "x"): grouped(predictions, many, "a")}
    assert list(breakdown.parts(found)) == [
        "All clips",
        "R@1 by sign language, official",
        "R@1 by text, official",
    ]
    assert (breakdown.frame(found)["by"] == "signer").sum() == 28  # and their mean
    fewer = {("official", "x"): grouped(predictions[1:], many, "a")}
    assert "R@1 by signer, official" in breakdown.parts(fewer)


def test_clips_that_cannot_be_right_are_reported(source):
    predictions = predicted({"p": [1], "q": [5], "r": [1], "s": [5]})
    found = {("official", "x"): grouped(predictions, CLIPS, "ac")}
    notes = notes_of(found, source)
    assert "cannot be correct: 2 (x, official)." in notes


def test_an_encoder_without_some_clips_has_a_dash_for_their_groups():
    found = {
        ("official", "all"): grouped(predicted({c: [1] for c in "pqrs"}), SIGNED, TEXTS),
        ("official", "some"): grouped(predicted({"p": [1]}), SIGNED, TEXTS),
    }
    part = breakdown.by_group(found, "official", "signer")
    assert part["some"].tolist() == ["1.000", "–"]


@pytest.fixture
def predict():
    """Writes an encoder's predictions of the four clips."""

    def write(source, encoder: str, split: str, seeds: int, texts: str, prefix: str = "") -> None:
        here = source.predictions(encoder, split)
        here.mkdir(parents=True)
        ranks = {clip: [1, 2][:seeds] for clip in CLIPS.index}
        predicted(ranks).to_parquet(here / (prefix + CLIPS_FILE))
        gallery = [{"seed": s, "fold": 0, "label": text} for s in range(seeds) for text in texts]
        pd.DataFrame(gallery).to_parquet(here / (prefix + GALLERY_FILE))

    return write


def test_a_transfer_corpus_shows_every_encoder_with_predictions(workspace, predict, monkeypatch):
    monkeypatch.setattr(manifest, "read", lambda folder: SIGNED.reset_index(drop=True))
    source = Source(workspace, "cpu", "mine", group="transfer-mine")
    with pytest.raises(ConfigError, match="`signbench transfer mine`"):
        of_transfer.build(source)
    predict(source, "X-finetuned", "official", 1, "abc", TAGGED)
    predict(source, "dtw", "official", 1, "abc")
    folder = workspace.results / "transfer/mine"
    page.write(of_transfer.TABLE, source, folder, folder / "costs.csv")
    frame = pd.read_csv(folder / "breakdown.csv")
    assert list(dict.fromkeys(frame["id"])) == ["dtw", "X-finetuned"]
    text = (folder / "breakdown.md").read_text()
    assert text.startswith("# mine: retrieval by text, sign language and signer\n")
    assert "| anna " in text
    assert "labels (X-finetuned: among prompts)" in text
    assert {path.name for path in folder.iterdir()} == {
        files.DIGESTS,
        *(f"breakdown.{suffix}" for suffix in page.SUFFIXES),
    }


def test_the_table_is_written_from_points_and_what_is_missing_is_left_out(workspace, written):
    assert "Nothing to show here" in written(breakdown.TABLE)["md"]
    ranks = {clip: [1, 2] for clip in CLIPS.index}
    tables = [
        of_points(predicted(ranks), "abcdefg").assign(split=need.split, encoder=name)
        for need in breakdown.NEEDS
        for name in suites.expand(need.rows)
        if name != "stgcn"
    ]
    workspace.points.mkdir(parents=True)
    pd.concat(tables).to_csv(workspace.points / "predictions.csv", index=False)
    CLIPS.to_csv(workspace.points / "clips.csv", index=False)
    text = written(breakdown.TABLE)["md"]
    assert "## R@1 by letter, letters" in text
    assert "posec3d" in text
    assert "| stgcn " not in text
    with_clips, predicted_, texts = text.split("\n| letters ")[1].split("\n")[0].split("|")[-4:-1]
    assert (with_clips.strip(), predicted_.strip(), texts.strip()) == ("2", "3", "7")


def test_predictions_of_another_corpus_are_named():
    predictions = pd.DataFrame(
        {"id": ["else"], "seed": 0, "label": "a", "predicted": "a", "rank": 1}
    )
    with pytest.raises(ConfigError, match="predictions of else, a clip that the corpus does not"):
        grouped(predictions, SIGNED, TEXTS)
