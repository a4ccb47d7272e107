"""The starting file of a new encoder: ``signbench new my_encoder`` writes ``my_encoder.py``.

Decision: the file runs as it is (a small encoder of hand shapes), so that check, run and page are
seen before a line is changed. Cost: none.
"""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template

from signclip.core import files
from signclip.core.errors import ConfigError

TEMPLATES = {
    "pose": Path(__file__).with_name("new_encoder.py.txt"),
    "recogniser": Path(__file__).with_name("new_recogniser.py.txt"),
}


def write(name: str, folder: Path, kind: str = "pose") -> tuple[Path, str]:
    """Write the starting file of an encoder.

    Args:
        name: of the module, such as ``my_encoder``.
        kind: a key of :data:`TEMPLATES`.

    Returns:
        the file, and the dotted path of its class.

    Raises:
        ConfigError: the name is none of a Python module, the file is there, or there is no such
            kind.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ConfigError(
            f"{name!r}: the name of a Python module is needed, such as my_encoder (lower case, "
            "digits and _)"
        )
    if kind not in TEMPLATES:
        raise ConfigError(f"unknown kind {kind!r}; there are {', '.join(TEMPLATES)}")
    path = folder / f"{name}.py"
    if path.exists():
        raise ConfigError(f"{path}: is there already; choose another name or move it away")
    title = "".join(part.capitalize() for part in name.split("_") if part) or "MyEncoder"
    text = Template(TEMPLATES[kind].read_text(encoding="utf-8"))
    values = {"module": name, "kind": title, "name": name.strip("_").replace("_", "-")}
    files.write_text(path, text.substitute(values))
    return path, f"{name}:{title}"
