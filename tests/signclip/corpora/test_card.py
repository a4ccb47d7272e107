"""Corpus cards: the numbers are the corpus's, equal corpora give equal bytes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from signclip import corpora
from signclip.core import verify
from signclip.core.errors import ConfigError, ManifestError
from signclip.corpora import card, catalogue


@pytest.fixture
def written(untouched, tmp_path):
    """The card of Sem-Lex's miniature: (its paths, the manifest)."""
    root = untouched("sem-lex")
    clips, dropped = corpora.build("sem-lex", root, progress=False)
    corpora.write(tmp_path / "sem-lex", clips, dropped, corpora.split_table("sem-lex", clips))
    about = catalogue.about("sem-lex")
    paths = card.write(tmp_path / "sem-lex", root, about, tmp_path / "cards", progress=False)
    return paths, clips


def test_a_card_says_counts_signers_licence_and_defects(written):
    paths, clips = written
    text = paths["md"].read_text(encoding="utf-8")
    about = catalogue.about("sem-lex")
    assert "| clips     | 12     | 91,148          |" in text
    assert "| signers   | 4      | 41              |" in text
    assert "signers are shared: 4 of the 4" in text
    for part in (about.citation, about.licence_source, *about.defects):
        assert part in text
    assert f"{clips['frames'].sum()} frames" in text


def test_the_plotted_numbers_stand_beside_the_picture(written):
    paths, clips = written
    rows = pd.read_csv(paths["csv"], dtype={"name": str}, keep_default_na=False)
    panels = rows.groupby("panel")["value"].sum()
    assert panels["length"] == panels["language"] == panels["concept"] == len(clips) == 12
    assert list(rows.query("panel == 'concept'")["name"]) == list(card.concepts(clips)["label"])
    shares = rows[rows["panel"].str.endswith("seen")]["value"]
    assert shares.between(0, 1).all()
    assert imread(paths["png"]).shape[1] > 1000


def test_a_changed_byte_of_a_card_is_named(written):
    paths, _ = written
    folder = paths["md"].parent
    assert verify.verify([folder]) == (1, [])
    for path in paths.values():
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    _, damaged = verify.verify([folder])
    assert sorted(line.partition(":")[0] for line in damaged) == sorted(map(str, paths.values()))


def test_equal_corpora_give_equal_bytes(written, untouched, tmp_path):
    paths, _ = written
    again = card.write(
        tmp_path / "sem-lex",
        untouched("sem-lex"),
        catalogue.about("sem-lex"),
        tmp_path / "again",
        progress=False,
    )
    for suffix, path in paths.items():
        assert path.read_bytes() == again[suffix].read_bytes()
    assert sorted(p.name for p in (tmp_path / "again").iterdir()) == [
        "sem-lex.csv",
        "sem-lex.md",
        "sem-lex.png",
        "sha256.json",
    ]


def test_detection_counts_frames_and_clips(folder_corpus, make_pose, pose_bytes):
    """Two clips of 4 and 6 frames; the left hand is seen in half of the second alone."""
    folder_corpus.add("right", pose_bytes(make_pose(seed=1, frames=4, hands=("RIGHT",))))
    half = make_pose(seed=2, frames=6)
    half.body.confidence[:3, :, -42:-21] = 0
    folder_corpus.add("half", pose_bytes(half))
    root = folder_corpus.write()
    clips, _ = corpora.build("folder", root, progress=False)
    seen = card.detection(clips, root, progress=False).set_index("part")
    assert seen.loc["left hand"].tolist() == [0.3, 0.5]
    assert seen.loc["right hand"].tolist() == [1.0, 1.0]
    assert seen.loc["face"].tolist() == [1.0, 1.0]


def test_a_large_corpus_is_sampled_and_the_card_says_so(untouched, monkeypatch):
    root = untouched("sem-lex")
    clips, dropped = corpora.build("sem-lex", root, progress=False)
    read = []
    real = card.reader.read_pose
    monkeypatch.setattr(card.reader, "read_pose", lambda *a, **k: read.append(1) or real(*a, **k))
    monkeypatch.setattr(card, "SAMPLE", 5)
    seen = card.detection(clips, root, progress=False)
    assert len(read) == 5
    table = corpora.split_table("sem-lex", clips)
    about = catalogue.about("sem-lex")
    assert "in a sample of 5 clips" in card.markdown("x", about, clips, dropped, table, seen)


def test_the_histogram_holds_every_clip_whatever_the_lengths():
    rng = np.random.default_rng(0)
    for frames in ([1], [20] * 9, rng.integers(1, 3000, 500), [5, 5, 5, 258]):
        table = card.lengths(pd.DataFrame({"frames": frames}))
        assert table["clips"].sum() == len(frames)
        assert (table["from"][1:].to_numpy() == table["to"][:-1].to_numpy()).all()


def test_the_totals_are_those_of_the_clips(written):
    """Clips of several frame rates, labels that differ in case only, and unrecorded signers."""
    paths, clips = written
    rows = pd.read_csv(paths["csv"], dtype={"name": str}, keep_default_na=False)
    total = rows.query("panel == 'total'").set_index("name")["value"]
    assert total["signers"] == 4
    assert total["frames"] == clips["frames"].sum()
    made = pd.DataFrame(
        {
            "text": ["A", "a", "b"],
            "sign_language": ["ase", "gsg", "gsg"],
            "signer": ["", "", ""],
            "frames": [90_000, 30 * 3600, 25 * 1800],
            "fps": [25.0, 30.0, 25.0],
        }
    )
    assert card.totals(made) == {
        "clips": 3,
        "sign_languages": 2,
        "signers": 0,
        "signs": 2,
        "hours": 2.5,
        "frames": 243_000,
    }
    assert card.concepts(made).values.tolist() == [["a", 2], ["b", 1]]


def test_a_corpus_that_is_not_built_has_no_card(tmp_path):
    with pytest.raises((ConfigError, ManifestError), match="signclip corpora build"):
        card.write(tmp_path, tmp_path, catalogue.about("folder"), tmp_path, progress=False)
