"""A file of ``torch.save``, checked before torch reads it.

Decision: torch maps the file and takes as many bytes for a tensor as its pickle announces, whatever
the record in the archive holds; a shorter record is filled with the bytes of the next one. So the
pickle is walked first, without importing or calling anything that it names, and each record must
have exactly the announced size. Records must not be compressed (they could not be mapped), and
their checksums must hold.

Cost: one pass over the file for the checksums.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Sequence
from io import BytesIO
from typing import Any

MAX_PICKLE = 64 << 20  # bytes; that of BERT-base has 60 KB
_ITEM_BYTES = {
    **dict.fromkeys(("DoubleStorage", "LongStorage", "ComplexFloatStorage"), 8),
    **dict.fromkeys(("FloatStorage", "IntStorage"), 4),
    **dict.fromkeys(("HalfStorage", "BFloat16Storage", "ShortStorage"), 2),
    **dict.fromkeys(("CharStorage", "ByteStorage", "BoolStorage"), 1),
}


def check(path: str, *, most: int = 8) -> None:
    """Refuse an archive that torch would read wrongly.

    Args:
        most: names that an error lists.

    Raises:
        zipfile.BadZipFile: records are compressed, damaged, or of another size than announced.
        pickle.UnpicklingError, EOFError, and what a damaged pickle raises: see :mod:`pickle`.
    """
    with zipfile.ZipFile(path) as archive:
        records = {info.filename: info for info in archive.infolist()}
        _refuse(
            "records are compressed",
            [name for name, one in records.items() if one.compress_type != zipfile.ZIP_STORED],
            most,
        )
        damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"record {damaged} is damaged: its checksum differs")
        index = next((name for name in records if name.endswith("data.pkl")), None)
        if index is None:
            raise zipfile.BadZipFile("no record data.pkl")
        if records[index].file_size > MAX_PICKLE:
            raise zipfile.BadZipFile(f"{index} has {records[index].file_size:,} bytes")
        storages = _Storages(archive.read(index))
    folder = index.removesuffix("data.pkl")
    announced = {f"{folder}data/{name}": size for name, size in storages.announced.items()}
    odd = [
        name
        for name, size in announced.items()
        if name not in records or records[name].file_size != size
    ]
    _refuse("records have another size than their tensors", odd, most)


def _refuse(problem: str, names: Sequence[str], most: int) -> None:
    if names:
        shown = ", ".join(names[:most]) + (f" and {len(names) - most} more" * (len(names) > most))
        raise zipfile.BadZipFile(f"{problem}: {shown}")


class _Nothing:
    """Stands for whatever a pickle builds: takes any use, keeps nothing and does nothing."""

    def __init__(self, *args: Any, **kwargs: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        pass

    def extend(self, values: Any) -> None:
        pass


class _Storages(pickle.Unpickler):
    """Walks a pickle and notes the size that it announces for each storage.

    Attributes:
        announced: bytes, by the storage's name.
    """

    def __init__(self, data: bytes):
        super().__init__(BytesIO(data))
        self.announced: dict[str, int] = {}
        self.load()

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _ITEM_BYTES:
            return name
        return _Nothing

    def persistent_load(self, pid: Any) -> _Nothing:
        kind, storage, name, _, count = pid
        if kind != "storage" or storage not in _ITEM_BYTES:
            raise pickle.UnpicklingError(f"a storage of an unknown kind ({storage!r})")
        size = int(count) * _ITEM_BYTES[storage]
        if self.announced.setdefault(str(name), size) != size:
            raise pickle.UnpicklingError(f"two sizes for storage {name}")
        return _Nothing()
