"""Predictions taken apart: small ones by hand, and from files."""

import pandas as pd
import pytest

from benchmarks import suites, tables_breakdown
from benchmarks.predictions import CLIPS_FILE, GALLERY_FILE
from signclip import manifest
from signclip.errors import ConfigError

CLIPS = pd.DataFrame(
    {
        "id": list("pqrs"),
        "text": ["a", "b", "A", "b"],
        "sign_language": ["ase", "ase", "gsg", "gsg"],
        "signer": [""] * 4,
    }
).set_index("id", drop=False)


TEXTS = 9


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
    found = tables_breakdown.apart(
        predicted({"p": [1, 1], "q": [1, 3], "r": [2, 2], "s": [1, 1]}), CLIPS, TEXTS
    )
    table = tables_breakdown.table({("letters", "x"): found}).fillna("")
    table = table.set_index(["by", "group"])
    assert table.loc[("all", ""), "R@1"] == pytest.approx(2.5 / 4)
    assert table.loc[("language", "ase"), "R@1"] == pytest.approx(0.75)
    assert table.loc[("language", "gsg"), "R@1"] == pytest.approx(0.5)
    assert table.loc[("class", "a"), "R@1"] == pytest.approx(0.5)
    assert table.loc[("class", "mean over groups"), "R@1"] == pytest.approx(0.625)
    assert "signer" not in table.index.get_level_values(0)
    assert (found.coverage.texts, found.coverage.clips) == (9, 4)
    row = tables_breakdown.summary({("letters", "x"): found}).iloc[0]
    assert (row["texts asked"], row["texts answered"], row["texts"]) == ("2", "3", "9")
    assert row["R@1 by signer"] == "–"


def test_a_column_an_encoder_and_a_row_a_language():
    both = {
        ("letters", name): tables_breakdown.apart(
            predicted({c: [rank] for c in "pqrs"}), CLIPS, TEXTS
        )
        for name, rank in (("good", 1), ("bad", 2))
    }
    part = tables_breakdown.groups(both, "letters", "language")
    assert part.to_dict("list") == {
        "language": ["ase", "gsg"],
        "clips": ["2", "2"],
        "good": ["1.000"] * 2,
        "bad": ["0.000"] * 2,
    }


def test_the_tables_are_written_from_files_and_a_missing_one_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "read", lambda folder: CLIPS.reset_index(drop=True))
    given = dict(
        profile="cpu",
        corpus="c",
        data=tmp_path / "data",
        predictions=tmp_path / "predictions",
        results_folder=tmp_path / "results",
    )
    for split, rows in tables_breakdown.ROWS.items():
        for name in suites.expand(rows):
            folder = tmp_path / "predictions" / name / split
            folder.mkdir(parents=True)
            predicted({c: [1, 2] for c in "pqrs"}).to_parquet(folder / CLIPS_FILE)
            texts = [{"seed": seed, "fold": 0, "label": c} for seed in (0, 1) for c in "abcdefg"]
            pd.DataFrame(texts).to_parquet(folder / GALLERY_FILE)
    tables_breakdown.write(**given)
    text = (tmp_path / "results/tables/breakdown.md").read_text()
    assert "## R@1 by letter, letters" in text
    assert "posec3d" in text
    asked, answered, texts = text.split("\n| letters ")[1].split("\n")[0].split("|")[-4:-1]
    assert (asked.strip(), answered.strip(), texts.strip()) == ("2", "3", "7")
    (tmp_path / "predictions/X/in_domain" / CLIPS_FILE).unlink()
    with pytest.raises(ConfigError, match="evaluate X --split in_domain"):
        tables_breakdown.write(**given)
