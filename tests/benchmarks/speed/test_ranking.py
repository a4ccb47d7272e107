"""The measurement of ranking: all ways give the same ranks, and every table is written."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import metrics
from benchmarks.speed import ranking


@pytest.mark.parametrize("way", ranking.WAYS)
def test_every_way_gives_the_same_ranks(way):
    scores = np.random.default_rng(3).permutation(3600).reshape(60, 60).astype(np.float32)
    texts = [f"text {row}" for row in range(60)]
    expected = metrics.v2t_ranks(scores, np.arange(60)).low.tolist()
    assert ranking.WAYS[way](scores, texts) == expected


@pytest.mark.parametrize("way", [ranking.python_sort, ranking.argsort_and_lists])
def test_ways_with_lists_merge_equal_neighbours_as_the_reference_does(way):
    scores = np.random.default_rng(4).permutation(36).reshape(6, 6).astype(np.float32)
    scores[1], scores[4] = scores[0], scores[3]
    texts = ["a", "a", "b", "c", "c", "d"]
    reference = metrics.reference_retrieval(scores, texts)["v2t"]
    assert np.mean(way(scores, texts)) == reference["MeanR"]


def test_a_way_with_other_ranks_is_not_measured(monkeypatch):
    monkeypatch.setitem(ranking.WAYS, "argsort alone", lambda scores, texts: [1] * len(texts))
    with pytest.raises(RuntimeError, match="argsort alone: its ranks differ"):
        ranking.ratios(40, 1)


def test_all_tables_are_written_with_the_memory_of_each_process(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ranking, "ASL_CITIZEN", (700, 30))
    monkeypatch.setattr(ranking, "SPREADTHESIGN", (900, 40))
    ranking.main(full=True, clips=50, rounds=1, out=tmp_path)
    small, full = (pd.read_csv(tmp_path / f"ranking{name}.csv") for name in ("", "-full"))
    assert list(small["way"]) == [*ranking.WAYS, "product alone", *["streaming.ranks"] * 2]
    assert small.set_index("way").loc[ranking.OURS, "ratio"] == 1
    assert full[["clips", "texts", "dims"]].to_numpy().tolist() == [[900, 40, 768]]
    # more than what is mapped, and not that of this process, which has imported torch
    assert full["memory_GB"][0] > full["mapped_GB"][0]
    assert full["memory_GB"][0] < 0.25
    assert 1 <= full["v2t_MeanR"][0] <= 40
    assert "ranking-full.csv" in capsys.readouterr().out
