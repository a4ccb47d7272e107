"""A board as a whole: what it tests, and that the page's data say the same."""

import json

import numpy as np

from benchmarks.leaderboard import board, page, payload
from benchmarks.results import Score


def test_languages_are_resampled_where_they_are_known(drawn, board_of, tmp_path):
    found = board_of(drawn("X", 0.9), drawn("E4", 0.2))
    assert found.units[found.places[0]].kind == "sign languages"


def test_a_metric_that_is_no_mean_of_hits_has_no_ties(drawn, board_of):
    score = Score(value=3.0, low=2.0, high=4.0, chance=2.5)
    results = [
        drawn(name, 0.5).model_copy(
            update={"scores": {**drawn(name, 0.5).scores, "V2T_MedianR": score}}
        )
        for name in ("X", "E4")
    ]
    made = board_of(*results)
    main, median = made.columns[made.places[0]]
    assert main.ties is not None
    assert median.ties is None
    assert median.why_untested == board.NOT_A_MEAN


def test_results_without_ranks_have_values_and_no_places(drawn, board_of):
    made = board_of(drawn("X", 0.5), drawn("E4", 0.5, ranks={}))
    column = made.main(made.places[0])
    assert column.why_untested == board.NO_RANKS
    assert len(column.values) == 2


def test_the_page_is_the_same_for_the_same_results(drawn, board_of, known):
    results = [drawn("X", 0.9), drawn("E4", 0.2), drawn("dtw", 0.4, split="in_domain")]
    assert page.render(board_of(*results), known, {}) == page.render(board_of(*results), known, {})


def test_nothing_that_a_submission_says_ends_the_script(drawn, board_of, known):
    html = page.render(board_of(drawn("X", 0.5, title="</script><b>")), known, {})
    assert html.count("</script>") == 2
    assert "</script><b>" not in html


def test_ranks_are_kept_for_the_first_rows_until_the_budget_is_used(
    drawn, board_of, known, monkeypatch
):
    made = board_of(*(drawn(f"e{i}", i / 10) for i in range(1, 10)))
    monkeypatch.setattr(payload, "RANK_BYTES", 3 * 40)
    data = payload.payload(made, known, {})
    kept = [row for row, ranks in enumerate(data["places"][0]["ranks"]) if ranks]
    assert data["without_ranks"] == 6
    best = sorted(range(9), key=lambda row: made.standings[row].rank)[:3]
    assert sorted(kept) == sorted(best)


def test_values_and_intervals_of_the_page_are_those_of_the_results(drawn, board_of, known):
    results = [drawn("X", 0.9), drawn("E4", 0.2)]
    made = board_of(*results)
    [place] = json.loads(json.dumps(payload.payload(made, known, {})))["places"]
    of_row = dict(zip(place["rows"], place["metrics"][0]["value"], strict=True))
    for number, row in enumerate(made.table.rows):
        [result] = [one for one in results if one.encoder == row.key.encoder]
        np.testing.assert_allclose(of_row[number], result.scores["V2T_R@1"].value, atol=1e-5)


def test_what_older_results_say_of_signers_in_other_words_is_said_once(drawn, board_of, known):
    words = ["who signs is not recorded", *["signers are not recorded"] * 2, ""]
    results = [drawn(f"e{i}", 0.5, signers=text) for i, text in enumerate(words)]
    [place] = payload.payload(board_of(*results), known, {})["places"]
    assert place["signers"] == "signers are not recorded"
