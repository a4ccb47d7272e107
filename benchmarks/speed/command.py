"""Commands whose list options take several values at once: ``--loaders 2 4 8``.

Decision: typer repeats the option for each value (``--loaders 2 --loaders 4``), which works as
well; values up to the next option are turned into that form before typer parses them. It needs
commands without positional arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import typer
from typer.core import TyperCommand


class ListOptions(TyperCommand):
    """A command whose list options may be followed by several values."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        """Parse after repeating the list options."""
        lists = [
            name for one in self.params if getattr(one, "multiple", False) for name in one.opts
        ]
        return super().parse_args(ctx, repeated(args, lists))


def repeated(words: Sequence[str], options: Collection[str]) -> list[str]:
    """``--loaders 2 4`` as ``--loaders 2 --loaders 4``, for the options named."""
    result: list[str] = []
    option: str | None = None
    has_value = False
    for word in words:
        if word.startswith("-"):
            option, has_value = (word, False) if word in options else (None, False)
            result.append(word)
            continue
        if option is not None and has_value:
            result.append(option)
        result.append(word)
        has_value = True
    return result


def application(function: Callable[..., None]) -> typer.Typer:
    """An application of this one command."""
    app = typer.Typer(add_completion=False)
    app.command(cls=ListOptions)(function)
    return app
