"""Claims of order: paired, with the wider interval, judged only where both rows were measured."""

import io

import pandas as pd
import pytest

from benchmarks import paper
from benchmarks.metrics.compare import compare
from benchmarks.report import verdicts
from benchmarks.report.tables import claims

CLIPS = [f"clip-{i:03d}" for i in range(40)]


@pytest.fixture
def judged(measured, workspace, written):
    """Judges the claims where the dominant hand finds some clips and the full body others."""

    def write(hand: list[bool], body: list[bool], languages: str = "") -> pd.DataFrame:
        for name, hits in (("E3.1", hand), ("E3", body)):
            ranks = {clip: [1 if hit else 9] for clip, hit in zip(CLIPS, hits, strict=True)}
            value = sum(hits) / len(hits)
            measured(name, "retrieval", "letters", value=value, ranks=ranks, n_evaluated=40)
        if languages:
            workspace.points.mkdir(parents=True, exist_ok=True)
            names = [languages[i % len(languages)] for i in range(40)]
            table = pd.DataFrame({"id": CLIPS, "sign_language": names})
            table.to_csv(workspace.points / "clips.csv", index=False)
        texts = written(claims.TABLE)
        frame = pd.read_csv(io.StringIO(texts["csv"]), dtype=str, keep_default_na=False)
        return frame.set_index(["row", "place"])

    return write


PLACE = ("dominant-hand", "letters, labels")


@pytest.mark.parametrize(
    ("hand", "body", "verdict"),
    [
        ([True] * 40, [False] * 40, verdicts.HOLDS),
        ([False] * 40, [True] * 40, verdicts.DOES_NOT),
        ([True, False] * 20, [False, True] * 20, verdicts.OPEN),
    ],
)
def test_a_claim_is_judged_by_the_paired_interval(judged, hand, body, verdict):
    frame = judged(hand, body)
    assert frame.loc[PLACE, "verdict"] == verdict
    assert frame.loc[PLACE, "clips"] == "40"


def test_on_the_papers_corpus_a_claim_needs_that_corpus(judged):
    frame = judged([True] * 40, [False] * 40)
    assert frame.loc[("dominant-hand", claims.ON_PAPERS), "verdict"] == "not run: needs RWTH-FS"
    assert set(frame.index.get_level_values("row")) == set(paper.claims()["claim"])


def test_the_interval_over_languages_counts_where_it_is_wider(judged):
    # the hand wins on all clips of one language and loses on all of the other
    hand = [i % 2 == 0 for i in range(38)] + [True, True]
    body = [not hit for hit in hand[:38]] + [False, False]
    over_clips = judged(hand, body).loc[PLACE]
    over_languages = judged(hand, body, languages="ab").loc[PLACE]
    assert over_clips["difference"] == over_languages["difference"]
    assert float(over_languages["low"]) < float(over_clips["low"])
    assert float(over_languages["high"]) > float(over_clips["high"])


def test_clips_of_one_language_are_drawn_alone(judged):
    hand, body = [True, True, False, False] * 10, [True, False, False, False] * 10
    alone = judged(hand, body).loc[PLACE]
    assert judged(hand, body, languages="a").loc[PLACE].equals(alone)


def test_out_of_domain_zero_shot_is_compared_with_few_shot_clip_by_clip(result, measured, judged):
    where = dict(group="transfer-words", revision="cpu.in_domain", corpus="words")
    for task, rank in (("zero_shot", 5), ("few_shot_10", 1)):
        measured("E7.2", task, "official", ranks={clip: [rank] for clip in CLIPS}, **where)
    frame = judged([True] * 40, [False] * 40)
    assert frame.loc[("few-shot", "words"), "difference"] == "+1.0000"
    assert frame.loc[("few-shot", "words"), "verdict"] == verdicts.HOLDS
    missing = frame.loc[("fine-tuning", "words"), "verdict"]
    assert missing == "not run: no result: `signbench transfer words` measures both"


def test_tasks_are_compared_only_when_asked(result):
    ranks = {clip: [1] for clip in CLIPS}
    a, b = result(task="zero_shot", ranks=ranks), result(task="few_shot_10", ranks=ranks)
    with pytest.raises(Exception, match="task 'zero_shot' and 'few_shot_10'"):
        compare(a, b)
    assert compare(a, b, across_tasks=True).difference == 0


def test_a_missing_row_leaves_the_claim_with_the_reason(measured, cells, written):
    measured("E3.1", "retrieval", "letters", ranks={clip: [1] for clip in CLIPS})
    frame = pd.read_csv(io.StringIO(written(claims.TABLE)["csv"]), keep_default_na=False)
    verdict = frame.set_index(["row", "place"]).loc[PLACE, "verdict"]
    assert verdict == "not run: no result on letters, retrieval: `make repro` makes it"


def test_clips_that_one_side_refuses_are_left_out_and_galleries_must_agree(measured, written):
    few = CLIPS[4:]  # anonymising refused four
    for name, clips in (("E6.1", CLIPS), ("E6.2", few)):
        ranks = {clip: [1 + (clip in few)] for clip in clips}
        measured(name, "tagged_retrieval", "in_domain", ranks=ranks)
    frame = pd.read_csv(io.StringIO(written(claims.TABLE)["csv"]), keep_default_na=False)
    line = frame.set_index(["row", "place"]).loc[("anonymise", "in_domain, tagged")]
    assert (float(line["difference"]), int(line["clips"])) == (0, 36)
    measured("E6.2", "tagged_retrieval", "in_domain", ranks={c: [1] for c in few}, labels=999)
    frame = pd.read_csv(io.StringIO(written(claims.TABLE)["csv"]), keep_default_na=False)
    verdict = frame.set_index(["row", "place"]).loc[("anonymise", "in_domain, tagged"), "verdict"]
    assert verdict.startswith("not comparable: E6.1 and E6.2 cannot be compared: labels")
