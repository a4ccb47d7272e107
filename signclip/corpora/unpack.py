"""Unpacking zip and tar archives: no path leaves the folder, no file is left half-written.

Decisions
* All member names are checked before anything is written, by the ``data`` filter of :mod:`tarfile`
  (for zip members too). Links, devices and absolute paths are refused, because no corpus needs
  them.
* Each file is written under a temporary name and renamed; a file that exists with its full size is
  not unpacked again, so a killed command resumes.

Cost: the archive and its content are on the disk at the same time.
"""

from __future__ import annotations

import errno
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from signclip.core import files
from signclip.core.errors import FetchError
from signclip.core.progress import bar

BLOCK = 1 << 20
# errors of the disk, which no second attempt and no other archive would avoid
DISK_ERRORS = (*files.DISK_ERRORS, errno.EACCES)
_MAKE_ROOM = "free some space, or choose another disk, and run the same command again"
_ARCHIVE_ERRORS = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(RuntimeError, NotImplementedError),  # encrypted, or an unknown compression
)


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    size: int  # bytes
    regular: bool  # False: a link or a device


def unpack(
    archive: Path, to: Path, *, protected: tuple[Path, ...] = (), progress: bool = True
) -> int:
    """Unpack a zip or tar archive into a folder; returns the number of its files.

    Args:
        protected: files that no member may replace, beside the archive itself.

    Raises:
        FetchError: the archive is damaged, holds a link, a device or a path that leaves the folder,
            or the disk has no room for it. Nothing is written before all paths are checked.
    """
    forbidden = {path.resolve() for path in (archive, *protected)}
    with _opened(archive) as (members, open_member):
        for member in members:
            if problem := _problem(member, to, forbidden):
                raise _bad(archive, f"its member {member.name!r} {problem}; nothing was unpacked")
        sizes = {member.name: member.size for member in members}  # a repeated name: the last one
        missing = [
            (name, size)
            for name, size in sizes.items()
            if not (to / name).is_file() or (to / name).stat().st_size != size
        ]
        need, free = sum(size for _, size in missing), shutil.disk_usage(to).free
        if need > free:
            reason = f"its content needs {need:,} bytes, the disk has {free:,}"
            raise FetchError(archive, reason, _MAKE_ROOM)
        label = f"unpacking {archive.name}"
        for name, size in bar(missing, desc=label, unit="file", disable=not progress):
            _unpack_file(archive, name, size, open_member, to / name)
    return len(sizes)


def _problem(member: Member, to: Path, forbidden: set[Path]) -> str:
    """The reason why a member must not be written; empty: it may be."""
    if not member.regular:
        return "is neither file nor folder"
    try:
        safe = tarfile.data_filter(tarfile.TarInfo(member.name), str(to))
    except (tarfile.FilterError, ValueError):  # ValueError: a NUL in the name
        return "leaves the folder"
    if safe.name != member.name or (to / member.name).resolve() == to.resolve():
        return "leaves the folder"  # an absolute path, which the filter makes relative
    if (to / member.name).resolve() in forbidden:
        return "would replace a file of this command"
    return ""


def _bad(archive: Path, reason: str) -> FetchError:
    return FetchError(archive, reason, "remove it and run the same command again")


def _unpack_file(
    archive: Path, name: str, size: int, open_member: Callable[[str], IO[bytes]], target: Path
) -> None:
    """Write one member under a temporary name, then rename it."""
    partial = target.with_name(f".{target.name}{files.PARTIAL}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "wb") as file, open_member(name) as source:
            # at most a block beyond the stated size, whatever it inflates to
            while file.tell() <= size and (block := source.read(BLOCK)):
                file.write(block)
            if file.tell() != size:
                raise _bad(archive, f"its member {name!r} is not as long as it says")
        os.replace(partial, target)
    except _ARCHIVE_ERRORS as error:
        reason = f"its member {name!r} cannot be unpacked ({error})"
        if getattr(error, "errno", None) in DISK_ERRORS:  # the archive itself is not damaged
            raise FetchError(archive, reason, _MAKE_ROOM) from None
        raise _bad(archive, reason) from None
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[list[Member], Callable[[str], IO[bytes]]]]:
    """Yields (members without folders, function that opens one by its name)."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                infos = [info for info in zipped.infolist() if not info.is_dir()]
                yield [Member(i.filename, i.file_size, _is_file(i)) for i in infos], zipped.open
            return
        with tarfile.open(archive) as tarred:
            entries = [entry for entry in tarred if not entry.isdir()]
            by_name = {entry.name: entry for entry in entries}  # tarfile's look-up is linear

            def open_entry(name: str) -> IO[bytes]:
                file = tarred.extractfile(by_name[name])
                assert file is not None, name  # a regular file, checked before
                return file

            yield [Member(e.name, e.size, e.isreg()) for e in entries], open_entry
    except _ARCHIVE_ERRORS as error:
        raise _bad(archive, f"not a whole zip or tar archive ({error})") from None


def _is_file(info: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0: written by a system without file types
    return kind in (0, stat.S_IFREG)
