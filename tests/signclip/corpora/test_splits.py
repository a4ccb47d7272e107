"""Splits: who is trained on, validated on and tested on, as rules that must hold for every fold."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from signclip import corpora
from signclip.core.errors import ConfigError
from signclip.corpora import splits
from signclip.text import label

ALONE = {"jos", "ukl", "gss"}  # Arabic, Cyrillic and Greek script: they share no label


@pytest.fixture(scope="module")
def table(embedded) -> pd.DataFrame:
    """Every (split, fold, clip) with its role, language, label and content."""
    clips = embedded.manifest.assign(label=embedded.manifest["text"].map(label))
    return embedded.splits.merge(clips[["id", "sign_language", "label", "sha256"]], on="id")


def folds(table: pd.DataFrame, name: str) -> list[pd.DataFrame]:
    return [rows for _, rows in table[table["split"] == name].groupby("fold")]


def role(rows: pd.DataFrame, *names: str) -> pd.DataFrame:
    return rows[rows["role"].isin(names)]


# All splits


def test_the_embedded_corpus_has_the_three_splits_of_the_issue(table):
    assert {name: len(folds(table, name)) for name in table["split"].unique()} == {
        "letters": 5,
        "in_domain": 1,
        "unseen_language": 5,
    }
    assert set(table["role"]) == set(splits.ROLES)


def test_no_content_and_no_clip_stands_on_two_sides(table):
    for _, rows in table.groupby(["split", "fold"]):
        assert not rows["id"].duplicated().any()
        sides = [set(part["sha256"]) for _, part in rows.groupby("role")]
        assert all(not one & other for one, other in combinations(sides, 2))


def test_every_tested_and_validated_label_is_trained(table):
    for _, rows in table.groupby(["split", "fold"]):
        held_out = set(role(rows, "test", "validation")["label"])
        assert held_out <= set(role(rows, "train")["label"])


def test_splits_depend_neither_on_the_run_nor_on_the_order_of_the_manifest(embedded):
    def canonical(table):
        return table.sort_values(["split", "fold", "id"]).reset_index(drop=True)

    shuffled = embedded.manifest.sample(frac=1, random_state=7)
    for again in (embedded.manifest, shuffled):
        pd.testing.assert_frame_equal(canonical(splits.build(again)), canonical(embedded.splits))


def test_the_splits_are_the_ones_that_committed_results_were_made_on(embedded):
    """Who stands where is part of every result; a new numpy or a new rule must not move it."""
    assert {name: splits.fingerprint(rows) for name, rows in embedded.splits.groupby("split")} == {
        "in_domain": "5c23ece0c7df",
        "letters": "9a41c68c2e5c",
        "unseen_language": "f044893d479d",
    }


@pytest.mark.parametrize("column", ["sha256", "frames", "fps", "signer", "path"])
def test_splits_are_decided_without_looking_at_the_clips(embedded, column):
    """A score depends on a clip's own frames alone; so who is tested must not depend on frames."""
    other = embedded.manifest.copy()
    other[column] = other[column].to_numpy()[::-1]
    pd.testing.assert_frame_equal(splits.build(other), embedded.splits)


# letters


def test_letters_tests_each_of_the_410_latin_clips_exactly_once(table):
    rows = table[table["split"] == "letters"]
    latin = table[(table["split"] == "in_domain") & table["label"].isin(splits.LATIN)]
    tested = role(rows, "test")["id"]
    assert len(tested) == 410
    assert sorted(tested) == sorted(latin["id"])
    for fold in folds(table, "letters"):
        assert set(fold["id"]) == set(latin["id"])


def test_letters_validates_on_15_percent_of_each_training_part(table):
    for rows in folds(table, "letters"):
        rest = role(rows, "train", "validation")
        assert len(role(rows, "validation")) == round(0.15 * len(rest))
        assert role(rows, "excluded").empty


def test_letters_tests_and_trains_every_letter_in_every_fold_of_like_size(table):
    sizes = []
    for rows in folds(table, "letters"):
        for name in ("test", "train"):
            assert set(role(rows, name)["label"]) == set(splits.LATIN)
        sizes.append(len(role(rows, "test")))
    assert max(sizes) - min(sizes) <= 1


def test_validation_differs_between_the_folds_of_letters(table):
    chosen = [frozenset(role(rows, "validation")["id"]) for rows in folds(table, "letters")]
    assert len(set(chosen)) == 5


# in_domain


def test_in_domain_holds_out_about_a_fifth_of_the_pairs_whose_label_is_shared(table):
    (rows,) = folds(table, "in_domain")
    assert len(rows) == 600
    shared = rows.groupby("label")["sign_language"].transform("nunique") > 1
    assert 0.18 <= len(role(rows, "test")) / shared.sum() <= 0.22
    assert role(rows[~shared], "test", "validation").empty
    assert role(rows, "excluded").empty


def test_in_domain_leaves_each_held_out_label_in_another_training_language(table):
    (rows,) = folds(table, "in_domain")
    train = role(rows, "train")
    for held_out in role(rows, "test", "validation").itertuples():
        languages = set(train["sign_language"][train["label"] == held_out.label])
        assert languages - {held_out.sign_language}, held_out.id


def test_in_domain_trains_every_language(table):
    (rows,) = folds(table, "in_domain")
    assert set(role(rows, "train")["sign_language"]) == set(rows["sign_language"])


# unseen_language


def test_unseen_languages_are_absent_from_training_and_validation(table):
    for rows in folds(table, "unseen_language"):
        test = set(role(rows, "test")["sign_language"])
        validation = set(role(rows, "validation")["sign_language"])
        train = set(role(rows, "train")["sign_language"])
        assert test
        assert validation
        assert not test & validation
        assert not (test | validation) & train


def test_every_language_that_shares_a_label_is_unseen_once_and_the_others_only_train(table):
    tested = [
        language
        for rows in folds(table, "unseen_language")
        for language in role(rows, "test")["sign_language"].unique()
    ]
    assert len(tested) == len(set(tested)) == 16
    assert not ALONE & set(tested)
    for rows in folds(table, "unseen_language"):
        assert set(rows[rows["sign_language"].isin(ALONE)]["role"]) == {"train"}


def test_excluded_are_exactly_the_held_out_clips_whose_label_nobody_trains(table):
    for rows in folds(table, "unseen_language"):
        trained = set(role(rows, "train")["label"])
        held_out = rows[rows["role"] != "train"]
        unknown = ~held_out["label"].isin(trained)
        assert (held_out["role"] == "excluded").tolist() == unknown.tolist()
        assert len(rows) == 600


# Other corpora


def made_up(languages: int, letters: str = "abc") -> pd.DataFrame:
    tags = [f"l{i}" for i in range(languages)]
    return pd.DataFrame(
        [
            dict(id=f"{tag}-{x}", text=x, sign_language=tag, sha256=f"{tag}{x}", split="")
            for tag in tags
            for x in letters
        ]
    )


def test_unseen_language_needs_five_languages_that_share_labels():
    assert set(splits.unseen_language(made_up(5))["role"]) == {"train", "validation", "test"}
    with pytest.raises(ConfigError, match="there are 4"):
        splits.unseen_language(made_up(4))


def test_in_domain_never_holds_out_the_last_clip_of_a_label():
    """Two clips a label: drawn without care, a fifth would take both of some label."""
    for letters in ("abcdefghijklmnopqrstuvwxyz", "абвгґдеєжзиіїйклмнопрст"):
        clips = made_up(2, letters)
        table = splits.in_domain(clips).merge(clips[["id", "text"]], on="id")
        held_out = role(table, "test", "validation")
        assert len(held_out) >= 0.2 * len(clips)
        assert not held_out["text"].duplicated().any()
        assert set(held_out["text"]) <= set(role(table, "train")["text"])


def test_case_and_composition_do_not_make_a_label_another_one():
    clips = made_up(5, letters="x")
    clips["text"] = ["é", "É", "e\N{COMBINING ACUTE ACCENT}", "E\N{COMBINING ACUTE ACCENT}", " é"]
    table = splits.unseen_language(clips)  # needs five languages that share a label
    assert role(table, "test")["id"].tolist() == role(table, "test")["id"].unique().tolist()
    assert set(role(table, "test")["id"]) == set(clips["id"])


def test_a_corpus_with_official_splits_keeps_them_and_gets_no_others():
    clips = made_up(5)
    clips["split"] = ["train", "validation", "test"] * 5
    table = splits.build(clips)
    assert table["split"].unique().tolist() == ["official"]
    assert table["role"].tolist() == clips["split"].tolist()
    assert table["id"].tolist() == clips["id"].tolist()


# The guard


@pytest.mark.parametrize("split", ["letters", "in_domain", "unseen_language"])
def test_the_same_content_on_two_sides_is_refused_naming_both_clips(embedded, split):
    rows = embedded.splits[(embedded.splits["split"] == split) & (embedded.splits["fold"] == 0)]
    splits.check_disjoint(rows, embedded.manifest)
    one, other = (rows["id"][rows["role"] == name].iloc[0] for name in ("train", "test"))
    leaky = embedded.manifest.copy()
    leaky.loc[leaky["id"] == one, "sha256"] = leaky["sha256"][leaky["id"] == other].iloc[0]
    with pytest.raises(ConfigError, match=f"split {split}, fold 0: ") as caught:
        splits.check_disjoint(rows, leaky)
    assert one in str(caught.value)
    assert other in str(caught.value)


def test_a_clip_that_is_listed_on_two_sides_is_refused(embedded):
    rows = splits.official(embedded.manifest.assign(split="train"))
    splits.check_disjoint(rows, embedded.manifest)
    leak = pd.concat([rows, rows[:1].assign(role="test")])
    with pytest.raises(ConfigError, match="same file or clip"):
        splits.check_disjoint(leak, embedded.manifest)


def test_building_refuses_a_corpus_with_one_content_under_two_ids():
    clips = made_up(5)
    clips["split"] = np.where(clips["text"] == "a", "test", "train")
    clips.loc[1, "sha256"] = clips.loc[0, "sha256"]
    with pytest.raises(ConfigError, match="l0-b"):
        splits.build(clips)


def test_a_clip_that_the_manifest_does_not_have_is_refused(embedded):
    rows = embedded.splits[:1].assign(id="nobody")
    with pytest.raises(ConfigError, match="nobody, which is not in the manifest"):
        splits.check_disjoint(rows, embedded.manifest)


# Signers


def signed(*signers: str, roles=("train", "validation", "test", "test")) -> tuple:
    """A split of one fold with a clip a signer, and its manifest."""
    ids = [f"c{i}" for i in range(len(signers))]
    rows = pd.DataFrame({"split": "s", "fold": 0, "id": ids, "role": list(roles)})
    return rows, pd.DataFrame({"id": ids, "signer": list(signers)})


@pytest.mark.parametrize(
    ("signers", "shared", "words"),
    [
        (("a", "b", "c", "d"), (), r"disjoint: none of the 2 signers"),
        (("a", "b", "a", "d"), ("a",), "shared: 1 of the 2 signers"),
        (("a", "b", "b", "a"), ("a", "b"), "shared: 2 of the 2 signers"),
        (("a", "", "a", ""), ("a",), "the signer of 2 of 4 clips is not recorded"),
        (("a", "b", "c", None), (), "the signer of 1 of 4 clips is not recorded"),
        (("", "", "", ""), (), "signers are not recorded, so"),
    ],
)
def test_shared_and_unknown_signers_are_said(signers, shared, words):
    found = splits.shared_signers(*signed(*signers))
    assert found.shared == shared
    assert words in found.text()


def test_signers_are_shared_within_a_fold_only_and_excluded_clips_do_not_count():
    rows, clips = signed("a", "b", "b", "a", roles=("train", "test", "excluded", "excluded"))
    assert splits.shared_signers(rows, clips).shared == ()
    other = rows.assign(fold=1, role=["test", "train", "excluded", "excluded"])
    both = splits.shared_signers(pd.concat([rows, other]), clips)
    assert (both.shared, both.tested, both.clips) == ((), 2, 2)


def test_a_split_without_test_clips_says_so():
    rows, clips = signed("a", "b", roles=("train", "validation"))
    assert splits.shared_signers(rows, clips).text().startswith("there is no test clip")
    rows, clips = signed("a", "", roles=("train", "test"))
    assert "signers of the test clips are not recorded" in splits.shared_signers(rows, clips).text()


def test_the_embedded_corpus_says_that_its_signers_are_not_known(embedded):
    for _, rows in embedded.splits.groupby("split"):
        assert "not recorded" in splits.shared_signers(rows, embedded.manifest).text()


# The file


def test_a_clip_twice_in_a_fold_of_a_read_split_is_refused(embedded, tmp_path):
    twice = pd.concat([embedded.splits, embedded.splits[:1].assign(role="test")])
    twice.to_parquet(tmp_path / splits.SPLITS_FILE)
    with pytest.raises(ConfigError, match=f"lists {embedded.splits['id'][0]} twice"):
        splits.read(tmp_path, embedded.splits["split"][0])


def test_splits_survive_writing_and_reading(embedded, tmp_path):
    corpora.write(tmp_path, embedded.manifest, embedded.dropped, embedded.splits)
    for name in ("letters", "in_domain", "unseen_language"):
        expected = embedded.splits[embedded.splits["split"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(splits.read(tmp_path, name), expected, check_dtype=False)
    with pytest.raises(ConfigError, match="there are in_domain, letters, unseen_language"):
        splits.read(tmp_path, "official")


def test_missing_and_damaged_splits_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="signclip corpora build"):
        splits.read(tmp_path, "letters")
    (tmp_path / splits.SPLITS_FILE).write_bytes(b"nothing")
    with pytest.raises(ConfigError, match="not a Parquet file"):
        splits.read(tmp_path, "letters")


def test_a_split_of_one_fold_has_no_fold_number(embedded):
    table = embedded.splits
    assert splits.fold_numbers(table[table["split"] == "letters"]) == list(range(splits.FOLDS))
    assert splits.fold_numbers(table[table["split"] == "in_domain"]) == [None]
