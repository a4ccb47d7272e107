"""Unpacking: no path leaves the folder, nothing is half-written, nothing is done twice."""

import errno
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from signclip.core.errors import FetchError
from signclip.corpora import unpack

CONTENT = np.random.default_rng(0).bytes(300_000)


def zipped(members: dict[str, bytes], path: Path, **attributes: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = attributes.get("mode", 0o100644) << 16
            archive.writestr(info, content)
    return path


def tarred(members: dict[str, bytes], path: Path, kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.type = (len(content) if kind == tarfile.REGTYPE else 0), kind
            info.linkname = "/etc/passwd"
            archive.addfile(info, io.BytesIO(content))
    return path


def everything(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


GOOD = {"a.txt": b"a", "poses/b.pose": b"b" * 5000, "poses/deep/c": b""}


@pytest.mark.parametrize("make", [zipped, tarred])
def test_an_archive_is_unpacked_and_not_twice(make, tmp_path):
    archive, out = make(GOOD, tmp_path / "archive"), tmp_path / "out"
    out.mkdir()
    assert unpack.unpack(archive, out, progress=False) == 3
    assert everything(out) == GOOD
    before = (out / "a.txt").stat().st_mtime_ns
    (out / "poses/b.pose").write_bytes(b"half")
    unpack.unpack(archive, out, progress=False)
    assert everything(out) == GOOD
    assert (out / "a.txt").stat().st_mtime_ns == before


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize(
    "name", ["../outside", "/tmp/outside", "poses/../../outside", "poses/../..", "fetched.json"]
)
def test_no_path_leaves_the_folder_and_nothing_is_written(make, name, tmp_path):
    archive, out = make({"good": b"g", name: b"bad"}, tmp_path / "archive"), tmp_path / "out"
    out.mkdir()
    with pytest.raises(FetchError, match="nothing was unpacked"):
        unpack.unpack(archive, out, protected=(out / "fetched.json",), progress=False)
    assert everything(tmp_path).keys() == {"archive"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar_are_refused(kind, tmp_path):
    archive = tarred({"link": b""}, tmp_path / "archive", kind)
    with pytest.raises(FetchError, match="'link' is neither file nor folder"):
        unpack.unpack(archive, tmp_path, progress=False)


def test_links_in_a_zip_are_refused(tmp_path):
    archive = zipped({"link": b"/etc/passwd"}, tmp_path / "archive", mode=0o120777)
    with pytest.raises(FetchError, match="'link' is neither file nor folder"):
        unpack.unpack(archive, tmp_path, progress=False)


def test_a_link_that_is_there_already_leads_nowhere(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "poses").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FetchError, match="leaves the folder"):
        unpack.unpack(zipped(GOOD, tmp_path / "archive"), tmp_path / "out", progress=False)


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_an_archive_cut_short_is_refused(make, share, tmp_path):
    archive = make({"a": CONTENT}, tmp_path / "archive")
    archive.write_bytes(archive.read_bytes()[: int(share * archive.stat().st_size)])
    (tmp_path / "out").mkdir()
    with pytest.raises(FetchError, match="By hand: remove it"):
        unpack.unpack(archive, tmp_path / "out", progress=False)
    assert everything(tmp_path / "out") == {}


def test_a_flipped_bit_in_a_zip_is_found(tmp_path):
    archive = zipped({"a": CONTENT}, tmp_path / "archive")
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 1
    archive.write_bytes(data)
    (tmp_path / "out").mkdir()
    with pytest.raises(FetchError, match="'a' cannot be unpacked"):
        unpack.unpack(archive, tmp_path / "out", progress=False)
    assert everything(tmp_path / "out") == {}


def test_a_member_that_is_a_folder_too_or_has_a_name_of_no_file(tmp_path):
    archive, out = tmp_path / "archive", tmp_path / "out"
    out.mkdir()
    with tarfile.open(archive, "w") as tar:
        for kind, content in ((tarfile.REGTYPE, b"abc"), (tarfile.DIRTYPE, b"")):
            info = tarfile.TarInfo("a")
            info.size, info.type = len(content), kind
            tar.addfile(info, io.BytesIO(content))
    unpack.unpack(archive, out, progress=False)
    assert everything(out) == {"a": b"abc"}
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("b")
        info.pax_headers = {"path": "b\0c"}
        tar.addfile(info)
    with pytest.raises(FetchError, match="nothing was unpacked"):
        unpack.unpack(archive, out, progress=False)


def test_a_disk_that_fills_up_is_not_the_archives_fault(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    archive = zipped(GOOD, tmp_path / "archive")
    monkeypatch.setattr(unpack.os, "replace", full)
    with pytest.raises(FetchError, match=r"No space left.*By hand: free some space"):
        unpack.unpack(archive, tmp_path, progress=False)


def test_more_than_the_disk_holds_is_not_started(tmp_path, monkeypatch):
    monkeypatch.setattr(
        unpack.shutil, "disk_usage", lambda _: unpack.shutil._ntuple_diskusage(9, 9, 9)
    )
    archive = zipped(GOOD, tmp_path / "archive")
    with pytest.raises(FetchError, match=r"needs 5,001 bytes, the disk has 9.*free some space"):
        unpack.unpack(archive, tmp_path, progress=False)
