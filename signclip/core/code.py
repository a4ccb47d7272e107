"""Hashing the code that decides a result, so that a change of it is noticed.

Decision: packages (or single modules) are hashed, never lists of files, so that every file added to
a package counts. Comments, docstrings and layout do not count, so that editing them retrains
nothing; the data files of a package (tables, constants) count byte by byte. Cost: each file is
parsed once a process, 0.2 s for all of ``signclip``.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from signclip.core.files import sha256_bytes, sha256_file


def fingerprint_code(names: Iterable[str]) -> dict[str, str]:
    """Hash modules and packages: name -> hex digest of its code and data files.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    return {name: _of_module(name) for name in names}


@cache
def _of_module(name: str) -> str:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module named {name!r}", name=name)
    path = Path(spec.origin)
    if spec.submodule_search_locations is None:
        return sha256_code(path)
    folder = path.parent
    parts = [
        f"{file.relative_to(folder).as_posix()} {sha256_code(file)}"
        for file in sorted(folder.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    ]
    return sha256_bytes("\n".join(parts).encode())


def sha256_code(path: Path | str) -> str:
    """Hex digest of a Python file's syntax tree, or of any other file's content."""
    path = Path(path)
    if path.suffix != ".py":
        return sha256_file(path)
    return _sha256_source(path.read_text(encoding="utf-8"))


def _sha256_source(source: str) -> str:
    return sha256_bytes(ast.dump(_WithoutDocstrings().visit(ast.parse(source))).encode())


class _WithoutDocstrings(ast.NodeTransformer):
    """Removes docstrings, and other constants that stand alone and have no effect."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node
