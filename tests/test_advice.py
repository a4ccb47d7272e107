"""Messages that name a command name it whole, so that it can be typed as it stands."""

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer

import benchmarks.cli
import signclip.cli

ROOT = Path(__file__).parents[1]
PROGRAMS = {
    name: typer.main.get_command(module.app)
    for name, module in (("signclip", signclip.cli), ("signbench", benchmarks.cli))
}
_COMMAND = re.compile(r"`((?:signclip|signbench) [^`]+)`")
# A change of these packages trains every run anew, so their messages wait for one that has to.
WITHOUT = ("signclip/features/", "signclip/model/", "signclip/poses/", "signclip/training/")


def _texts(tree: ast.Module) -> dict[int, str]:
    """Line -> text of every string but docstrings and help; what is filled in is 0."""
    left_out = {
        id(node)
        for parent in ast.walk(tree)
        for top in (
            [parent.value]
            if isinstance(parent, ast.Expr) and isinstance(parent.value, ast.Constant)
            else [word.value for word in parent.keywords if word.arg == "help"]
            if isinstance(parent, ast.Call)
            else []
        )
        for node in ast.walk(top)
    }
    found = {}
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = [x.value if isinstance(x, ast.Constant) else "0" for x in node.values]
            left_out |= {id(part) for part in node.values}
            found[node.lineno] = "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found[node.lineno] = node.value
    return found


def _advice() -> list:
    found = []
    for package in ("signclip", "benchmarks", "baselines"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name.startswith(WITHOUT):
                continue
            for line, text in _texts(ast.parse(path.read_text("utf-8"))).items():
                for command in _COMMAND.findall(text.replace("`signbench 0`", "")):  # of any name
                    found.append(pytest.param(command, id=f"{name}:{line}: {command}"))
    return found


@pytest.mark.parametrize("advised", _advice())
def test_a_command_that_a_message_advises_is_complete(advised, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # no profile is unknown there
    program, *words = shlex.split(advised)
    command = PROGRAMS[program]
    while getattr(command, "commands", None) and words:
        name, *words = words
        assert name in command.commands, f"no command {name!r}"
        command = command.commands[name]
    if words != ["--help"]:
        command.make_context(name, words)  # a missing argument is an error


def test_messages_with_advice_are_found():
    advised = [param.values[0] for param in _advice()]
    assert "signclip corpora build 0" in advised
    assert len(advised) > 20
