"""Results as a board reads them."""

import numpy as np
import pytest

from benchmarks import results
from benchmarks.leaderboard import compact
from signclip.core.errors import ConfigError


@pytest.fixture
def leaderboard(drawn, tmp_path):
    """A folder with twelve results, one of them with ties."""
    for number in range(11):
        drawn(f"E{number}", 0.1 * number).write(tmp_path)
    drawn("tied", 0.5, ranks={"ase-a": [[2, 4]], "bfi-a": [1, [1, 3, 2]]}).write(tmp_path)
    return tmp_path


def test_ranks_are_the_results_own_as_arrays(leaderboard):
    stored = list(results.read_all(leaderboard))
    read = list(compact.read_all(leaderboard))
    assert [one.model_copy(update={"ranks": {}}) for one in stored] == [one for one, _ in read]
    _, tied = read[[one.encoder for one in stored].index("tied")]
    assert tied.clips == ("ase-a", "bfi-a")
    assert tied.counts.tolist() == [1, 2]
    assert tied.flat.tolist() == [2, 1, 1]
    assert tied.tied.tolist() == [[4, 1], [1, 1], [3, 2]]
    for one, (_, ranks) in zip(stored, read, strict=True):
        if one.encoder != "tied":
            assert dict(zip(ranks.clips, ranks.flat[:, None].tolist(), strict=True)) == one.ranks


@pytest.mark.slow
def test_many_results_are_read_by_several_processes_to_the_same(leaderboard, monkeypatch):
    alone = list(compact.read_all(leaderboard))
    monkeypatch.setattr(compact, "MANY", 0)
    monkeypatch.setattr(compact, "PART", 5)
    monkeypatch.setattr(compact.workers, "cores", lambda: 2)
    together = list(compact.read_all(leaderboard))
    assert [one for one, _ in together] == [one for one, _ in alone]
    for (_, ours), (_, theirs) in zip(together, alone, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert np.array_equal(one, other) if one is not None else other is None
    [path] = leaderboard.rglob("E7/**/*.json")
    path.write_text(path.read_text().replace("0.", "0.9", 1))
    with pytest.raises(ConfigError, match="edited after it was written"):
        list(compact.read_all(leaderboard))


def test_files_of_groups_that_are_not_shown_are_not_read(leaderboard, drawn):
    path = drawn("mine", 0.5, group="local").write(leaderboard)
    path.write_text("damaged")
    shown = compact.read_all(leaderboard, lambda group: group != "local")
    assert len(list(shown)) == 12
    with pytest.raises(ConfigError, match="not a valid result"):
        list(compact.read_all(leaderboard))
