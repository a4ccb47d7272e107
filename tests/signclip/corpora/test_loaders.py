"""The loaders: published layouts in, the same manifest out."""

import json
import random
import shutil

import pandas as pd
import pytest

from signclip import corpora
from signclip.core.errors import ConfigError, LanguageTagError, ManifestError
from signclip.corpora import catalogue, manifest, splits
from signclip.corpora.loaders import asl_citizen, rwth_fs, sem_lex
from signclip.features import store

MINIATURES = (
    *("rwth-fs", "spreadthesign", "asl-signs", "popsign"),
    *("asl-citizen", "sem-lex", "wlasl", "signsuisse"),
    *("lsa64", "autsl", "include", "openhands-wlasl", "openhands-fingerspelling"),
)
ROLES = ("train", "validation", "test")


def build(name, root, **kwargs):
    return corpora.build(name, root, progress=False, **kwargs)


def by_role(clips):
    return {role: set(clips["id"][clips["split"] == role]) for role in ROLES}


# Every corpus


def test_the_miniatures_are_all_corpora_of_other_people():
    assert set(MINIATURES) == set(corpora.LOADERS) - {"folder", "spreadthesign-fingerspelling"}


@pytest.mark.parametrize("name", MINIATURES)
def test_a_miniature_becomes_a_manifest_with_splits_and_a_store(name, untouched, tmp_path):
    root = untouched(name)
    clips, dropped = build(name, root)
    assert list(clips.columns) == list(manifest.COLUMNS)
    assert set(clips["sign_language"]) <= set(catalogue.about(name).sign_languages)
    table = corpora.split_table(name, clips)
    assert set(clips["split"]) == set(ROLES)
    corpora.write(tmp_path / "out", clips, dropped, table)
    pd.testing.assert_frame_equal(manifest.read(tmp_path / "out"), clips, check_dtype=False)
    store.write(clips[:6], root, "reduced_face", tmp_path / "store", progress=False)
    assert len(store.FeatureStore(tmp_path / "store")) == 6


@pytest.mark.parametrize("name", MINIATURES)
def test_a_corpus_is_found_by_its_own_files_only(name, untouched, tmp_path):
    params = tmp_path / "params.yaml"  # there is none
    assert corpora.find(name, params=params) is None
    assert corpora.find(name, tmp_path) is None
    assert corpora.find(name, tmp_path / "nowhere") is None
    assert corpora.find(name, untouched(name)) == untouched(name)
    with pytest.raises(ConfigError, match=f"{name}: {tmp_path} holds no .*Layout: "):
        corpora.root(name, tmp_path)
    with pytest.raises(ConfigError, match=f"{name}: {tmp_path}/nowhere is not there"):
        corpora.root(name, tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=f"{name}: .*has no path for it.*corpora enable {name}"):
        corpora.root(name, params=params)


@pytest.mark.parametrize("name", ["sem-lex", "asl-signs", "popsign"])  # each form of clips
def test_the_number_of_processes_does_not_show(name, untouched, monkeypatch):
    monkeypatch.setattr(manifest, "CHUNK", 5)
    alone, together = (build(name, untouched(name), workers=n) for n in (1, 2))
    for one, other in zip(alone, together, strict=True):
        pd.testing.assert_frame_equal(one, other)


LISTED = ("popsign", "rwth-fs", "lsa64", "openhands-fingerspelling")  # by their files alone
FOUND = ("autsl", "include", "openhands-wlasl")  # in any folder


@pytest.mark.parametrize("name", [name for name in MINIATURES if name not in LISTED])
def test_a_missing_clip_is_listed_as_dropped(name, miniature):
    root = miniature(name)
    whole, before = build(name, root)
    (root / whole["path"][3]).unlink()
    clips, dropped = build(name, root)
    assert len(clips) == len(whole) - 1
    new = dropped[~dropped["id"].isin(before["id"])]
    if name == "signsuisse" and whole["path"][3].startswith("examples"):
        assert new.empty  # an entry without an example
    else:
        ((clip, path, reason),) = new.values.tolist()
        assert (clip, reason) == (whole["id"][3], "the file does not exist")
        # OpenHands' lists name files, and not the folders that an archive puts them into
        assert path == whole["path"][3] or (name in FOUND and whole["path"][3].endswith(f"/{path}"))


# RWTH-FS


def test_rwth_fs_is_split_by_the_papers_rule(untouched):
    clips, _ = build("rwth-fs", untouched("rwth-fs"))
    names = sorted(clips["id"])
    assert clips["id"].tolist() == names
    assert len(names) == 48
    random.seed(3407)
    random.shuffle(names)
    assert by_role(clips) == {
        "validation": set(names[:4]),
        "test": set(names[4:8]),
        "train": set(names[8:]),
    }


def test_rwth_fs_names_say_signer_gesture_and_camera(untouched):
    clips, _ = build("rwth-fs", untouched("rwth-fs"))
    clip = clips.set_index("id").loc["10_30_2_cam2"]
    assert (clip["signer"], clip["text"]) == ("10", "SCH")
    assert (clip["sign_language"], clip["spoken_language"]) == ("gsg", "de")
    assert set(clips["text"]) == {"A", "Z", "SCH", "Five"}
    assert len(rwth_fs.GESTURES) == 35


def test_rwth_fs_of_camera_2_is_the_same_split_without_camera_1(untouched):
    clips, _ = build("rwth-fs", untouched("rwth-fs"))
    table = corpora.split_table("rwth-fs", clips)
    of = {name: rows.set_index("id")["role"] for name, rows in table.groupby("split")}
    assert set(of) == {"official", "camera_2"}
    assert len(of["camera_2"]) == 24
    assert of["camera_2"].index.str.endswith("cam2").all()
    assert (of["official"][of["camera_2"].index] == of["camera_2"]).all()


def test_the_authors_lists_decide_where_they_are(miniature):
    root = miniature("rwth-fs")
    clips, _ = build("rwth-fs", root)
    ids = sorted(clips["id"])
    lists = {"train": ids[2:], "val": ids[:1], "test": [ids[1], "99_1_1_cam2"]}
    lists["train"] = lists["train"][:-1]
    for side, names in lists.items():
        (root / f"{side}.txt").write_text("\n".join(names) + "\n")
    clips, dropped = build("rwth-fs", root)
    assert by_role(clips)["test"] == {ids[1]}
    assert by_role(clips)["validation"] == {ids[0]}
    assert dict(zip(dropped["id"], dropped["reason"], strict=True)) == {
        ids[-1]: "not in the authors' lists",
        "99_1_1_cam2": "the file does not exist",
    }
    (root / "val.txt").write_text(f"{ids[1]}\n")
    with pytest.raises(ManifestError, match=f"{ids[1]}: .*another list"):
        build("rwth-fs", root)


def test_two_poses_of_one_rwth_fs_clip_are_not_chosen_between(maker, tmp_path):
    make = maker(tmp_path)
    make.pose("cam1/1_1_1_cam1.pose")
    make.pose("again/1_1_1_cam1.pose")
    with pytest.raises(ManifestError, match="1_1_1_cam1: two poses"):
        build("rwth-fs", tmp_path)


@pytest.mark.parametrize(
    ("name", "video"), [("rwth-fs", "poses/1_2_1_cam1.MPG"), ("popsign", "val/hat/another.MP4")]
)
def test_a_video_with_a_capital_suffix_is_listed_too(miniature, name, video):
    root = miniature(name)
    (root / video).write_bytes(b"a video")
    dropped = build(name, root)[1]
    assert dropped["path"].tolist() == [video]
    assert "signclip extract" in dropped["reason"][0]


def test_rwth_fs_videos_are_listed_with_the_command_that_makes_poses(maker, tmp_path):
    make = maker(tmp_path)
    for gesture in range(1, 21):
        make.video(f"videos/1_{gesture}_1_cam2.mpg")
    with pytest.raises(ManifestError, match=r"20 dropped.*signclip extract \S+/videos"):
        build("rwth-fs", tmp_path)
    make.pose("videos/1_3_1_cam2.pose")
    clips, dropped = build("rwth-fs", tmp_path)
    assert clips["path"].tolist() == ["videos/1_3_1_cam2.pose"]
    assert len(dropped) == 19


def test_an_unknown_gesture_is_refused(maker, tmp_path):
    maker(tmp_path).pose("1_36_1_cam2.pose")
    with pytest.raises(ManifestError, match=r"1_36_1_cam2: .*gesture of 1 to 35"):
        build("rwth-fs", tmp_path)


# Spreadthesign


def test_spreadthesign_is_split_before_the_english_rows_are_taken(untouched):
    clips, dropped = build("spreadthesign", untouched("spreadthesign"))
    numbers = list(range(240))
    random.seed(3407)
    random.shuffle(numbers)
    english = [number for number in numbers if number % 5]
    expected = {"validation": numbers[:2], "test": numbers[2:4], "train": numbers[4:]}
    assert by_role(clips) == {
        role: {str(n) for n in those if n in english} for role, those in expected.items()
    }
    assert len(clips) == len(english) == 192
    assert len(dropped) == 48
    assert set(dropped["reason"]) == {"text in sv; the corpus is the English one"}
    assert set(clips["spoken_language"]) == {"en"}


def test_a_wrong_tag_of_spreadthesign_is_refused_with_the_right_one(miniature):
    root = miniature("spreadthesign")
    table = root / "SperadTheSign.csv"
    table.write_text(table.read_text().replace(",ise,", ",lis,"))
    with pytest.raises(LanguageTagError, match="did you mean ise"):
        build("spreadthesign", root)


def test_an_empty_text_of_spreadthesign_costs_its_row(miniature):
    root = miniature("spreadthesign")
    with open(root / "SperadTheSign.csv", "a") as file:
        file.write("240.pose,ase,en,\n")
    clips, dropped = build("spreadthesign", root)
    assert len(clips) == 192
    assert "empty text" in set(dropped["reason"])


# asl-signs


def test_asl_signs_are_shuffled_in_the_order_of_the_table(untouched):
    clips, _ = build("asl-signs", untouched("asl-signs"))
    ids = [str(1000 + number) for number in range(40)]
    assert clips["id"].tolist() == ids
    random.seed(3407)
    random.shuffle(ids)
    assert by_role(clips) == {
        "validation": set(ids[:2]),
        "test": set(ids[2:4]),
        "train": set(ids[4:]),
    }
    assert clips["signer"].nunique() == 3
    assert set(clips["text"]) == {"TV", "after"}
    assert set(clips["fps"]) == {30.0}


def test_the_real_copy_of_kaggles_layout_becomes_a_corpus(shared, tmp_path):
    root = shared("data/asl-signs-layout")
    clips, dropped = build("asl-signs", root)
    assert len(clips) + len(dropped) == 72
    assert len(clips) > 60
    assert clips["frames"].unique().tolist() == [1]
    assert {role: len(ids) for role, ids in by_role(clips).items()}["train"] >= 60
    found = splits.shared_signers(splits.build(clips), clips)
    assert found.shared == ("100",)
    store.write(clips, root, "holistic_468", tmp_path / "store", progress=False)
    assert store.FeatureStore(tmp_path / "store").meta["clips"] == len(clips)


def test_the_papers_sizes_come_out_of_its_rule():
    from signclip.corpora.reading import shuffled_split

    for count, percent, expected in ((94_477, 5, 4_723), (3_036, 10, 303)):
        roles = pd.Series(shuffled_split(range(count), percent)).value_counts()
        assert roles["validation"] == roles["test"] == expected
        assert roles["train"] == count - 2 * expected


# PopSign


def test_popsign_takes_side_and_sign_from_the_folders(untouched):
    clips, dropped = build("popsign", untouched("popsign"))
    assert dropped.empty
    assert len(clips) == 12
    assert clips["id"][0] == "train/TV/gtsignstudy-TV-0"
    assert set(clips["text"]) == {"TV", "hat"}
    assert {role: len(ids) for role, ids in by_role(clips).items()} == dict.fromkeys(ROLES, 4)
    assert set(clips["signer"]) == {""}


def test_popsign_videos_without_a_pose_are_named(miniature):
    root = miniature("popsign")
    video = root / "val" / "hat" / "another.mp4"
    video.write_bytes(b"a video")
    clips, dropped = build("popsign", root)
    assert len(clips) == 12
    assert dropped["id"].tolist() == ["val/hat/another"]
    assert "signclip extract" in dropped["reason"][0]


# ASL Citizen and Sem-Lex: official splits, gloss cleaning


def test_asl_citizen_keeps_its_official_splits_and_no_signer_is_shared(untouched):
    clips, _ = build("asl-citizen", untouched("asl-citizen"))
    assert clips["split"].tolist() == ["train"] * 3 + ["validation"] * 3 + ["test"] * 3
    assert clips["signer"].tolist() == ["P0"] * 3 + ["P1"] * 3 + ["P2"] * 3
    assert clips["id"][0] == "00-WOMAN1"
    assert splits.shared_signers(splits.build(clips), clips).shared == ()


def test_asl_citizen_videos_in_their_archives_folder_are_named(miniature):
    root = miniature("asl-citizen")
    (root / "poses" / "00-WOMAN1.pose").unlink()
    (root / "ASL_Citizen" / "videos").mkdir()
    (root / "ASL_Citizen" / "videos" / "00-WOMAN1.mp4").write_bytes(b"a video")
    _, dropped = build("asl-citizen", root)
    assert dropped["path"].tolist() == ["ASL_Citizen/videos/00-WOMAN1.mp4"]
    assert "signclip extract" in dropped["reason"][0]
    shutil.copy(root / "poses" / "01-APPLE.pose", root / "ASL_Citizen/videos/00-WOMAN1.pose")
    _, dropped = build("asl-citizen", root)  # the pose beside its video is found
    assert dropped["reason"].tolist() == ["same content as 00-WOMAN1"]


def test_sem_lex_ids_are_made_unique_and_signers_are_kept(untouched):
    clips, _ = build("sem-lex", untouched("sem-lex"))
    assert clips["id"][:3].tolist() == ["0_0", "1_0", "2_1"]
    assert clips["path"][1] == "val/clip-1.npy"
    found = splits.shared_signers(splits.build(clips), clips)
    assert found.shared == ("s0", "s1", "s2", "s3")
    assert "signers are shared: 4 of the 4" in found.text()


def test_glosses_are_cleaned_only_when_asked(untouched):
    for name, raw, clean in (
        ("asl-citizen", {"WOMAN1", "APPLE", "WOMAN2"}, {"woman", "apple"}),
        ("sem-lex", {"ice_cream_2", "woman"}, {"ice cream", "woman"}),
    ):
        assert set(build(name, untouched(name))[0]["text"]) == raw
        assert set(build(name, untouched(name), clean_glosses=True)[0]["text"]) == clean


@pytest.mark.parametrize(
    ("clean", "gloss", "expected"),
    [
        (sem_lex.clean_gloss, "ice_cream_2 ", "ice cream"),
        (sem_lex.clean_gloss, " dog_1", "dog"),
        (asl_citizen.clean_gloss, "dog1 ", "dog"),
        (asl_citizen.clean_gloss, "ICE CREAM 2", "ice cream"),
    ],
)
def test_blanks_around_a_gloss_do_not_keep_its_number(clean, gloss, expected):
    assert clean(gloss) == expected


# WLASL and SignSuisse


def test_wlasl_shares_signers_in_its_official_splits(untouched):
    clips, _ = build("wlasl", untouched("wlasl"))
    assert clips["id"].tolist() == [f"{g}{i}241" for g in range(2) for i in range(4)]
    assert clips["split"].tolist() == ["train", "validation", "test", "train"] * 2
    assert set(clips["text"]) == {"book", "drink"}
    found = splits.shared_signers(splits.build(clips), clips)
    assert (found.shared, found.tested, found.unknown) == (("0",), 1, 0)


@pytest.mark.parametrize("content", ["", "[]]", '[{"gloss": "a"}]', "{}"])
def test_a_damaged_list_of_wlasl_is_refused(miniature, content):
    root = miniature("wlasl")
    (root / "WLASL_v0.3.json").write_text(content)
    with pytest.raises(ManifestError):
        build("wlasl", root)


def test_signsuisse_entries_are_items_and_examples_with_the_models_tags(untouched):
    clips, dropped = build("signsuisse", untouched("signsuisse"))
    assert dropped.empty
    assert clips["id"][:3].tolist() == ["ss00", "ss00-example", "ss01"]
    tags = clips.set_index("id")["sign_language"]
    assert (tags["ss00"], tags["ss01"], tags["ss02"]) == ("sgg", "fsl", "ise")
    assert clips.set_index("id")["spoken_language"]["ss21"] == "fr"
    assert {role: len(ids) for role, ids in by_role(clips).items()} == dict.fromkeys(ROLES, 5)


# What is wrong in a table


@pytest.mark.parametrize(
    ("name", "table", "old", "new", "message"),
    [
        ("asl-signs", "train.csv", "sequence_id", "sequence", "'sequence_id' is missing"),
        ("asl-signs", "train.csv", "1000,TV", "1000", "too few fields"),
        ("asl-signs", "train.csv", ",1001,", ",1000,", "occurs more than once"),
        ("spreadthesign", "SperadTheSign.csv", "en,concept 59", 'en,"concept 59', "not closed"),
        (
            "asl-citizen",
            "ASL_Citizen/splits/val.csv",
            "10-WOMAN1.mp4",
            "",
            "not the name of a video",
        ),
        ("wlasl", "WLASL_v0.3.json", '"book"', '["book"]', "not the list of WLASL"),
        ("sem-lex", "sem-lex-metadata.csv", ",val,", ",dev,", "split 'dev' is none of train, val"),
        ("sem-lex", "sem-lex-metadata.csv", ",asllex,woman", "", "5 fields where at least 7"),
        ("wlasl", "WLASL_v0.3.json", '"val"', '"dev"', "split 'dev'"),
        ("signsuisse", "metadata_test.csv", "lis-ch", "lsf", "signedLanguage 'lsf' is none of"),
        ("signsuisse", "metadata_test.csv", "ss20,HAUS", "ss20,", "empty text"),
    ],
)
def test_a_bad_row_is_one_error(miniature, name, table, old, new, message):
    root = miniature(name)
    text = (root / table).read_text()
    assert old in text
    (root / table).write_text(text.replace(old, new))
    with pytest.raises(ManifestError, match=message):
        build(name, root)


@pytest.mark.parametrize(
    ("name", "table", "old", "new"),
    [
        ("asl-signs", "train.csv", "train_landmark_files/0/1000", "../1000"),
        ("spreadthesign", "SperadTheSign.csv", "1.pose,", "../../1.pose,"),
        ("sem-lex", "sem-lex-metadata.csv", "clip-3", "../../clip"),
        ("asl-citizen", "ASL_Citizen/splits/val.csv", "10-WOMAN1", "../../10"),
    ],
)
def test_a_path_out_of_the_corpus_costs_its_own_row(miniature, name, table, old, new):
    root = miniature(name)
    text = (root / table).read_text()
    assert old in text
    before, _ = build(name, root)
    (root / table).write_text(text.replace(old, new, 1))
    kept, dropped = build(name, root)
    assert len(kept) == len(before) - 1
    assert dropped["reason"].str.contains("leaves the corpus folder").sum() == 1


def test_hidden_folders_are_no_signs_and_suffixes_may_be_upper_case(miniature):
    root = miniature("popsign")
    before, _ = build("popsign", root)
    path = root / before["path"][0]
    for hidden in (".ipynb_checkpoints", "__MACOSX"):
        (root / "train" / hidden).mkdir()
        shutil.copy(path, root / "train" / hidden / path.name)
    path.rename(path.with_suffix(".POSE"))
    kept, dropped = build("popsign", root)
    assert kept["id"].tolist() == before["id"].tolist()
    assert dropped.empty


def test_a_signer_that_is_not_known_has_no_name(miniature):
    root = miniature("wlasl")
    table = root / "WLASL_v0.3.json"
    entries = json.loads(table.read_text())
    for entry in entries:
        for instance in entry["instances"]:
            instance["signer_id"] = None
    table.write_text(json.dumps(entries))
    assert set(build("wlasl", root)[0]["signer"]) == {""}


def test_blank_lines_are_no_rows_and_a_table_cut_to_nothing_is_refused(miniature):
    root = miniature("asl-citizen")
    table = root / "ASL_Citizen" / "splits" / "val.csv"
    table.write_text(table.read_text() + "\n\n")
    assert len(build("asl-citizen", root)[0]) == 9
    table.write_text("")
    with pytest.raises(ManifestError, match=r"val\.csv: empty"):
        build("asl-citizen", root)


def test_a_table_of_another_encoding_is_refused(miniature):
    root = miniature("asl-signs")
    (root / "train.csv").write_bytes(b"path,participant_id,sequence_id,sign\n\xff,1,2,3\n")
    with pytest.raises(ManifestError, match="not UTF-8"):
        build("asl-signs", root)


# Folders


def test_1650_real_clips_of_three_signers_are_a_folder_corpus(shared):
    clips, dropped = build("folder", shared("data/asl-words"))
    assert (len(clips), len(dropped)) == (1650, 0)
    assert clips["text"].nunique() == 13
    found = splits.shared_signers(splits.build(clips), clips)
    assert (found.shared, found.tested, found.unknown) == ((), 1, 0)


def test_a_folder_of_videos_is_one_error_naming_the_command(folder_corpus):
    for i in range(3):
        folder_corpus.add(f"v{i}", b"a video", path=f"v{i}.mp4")
    message = r"all 3 clips are videos.*`signclip extract (\S+clips) \1`"
    with pytest.raises(ManifestError, match=message):
        build("folder", folder_corpus.write())


def test_a_video_beside_its_pose_counts_by_the_pose(good_clips, make_pose, pose_bytes):
    good_clips.add("with", b"a video", path="with.mp4")
    good_clips.add("without", b"a video", path="without.mov")
    (good_clips.root / "with.pose").write_bytes(pose_bytes(make_pose(seed=9)))
    clips, dropped = build("folder", good_clips.write())
    assert clips.set_index("id")["path"]["with"] == "with.pose"
    assert dropped["id"].tolist() == ["without"]
    assert "signclip extract" in dropped["reason"][0]


# Catalogue


@pytest.mark.parametrize("name", corpora.LOADERS)
def test_every_corpus_has_an_entry_and_says_where_it_is_from(name):
    from signclip.text import sign_language

    about = catalogue.about(name)
    for text in (about.title, about.licence, about.licence_source, about.citation, about.layout):
        assert text.strip()
    assert about.expected_source
    for tag in about.sign_languages:
        assert sign_language(tag).tag == tag
    if about.expected.languages and name != "signsuisse":
        assert len(about.sign_languages) == about.expected.languages
    for download in about.downloads:
        assert download.url.startswith("https://")


def test_the_catalogue_has_no_entry_without_a_corpus():
    assert set(catalogue.catalogue()) == set(corpora.LOADERS)


def test_the_embedded_corpus_holds_what_its_entry_says(embedded):
    from signclip.text import label

    expected = catalogue.about("spreadthesign-fingerspelling").expected
    assert len(embedded.manifest) == expected.clips
    assert embedded.manifest["text"].map(label).nunique() == expected.labels
    assert set(embedded.manifest["sign_language"]) == set(
        catalogue.about("spreadthesign-fingerspelling").sign_languages
    )


def test_the_counts_of_spreadthesign_are_the_published_statistics(shared):
    about = catalogue.about("spreadthesign")
    languages = pd.read_csv(shared("paper/spreadthesign_languages.csv"))
    assert languages["sign_language"].tolist() == list(about.sign_languages)
    assert languages["examples"].sum() == about.expected.clips
    concepts = pd.read_csv(shared("paper/spreadthesign_examples_per_concept.csv"))
    assert concepts["concepts"].sum() == about.expected.labels


def test_wlasls_list_is_plain_json(untouched):
    assert json.loads((untouched("wlasl") / "WLASL_v0.3.json").read_text())
