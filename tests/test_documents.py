"""README and docs are true: their commands, links and numbers are those of the repository."""

import ast
import importlib
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import typer
import yaml

from benchmarks import report
from benchmarks.report import blocks
from signclip.core.workspace import Workspace

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in DOCUMENTS}

PROGRAMS = {
    "signclip": "signclip.cli",
    "signbench": "benchmarks.cli",
    "benchmarks": "benchmarks.cli",
    "baselines": "baselines.cli",
}
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_STARTS = re.compile(r"(signclip|signbench|make|dvc|python -m|torchrun .*-m) ")


def _blocks(language):
    return [
        pytest.param(block, id=f"{name}-{i}")
        for name, text in TEXTS.items()
        for i, (found, block) in enumerate(_BLOCK.findall(text))
        if found in language
    ]


def _words(line):
    """A shell command as words, without the launcher; empty: not a command of this repository."""
    if not _STARTS.match(line):
        return []
    words = shlex.split(line, comments=True)
    return words[words.index("-m") + 1 :] if words[0] in ("python", "torchrun") else words


def _commands():
    """Commands of blocks, and of inline code, where arguments may be left out."""
    found = {}
    for name, text in TEXTS.items():
        for language, block in _BLOCK.findall(text):
            if language in ("", "sh", "bash"):
                for line in block.replace("\\\n", " ").splitlines():
                    if words := _words(line):
                        found.setdefault(tuple(words), (name, True))
        for code in _INLINE.findall(_BLOCK.sub("", text)):
            if words := _words(code):
                found.setdefault(tuple(words), (name, False))
    return [
        pytest.param(list(words), whole, id=f"{name}: {' '.join(words)}")
        for words, (name, whole) in found.items()
    ]


@cache
def _command(program):
    module = importlib.import_module(PROGRAMS.get(program, program))
    if hasattr(module, "app"):
        return typer.main.get_command(module.app)
    app = typer.Typer()  # a script of one command
    app.command()(module.main)
    return typer.main.get_command(app)


@pytest.mark.parametrize(("words", "whole"), _commands())
def test_a_command_exists_with_its_options(words, whole):
    program, *words = words
    if program == "make":
        makefile = (ROOT / "Makefile").read_text("utf-8")
        targets = [word for word in words if "=" not in word]
        assert [x for x in targets if not re.search(rf"^{x}:", makefile, re.M)] == []
        return
    if program == "dvc":
        stages = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
        chosen = words[1:] if words[0] == "repro" else []
        assert [x for x in chosen if x[0] != "-" and x.split("@")[0] not in stages] == []
        return
    command = _command(program)
    while words and getattr(command, "commands", None):
        name, *words = words
        assert name in command.commands, f"no command {name!r}"
        command = command.commands[name]
    options = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    assert {word.split("=")[0] for word in words if word.startswith("--")} <= options
    if whole and not (getattr(command, "commands", None) and not words):
        command.make_context(program, words)  # a missing argument or a bad value is an error


def test_commands_are_found_in_blocks_and_in_text():
    words = [param.values[0] for param in _commands()]
    assert ["signclip", "train", "E3.2", "--fold", "0"] in words
    assert ["make", "repro"] in words
    assert len(words) > 30


@pytest.mark.parametrize("block", _blocks(("python",)))
def test_python_blocks_can_be_parsed(block):
    ast.parse(block)


@pytest.mark.parametrize("block", _blocks(("yaml",)))
def test_yaml_blocks_can_be_parsed(block):
    assert isinstance(yaml.safe_load(block), dict)


def _anchors(path):
    """Anchors of a Markdown file's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", _BLOCK.sub("", path.read_text("utf-8")), re.M)
    kept = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.replace(" ", "-") for title in kept}


@pytest.mark.parametrize("name", TEXTS)
def test_links_point_to_files_and_headings(name):
    path = ROOT / name
    missing = []
    for target in re.findall(r"\]\(([^)\s]+)\)", _BLOCK.sub("", TEXTS[name])):
        if re.match(r"https?://", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        if not there.exists() or (anchor and anchor not in _anchors(there)):
            missing.append(target)
    assert missing == []


def test_the_readme_is_short():
    assert len(TEXTS["README.md"].splitlines()) <= 200


def test_the_generated_tables_of_the_readme_are_current():
    readme = ROOT / "README.md"
    source = report.source_of(
        Workspace(results=ROOT / "results", params=ROOT / "params.yaml"),
        profile="cpu",
        corpus="spreadthesign-fingerspelling",
    )
    names = blocks.names_in(readme)
    assert names == ["headline", "reproduction", "fingerclip"]
    outdated = [x for x in names if not blocks.is_current(readme, x, blocks.BLOCKS[x](source))]
    assert outdated == []  # `python -m benchmarks.report.blocks README.md` writes them


_FINDINGS = TEXTS["docs/findings.md"] + TEXTS["docs/trials.md"]


def _tables():
    # not the exports of the leaderboard: they are made on demand, and a clean checkout has none
    paths = sorted((ROOT / "results").rglob("*.md"))
    kept = [path for path in paths if "leaderboard-exports" not in path.parts]
    return "".join(path.read_text("utf-8") for path in kept)


def test_every_difference_in_the_findings_stands_in_a_table():
    told = re.findall(r"[+-]0\.\d{3}\s\[[+-]0\.\d{3},\s[+-]0\.\d{3}\]", _FINDINGS)
    assert len(told) > 20
    tables = _tables()
    for row in pd.read_csv(ROOT / "results/tables/comparisons.csv").to_dict("records"):
        for kind in ("over_clips", "over_groups"):
            values = [row[name] for name in ("difference", f"{kind}_low", f"{kind}_high")]
            tables += "{:+.3f} [{:+.3f}, {:+.3f}]\n".format(*values)
    assert [x for x in map(_one_line, told) if x not in tables] == []


def test_every_score_in_the_findings_stands_in_a_table():
    told = re.findall(r"(?<![+\-\d])0\.\d{3}\s\[0\.\d{3},\s0\.\d{3}\]", _FINDINGS)
    assert len(told) > 20
    tables = _tables()
    assert [x for x in map(_one_line, told) if x not in tables] == []


def _one_line(text):
    return " ".join(text.split())


@pytest.mark.parametrize("measured", ["training-cpu", "training-cpu-amx"])
def test_the_table_of_a_training_step_is_what_was_measured(measured):
    text = TEXTS["docs/speed.md"]
    table = text[: text.index(f"[results/speed/{measured}.csv]")].rsplit("\n\n", 2)[-2]
    rows = [[x.strip(" *") for x in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    found = pd.read_csv(ROOT / f"results/speed/{measured}.csv").to_dict("records")
    assert len(rows) == len(found)
    for (way, seconds, cpu, ratio, ratio_cpu, memory, share), row in zip(rows, found, strict=True):
        assert way.replace(", float32", "").replace(", ", "-") == row["way"]
        told = [float(x) for x in (seconds, cpu, ratio, ratio_cpu, memory.removesuffix(" GB"))]
        names = ("seconds", "cpu_seconds", "ratio_wall", "ratio_cpu", "memory_GB")
        exact = [row[name] for name in names]
        assert told == pytest.approx(exact, abs=0.051), way
        assert share in ("", f"{row['memory_share']:.0%}".replace("%", " %"))


# Commands that use what the recipes of architecture.md add, in a copy of the repository.
RECIPE_COMMANDS = """
signclip corpora enable my-corpus local
signclip corpora build my-corpus
signclip pack my-corpus --variant signing --variant reduced_face_mirrored --variant dominant_hand
signbench train X15 aagcn --corpus my-corpus --split official --profile smoke --jobs 1
signbench evaluate X15 aagcn --corpus my-corpus --split official --profile smoke
signbench protocols X15 my_encoders:MeanFrame --corpus my-corpus --split official --profile smoke
signbench table ranking
signbench figure ranking
signbench points lengths --corpus my-corpus
signbench table pretraining
"""


def _apply_recipes(copy):
    """Write the blocks of architecture.md that begin with a path into a copy."""
    applied = []
    for language, block in _BLOCK.findall(TEXTS["docs/architecture.md"]):
        head, _, body = block.partition("\n")
        if language not in ("python", "yaml") or not (named := re.fullmatch(r"# (\S+\.\w+)", head)):
            continue
        path = copy / named[1]
        applied.append(named[1])
        if named[1] in ("baselines/models.yaml", "params.yaml"):
            text = path.read_text("utf-8")
            start = text.index("models:\n", text.find("\n  smoke:") + 1)  # of models.yaml the first
            indent = text[text.rfind("\n", 0, start) + 1 : start] + "  "
            start += len("models:\n")
            entry = "".join(f"{indent}{line}\n" for line in body.splitlines())
            path.write_text(text[:start] + entry + text[start:], "utf-8")
        else:
            text = path.read_text("utf-8") if language == "yaml" else ""
            path.write_text(f"{text}\n{body}", "utf-8")
    return applied


@pytest.mark.slow
def test_each_recipe_of_the_architecture_works(tmp_path, make_pose, pose_bytes):
    copy = tmp_path / "copy"
    ignored = shutil.ignore_patterns("__pycache__", "full", "transfer-*")
    for name in ("signclip", "baselines", "benchmarks", "results/leaderboard"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    shutil.copy(ROOT / "params.yaml", copy)
    dvc = (ROOT / "dvc.yaml").read_bytes()
    assert len(_apply_recipes(copy)) == 10
    with (copy / "benchmarks/paper/rows.csv").open("a") as file:
        file.write("pretraining,E9,E9,unnamed,an added row,,Spreadthesign,,,\n")
    with (copy / "benchmarks/paper/pretraining.csv").open("a") as file:
        file.write("E9,V2T_R@1,0.1234,0.03,a source,\n")
    (copy / "local/poses").mkdir(parents=True)
    clips = [(f"{word}-{part}", word, part) for word in "ab" for part in ("train", "val", "test")]
    for seed, (clip, *_) in enumerate(clips):
        (copy / f"local/poses/{clip}.pose").write_bytes(pose_bytes(make_pose(seed=seed)))
    rows = [f"{clip},{word},s-{part},{part}" for clip, word, part in clips]
    (copy / "local/glosses.csv").write_text("\n".join(["clip,gloss,signer,set", *rows]))

    script = "\n".join(
        [
            "from signclip.cli import app as signclip",
            "from benchmarks.cli import app as signbench",
            *(
                f"{program}({words!r}, standalone_mode=False)"
                for program, *words in map(str.split, RECIPE_COMMANDS.strip().splitlines())
            ),
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=copy, capture_output=True, text=True, timeout=1500
    )
    assert done.returncode == 0, done.stderr[-3000:]
    written = {path.name for path in (copy / "results/leaderboard/local").rglob("*.json")}
    assert "prototypes_5.my-corpus.official.json" in written
    encoders = {path.name for path in (copy / "results/leaderboard/local").iterdir()}
    assert encoders == {"X15", "aagcn", "MeanFrame"}
    assert (copy / "results/tables/ranking.md").is_file()
    assert (copy / "results/figures/ranking.png").is_file()
    assert len((copy / "results/points/lengths.csv").read_text().splitlines()) == 1 + len(clips)
    assert "0.1234" in (copy / "results/tables/pretraining.md").read_text("utf-8")
    assert (ROOT / "dvc.yaml").read_bytes() == dvc
