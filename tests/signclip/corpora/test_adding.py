"""Adding a corpus to a copy of the package: one file in loaders/ and one entry in the catalogue."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from signclip.corpora import manifest, splits

PACKAGE = Path(__file__).parents[3] / "signclip"
LOADER = '''
"""Toy: poses named <signer>-<word>.pose."""

from signclip.corpora.loader import Loader
from signclip.corpora.reading import row


def rows(root):
    found = []
    for number, path in enumerate(sorted(root.glob("*.pose"))):
        signer, _, word = path.stem.partition("-")
        split = ("train", "validation", "test")[number % 3]
        found.append(row(path.stem, path.name, word, signer=signer, split=split))
    return found, []


LOADER = Loader(name="toy-words", needs=("*-*.pose",), rows=rows)
'''


@pytest.fixture
def copy(tmp_path) -> Path:
    """A folder with a copy of the package that has the file, and not yet the entry."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "copy" / "signclip", ignore=ignored)
    loaders = tmp_path / "copy" / "signclip" / "corpora" / "loaders"
    (loaders / "toy_words.py").write_text(LOADER)
    return tmp_path / "copy"


def run(copy: Path, *arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "signclip", "corpora", *map(str, arguments)],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_new_loader_is_one_file_and_one_entry(copy, tmp_path, make_pose, pose_bytes):
    clips = tmp_path / "clips"
    clips.mkdir()
    for number, name in enumerate(("anna-tea", "anna-water", "bela-tea")):
        (clips / f"{name}.pose").write_bytes(pose_bytes(make_pose(seed=number)))
    refused = run(copy, "show", "toy-words")
    assert "corpus toy-words has no entry in catalogue.yaml" in refused.stderr
    catalogue = copy / "signclip" / "corpora" / "catalogue.yaml"
    entry = yaml.safe_load(catalogue.read_text())["popsign"] | {"title": "Toy words"}
    catalogue.write_text(catalogue.read_text() + yaml.safe_dump({"toy-words": entry}))
    (copy / "params.yaml").write_text("corpora: {}\n")
    assert run(copy, "enable", "toy-words", clips).returncode == 0
    built = run(copy, "build", "toy-words")
    assert built.returncode == 0, built.stderr
    assert "3 clips, 1 sign languages, 0 dropped" in built.stdout
    table = manifest.read(copy / "data" / "toy-words")
    assert table["signer"].tolist() == ["anna", "anna", "bela"]
    roles = splits.read(copy / "data" / "toy-words", "official")["role"]
    assert roles.tolist() == ["train", "validation", "test"]
    shown = run(copy, "show", "toy-words").stdout
    assert shown.startswith("Toy words\n")
