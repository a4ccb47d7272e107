"""Predictions taken apart: small ones by hand, and from files."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks import suites
from benchmarks.evaluation.predictions import CLIPS_FILE, GALLERY_FILE, TAGGED
from benchmarks.report.tables import breakdown
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
    """Two seeds' predictions; whoever is wrong says c."""
    rows = [
        {
            "id": clip,
            "seed": seed,
            "label": CLIPS.loc[clip, "text"].lower(),
            "predicted": CLIPS.loc[clip, "text"].lower() if rank == 1 else "c",
            "rank": rank,
        }
        for clip, of_seed in ranks.items()
        for seed, rank in enumerate(of_seed)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


def test_letters_and_languages_are_counted_by_clip_and_seed():
    found = breakdown.apart(
        predicted({"p": [1, 1], "q": [1, 3], "r": [2, 2], "s": [1, 1]}), CLIPS, TEXTS
    )
    table = breakdown.table({("letters", "x"): found}).fillna("")
    table = table.set_index(["by", "group"])
    assert table.loc[("all", ""), "R@1"] == pytest.approx(2.5 / 4)
    assert table.loc[("language", "ase"), "R@1"] == pytest.approx(0.75)
    assert table.loc[("language", "gsg"), "R@1"] == pytest.approx(0.5)
    assert table.loc[("class", "a"), "R@1"] == pytest.approx(0.5)
    assert table.loc[("class", "mean over groups"), "R@1"] == pytest.approx(0.625)
    assert "signer" not in table.index.get_level_values(0)
    assert (found.coverage.texts, found.coverage.clips) == (9, 4)
    row = breakdown.summary({("letters", "x"): found}).iloc[0]
    assert (row["texts asked"], row["texts answered"], row["texts"]) == ("2", "3", "9")
    assert row["R@1 by signer"] == "–"


def test_a_column_an_encoder_and_a_row_a_language():
    both = {
        ("letters", name): breakdown.apart(predicted({c: [rank] for c in "pqrs"}), CLIPS, TEXTS)
        for name, rank in (("good", 1), ("bad", 2))
    }
    part = breakdown.groups(both, "letters", "language")
    assert part.to_dict("list") == {
        "language": ["ase", "gsg"],
        "clips": ["2", "2"],
        "good": ["1.000"] * 2,
        "bad": ["0.000"] * 2,
    }


def test_a_row_a_signer_and_the_clips_without_one_are_counted():
    ranks = {"p": [1], "q": [2], "r": [1], "s": [2]}
    found = {("official", "x"): breakdown.apart(predicted(ranks), SIGNED, TEXTS)}
    parts = breakdown.blocks(found, ["official"])
    assert parts["R@1 by signer, official"].to_dict("list") == {
        "signer": ["anna", "ben"],
        "clips": ["2", "1"],
        "x": ["0.500", "1.000"],
    }
    assert parts["All clips"]["R@1 by signer"].tolist() == ["0.750"]
    notes = " ".join(breakdown.notes(found, "mine", "cpu", [0]))
    assert "No signer is recorded for 1 of 4 clips (official)" in notes
    assert "No language" not in notes
    assert "Each clip's own text is in its gallery." in notes


def test_more_groups_than_an_alphabet_are_in_the_csv_alone():
    many = pd.DataFrame(
        {"id": [f"{i:02d}" for i in range(27)], "text": "a", "sign_language": "ase"}
    )
    many = many.assign(signer=many["id"]).set_index("id", drop=False)
    answers = many[["id"]].assign(seed=0, label="a", predicted="a", rank=1)
    found = {("official", "x"): breakdown.apart(answers, many, ["a"])}
    assert list(breakdown.blocks(found, ["official"])) == [
        "All clips",
        "R@1 by sign language, official",
        "R@1 by text, official",
    ]
    assert (breakdown.table(found)["by"] == "signer").sum() == 28  # and their mean
    fewer = {("official", "x"): breakdown.apart(answers[1:], many, ["a"])}
    assert "R@1 by signer, official" in breakdown.blocks(fewer, ["official"])


def test_clips_that_cannot_be_right_are_told():
    answers = predicted({"p": [1], "q": [5], "r": [1], "s": [5]})
    found = {("official", "x"): breakdown.apart(answers, CLIPS, ["a", "c"])}
    notes = " ".join(breakdown.notes(found, "mine", "cpu", [0]))
    assert "cannot be right: 2 of 4 (x, official)." in notes


def test_an_encoder_without_some_clips_has_a_dash_for_their_groups():
    found = {
        ("official", "all"): breakdown.apart(predicted({c: [1] for c in "pqrs"}), SIGNED, TEXTS),
        ("official", "some"): breakdown.apart(predicted({"p": [1]}), SIGNED, TEXTS),
    }
    part = breakdown.groups(found, "official", "signer")
    assert part["some"].tolist() == ["1.000", "–"]


def below(folder: Path) -> dict[str, Any]:
    """What the tables are written from and to."""
    named = {name: folder / name for name in ("data", "predictions")}
    return named | {"results_folder": folder / "results", "profile": "cpu"}


def test_a_named_split_of_any_corpus_shows_whoever_has_predictions(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "read", lambda folder: SIGNED.reset_index(drop=True))
    given = below(tmp_path) | {"corpus": "mine", "splits": ["official"]}
    with pytest.raises(ConfigError, match="evaluate baselines --corpus mine --split official"):
        breakdown.write(**given)
    texts = pd.DataFrame({"seed": 0, "fold": 0, "label": list("abc")})
    for name, prefix in (("dtw", ""), ("X-finetuned", TAGGED)):
        folder = tmp_path / "predictions" / name / "official"
        folder.mkdir(parents=True)
        predicted({c: [1] for c in "pqrs"}).to_parquet(folder / (prefix + CLIPS_FILE))
        texts.to_parquet(folder / (prefix + GALLERY_FILE))
    frame = breakdown.write(**given)
    assert list(dict.fromkeys(frame["id"])) == ["dtw", "X-finetuned"]
    text = (tmp_path / "results/tables/mine-breakdown.md").read_text()
    assert "# mine: retrieval by text, sign language and signer" in text
    assert "| anna " in text
    assert "labels (X-finetuned: among prompts)" in text
    assert {path.name for path in (tmp_path / "results/tables").iterdir()} == {
        f"mine-breakdown.{suffix}" for suffix in ("csv", "md", "tex")
    }


def test_the_tables_are_written_from_files_and_a_missing_one_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "read", lambda folder: CLIPS.reset_index(drop=True))
    given = below(tmp_path) | {"corpus": "c"}
    for split, rows in breakdown.ROWS.items():
        for name in suites.expand(rows):
            folder = tmp_path / "predictions" / name / split
            folder.mkdir(parents=True)
            predicted({c: [1, 2] for c in "pqrs"}).to_parquet(folder / CLIPS_FILE)
            texts = [{"seed": seed, "fold": 0, "label": c} for seed in (0, 1) for c in "abcdefg"]
            pd.DataFrame(texts).to_parquet(folder / GALLERY_FILE)
    breakdown.write(**given)
    text = (tmp_path / "results/tables/breakdown.md").read_text()
    assert "## R@1 by letter, letters" in text
    assert "posec3d" in text
    asked, answered, texts = text.split("\n| letters ")[1].split("\n")[0].split("|")[-4:-1]
    assert (asked.strip(), answered.strip(), texts.strip()) == ("2", "3", "7")
    (tmp_path / "predictions/X/in_domain" / CLIPS_FILE).unlink()
    with pytest.raises(ConfigError, match="evaluate X --split in_domain"):
        breakdown.write(**given)


def test_predictions_of_another_corpus_are_named():
    answers = pd.DataFrame({"id": ["else"], "seed": 0, "label": "a", "predicted": "a", "rank": 1})
    with pytest.raises(ConfigError, match="predictions of else, a clip that the corpus does not"):
        breakdown.apart(answers, SIGNED, TEXTS)
