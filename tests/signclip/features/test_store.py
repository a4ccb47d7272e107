"""The feature store: what goes in comes out, damage is noticed, a killed writer harms nothing."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from signclip import corpora, poses
from signclip.core import files
from signclip.core.errors import BusyError, ConfigError, StoreError
from signclip.features import packing, store

FILES = (store.FEATURES, store.VALID, store.INDEX, store.DROPPED, store.META)
# The shortest and the longest, one with gaps in its hands, one of a left-handed signer among them.
CLIPS = ("ase-a", "gss-α", "gss-ο", "ise-b", "mfs-s", "tsm-c")

# A process that writes a store and hangs in its second clip, to be met or killed there.
HANGING_WRITER = """
import sys, time
from pathlib import Path
from signclip import poses
from signclip.corpora import manifest
from signclip.features import store

real, done = poses.features, []

def features(*args, **kwargs):
    if done:
        print("writing", flush=True)
        time.sleep(60)
    done.append(1)
    return real(*args, **kwargs)

poses.features = features
corpus, root, folder = map(Path, sys.argv[1:])
store.write(manifest.read(corpus), root, "right_hand", folder, progress=False)
"""


@pytest.fixture(scope="module")
def clips(embedded) -> pd.DataFrame:
    """Six clips of the embedded corpus."""
    chosen = embedded.manifest[embedded.manifest["id"].isin(CLIPS)]
    assert sorted(chosen["id"]) == sorted(CLIPS)
    return chosen.reset_index(drop=True)


def pack(clips: pd.DataFrame, root: Path, folder: Path, variant="right_hand", **kwargs):
    store.write(clips, root, variant, folder, progress=False, **kwargs)
    return store.FeatureStore(folder)


@pytest.fixture
def packed(clips, embedded, tmp_path) -> Path:
    """A store of the six clips' right hands, in a folder of its own."""
    pack(clips, embedded.root, tmp_path / "store" / "right_hand")
    return tmp_path / "store" / "right_hand"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def visible(folder: Path) -> list[str]:
    """What lies in a folder, the writers' locks apart."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


# Round trip


@pytest.mark.parametrize(
    "variant", ["reduced_face", "holistic_468", "both_hands", "right_hand_normalized"]
)
def test_values_and_validity_come_back_exactly(clips, embedded, tmp_path, variant):
    opened = pack(clips, embedded.root, tmp_path / "store", variant)
    assert len(opened) == len(clips)
    for row in clips.to_dict("records"):
        expected = poses.features(poses.read_pose(embedded.root / row["path"]), variant)
        found = opened[row["id"]]
        assert found.values.dtype == np.float32
        assert np.array_equal(found.values, expected.values)
        assert found.valid.dtype == bool
        assert np.array_equal(found.valid, expected.valid)
    frames = sum(clips["frames"])
    assert (tmp_path / "store" / store.FEATURES).stat().st_size == frames * opened.dims * 4
    opened.verify()


def test_packed_equals_one_by_one_in_any_order(clips, embedded, tmp_path):
    together = pack(clips[::-1], embedded.root, tmp_path / "all")
    assert list(together) == clips["id"].tolist()[::-1]
    for i in range(len(clips)):
        alone = pack(clips[i : i + 1], embedded.root, tmp_path / "one")
        (clip,) = alone
        assert np.array_equal(alone[clip].values, together[clip].values)
        assert np.array_equal(alone[clip].valid, together[clip].valid)


def test_float16_takes_half_the_room_and_keeps_three_digits(clips, embedded, tmp_path):
    full = pack(clips, embedded.root, tmp_path / "full", "reduced_face")
    half = pack(clips, embedded.root, tmp_path / "half", "reduced_face", dtype="float16")
    sizes = [(s.folder / store.FEATURES).stat().st_size for s in (full, half)]
    assert sizes[0] == 2 * sizes[1]
    for clip in full:
        assert half[clip].values.dtype == np.float32
        assert np.allclose(half[clip].values, full[clip].values, rtol=2**-11, atol=1e-7)
        assert np.array_equal(half[clip].valid, full[clip].valid)


def test_two_writes_give_the_same_bytes(clips, embedded, tmp_path):
    one, other = (pack(clips, embedded.root, tmp_path / name) for name in "ab")
    assert contents(one.folder) == contents(other.folder)


@pytest.mark.parametrize("workers", [2, 3])
def test_the_number_of_processes_does_not_change_a_byte(
    workers, good_clips, make_pose, pose_bytes, monkeypatch, tmp_path
):
    for seed in range(10, 16):
        good_clips.add(f"more-{seed}", pose_bytes(make_pose(seed=seed, frames=seed)))
    clips, _ = corpora.build("folder", good_clips.write(), progress=False)
    (good_clips.root / "more-12.pose").unlink()
    monkeypatch.setattr(packing, "CHUNK", 2)
    alone = pack(clips, good_clips.root, tmp_path / "alone", "both_hands")
    shared = pack(clips, good_clips.root, tmp_path / "shared", "both_hands", workers=workers)
    assert contents(alone.folder) == contents(shared.folder)
    assert len(shared) == 8


def test_variants_packed_together_are_those_packed_alone(clips, embedded, tmp_path):
    names = ("reduced_face_mirrored_anonymized", "signing", "sign_vq", "dominant_hand_normalized")
    folders = {name: tmp_path / "together" / name for name in names}
    store.write_variants(clips, embedded.root, folders, progress=False)
    for name, folder in folders.items():
        store.write(clips, embedded.root, name, tmp_path / "alone" / name, progress=False)
        for file in (packing.FEATURES, packing.VALID, store.META):
            alone = (tmp_path / "alone" / name / file).read_bytes()
            assert (folder / file).read_bytes() == alone, (name, file)


def test_an_error_in_another_process_is_the_same_error_and_leaves_nothing(
    good_clips, monkeypatch, tmp_path
):
    clips, _ = corpora.build("folder", good_clips.root, progress=False)
    (good_clips.root / "good-1.pose").write_bytes((good_clips.root / "good-2.pose").read_bytes())
    monkeypatch.setattr(packing, "CHUNK", 1)
    with pytest.raises(StoreError, match=r"good-1: .* changed since"):
        pack(clips, good_clips.root, tmp_path / "store", workers=2)
    assert visible(tmp_path) == ["clips"]


@pytest.mark.parametrize("workers", [1, 2])
def test_layouts_that_differ_between_pieces_are_refused_and_nothing_stays(
    workers, good_clips, make_pose, pose_bytes, monkeypatch, tmp_path
):
    good_clips.add("refined", pose_bytes(make_pose(irises=True)))
    clips, _ = corpora.build("folder", good_clips.write(), progress=False)
    monkeypatch.setattr(packing, "CHUNK", 1)
    with pytest.raises(StoreError, match="refined: 1659 dims where the others have 1629"):
        pack(clips, good_clips.root, tmp_path / "store", "holistic", workers=workers)
    assert visible(tmp_path) == ["clips"]


def test_features_that_are_made_already_give_the_same_store(clips, embedded, tmp_path):
    made = pack(clips, embedded.root, tmp_path / "made")
    features = [made[clip] for clip in clips["id"]]
    store.write_features(clips, features, "right_hand", tmp_path / "again", progress=False)
    assert contents(made.folder) == contents(tmp_path / "again")


def test_giving_memory_back_changes_no_value(clips, embedded, monkeypatch, tmp_path):
    pack(clips, embedded.root, tmp_path / "store", "reduced_face")
    kept = {clip: found.values.copy() for clip, found in _all(tmp_path / "store").items()}
    monkeypatch.setattr(store, "MAX_RESIDENT", 0)  # after every clip
    opened = _all(tmp_path / "store")
    for clip, values in kept.items():
        assert np.array_equal(opened[clip].values, values)  # handed out before others were read


def _all(folder: Path) -> dict[str, poses.Features]:
    opened = store.FeatureStore(folder)
    return {clip: opened[clip] for clip in opened}


def test_values_cannot_be_changed_through_the_store(packed):
    opened = store.FeatureStore(packed)
    with pytest.raises(ValueError, match="read-only"):
        opened["ase-a"].values[0] = 1


def test_the_index_says_where_each_clip_lies(packed, clips):
    opened = store.FeatureStore(packed)
    assert opened.index["id"].tolist() == clips["id"].tolist()
    assert opened.index["frames"].tolist() == clips["frames"].tolist()
    assert opened.index["sha256"].tolist() == clips["sha256"].tolist()
    assert opened.index["offset"].tolist() == [0, *np.cumsum(clips["frames"])[:-1]]
    assert sorted(path.name for path in packed.iterdir()) == sorted(FILES)


def test_asking_for_a_clip_that_is_not_there_names_it(packed):
    opened = store.FeatureStore(packed)
    assert "ase-a" in opened
    assert "xyz-a" not in opened
    with pytest.raises(StoreError, match="xyz-a"):
        opened["xyz-a"]


def test_a_store_is_opened_for_the_manifest_that_it_was_packed_from(packed, clips):
    assert len(store.FeatureStore.of(clips[::-1], packed)) == len(clips)
    with pytest.raises(StoreError, match="packed from another manifest"):
        store.FeatureStore.of(clips.assign(text="x"), packed)


@pytest.mark.parametrize(
    "column", ["id", "sha256", "text", "sign_language", "spoken_language", "signer", "split"]
)
def test_the_corpus_fingerprint_changes_with_the_clips_and_not_with_their_order(clips, column):
    before = store.corpus_fingerprint(clips)
    assert store.corpus_fingerprint(clips[::-1]) == before
    changed = clips.copy()
    changed.loc[3, column] = "other"
    assert store.corpus_fingerprint(changed) != before


# Clips that cannot be packed


def test_a_file_that_changed_since_the_manifest_is_refused_and_the_old_store_stays(
    good_clips, tmp_path
):
    clips, _ = corpora.build("folder", good_clips.root, progress=False)
    pack(clips, good_clips.root, tmp_path / "store")
    before = contents(tmp_path / "store")
    (good_clips.root / "good-1.pose").write_bytes((good_clips.root / "good-2.pose").read_bytes())
    with pytest.raises(StoreError, match=r"good-1: .* changed since"):
        pack(clips, good_clips.root, tmp_path / "store")
    assert contents(tmp_path / "store") == before


def test_a_file_that_vanished_is_a_dropped_row_and_the_others_stay(good_clips, tmp_path):
    clips, _ = corpora.build("folder", good_clips.root, progress=False)
    (good_clips.root / "good-1.pose").unlink()
    opened = pack(clips, good_clips.root, tmp_path / "store")
    assert list(opened) == ["good-0", "good-2"]
    dropped = pd.read_csv(tmp_path / "store" / store.DROPPED)
    assert dropped["id"].tolist() == ["good-1"]
    assert "cannot be read" in dropped["reason"][0]


def test_a_store_without_clips_is_not_written(good_clips, tmp_path):
    clips, _ = corpora.build("folder", good_clips.root, progress=False)
    for path in good_clips.root.glob("*.pose"):
        path.unlink()
    with pytest.raises(StoreError, match="3 dropped"):
        pack(clips, good_clips.root, tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.mark.filterwarnings("error")
def test_a_value_beyond_float16_drops_its_clip_and_no_infinity_is_stored(
    good_clips, make_pose, pose_bytes, tmp_path
):
    pose = make_pose(seed=7)
    pose.body.data.data[:, 0, 11:13] = [[300, 200, 0], [300, 200, 0.001]]  # width 0.001 pixels
    good_clips.add("narrow", pose_bytes(pose))
    clips, _ = corpora.build("folder", good_clips.write(), progress=False)
    assert "narrow" in pack(clips, good_clips.root, tmp_path / "float32")
    opened = pack(clips, good_clips.root, tmp_path / "float16", dtype="float16")
    assert list(opened) == ["good-0", "good-1", "good-2"]
    assert "does not fit float16" in (tmp_path / "float16" / store.DROPPED).read_text()
    assert all(np.isfinite(opened[clip].values).all() for clip in opened)


def test_files_of_two_layouts_make_no_holistic_store_but_a_holistic_468_one(
    good_clips, make_pose, pose_bytes, tmp_path
):
    good_clips.add("refined", pose_bytes(make_pose(irises=True)))
    clips, _ = corpora.build("folder", good_clips.write(), progress=False)
    with pytest.raises(StoreError, match="refined: 1659 dims where the others have 1629"):
        pack(clips, good_clips.root, tmp_path / "store", "holistic")
    assert len(pack(clips, good_clips.root, tmp_path / "store", "holistic_468")) == 4


@pytest.mark.parametrize(
    "wrong", [{"variant": "left_foot"}, {"dtype": "int8"}, {"dtype": "float15"}], ids=str
)
def test_an_unknown_variant_or_dtype_is_refused_and_nothing_stays(clips, embedded, tmp_path, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong.values()))):
        pack(clips, embedded.root, tmp_path / "store", **wrong)
    assert visible(tmp_path) == []


# Damage


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_noticed(packed, name):
    (packed / name).unlink()
    with pytest.raises(StoreError, match=str(packed)):
        store.FeatureStore(packed).verify()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("left", [0.0, 0.5])
def test_a_file_cut_short_is_noticed(packed, name, left):
    data = (packed / name).read_bytes()
    (packed / name).write_bytes(data[: int(left * len(data))])
    with pytest.raises(StoreError, match=str(packed)):
        store.FeatureStore(packed).verify()


@pytest.mark.parametrize("name", [store.FEATURES, store.VALID, store.INDEX, store.DROPPED])
@pytest.mark.parametrize("where", [0.0, 0.5, 0.999])
def test_one_flipped_bit_is_found_by_verifying(packed, name, where):
    store.FeatureStore(packed).verify()
    data = bytearray((packed / name).read_bytes())
    data[int(where * len(data))] ^= 1
    (packed / name).write_bytes(data)
    with pytest.raises(StoreError, match=name):
        store.FeatureStore(packed).verify()


@pytest.mark.parametrize(
    "meta", [b"{}", b"[]", b"\xff", b"null", b'{"format": 0}', b'{"format": 1, "dims": 63}']
)
def test_a_meta_file_that_is_none_is_refused(packed, meta):
    (packed / store.META).write_bytes(meta)
    with pytest.raises(StoreError, match=str(packed)):
        store.FeatureStore(packed)


def test_a_changed_size_in_the_meta_file_is_noticed(packed):
    meta = json.loads((packed / store.META).read_text())
    for key in ("frames", "dims", "points", "dtype"):
        wrong = {**meta, key: "float64" if key == "dtype" else meta[key] + 8}
        (packed / store.META).write_text(json.dumps(wrong))
        with pytest.raises(StoreError, match="missing or cut short"):
            store.FeatureStore(packed)


def test_no_store_says_how_to_make_one(tmp_path):
    with pytest.raises(StoreError, match="signclip pack"):
        store.FeatureStore(tmp_path)


# Writers that end early


def test_an_error_while_writing_leaves_the_old_store_and_nothing_else(
    packed, clips, embedded, monkeypatch
):
    before, real, calls = contents(packed), poses.features, []

    def failing(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise MemoryError("no room")
        return real(*args, **kwargs)

    monkeypatch.setattr(poses, "features", failing)
    with pytest.raises(MemoryError):
        pack(clips, embedded.root, packed)
    assert contents(packed) == before
    assert visible(packed.parent) == ["right_hand"]
    monkeypatch.undo()
    assert len(pack(clips[:2], embedded.root, packed)) == 2


def test_a_second_writer_is_refused_and_a_killed_one_leaves_the_old_store(
    packed, clips, embedded, tmp_path
):
    before = contents(packed)
    corpora.write(tmp_path / "corpus", clips, embedded.dropped, embedded.splits[:0])
    arguments = [str(path) for path in (tmp_path / "corpus", embedded.root, packed)]
    with subprocess.Popen(
        [sys.executable, "-c", HANGING_WRITER, *arguments], stdout=subprocess.PIPE, text=True
    ) as writer:
        try:
            assert writer.stdout.readline() == "writing\n"
            with pytest.raises(BusyError, match="right_hand"):
                pack(clips, embedded.root, packed)
            assert len(visible(packed.parent)) == 2  # the old store and a half-written one
        finally:
            writer.send_signal(signal.SIGKILL)
    assert contents(packed) == before
    store.FeatureStore(packed).verify()
    assert len(pack(clips[:2], embedded.root, packed)) == 2
    assert visible(packed.parent) == ["right_hand"]


def test_a_kill_between_the_two_renames_loses_nothing(packed, clips, embedded, monkeypatch):
    """The worst moment: the old store is moved away, the new one not yet in its place."""
    before, real = contents(packed), files.os.replace

    def killed(source, target):
        if Path(source).name.endswith(files.PARTIAL):
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(files.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        pack(clips[:2], embedded.root, packed)
    monkeypatch.undo()
    assert not packed.exists()
    with pytest.raises(StoreError):  # the next writer puts it back before it does anything
        pack(clips.assign(sha256="other"), embedded.root, packed)
    assert contents(packed) == before
    assert visible(packed.parent) == ["right_hand"]
