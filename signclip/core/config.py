"""Reading YAML settings and checking them against a pydantic model, with one clear error.

Decision: an unknown key is an error, and the first wrong value is named with its place, because a
misspelt setting that is ignored costs a training. The message names the known key that is nearest.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from signclip.core import files
from signclip.core.errors import ConfigError
from signclip.core.workspace import outside_project

Form = TypeVar("Form", bound=BaseModel)
# PyYAML's C loader, where it was built: ten times as fast
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_BYTES, MAX_DEPTH = 4 << 20, 50  # of a file with settings


class Strict(BaseModel):
    """Base of settings: immutable, and an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def checked(form: type[Form], what: str, numbers: dict[str, Any], **place: Any) -> Form:
    """Validate settings.

    Args:
        form: the pydantic model to build.
        what: the settings' name in the error message.
        numbers: values as the files give them.
        place: values that the caller sets (corpus, split, seed); a file must not contain them.

    Raises:
        ConfigError: a value is missing, unknown or out of range; the first one is named.
    """
    if reserved := sorted(numbers.keys() & place.keys()):
        raise ConfigError(f"{what}: {reserved[0]} cannot be set in a table")
    try:
        return form(**numbers, **place)
    except ValidationError as error:
        raise ConfigError(f"{what}: {first_problem(error, form)}") from None


def first_problem(error: ValidationError, form: type[BaseModel] | None = None) -> str:
    """The first wrong value: its place, if it has one, the reason, and the value.

    An unknown key comes first, because the one that is missing is often the same, misspelt.

    Args:
        form: what was to be built; of its fields, the one most like an unknown key is named.
    """
    problems = error.errors()
    unknown = [problem for problem in problems if problem["type"] == "extra_forbidden"]
    first = (unknown or problems)[0]
    message = first["msg"].removeprefix("Value error, ")
    if unknown:
        *within, key = first["loc"]
        message = f"unknown key{did_you_mean(str(key), _fields(form, within))}"
    elif first["type"] not in ("missing", "value_error"):
        message += f", not {first['input']!r}"
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {message}" if place else message


def parse_yaml(text: str) -> Any:
    """The value of a YAML document; its depth is bounded, since the parser recurses in C.

    Raises:
        yaml.YAMLError: it is not YAML, or nested deeper than :data:`MAX_DEPTH`.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise yaml.YAMLError(f"nested deeper than {MAX_DEPTH}")
    return yaml.load(text, Loader=_LOADER)


def _fields(form: Any, within: Iterable[int | str]) -> list[str]:
    """The fields of a form, or of the form that lies at a place within it."""
    for part in within:
        field = form.model_fields.get(part) if form else None
        inner = field.annotation if field else None
        form = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None
    return list(form.model_fields) if form else []


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the known one most like it, if any is alike."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        ConfigError: the file is missing or does not hold a mapping.
    """
    try:
        values = parse_yaml(files.read_regular(path, at_most=MAX_BYTES).decode("utf-8"))
    except files.NotReadable as error:
        raise ConfigError(f"{path}: cannot be read ({error}){outside_project(path)}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())  # YAML's errors have several lines
        raise ConfigError(f"{path}: not YAML ({problem})") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: a mapping is expected")
    return values
