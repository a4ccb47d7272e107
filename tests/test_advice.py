"""Messages that name a command name it whole, so that it can be typed as it stands."""

import ast
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import typer

import baselines.cli
import benchmarks.cli
import signclip.cli

ROOT = Path(__file__).parents[1]
PROGRAMS = {
    name: typer.main.get_command(module.app)
    for name, module in (
        ("signclip", signclip.cli),
        ("signbench", benchmarks.cli),
        ("baselines", baselines.cli),
    )
}
_NAMES = r"(?:signclip|signbench|make|python -m (?:signclip|benchmarks|baselines))"
_COMMAND = re.compile(rf"`({_NAMES} [^`]+)`|\A({_NAMES} [^`]+)\Z")


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


def _commands(text: str, *, whole: bool) -> list[str]:
    """Commands in backticks and, if asked for, a text that is a command as a whole."""
    found = [quoted or text for quoted, text in _COMMAND.findall(text) if quoted or whole]
    return [command for command in found if command.split()[1] != "0"]  # of any name


@cache
def _advice() -> list:
    found = []
    for package in ("signclip", "benchmarks", "baselines"):
        for path in sorted((ROOT / package).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            if path.suffix == ".py":
                tree = ast.parse(path.read_text("utf-8"))
                texts = _texts(tree)
                formatted = {x.lineno for x in ast.walk(tree) if isinstance(x, ast.JoinedStr)}
            elif path.suffix in (".yaml", ".j2", ".html", ".csv"):
                lines = path.read_text("utf-8").splitlines()
                texts = {i: line.partition("# ")[0] for i, line in enumerate(lines, start=1)}
                formatted = set()
            else:
                continue
            for line, text in texts.items():
                for command in _commands(text, whole=line in formatted):
                    found.append(pytest.param(command, id=f"{name}:{line}: {command}"))
    return found


@pytest.mark.parametrize("advised", _advice())
def test_a_command_that_a_message_advises_is_complete(advised, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # no profile is unknown there
    words = shlex.split(advised)
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text("utf-8")
        assert all("=" in word or f"\n{word}:" in makefile for word in words[1:])
        return
    program, *words = words[2:] if words[0] == "python" else words
    name, command = program, PROGRAMS[{"benchmarks": "signbench"}.get(program, program)]
    while getattr(command, "commands", None) and words:
        name, *words = words
        assert name in command.commands, f"no command {name!r}"
        command = command.commands[name]
    if words != ["--help"]:
        command.make_context(name, words)  # a missing argument is an error


def test_messages_with_advice_are_found():
    advised = [param.values[0] for param in _advice()]
    for command in ("signclip corpora build 0", "make repro", "signclip pack 0 --variant 0"):
        assert command in advised
    assert "signclip extract FOLDER FOLDER" in advised  # of a file of data
    assert len(advised) > 40
