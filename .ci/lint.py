"""Checks the repository's own rules on its sources: paths, sizes, names, imports.

    python .ci/lint.py            # one line per violation, ``path:line: what``; then exit status 1

Decisions:
- A rule is a function from the sources (path -> text) to violations, so that its test needs no
  repository. What ruff and mypy can check is left to them.
- Sources are the files that git tracks or would track; files that are not UTF-8 are skipped.
- Every import counts, also one inside a function: it is a dependency all the same.
- A circle is reported for single modules. A module may import a name from its own package's
  ``__init__``; that a package is initialised before its modules is no dependency.

Cost: two seconds.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import yaml

ROOT = Path(__file__).parents[1]

# Units of each package, lowest first; a unit may import those of earlier lines and of its own line.
# The facade of a package, its ``__init__.py``, and ``__main__.py`` stand above its units.
LAYERS = {
    "signclip": (
        ("core",),
        ("text",),
        ("poses",),
        ("experiments",),
        ("extraction", "features"),
        ("corpora",),
        ("model",),
        ("checkpoint", "model_card"),
        ("inference",),
        ("training",),
        ("search",),
        ("serving",),
        ("cli",),
    ),
    "baselines": (("label_scores",), ("floors", "skeletons"), ("cli",)),
    "benchmarks": (
        ("results", "suites"),
        ("encoder_metadata",),
        ("metrics",),
        ("paper",),
        ("evaluation",),
        ("tasks",),
        ("runner",),
        ("source",),
        ("points",),
        ("analogy", "dgs", "photograph", "tune"),
        ("nested",),
        ("report",),
        ("leaderboard", "local_corpora", "open_corpora", "submission"),
        ("params",),
        ("speed",),
        ("cli",),
    ),
}
PACKAGES = tuple(LAYERS)  # each may import the ones before it

# fmt: off
RETIRED = frozenset({
    "opened", "Opened", "own", "elsewhere", "answers", "space", "windows", "unpadded", "speaks",
    "by_first", "kept_or_trained", "apart", "bent", "Asked", "Ranked",
})
# fmt: on
MACHINE = re.compile(r"/(work|root|farm)/|/home/[a-z]|--(extra-)?index-url|--find-link[s]")
OUTSIDE = re.compile(r"\.\./shared|\b(facts|design|style|pitfalls)\.md|\bfacts \d|reference README")
MAX_LINES, MAX_ENTRIES, MAX_PARAMETERS = 450, 18, 8

Sources = Mapping[str, str]


class Violation(NamedTuple):
    """A broken rule; ``line`` is 0 where the whole file is meant."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


def machine_paths(sources: Sources) -> Iterator[Violation]:
    """No file holds a path of one machine or the address of a package index."""
    for path, line, match in _matches(sources, MACHINE):
        yield Violation(path, line, f"path of a machine or address of an index: {match}")


def outside_references(sources: Sources) -> Iterator[Violation]:
    """Code and documents cite no file outside the repository. Tests may read such files."""
    chosen = {
        path: text
        for path, text in sources.items()
        if not path.startswith(("tests/", "results/", ".ci/"))
        and path.endswith((".py", ".md", ".yaml", ".toml", "Makefile", ".j2"))
    }
    for path, line, match in _matches(chosen, OUTSIDE):
        yield Violation(path, line, f"cites a file outside the repository: {match}")


def long_files(sources: Sources) -> Iterator[Violation]:
    """No Python file of the packages is longer than MAX_LINES."""
    for path in _code(sources):
        if (lines := len(sources[path].splitlines())) > MAX_LINES:
            yield Violation(path, lines, f"{lines} lines, at most {MAX_LINES}")


def many_entries(sources: Sources) -> Iterator[Violation]:
    """``signclip/`` has at most MAX_ENTRIES files and folders at its top."""
    entries = {path.split("/")[1] for path in sources if path.startswith("signclip/")}
    if len(entries) > MAX_ENTRIES:
        yield Violation("signclip", 0, f"{len(entries)} entries at the top, at most {MAX_ENTRIES}")


def retired_names(sources: Sources) -> Iterator[Violation]:
    """No module, definition, parameter, class field, constant, option or YAML key is retired."""
    for path in _code(sources):
        for part in PurePosixPath(path).with_suffix("").parts:
            if part in RETIRED:
                yield Violation(path, 0, f"retired name of a module: {part}")
        for line, name, kind in _names(ast.parse(sources[path])):
            if name in RETIRED or (name.isupper() and name.lower() in RETIRED):
                yield Violation(path, line, f"retired name of a {kind}: {name}")
    for path, text in sources.items():
        if path.endswith((".yaml", ".yml")):
            for line, key in _keys(yaml.compose(text)):
                if key in RETIRED:
                    yield Violation(path, line, f"retired name of a key: {key}")


def many_parameters(sources: Sources) -> Iterator[Violation]:
    """No function has more than MAX_PARAMETERS parameters, unless it is a command."""
    for path in _code(sources):
        tree = ast.parse(sources[path])
        commands = {
            argument.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith(("typer.run", "application"))
            for argument in node.args
            if isinstance(argument, ast.Name)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            names = [name.arg for name in _parameters(node.args, stars=False)]
            count = len(names) - (names[:1] in (["self"], ["cls"]))
            command = node.name in commands or any(
                isinstance(made, ast.Call) and ast.unparse(made.func).endswith(suffix)
                for made in node.decorator_list
                for suffix in (".command", ".callback")
            )
            if count > MAX_PARAMETERS and not command:
                what = f"{node.name} has {count} parameters, at most {MAX_PARAMETERS}"
                yield Violation(path, node.lineno, what)


def upward_imports(sources: Sources) -> Iterator[Violation]:
    """Imports go to earlier packages, and within a package to earlier or equal layers."""
    place = {
        (package, unit): height
        for package, layers in LAYERS.items()
        for height, units in enumerate(layers)
        for unit in units
    }
    top = {package: len(layers) for package, layers in LAYERS.items()}

    def height(package: str, unit: str) -> int:
        """What has no layer is reported by itself, and counts as the lowest where imported."""
        return top[package] if unit in ("", "__main__") else place.get((package, unit), -1)

    modules = _modules(sources)
    for name, path in modules.items():
        package, unit = _unit(name)
        if unit not in ("", "__main__") and (package, unit) not in place:
            yield Violation(path, 0, f"{package}.{unit} has no layer in .ci/lint.py")
            continue
        for line, target in _imports(sources[path], modules):
            to, part = _unit(target)
            if to == package:
                up = height(package, part) > height(package, unit)
            else:
                up = PACKAGES.index(to) > PACKAGES.index(package)
            if up and target != name:
                yield Violation(path, line, f"upward import: {target}")


def circles(sources: Sources) -> Iterator[Violation]:
    """No modules import each other in a circle, and no units of a package do."""
    modules = _modules(sources)
    graph: dict[str, set[str]] = {}
    units: dict[str, set[str]] = {}
    for name, path in modules.items():
        targets = {target for _, target in _imports(sources[path], modules)}
        graph[name] = targets - {name}
        here = ".".join(_unit(name)).rstrip(".")
        there = {".".join(_unit(target)).rstrip(".") for target in targets}
        if here not in PACKAGES:  # a facade has no unit
            units.setdefault(here, set()).update(there - {here, *PACKAGES})
    for kind, edges in (("modules", graph), ("packages", units)):
        try:
            TopologicalSorter(edges).prepare()
        except CycleError as error:
            circle = error.args[1][::-1]
            path = modules.get(circle[0], circle[0].replace(".", "/"))
            yield Violation(path, 0, f"{kind} import in a circle: {' -> '.join(circle)}")


RULES: tuple[Callable[[Sources], Iterator[Violation]], ...] = (
    machine_paths,
    outside_references,
    long_files,
    many_entries,
    retired_names,
    many_parameters,
    upward_imports,
    circles,
)


def violations(sources: Sources) -> list[Violation]:
    """All rules on all sources, sorted by file and line."""
    return sorted(found for rule in RULES for found in rule(sources))


def tracked(root: Path) -> dict[str, str]:
    """Path -> text of every text file that git tracks, or would, below ``root``."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    sources = {}
    for path in sorted(filter(None, listed.split("\0"))):
        if (root / path).is_file():
            try:
                sources[path] = (root / path).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
    return sources


def _matches(sources: Sources, pattern: re.Pattern[str]) -> Iterator[tuple[str, int, str]]:
    for path, text in sources.items():
        if pattern.search(text):
            for number, line in enumerate(text.splitlines(), start=1):
                if found := pattern.search(line):
                    yield path, number, found.group()


def _code(sources: Sources) -> list[str]:
    """Python files of the packages."""
    return [path for path in sources if path.endswith(".py") and path.split("/")[0] in PACKAGES]


def _parameters(given: ast.arguments, *, stars: bool = True) -> list[ast.arg]:
    found = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return [*found, *filter(None, (given.vararg, given.kwarg))] if stars else found


def _names(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Line, name and kind of what a module defines, and of the options that it names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name, "definition"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for parameter in _parameters(node.args):
                yield parameter.lineno, parameter.arg, "parameter"
        if isinstance(node, ast.ClassDef | ast.Module):
            for statement in node.body:
                for target in _assigned(statement):
                    yield statement.lineno, target, "field or constant"
        if isinstance(node, ast.Call):
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    for option in re.findall(r"--(?:no-)?([\w-]+)", argument.value):
                        if argument.value.startswith("-"):
                            yield argument.lineno, option.replace("-", "_"), "option"


def _assigned(statement: ast.stmt) -> Iterator[str]:
    targets: Iterable[ast.expr] = ()
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    for target in targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                yield node.id


def _keys(node: yaml.Node | None) -> Iterator[tuple[int, str]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key.start_mark.line + 1, str(key.value)
            yield from _keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _keys(value)


def _modules(sources: Sources) -> dict[str, str]:
    """Dotted name -> path of every module of the packages."""
    found = {}
    for path in _code(sources):
        parts = list(PurePosixPath(path).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _folders(modules: Iterable[str]) -> set[str]:
    """Dotted names of all folders of modules, with and without an ``__init__.py``."""
    return {name.rpartition(".")[0] for name in modules if "." in name}


def _unit(module: str) -> tuple[str, str]:
    """``signclip.model.towers`` -> signclip, model."""
    package, _, rest = module.partition(".")
    return package, rest.split(".")[0]


def _imports(text: str, modules: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every module of ours that a module imports."""
    known = modules.keys() | _folders(modules)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            targets = [full if full in known else node.module for full in names]
        else:
            continue
        for target in sorted(set(targets) & known):
            yield node.lineno, target


def main() -> int:
    """Print every violation; returns the exit status."""
    found = violations(tracked(ROOT))
    for violation in found:
        print(violation)
    rules = Counter(violation.path for violation in found)
    if found:
        print(f"{len(found)} violations in {len(rules)} files", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
