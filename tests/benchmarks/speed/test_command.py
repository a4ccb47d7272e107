"""List options take several values at once, as well as one each time they are repeated."""

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.speed import command


@pytest.mark.parametrize(
    "words",
    [
        "--size 2 4 --ways a --last",
        "--size 2 --last --ways a --size 4",
        "--size 2 --size 4 --ways a --last",
        "-s 2 4 --last --ways a",
    ],
)
def test_values_up_to_the_next_option_belong_to_a_list(words):
    found = []

    def main(
        size: Annotated[list[int] | None, typer.Option("--size", "-s")] = None,
        ways: Annotated[list[str] | None, typer.Option()] = None,
        last: Annotated[bool, typer.Option("--last")] = False,
    ) -> None:
        """Collect."""
        found.append((size, ways, last))

    done = CliRunner().invoke(command.application(main), words.split())
    assert done.exit_code == 0, done.output
    assert found == [([2, 4], ["a"], True)]


def test_other_options_take_one_value():
    assert command.repeated(["--a", "1", "2", "--b", "x", "y"], {"--b"}) == [
        *("--a", "1", "2"),
        *("--b", "x", "--b", "y"),
    ]
