"""Writing whole or not at all, and hashing."""

import gc
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from signclip.core import errors, files
from signclip.core.errors import BusyError, ConfigError, SignCLIPError

HOLDER = """
import sys, time
from signclip.core import files
with files.writing(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_hashes_are_sha256_of_the_content(tmp_path):
    data = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(data)
    expected = hashlib.sha256(data).hexdigest()
    assert files.sha256_bytes(data) == expected
    assert files.sha256_file(tmp_path / "file") == expected


def test_equal_values_give_equal_json_whatever_their_order():
    one, other = {"b": [1, 2], "a": "ä"}, {"a": "ä", "b": [1, 2]}
    assert files.canonical_json(one) == files.canonical_json(other)
    assert files.fingerprint(one) == files.fingerprint(other)
    assert json.loads(files.canonical_json(one)) == one
    assert files.fingerprint({"a": "ä", "b": [2, 1]}) != files.fingerprint(one)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_without_numbers_that_are_none(number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.canonical_json({"score": number})


def test_a_file_appears_whole_with_its_folder(tmp_path):
    target = tmp_path / "new" / "file.txt"
    with files.atomic_file(target) as partial:
        partial.write_text("half")
        assert not target.exists()
        partial.write_text("whole")
    assert target.read_text() == "whole"
    assert names(target.parent) == ["file.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    files.write_text(tmp_path / "file.txt", "old")
    with suppress(KeyboardInterrupt), files.atomic_file(tmp_path / "file.txt") as partial:
        partial.write_text("new")
        raise KeyboardInterrupt
    assert (tmp_path / "file.txt").read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_what_a_killed_writer_left_is_no_obstacle(tmp_path):
    (tmp_path / f".file.txt{files.PARTIAL}").write_text("half of something longer")
    files.write_text(tmp_path / "file.txt", "new")
    left = tmp_path / f".folder{files.PARTIAL}"
    left.mkdir()
    (left / "stale").write_text("half")
    with files.atomic_folder(tmp_path / "folder") as partial:
        (partial / "fresh").write_text("whole")
    assert names(tmp_path) == ["file.txt", "folder"]
    assert names(tmp_path / "folder") == ["fresh"]


def test_a_folder_replaces_the_old_one_whole(tmp_path):
    for content in ("old", "new"):
        with files.atomic_folder(tmp_path / "folder") as partial:
            (partial / "deep").mkdir()
            (partial / "deep" / content).write_text(content)
            assert not (tmp_path / "folder" / "deep" / "new").exists()
    assert names(tmp_path / "folder" / "deep") == ["new"]
    assert names(tmp_path) == ["folder"]


def test_an_error_leaves_the_old_folder_and_nothing_else(tmp_path):
    with files.atomic_folder(tmp_path / "folder") as partial:
        (partial / "file").write_text("old")
    with suppress(OSError), files.atomic_folder(tmp_path / "folder") as partial:
        (partial / "file").write_text("new")
        raise OSError("disk full")
    assert (tmp_path / "folder" / "file").read_text() == "old"
    assert names(tmp_path) == ["folder"]


def test_a_folder_moved_away_by_a_killed_writer_is_put_back(tmp_path):
    (tmp_path / ".folder.old").mkdir()
    (tmp_path / ".folder.old" / "file").write_text("old")
    with pytest.raises(OSError, match="full"), files.atomic_folder(tmp_path / "folder"):
        raise OSError("disk full")
    assert (tmp_path / "folder" / "file").read_text() == "old"


def test_a_stale_old_folder_does_not_come_back_over_a_newer_one(tmp_path):
    for name in (".folder.old", "folder"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    with pytest.raises(OSError, match="full"), files.atomic_folder(tmp_path / "folder"):
        raise OSError("disk full")
    assert (tmp_path / "folder" / "file").read_text() == "folder"


def test_text_is_written_as_utf8(tmp_path):
    files.write_text(tmp_path / "file", "ß α ш\n")
    assert (tmp_path / "file").read_bytes() == "ß α ш\n".encode()


def test_a_lock_is_held_once_and_free_again_after_an_error(tmp_path):
    out = tmp_path / "new" / "out"
    with suppress(RuntimeError), files.writing(out):
        with pytest.raises(BusyError, match="out: another process"), files.writing(out):
            pass
        raise RuntimeError("inside")
    with files.writing(out), files.writing(tmp_path / "new" / "other"):
        assert not out.exists()


def test_a_lock_dies_with_its_process(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(BusyError), files.writing(tmp_path / "out"):
                pass
        finally:
            holder.kill()
    with files.writing(tmp_path / "out"):
        pass


def test_of_many_writers_one_at_a_time_holds_the_lock_and_nothing_stays(tmp_path):
    inside, turns = [], []

    def write(number: int) -> None:
        for _ in range(50):
            with suppress(BusyError), files.writing(tmp_path / "out"):
                inside.append(number)
                time.sleep(0.001)
                assert inside == [number]
                turns.append(inside.pop())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert turns
    assert names(tmp_path) == []


def test_errors_name_the_sample_and_the_reason():
    from signclip.core import errors

    for kind in (errors.PoseError, errors.ManifestError):
        error = kind("ase-a", "no frames")
        assert (error.sample, error.reason, str(error)) == (
            "ase-a",
            "no frames",
            "ase-a: no frames",
        )
        assert isinstance(error, SignCLIPError)


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"b": [], "a": ["x"]},
        {"b": ['ä\n"', "\\", "\u2028"], "a": ["", "1"]},
        {"é": [1, 2.5, None, True]},
    ],
    ids=str,
)
def test_a_fingerprint_by_columns_is_the_same_fingerprint(columns):
    assert files.fingerprint_columns(columns) == files.fingerprint(columns)
    assert files.fingerprint_columns({**columns, "c": ["1"]}) != files.fingerprint(columns)


OUTPUTS = (files.writing, files.atomic_file, files.atomic_folder)


@pytest.mark.parametrize("write", OUTPUTS)
@pytest.mark.parametrize(
    "place", ["", ".", "/", "..", "file/out", "file/deep/out", "/proc/none/out", "a\0b", "x" * 300]
)
def test_a_place_where_nothing_can_be_written_is_refused_before_the_work(
    tmp_path, monkeypatch, write, place
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("a file")
    with pytest.raises(ConfigError), write(place):
        pytest.fail("the work began")
    assert names(tmp_path) == ["file"]


def test_a_file_does_not_replace_a_folder_nor_a_folder_a_file(tmp_path):
    (tmp_path / "file").write_text("a file")
    (tmp_path / "folder").mkdir()
    for write, name in ((files.atomic_file, "folder"), (files.atomic_folder, "file")):
        with pytest.raises(ConfigError, match=f"{name}: cannot be written"), write(tmp_path / name):
            pytest.fail("the work began")
    assert names(tmp_path) == ["file", "folder"]


def test_a_path_is_text_where_file_names_are_ascii():
    code = "from signclip.core import files; print(ascii(files.as_text('\\xf1.pose')))"
    ascii_names = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", code]
    text = subprocess.check_output(command, env=os.environ | ascii_names, text=True)
    assert text.strip() == r"'\xf1.pose'"


def test_any_path_can_be_written_as_text():
    path = os.fsdecode("ä".encode() + b"\xff.pose")
    assert files.as_text(path) == files.as_text(Path(path)) == "ä\\xff.pose"


def test_only_regular_files_of_a_bounded_size_are_read(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert files.read_regular(path, at_most=5) == b"12345"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for given, reason in (
        (path, "5 bytes, at most 4"),
        (tmp_path / "pipe", "not a regular file"),
        ("/dev/zero", "not a regular file"),
        (tmp_path, "it is a folder"),
        (tmp_path / "loop", "symbolic links"),
        (tmp_path / "nothing", "No such file"),
        ("a\0b", "null"),
    ):
        with pytest.raises(files.NotReadable, match=reason) as raised:
            files.read_regular(given, at_most=4)
        assert raised.value.strerror == str(raised.value)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a": NaN}', '{"a": -Infinity}', "{", "\udcff", "9" * 5000]
)
def test_json_that_no_result_can_hold_is_a_value_error(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r".+"):
        files.read_json(path)


def test_recorded_digests_of_other_files_stay(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (one, other):
        path.write_text(path.name)
        files.record_digests([path])
    listed = files.read_json(tmp_path / files.DIGESTS)["sha256"]
    assert listed == {path.name: files.sha256_file(path) for path in (one, other)}
    other.unlink()
    files.record_digests([one])
    assert set(files.read_json(tmp_path / files.DIGESTS)["sha256"]) == {"one"}


@pytest.mark.parametrize(
    ("head", "known"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "git lfs pull"),
        (b"/annex/objects/SHA256E-s1--1.pose\n", "git annex get"),
        (b"\n <!doctype HTML>", "web page"),
        (b"PK\x03\x04", None),
        (b"", None),
    ],
)
def test_what_stands_in_for_a_file_is_known(head, known):
    found = files.stand_in(head)
    assert (found is None) if known is None else known in found


@contextmanager
def largest_file(size: int):
    """A limit on the size of files, which is met like a full disk; Python ignores its signal."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _torch(path: Path) -> None:
    with open(path, "wb") as file:
        torch.save({"a": torch.zeros(100_000)}, file)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(bytes(400_000)),
        lambda path: save_file({"a": torch.zeros(100_000)}, path),
        lambda path: pd.DataFrame({"a": np.random.default_rng(0).random(50_000)}).to_parquet(path),
        _torch,
    ],
    ids=["bytes", "safetensors", "parquet", "torch"],
)
def test_a_disk_that_is_full_is_one_line_and_the_old_file_stays(tmp_path, write):
    path = tmp_path / "out"
    path.write_text("old")
    with (
        pytest.raises(ConfigError) as raised,
        largest_file(100_000),
        files.atomic_file(path) as new,
    ):
        write(new)
    assert str(raised.value) == f"{path}: cannot be written (File too large)"
    assert path.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [path]


def test_an_archive_of_arrays_that_does_not_fit_leaves_nothing_to_finish(tmp_path, capfd):
    path = tmp_path / "e.npz"
    files.write_npz(path, {"a": np.zeros(3)})
    before = path.read_bytes()
    refused = pytest.raises(ConfigError, match=r"e.npz: cannot be written \(File too large\)")
    with refused, largest_file(100_000):
        files.write_npz(path, {"a": np.zeros(100_000)})
    gc.collect()
    assert path.read_bytes() == before
    assert "Traceback" not in capfd.readouterr().err  # of a destructor


def test_a_full_disk_under_a_librarys_own_file_names_the_place(tmp_path):
    refused = pytest.raises(ConfigError, match=r"runs: cannot be written \(File too large\)")
    with refused, files.full_disk_named(tmp_path / "runs"), largest_file(1000):
        (tmp_path / "log").write_bytes(bytes(2000))


def test_a_file_that_cannot_be_removed_is_named(tmp_path):
    files.remove(tmp_path / "missing")
    (
        tmp_path / "folder"
    ).mkdir()  # as root may delete any file, what may not be deleted is a folder
    with pytest.raises(ConfigError, match=r"folder: cannot be removed \(Is a directory\)"):
        files.remove(tmp_path / "folder")


def test_another_error_of_a_writer_stays_what_it_is(tmp_path):
    with pytest.raises(KeyError), files.atomic_folder(tmp_path / "out"):
        raise KeyError("a")
    with pytest.raises(FileNotFoundError), files.atomic_file(tmp_path / "out"):
        (tmp_path / "nothing").read_bytes()


def test_a_name_outside_the_encoding_of_file_names_is_an_error_that_says_what_to_set(monkeypatch):
    with pytest.raises(UnicodeEncodeError), errors.names_explained():
        "\udcff".encode()
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "ascii")
    refused = pytest.raises(
        ConfigError, match=r"^'a\\xf1': cannot be .* in ascii; set PYTHONUTF8=1"
    )
    with refused, errors.names_explained():
        "a\xf1".encode("ascii")
