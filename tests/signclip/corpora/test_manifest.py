"""Manifests: what a corpus says of its clips is checked whole; a damaged clip costs only itself."""

import csv
import dataclasses
import os
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from signclip import corpora
from signclip.core import files
from signclip.core.errors import ConfigError, LanguageTagError, ManifestError, SignCLIPError
from signclip.corpora import manifest, splits
from signclip.text import label

EMBEDDED = "spreadthesign-fingerspelling"


def build(folder) -> tuple[pd.DataFrame, pd.DataFrame]:
    return corpora.build("folder", folder, progress=False)


def rows(**changes) -> pd.DataFrame:
    """Two good rows; each change replaces the second row's value."""
    good = dict(
        id="a", path="a.pose", text="A", sign_language="ase", spoken_language="en", signer="",
        split="",
    )  # fmt: skip
    return pd.DataFrame([good, {**good, "id": "b", "path": "b.pose", **changes}])


# The embedded corpus


def test_the_embedded_corpus_has_600_clips_of_19_languages_and_26_dropped_copies(embedded):
    assert len(embedded.manifest) == 600
    assert embedded.manifest["sign_language"].nunique() == 19
    assert len(embedded.dropped) == 26
    assert set(embedded.dropped["id"].str[:4]) == {"fsl-"}
    assert embedded.dropped["reason"].str.startswith("copy: the index lists the ase file").all()
    assert "fsl" not in set(embedded.manifest["sign_language"])


def test_kept_and_dropped_are_all_rows_of_the_lexicons_index(embedded):
    with open(embedded.root / "index.csv", encoding="utf-8", newline="") as file:
        entries = [(e["signed_language"], e["path"]) for e in csv.DictReader(file)]
    ours = pd.concat([embedded.manifest, embedded.dropped])
    assert sorted(zip(ours["id"].str.split("-").str[0], ours["path"], strict=True)) == sorted(
        entries
    )


def test_410_clips_in_16_languages_bear_a_latin_letter(embedded):
    latin = embedded.manifest[embedded.manifest["text"].map(label).isin(splits.LATIN)]
    assert len(latin) == 410
    assert latin["sign_language"].nunique() == 16
    assert latin.groupby("sign_language")["text"].nunique().max() == 26


def test_every_language_signs_a_label_once_and_no_content_occurs_twice(embedded):
    table = embedded.manifest.assign(label=embedded.manifest["text"].map(label))
    assert not table.duplicated(["sign_language", "label"]).any()
    assert not table["sha256"].duplicated().any()
    assert not table["id"].duplicated().any()


def test_hash_frames_and_rate_are_those_of_the_files(embedded):
    from pose_format import Pose

    for row in embedded.manifest[::60].to_dict("records"):
        path = embedded.root / row["path"]
        pose = Pose.read(path.read_bytes())
        assert row["sha256"] == files.sha256_file(path)
        assert (row["frames"], row["fps"]) == (len(pose.body.data), pose.body.fps)


def test_texts_and_ids_are_nfc_and_ids_are_casefolded(embedded):
    for text in [*embedded.manifest["text"], *embedded.manifest["id"]]:
        assert unicodedata.is_normalized("NFC", text)
    first = embedded.manifest.iloc[0]
    assert first["id"] == f"{first['sign_language']}-{label(first['text'])}"


def test_the_lexicon_is_found_only_where_its_index_is(tmp_path, embedded):
    assert corpora.find(EMBEDDED, tmp_path) is None
    assert corpora.find(EMBEDDED, embedded.root) == corpora.find(EMBEDDED) == embedded.root
    with pytest.raises(ConfigError, match=r"holds no index\.csv"):
        corpora.root(EMBEDDED, tmp_path)


def test_without_the_package_the_lexicon_says_how_to_install_it(monkeypatch):
    lexicon = dataclasses.replace(corpora.LOADERS[EMBEDDED], installed=lambda: None)
    monkeypatch.setitem(corpora.LOADERS, EMBEDDED, lexicon)
    assert corpora.find(EMBEDDED) is None
    with pytest.raises(ConfigError, match="pip install spoken-to-signed"):
        corpora.root(EMBEDDED)


def test_an_unknown_corpus_is_refused_and_the_known_ones_are_named():
    with pytest.raises(ConfigError, match="spreadthesign-fingerspelling, folder"):
        corpora.build("rwth")


# Bring your own


def test_a_folder_corpus_keeps_what_its_csv_says_in_its_order(good_clips):
    kept, dropped = build(good_clips.root)
    assert list(kept.columns) == list(manifest.COLUMNS)
    assert dropped.empty
    given = pd.DataFrame(good_clips.rows)
    pd.testing.assert_frame_equal(
        kept[list(manifest.GIVEN)], given[list(manifest.GIVEN)], check_dtype=False
    )
    assert kept["frames"].tolist() == [3, 4, 5]
    assert kept["fps"].tolist() == [25.0] * 3


def test_each_kind_of_damage_is_a_dropped_row_and_the_good_clips_stay(
    good_clips, damaged, damaged_kind
):
    good_clips.add("broken", damaged[damaged_kind])
    kept, dropped = build(good_clips.write())
    assert kept["id"].tolist() == ["good-0", "good-1", "good-2"]
    assert dropped[["id", "path"]].values.tolist() == [["broken", "broken.pose"]]
    assert len(dropped["reason"][0]) > 5


def test_a_missing_file_is_a_dropped_row_and_the_good_clips_stay(good_clips):
    good_clips.add("gone", None)
    (good_clips.root / "folder.pose").mkdir()
    good_clips.add("folder", None)
    kept, dropped = build(good_clips.write())
    assert len(kept) == 3
    assert dropped["id"].tolist() == ["gone", "folder"]
    assert dropped["reason"].tolist() == [
        "the file does not exist",
        "cannot be read (it is a folder)",
    ]


def test_the_second_clip_of_equal_content_is_dropped_with_the_first_ones_name(good_clips):
    content = (good_clips.root / "good-1.pose").read_bytes()
    good_clips.add("again", content, split="validation", text="tea")
    kept, dropped = build(good_clips.write())
    assert len(kept) == 3
    assert dropped["id"].tolist() == ["again"]
    assert dropped["reason"].tolist() == ["same content as good-1"]


def test_one_content_on_two_sides_of_ones_own_split_is_an_error_naming_both(good_clips):
    content = (good_clips.root / "good-1.pose").read_bytes()
    good_clips.add("again", content, split="test")
    message = r"again: same content as good-1, in two sets \(test and validation\)"
    with pytest.raises(ManifestError, match=message):
        build(good_clips.write())


def test_reasons_are_counted_and_the_rare_ones_added_up():
    rare = [f"same content as {number}" for number in range(12)]
    dropped = pd.DataFrame({"reason": [*rare, *["no frames"] * 2000]})
    lines = manifest.reasons(dropped, most=3)
    assert lines[0] == "2,000: no frames"
    assert lines[3] == "10: 10 other reasons, all in dropped.csv"
    assert manifest.reasons(dropped[:0]) == []


def test_kept_and_dropped_clips_survive_writing_and_reading(good_clips, damaged, tmp_path):
    good_clips.add("broken, alas", damaged["empty"], path="broken.pose", text='say "no"\nnow')
    kept, dropped = build(good_clips.write())
    corpora.write(tmp_path / "out", kept, dropped, splits.build(kept))
    pd.testing.assert_frame_equal(
        manifest.read_dropped(tmp_path / "out"), dropped, check_dtype=False
    )
    pd.testing.assert_frame_equal(manifest.read(tmp_path / "out"), kept, check_dtype=False)


def test_a_corpus_without_a_usable_clip_is_refused_with_a_clips_reason(folder_corpus, damaged):
    folder_corpus.add("broken", damaged["zero frames"])
    with pytest.raises(ManifestError, match=r"1 dropped; broken: no frames"):
        build(folder_corpus.write())


def test_a_corpus_whose_rows_are_all_refused_is_refused_with_the_reason(folder_corpus):
    folder_corpus.add("outside", None, path="../outside.pose")
    with pytest.raises(ManifestError, match=r"1 dropped; outside: path .* leaves the corpus"):
        build(folder_corpus.write())


def test_a_manifest_without_rows_is_refused(folder_corpus):
    with pytest.raises(ManifestError, match="no clip"):
        build(folder_corpus.write())


@pytest.mark.parametrize("column", manifest.GIVEN)
def test_a_missing_column_is_refused_by_name(good_clips, column):
    table = pd.DataFrame(good_clips.rows).drop(columns=column)
    table.to_csv(good_clips.root / "manifest.csv", index=False)
    with pytest.raises(ManifestError, match=f"manifest.csv: column '{column}' is missing"):
        build(good_clips.root)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "dev"}, "bad: split 'dev' is none of train, validation, test"),
        ({"split": ""}, "bad: split ''"),
        ({"path": ""}, "bad: empty path"),
        ({"text": " "}, "bad: empty text"),
        ({"id": ""}, "empty id"),
        ({"id": "good-1"}, "good-1: this id occurs more than once"),
        ({"sign_language": ""}, "bad: empty sign_language"),
        ({"sign_language": "xyz"}, "bad in .*manifest.csv: unknown sign-language tag 'xyz'"),
        ({"sign_language": "lis"}, r"bad in .*csv: .*did you mean ise \(Italian Sign Language\)"),
        ({"sign_language": "ASE"}, "did you mean ase"),
    ],
)
def test_a_bad_row_is_one_error_naming_the_sample(good_clips, changes, message):
    good_clips.add("bad", None, **changes)
    with pytest.raises(SignCLIPError, match=message) as error:
        build(good_clips.write())
    assert str(error.value).count(str(good_clips.root / "manifest.csv")) == 1


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../clip.pose", "path '../clip.pose' leaves the corpus folder"),
        ("/clip.pose", "path '/clip.pose' is absolute"),
        ("c\0.pose", "holds a NUL character"),
        ("c" * 5000, "is too long for a file"),
    ],
)
def test_a_path_that_must_not_be_read_costs_its_own_row(good_clips, path, reason):
    good_clips.add("bad", None, path=path)
    kept, dropped = build(good_clips.write())
    assert "bad" not in set(kept["id"])
    assert len(kept) == len(good_clips.rows) - 1
    (row,) = dropped.to_dict("records")
    assert row["id"] == "bad"
    assert reason in row["reason"]


def test_links_out_of_the_folder_are_followed(good_clips, tmp_path):
    """The caches of hubs, and DVC, put links in the place of files."""
    elsewhere = tmp_path / "another-disk"
    (good_clips.root).rename(elsewhere)
    good_clips.root.mkdir()
    for path in elsewhere.iterdir():
        (good_clips.root / path.name).symlink_to(path)
    kept, dropped = build(good_clips.write())
    assert len(kept) == len(good_clips.rows)
    assert dropped.empty


def test_a_pipe_a_folder_and_a_link_to_itself_cost_their_own_rows(good_clips):
    for name in ("pipe", "folder", "loop"):
        good_clips.add(name, None)
    os.mkfifo(good_clips.root / "pipe.pose")
    (good_clips.root / "folder.pose").mkdir()
    (good_clips.root / "loop.pose").symlink_to("loop.pose")
    kept, dropped = build(good_clips.write())
    assert len(kept) == len(good_clips.rows) - 3
    reasons = dropped.set_index("id")["reason"]
    assert "pipe" in reasons["pipe"]
    assert "folder" in reasons["folder"]
    assert set(reasons.index) == {"pipe", "folder", "loop"}


def test_points_that_are_not_finite_are_missing_and_counted(
    good_clips, make_pose, pose_bytes, caplog
):
    pose = make_pose(seed=77)
    pose.body.data.data[1, 0, 540:543] = np.nan
    good_clips.add("gaps", pose_bytes(pose))
    kept, dropped = build(good_clips.write())
    assert "gaps" in set(kept["id"])
    assert dropped.empty
    assert "3 points of 1 clips (gaps) are not finite; they count as missing" in caplog.text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("short,short.pose,tea,ase", "short: the row has too few fields"),
        ("long,long.pose,tea,ase,en,s1,train,more", "long: the row has too many fields"),
        ("moved,moved.pose,tea, please,ase,en,s1,train", "moved: the row has too many fields"),
        ('open,open.pose,tea,ase,en,"s1,train', r"manifest.csv: .* line 5 .*a quote not closed"),
        ("large,large.pose," + "t" * 200_000 + ",ase,en,s1,train", "larger than field limit"),
    ],
    ids=["short", "long", "moved", "open", "large"],
)
def test_a_row_of_the_wrong_length_is_refused(good_clips, line, message):
    with open(good_clips.root / "manifest.csv", "a") as file:
        file.write(f"{line}\n")
    with pytest.raises(ManifestError, match=message):
        build(good_clips.root)


def test_a_column_that_is_there_twice_is_refused_and_blank_lines_are_no_rows(good_clips):
    source = good_clips.root / "manifest.csv"
    text = source.read_text()
    source.write_text(f"\n{text}\n\n")
    assert len(build(good_clips.root)[0]) == 3
    source.write_text(text.replace("signer", "text", 1))
    with pytest.raises(ManifestError, match="column 'text' is there more than once"):
        build(good_clips.root)


def test_a_byte_order_mark_does_not_matter_and_another_encoding_is_refused(good_clips):
    source = good_clips.root / "manifest.csv"
    text = source.read_text().replace("water", "Wäsche")
    source.write_text(text, encoding="utf-8-sig")
    assert set(build(good_clips.root)[0]["text"]) == {"Wäsche"}
    source.write_text(text, encoding="latin-1")
    with pytest.raises(ManifestError, match="not UTF-8 text"):
        build(good_clips.root)


def test_forty_real_clips_of_three_signers_become_a_corpus(shared, tmp_path):
    """asl-words has no face component, 13 ASL words, 3 signers."""
    source = shared("data/asl-words")
    table = pd.read_csv(source / "manifest.csv", dtype=str, keep_default_na=False)
    assert len(table) == 1650
    chosen = table.iloc[:: len(table) // 40][:40]
    for path in chosen["path"]:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copy(source / path, tmp_path / path)
    chosen.to_csv(tmp_path / "manifest.csv", index=False)
    kept, dropped = build(tmp_path)
    assert sorted([*kept["id"], *dropped["id"]]) == sorted(chosen["id"])
    assert len(kept) == 40
    assert kept["signer"].nunique() == 3
    assert set(kept["split"]) <= {"train", "validation", "test"}


# The manifest file


def test_a_manifest_that_breaks_the_schema_cannot_be_written(embedded, tmp_path):
    twice = pd.concat([embedded.manifest, embedded.manifest[:1]])
    with pytest.raises(ManifestError, match=embedded.manifest["id"][0]):
        corpora.write(tmp_path / "out", twice, embedded.dropped, embedded.splits)
    assert list(tmp_path.iterdir()) == []


def test_a_leaky_split_cannot_be_written(embedded, tmp_path):
    leak = pd.concat([embedded.splits, embedded.splits[:1].assign(role="other")])
    with pytest.raises(ConfigError, match="same file or clip"):
        corpora.write(tmp_path / "out", embedded.manifest, embedded.dropped, leak)
    assert list(tmp_path.iterdir()) == []


def test_a_built_corpus_replaces_an_older_one_and_never_a_folder_of_other_things(
    good_clips, tmp_path
):
    """Written over its own source, a corpus would delete the clips that it is made of."""
    kept, dropped = build(good_clips.root)
    table = splits.build(kept)
    before = sorted(good_clips.root.iterdir())
    with pytest.raises(ConfigError, match="holds good-0"):
        corpora.write(good_clips.root, kept, dropped, table)
    assert sorted(good_clips.root.iterdir()) == before
    corpora.write(tmp_path / "out", kept, dropped, table)
    corpora.write(tmp_path / "out", kept[:2], dropped, table[:2])
    assert len(manifest.read(tmp_path / "out")) == 2


@pytest.mark.parametrize("column", manifest.COLUMNS)
def test_reading_a_manifest_without_a_column_is_refused(embedded, tmp_path, column):
    embedded.manifest[:3].drop(columns=column).to_parquet(tmp_path / manifest.MANIFEST_FILE)
    with pytest.raises(ManifestError, match=f"'{column}' is missing"):
        manifest.read(tmp_path)


@pytest.mark.parametrize("column", ["id", "path", "text", "sign_language"])
def test_a_null_is_an_empty_value(embedded, tmp_path, column):
    table = embedded.manifest[:3].copy()
    table.loc[1, column] = None
    table.to_parquet(tmp_path / manifest.MANIFEST_FILE)
    with pytest.raises(ManifestError, match=f"empty {column}"):
        manifest.read(tmp_path)


def test_reading_a_missing_or_damaged_manifest_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ManifestError, match=r"signclip corpora build .* makes it$"):
        manifest.read(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ManifestError, match=f"{tmp_path} has no params.yaml: run this in the rep"):
        manifest.read(Path("data/x"))
    (tmp_path / manifest.MANIFEST_FILE).write_bytes(b"PAR1 but no more")
    with pytest.raises(ManifestError, match="not a Parquet file"):
        manifest.read(tmp_path)


def test_good_rows_pass_and_an_error_names_its_row():
    manifest.check_rows(rows(), source="here")
    with pytest.raises(ManifestError, match="here, row 1: empty id"):
        manifest.check_rows(rows(id="  "), source="here")
    with pytest.raises(LanguageTagError, match=r"b in here: .*'deutsch'"):
        manifest.check_rows(rows(sign_language="deutsch"), source="here")
