"""R@k: it agrees with the results, grows with k, and shows the rows that it names."""

import numpy as np
import pytest

from benchmarks import results
from benchmarks.metrics.intervals import bootstrap_interval
from benchmarks.report.figures import recall_at_k
from benchmarks.source import NoResults


def test_every_panel_holds_the_chosen_rows(board, source):
    board()
    numbers = recall_at_k.draw(source).numbers
    of = numbers.groupby(["split", "task"], sort=False)["role"].unique().map(list).to_dict()
    paper = "best SignCLIP row of the paper"
    assert of == {
        ("letters", "retrieval"): list(recall_at_k.ROLES),
        ("in_domain", "tagged_retrieval"): ["X", paper, "best floor", "chance"],
        ("unseen_language", "retrieval"): ["X", "best floor", "chance"],
    }


def test_a_row_of_several_seeds_stands_where_the_pipeline_has_none(board, source):
    board(leave=["X"])
    board(group=results.FULL, seeds=(0, 1, 2))
    assert set(recall_at_k.draw(source).numbers.query("role == 'X'")["encoder"]) == {"X"}


def test_recalls_grow_and_agree_with_the_results(board, source, stored):
    board()
    numbers = recall_at_k.draw(source).numbers
    for _, rows in numbers.groupby(["split", "task", "role"]):
        assert (rows["value"].diff().dropna() >= 0).all()
    row = numbers.query("split == 'letters' and role == 'X' and k == 1").iloc[0]
    assert row["value"] == pytest.approx(
        stored("X", "retrieval", "letters").scores["V2T_R@1"].value
    )
    assert row["low"] < row["value"] < row["high"]


def test_bands_are_bootstrap_intervals_over_clips(result):
    ranks = {f"clip-{i:03d}": [1 + i % 5, 2] for i in range(100)}
    found = recall_at_k.recalls(result(ranks=ranks, labels=8))
    assert list(found["k"]) == list(range(1, 9))
    hits = [(np.array(of) <= 3).mean() for of in ranks.values()]
    row = found.set_index("k").loc[3]
    assert row["value"] == pytest.approx(np.mean(hits))
    assert tuple(row[["low", "high"]]) == pytest.approx(bootstrap_interval(hits), abs=0.01)


def test_without_ranks_there_is_nothing_to_show(measured, source):
    measured("X", "retrieval", "letters")
    with pytest.raises(NoResults, match="ranks"):
        recall_at_k.draw(source)
