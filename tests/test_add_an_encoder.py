"""docs/add-an-encoder.md, command by command, in an empty folder."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import encoder_metadata, results

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/add-an-encoder.md").read_text("utf-8")
PROGRAMS = {"signbench": "benchmarks", "signclip": "signclip"}
COMMANDS = [
    line
    for block in re.findall(r"^```\n(.*?)^```$", TEXT, re.M | re.S)
    for line in block.splitlines()
]


def test_the_tutorial_names_every_command_of_a_submission():
    verbs = {tuple(line.split()[:2]) for line in COMMANDS}
    wanted = ("new", "check", "run", "compare", "submit", "validate")
    assert {("signbench", verb) for verb in wanted} <= verbs


@pytest.mark.slow
def test_the_tutorial_runs_command_by_command(tmp_path, start_in_fork):
    for line in COMMANDS:
        program, *words = shlex.split(line)
        command = start_in_fork("forked_command:run", tmp_path, PROGRAMS[program], *words)
        command.join()
        assert command.exitcode == 0, f"{line}\n{(tmp_path / 'output').read_text('utf-8')}"
    board = tmp_path / "results/leaderboard"
    page = (board / "index.html").read_text("utf-8")
    assert '"name":"my-encoder (submitted)"' in page
    about = encoder_metadata.find(board, "submitted", "my-encoder", "1")
    assert about is not None
    assert about.kind == "pose"
    rows = results.load(board).query("encoder == 'my-encoder' and group == 'submitted'")
    assert {"sign_to_sign", "few_shot_5", "linear_probe"} <= set(rows["task"])


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "examples").glob("*.py")))
def test_an_example_is_an_encoder_or_says_what_to_install(name, tmp_path):
    if name in ("__init__", "precomputed"):
        return
    script = (
        "import importlib, inspect; from benchmarks.evaluation import dotted; "
        f"module = importlib.import_module('examples.{name}'); "
        "[print(kind.__name__, dotted.open_class(f'examples.{name}:' + kind.__name__, "
        "metadata=dotted.metadata_of(kind, kind.__name__)).title) "
        "for _, kind in inspect.getmembers(module, inspect.isclass) "
        "if kind.__module__ == module.__name__]"
    ).replace("{name}", name)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        assert re.search(r"ImportError: .*pip install (--no-deps )?\S+==", done.stderr), done.stderr
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.stdout
