"""The fingerprint of code: what a package does counts, how it is written down does not."""

import importlib
import itertools
from pathlib import Path

import pytest

from signclip.core.code import fingerprint_code

MODULE = "import math\n\n\ndef area(radius):\n    return math.pi * radius**2\n"
numbers = itertools.count()


@pytest.fixture
def digest_of(tmp_path, monkeypatch):
    """The digest of a package that consists of the given files, name -> content."""
    monkeypatch.syspath_prepend(tmp_path)

    def digest(**files: str) -> str:
        name = f"fingerprinted_{next(numbers)}"  # each digest is computed once a process and name
        for file, content in {"__init__.py": "", **files}.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        importlib.invalidate_caches()
        return fingerprint_code([name])[name]

    return digest


@pytest.mark.parametrize(
    "rewritten",
    [
        MODULE,
        f'"""A docstring."""\n{MODULE}',
        MODULE.replace("    return", '    """Of a circle."""\n    return'),
        MODULE.replace("import math\n", "import math  # a comment\n"),
        MODULE.replace("radius**2", "(\n        radius ** 2\n    )"),
        MODULE.replace("\n\n\n", "\n"),
    ],
)
def test_comments_layout_and_docstrings_do_not_count(digest_of, rewritten):
    assert digest_of(**{"a.py": rewritten}) == digest_of(**{"a.py": MODULE})


@pytest.mark.parametrize(
    "changed",
    [
        {"a.py": MODULE.replace("**2", "**3")},
        {"a.py": MODULE.replace("radius", "r")},
        {"b.py": MODULE},  # another name
        {"a.py": MODULE, "b.py": ""},  # a new file
        {"a.py": MODULE, "deep/b.py": ""},
        {"a.py": MODULE, "table.csv": "a,b\n"},  # a new data file
        {},
    ],
)
def test_other_code_other_names_and_new_files_count(digest_of, changed):
    assert digest_of(**changed) != digest_of(**{"a.py": MODULE})


def test_a_data_file_counts_byte_by_byte(digest_of):
    one, other = (digest_of(**{"table.csv": text}) for text in ("a # b\n", "a # c\n"))
    assert one != other


def test_compiled_files_do_not_count(digest_of):
    assert digest_of(**{"a.py": MODULE, "__pycache__/a.pyc": "x"}) == digest_of(**{"a.py": MODULE})


def test_a_single_module_is_named_too_and_every_name_has_its_digest():
    names = ["signclip.core.errors", "signclip.text", "signclip.poses"]
    found = fingerprint_code(names)
    assert list(found) == names
    assert len(set(found.values())) == 3
    assert all(len(digest) == 64 for digest in found.values())


def test_a_packages_data_is_part_of_it():
    import signclip.poses

    assert (Path(signclip.poses.__file__).parent / "sign_vq_normalization.npz").is_file()


@pytest.mark.parametrize("name", ["no_such_package", "signclip.no_such_module"])
def test_an_unknown_name_is_an_error(name):
    with pytest.raises(ModuleNotFoundError, match=name):
        fingerprint_code([name])
