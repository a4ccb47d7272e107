"""Where local corpora lie: the section ``corpora`` of ``params.yaml``.

One entry per corpus: ``name: {loader: folder, path: ../asl-words, use: [transfer]}``.

Decisions
* Everything that needs the path of a corpus reads this section, so a corpus is configured once:
  commands take its name, and the pipeline runs its stages for the uses that are listed.
* ``signclip corpora enable`` replaces or inserts the bytes of one entry and leaves all others,
  comments included; the file is parsed again before it is written.

Cost: parsing the file, a few milliseconds.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import field_validator

from signclip.core import files
from signclip.core.config import Strict, checked, parse_yaml
from signclip.core.errors import ConfigError
from signclip.corpora.catalogue import catalogue

PARAMS = Path("params.yaml")
SECTION = "corpora"
FOLDER = "folder"  # the loader of corpora that have none of their own
Use = Literal["pretraining", "fingerspelling", "transfer", "open"]

_EMPTY = re.compile(r":([ \t]*)(\{[ \t]*\}|null|~)?")  # what follows the name of an empty section
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")  # of a folder and a DVC stage; DVC splits at dots


class LocalCorpus(Strict):
    """One entry of the section.

    Attributes:
        loader: a name of the catalogue.
        path: folder of the corpus; relative paths start at the folder of ``params.yaml``.
        use: what the pipeline does with it; empty: commands know it, the pipeline ignores it.
    """

    loader: str
    path: Path
    use: tuple[Use, ...] = ()

    @field_validator("loader")
    @classmethod
    def _is_known(cls, loader: str) -> str:
        if loader not in catalogue():
            raise ValueError(f"unknown loader {loader!r}; there are {', '.join(catalogue())}")
        return loader

    @field_validator("path", mode="before")
    @classmethod
    def _is_given(cls, path: Any) -> Any:
        if not path:
            raise ValueError("no path is given")
        return path


def entries(params: Path = PARAMS) -> dict[str, LocalCorpus]:
    """The local corpora by name, with their paths resolved; no file or no section: none.

    Raises:
        ConfigError: the file is not YAML, or an entry is not valid.
    """
    if not params.is_file():
        return {}
    section = _section(_text(params), params)
    return {
        name: corpus.model_copy(update={"path": params.parent / corpus.path.expanduser()})
        for name, corpus in section.items()
    }


def _text(params: Path) -> str:
    try:
        return params.read_bytes().decode()  # with its line ends as they are
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{params}: cannot be read ({error})") from None


def _section(text: str, params: Path) -> dict[str, LocalCorpus]:
    try:
        values = parse_yaml(text)
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())  # YAML errors have several lines
        raise ConfigError(f"{params}: not YAML ({problem})") from None
    if values is not None and not isinstance(values, dict):
        raise ConfigError(f"{params}: a mapping is expected")
    section = (values or {}).get(SECTION) or {}
    if not isinstance(section, dict):
        raise ConfigError(f"{params}: section {SECTION} must map names to corpora")
    return {
        str(name): _entry(str(name), entry, params)
        for name, entry in section.items()
        if entry not in (None, "")
    }


def _entry(name: str, entry: Any, params: Path) -> LocalCorpus:
    what = f"{params}, {SECTION}, {name}"
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{what}: a name may have letters, digits, - and _ only")
    if name in catalogue() and catalogue()[name].installed:
        raise ConfigError(f"{what}: this corpus comes with a package; choose another name")
    if not isinstance(entry, dict):
        raise ConfigError(
            f"{what}: expected {{loader: {FOLDER}, path: FOLDER, use: [transfer]}}, not {entry!r}"
        )
    return checked(LocalCorpus, what, entry)


def used_for(use: Use, params: Path = PARAMS) -> list[str]:
    """Names of the local corpora with a use, in the order of the file.

    Raises:
        ConfigError: see :func:`entries`.
    """
    return [name for name, corpus in entries(params).items() if use in corpus.use]


def loader_for(name: str) -> str:
    """The default loader of a corpus with this name."""
    return name if name in catalogue() else FOLDER


def default_use(loader: str) -> tuple[Use, ...]:
    """The default use of a corpus with this loader."""
    return ("pretraining",) if loader == "spreadthesign" else ("transfer",)


def enable(
    name: str,
    path: Path | str,
    *,
    loader: str | None = None,
    use: Sequence[Use] | None = None,
    params: Path = PARAMS,
) -> LocalCorpus:
    """Write the entry of a corpus into ``params``; all other bytes of the file stay.

    Args:
        path: relative to the current folder.

    Raises:
        ConfigError: there is no such file, the entry is not valid, or it cannot be inserted without
            changing other lines.
    """
    if not params.is_file():
        raise ConfigError(f"{params}: not found; run this from the repository's folder")
    loader = loader or loader_for(name)
    relative = Path(path).expanduser()
    if not relative.is_absolute():
        relative = Path(os.path.relpath(relative, params.parent))
    use = default_use(loader) if use is None else use
    entry = {"loader": loader, "path": str(relative), "use": list(use)}
    corpus = _entry(name, entry, params)
    text = _text(params)
    before = _section(text, params)
    line = f"{{loader: {loader}, path: {_scalar(str(relative))}, use: [{', '.join(use)}]}}"
    try:
        changed = _insert(text, name, line)
        complete = _section(changed, params) == before | {name: corpus}
        complete &= _others(changed) == _others(text)
    except (ConfigError, yaml.YAMLError):
        complete = False
    if not complete:
        raise ConfigError(f"{params}: cannot insert the entry; write `{name}: {line}` yourself")
    files.write_text(params, changed)
    return corpus


def _others(text: str) -> dict[str, Any]:
    """All other sections of ``params.yaml``."""
    return {k: v for k, v in (parse_yaml(text) or {}).items() if k != SECTION}


def _scalar(text: str) -> str:
    """A string as a YAML flow scalar, quoted only where it has to be."""
    try:
        plain = yaml.safe_load(f"{{a: {text}}}") == {"a": text}
    except yaml.YAMLError:
        plain = False
    return text if plain else json.dumps(text, ensure_ascii=False)


def _insert(text: str, name: str, line: str) -> str:
    """The text of ``params.yaml`` with ``name: line`` as an entry of the section."""
    root = yaml.compose(text)
    top = root.value if isinstance(root, yaml.MappingNode) else []
    found = next(((key, value) for key, value in top if key.value == SECTION), None)
    if found is None:
        return f"{text.rstrip()}\n\n{SECTION}:\n  {name}: {line}\n"
    key, section = found
    if not isinstance(section, yaml.MappingNode) or not section.value:
        start = key.end_mark.index
        empty = _EMPTY.match(text, start)
        gap, end = (empty[1], empty.end()) if empty else ("", start)
        comment, _, rest = text[end:].partition("\n")
        header = f"{text[:start]}:{gap}{comment}".rstrip(" \t")
        return f"{header}\n  {name}: {line}\n{rest}"
    old = next(((key, value) for key, value in section.value if key.value == name), None)
    if old is not None:
        start, end = old[0].end_mark.index, _end(old[1])
        return f"{text[:start]}: {line}{text[max(start + 1, end) :]}"
    if section.flow_style:
        end = section.end_mark.index - 1
        return f"{text[:end].rstrip()}, {name}: {line}{text[end:]}"
    indent = " " * section.value[0][0].start_mark.column
    last = text.find("\n", _end(section))
    end = len(text) if last < 0 else last
    return f"{text[:end]}\n{indent}{name}: {line}{text[end:] or chr(10)}"


def _end(node: yaml.Node) -> int:
    """Where a node ends, without the blank lines and comments that follow a block."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)
