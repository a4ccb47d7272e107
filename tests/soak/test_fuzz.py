"""A few hundred damaged inputs of each reader; `make soak` runs 50,000."""

import pytest

from tests.soak import fuzz

NAMES = ("pose", "kaggle", "openhands", "sem-lex", "manifest", "result", "run", "released")


@pytest.fixture(scope="module")
def targets(tmp_path_factory) -> dict[str, fuzz.Target]:
    return fuzz.targets(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("name", NAMES)
def test_damaged_inputs_are_read_or_refused_with_a_typed_error(targets, name):
    assert tuple(targets) == NAMES
    given = list(fuzz.inputs(targets[name], 200, seed=1))
    assert fuzz.attempt(name, targets[name], given[0])  # the whole file
    read = [fuzz.attempt(name, targets[name], data) for data in given[1:]]
    assert not all(read)
