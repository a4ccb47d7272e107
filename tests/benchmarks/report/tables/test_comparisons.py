"""The claims of this repository: against the best floor, with both intervals and a verdict."""

import io
from collections.abc import Mapping

import pandas as pd
import pytest

from benchmarks import suites
from benchmarks.metrics.compare import both_intervals
from benchmarks.report import verdicts
from benchmarks.report.places import GALLERIES
from benchmarks.report.tables import comparisons
from benchmarks.report.tables.beyond import FLOOR, METRIC

MORE = {suites.UNSEEN: ("X",)}  # of `make full`, which the made-up board has, too
LANGUAGES = {f"clip-{i:03d}": "abcde"[i % 5] for i in range(40)}  # of the made-up clips


@pytest.fixture
def table(written, workspace):
    """Writes the table where the clips' languages are known; the frame of its CSV, its Markdown."""
    workspace.points.mkdir(parents=True)
    clips = pd.DataFrame({"id": LANGUAGES.keys(), "sign_language": LANGUAGES.values()})
    clips.to_csv(workspace.points / "clips.csv", index=False)

    def write() -> tuple[pd.DataFrame, str]:
        texts = written(comparisons.TABLE)
        return pd.read_csv(io.StringIO(texts["csv"]), dtype=str, keep_default_na=False), texts["md"]

    return write


def is_there(claim: Mapping[str, str]) -> bool:
    """Whether the made-up board has both sides of a claim; some rows are trained by hand only."""
    there = {*suites.evaluated(claim["split"]), *MORE.get(claim["split"], ()), FLOOR}
    return {claim["better"], claim["worse"]} <= there


def floors_at(stored, split: str, gallery: str) -> dict[str, float]:
    """Floor -> V2T R@1, from the result files."""
    found = {}
    for name in suites.expand(["floors"]):
        if name in suites.evaluated(split):
            found[name] = stored(name, GALLERIES[gallery], split).scores[METRIC].value
    return found


def test_each_claim_has_the_paired_difference_and_the_verdict_of_the_wider_interval(
    board, table, stored
):
    board()
    frame, text = table()
    assert len(frame) == len(comparisons.claims())
    told = set()
    for claim, row in zip(comparisons.claims(), frame.to_dict("records"), strict=True):
        gallery = GALLERIES[claim["gallery"]]
        if not is_there(claim):
            assert row["verdict"] == "not run: no result"
            continue
        worse = claim["worse"]
        if worse == FLOOR:
            floors = floors_at(stored, claim["split"], claim["gallery"])
            worse = max(floors, key=lambda name: floors[name])
        assert row["worse"] == worse
        sides = (stored(name, gallery, claim["split"]) for name in (claim["better"], worse))
        both = both_intervals(*sides, groups=LANGUAGES)
        assert row["difference"] == f"{both.wider.difference:+.4f}"
        assert row["over_clips_low"] == f"{both.over_clips.low:+.4f}"
        assert row["over_groups_high"] == f"{both.over_groups.high:+.4f}"
        low, high = both.wider.low, both.wider.high
        expected = verdicts.HOLDS if low > 0 else verdicts.DOES_NOT if high < 0 else verdicts.OPEN
        assert row["verdict"] == expected
        assert row["clips"] == "40"
        told.add(expected)
        assert f"| {claim['better']} minus {worse} " in text
    assert len(told) > 1  # the made-up results tell more than one story
    sizes = pd.Series([one["family"] for one in comparisons.claims()]).value_counts()
    assert list(frame["intervals_of_family"]) == [str(sizes[x]) for x in frame["family"]]


def test_a_claim_without_a_result_is_not_run_and_the_others_are_judged(board, table, workspace):
    board(leave=["X14"])
    frame, _ = table()
    here = frame["better"] == "X14"
    assert set(frame[here]["verdict"]) == {"not run: no result"}
    assert (frame[here][["difference", "over_clips_low"]] == "").all(axis=None)
    for claim, row in zip(comparisons.claims(), frame.to_dict("records"), strict=True):
        if "X14" not in (claim["better"], claim["worse"]):
            assert is_there(claim) == (not row["verdict"].startswith(verdicts.NOT_RUN))


def test_without_any_floor_nothing_is_said_to_beat_it(board, table):
    board(leave=suites.expand(["floors"]))
    frame, _ = table()
    against = frame[frame["family"].str.endswith("over the best floor")]
    assert set(against["worse"]) == {FLOOR}
    assert set(against["verdict"]) == {"not run: no result"}


def test_clips_that_one_side_refused_are_left_out_of_both(board, table, stored, workspace):
    board()
    one = stored("E7.2", GALLERIES["tagged"], suites.IN_DOMAIN)
    kept = dict(list(one.ranks.items())[:30])
    one.model_copy(update={"ranks": kept, "n_evaluated": 30, "n_total": 31}).write(
        workspace.leaderboard
    )
    frame, _ = table()
    where = (frame["split"] == suites.IN_DOMAIN) & (frame["gallery"] == "tagged")
    rows = frame[where & ((frame["better"] == "E7.2") | (frame["worse"] == "E7.2"))]
    assert set(rows["clips"]) - {""} == {"30"}
