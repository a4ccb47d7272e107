"""The repository's lint finds what each of its rules forbids, and nothing else."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_SPEC = importlib.util.spec_from_file_location("repository_lint", ROOT / ".ci/lint.py")
lint = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = lint
_SPEC.loader.exec_module(lint)

TRAINING = "signclip/training/train.py"
# Split, so that this file breaks none of the rules itself.
ROOT_FOLDER, SHARED, INDEX = "/" + "root/", "../shared/", "--index" + "-url"
MANY = ", ".join(f"p{i}" for i in range(9))

FORBIDDEN = {  # what -> (rule, sources, path:line of the violation)
    "a path of a machine": ("machine_paths", {"docs/a.md": f"a\n{ROOT_FOLDER}x"}, "docs/a.md:2"),
    "a package index": ("machine_paths", {"Makefile": f"pip {INDEX} x"}, "Makefile:1"),
    "a file outside": ("outside_references", {TRAINING: f'"""{SHARED}x."""'}, f"{TRAINING}:1"),
    "numbered notes": ("outside_references", {"README.md": "as in facts 1.4"}, "README.md:1"),
    "a long file": ("long_files", {TRAINING: "\n" * 451}, f"{TRAINING}:451"),
    "many entries": ("many_entries", {f"signclip/m{i}.py": "" for i in range(19)}, "signclip:0"),
    "a module": ("retired_names", {"signclip/model/windows.py": ""}, "signclip/model/windows.py:0"),
    "a folder": ("retired_names", {"signclip/space/a.py": ""}, "signclip/space/a.py:0"),
    "a function": ("retired_names", {TRAINING: "\ndef apart(): ..."}, f"{TRAINING}:2"),
    "a class": ("retired_names", {TRAINING: "class Opened: ..."}, f"{TRAINING}:1"),
    "a method": ("retired_names", {TRAINING: "class A:\n def speaks(self): ..."}, f"{TRAINING}:2"),
    "a parameter": ("retired_names", {TRAINING: "def f(a, *, own=0): ..."}, f"{TRAINING}:1"),
    "arguments": ("retired_names", {TRAINING: "def f(*answers): ..."}, f"{TRAINING}:1"),
    "a field": ("retired_names", {TRAINING: "class A:\n  bent: int = 0"}, f"{TRAINING}:2"),
    "a constant": ("retired_names", {TRAINING: "ELSEWHERE = 1"}, f"{TRAINING}:1"),
    "an option": ("retired_names", {TRAINING: "typer.Option('--own')"}, f"{TRAINING}:1"),
    "the other option": ("retired_names", {TRAINING: "Option('--a/--no-own')"}, f"{TRAINING}:1"),
    "a key": ("retired_names", {"params.yaml": "a:\n  - {elsewhere: 1}"}, "params.yaml:2"),
    "nine parameters": ("many_parameters", {TRAINING: f"def f({MANY}): ..."}, f"{TRAINING}:1"),
    "nine of a method": (
        "many_parameters",
        {TRAINING: f"class A:\n def f(self, {MANY}): ..."},
        f"{TRAINING}:2",
    ),
    "an upward import": (
        "upward_imports",
        {"signclip/model/towers.py": "\nfrom signclip.training import train", TRAINING: ""},
        "signclip/model/towers.py:2",
    ),
    "an upward import in a function": (
        "upward_imports",
        {"signclip/text/a.py": "def f():\n  import signclip.training.train", TRAINING: ""},
        "signclip/text/a.py:2",
    ),
    "an import of a later package": (
        "upward_imports",
        {TRAINING: "from benchmarks import results", "benchmarks/results.py": ""},
        f"{TRAINING}:1",
    ),
    "an import of the facade": (
        "upward_imports",
        {TRAINING: "import signclip", "signclip/__init__.py": ""},
        f"{TRAINING}:1",
    ),
    "a module without a layer": ("upward_imports", {"signclip/new.py": ""}, "signclip/new.py:0"),
    "a circle of modules": (
        "circles",
        {
            "signclip/text/a.py": "from signclip.text import b",
            "signclip/text/b.py": "from signclip.text.a import x",
        },
        "signclip/text/",
    ),
    "a circle of packages": (
        "circles",
        {
            "signclip/features/a.py": "from signclip.extraction import b",
            "signclip/extraction/b.py": "",
            "signclip/extraction/c.py": "from signclip.features import d",
            "signclip/features/d.py": "",
        },
        "signclip/",
    ),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_a_rule_forbids_is_found_by_it_alone(what):
    rule, sources, place = FORBIDDEN[what]
    found = list(getattr(lint, rule)(sources))
    assert len(found) == 1
    assert str(found[0]).startswith(place)
    others = [other for other in lint.RULES if other.__name__ not in (rule, "upward_imports")]
    assert [list(other(sources)) for other in others] == [[]] * len(others)


def test_every_rule_has_a_case():
    assert {rule.__name__ for rule in lint.RULES} == {rule for rule, *_ in FORBIDDEN.values()}


ALLOWED = {
    "signclip/__init__.py": "from signclip.inference import load",
    "signclip/__main__.py": "from signclip.cli import main",
    "signclip/cli/__init__.py": f"@app.command()\ndef train({MANY}): ...\ndef main(): ...",
    "signclip/inference.py": "def load(path): ...\n\nLONG = ('truncate', 'windows')",
    "signclip/text/a.py": "from signclip.text import b\nknown = [own for own in range(3)]",
    "signclip/text/b.py": "'''Words of one's own, spoken elsewhere, apart from others.'''",
    "benchmarks/speed/ranking.py": f"def main({MANY}): ...\ntyper.run(main)",
    "benchmarks/results.py": "from signclip.text import a",
    "tests/conftest.py": f"SHARED = '{SHARED}'\n" + "\n" * 500,
    "params.yaml": "long: windows",
}


def test_what_is_allowed_is_not_found():
    assert lint.violations(ALLOWED) == []


def test_text_files_that_git_would_track_are_read(tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("ignored\n")
    (tmp_path / "ignored").write_text("x")
    (tmp_path / "signclip").mkdir()
    (tmp_path / "signclip/a.npz").write_bytes(b"\xff\x00")
    (tmp_path / "signclip/a.py").write_text("é = 1\n", encoding="utf-8")
    assert lint.tracked(tmp_path) == {".gitignore": "ignored\n", "signclip/a.py": "é = 1\n"}


def test_violations_are_printed_and_fail(monkeypatch, capsys):
    monkeypatch.setattr(lint, "tracked", lambda root: {TRAINING: "def apart(): ..."})
    assert lint.main() == 1
    assert capsys.readouterr().out == f"{TRAINING}:1: retired name of a definition: apart\n"
    monkeypatch.setattr(lint, "tracked", lambda root: ALLOWED)
    assert lint.main() == 0
