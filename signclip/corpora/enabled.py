"""Where the user's copies of the corpora are: the section ``corpora`` of ``params.yaml``.

Decision: one line a corpus, name and path, so that a stage of the pipeline can depend on it; an
empty path means that the corpus is not here. ``signclip corpora enable`` changes that line alone
and leaves every other byte of the file as it is. Cost: none.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from signclip.core import files
from signclip.core.errors import ConfigError

PARAMS = Path("params.yaml")
SECTION = "corpora"


def paths(params: Path = PARAMS) -> dict[str, str]:
    """Corpus -> path as written; no file or no section: none.

    Raises:
        ConfigError: the file is no YAML, or the section no mapping of names to paths.
    """
    if not params.is_file():
        return {}
    return _section(params.read_text(encoding="utf-8"), params)


def _section(text: str, params: Path) -> dict[str, str]:
    try:
        section = (yaml.safe_load(text) or {}).get(SECTION) or {}
    except (yaml.YAMLError, AttributeError) as error:
        problem = " ".join(str(error).split())  # YAML's are several lines
        raise ConfigError(f"{params}: not a YAML mapping ({problem})") from None
    if not isinstance(section, dict) or not all(
        value is None or isinstance(value, str) for value in section.values()
    ):
        raise ConfigError(f"{params}: section {SECTION!r} has to be names and paths")
    return {name: value or "" for name, value in section.items()}


def path_of(name: str, params: Path = PARAMS) -> Path | None:
    """The path given for a corpus, relative to the folder of ``params``; None: not enabled."""
    given = paths(params).get(name)
    return params.parent / Path(given).expanduser() if given else None


def enable(name: str, path: Path | str, params: Path = PARAMS) -> None:
    """Write a corpus's path into ``params`` (empty: not here any more).

    Raises:
        ConfigError: there is no such file, or it cannot be changed without touching other lines.
    """
    if not params.is_file():
        raise ConfigError(f"{params}: not here; run this from the repository's folder")
    before = paths(params)
    line = f"  {name}: {json.dumps(str(path), ensure_ascii=False)}"
    text = params.read_text(encoding="utf-8")
    section = re.search(rf"^{SECTION}:[^\n]*\n(?:[ \t]+[^\n]*\n|[ \t]*#[^\n]*\n)*", text, re.M)
    if section is None:
        text = text.rstrip("\n") + f"\n\n{SECTION}:\n{line}\n"
    else:
        old = re.compile(rf"^[ \t]+{re.escape(name)}:[^\n]*$", re.M)
        block, changed = old.subn(lambda _: line, section[0])
        if not changed:
            block = f"{section[0]}{line}\n"
        text = text[: section.start()] + block + text[section.end() :]
    try:
        whole = _section(text, params) == before | {name: str(path)}
    except ConfigError:
        whole = False
    if not whole:  # a section in one line, or with lines of its own making
        raise ConfigError(f"{params}: cannot write {name} into it; write `{line.strip()}` yourself")
    files.write_text(params, text)
