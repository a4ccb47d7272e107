"""The table of protocols: Spreadthesign's rows where there are any, and no word of it without."""

import io

import pandas as pd
import pytest

from benchmarks import suites, tasks
from benchmarks.report.tables import protocols
from signclip.core.errors import ConfigError

ROWS = suites.expand(["everywhere"])
RANKS = {f"clip-{i}": [1] for i in range(4)}
PAPERS = dict(group="pretraining-spreadthesign", corpus="spreadthesign", ranks=RANKS)


@pytest.fixture
def board(measured):
    """Made-up results of what the pipeline measures."""
    for need in protocols.needs():
        for name in ROWS:
            measured(name, need.task, need.split, ranks=RANKS)


def read(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)


def test_every_split_has_recognition_and_in_domain_the_tasks_on_languages(board, written):
    frame = read(written(protocols.TABLE)["csv"])
    recognition, language = tasks.names_of("recognition"), tasks.names_of("language")
    for split in protocols.SPLITS:
        expected = (*recognition, *language) if split == "in_domain" else recognition
        here = frame[frame["split"] == split]
        assert tuple(dict.fromkeys(here["protocol"])) == expected
        assert list(here["id"]) == [*ROWS] * len(expected)
    assert set(frame["minus"]) == {"", ROWS[0]}


def test_spreadthesign_stands_in_rows_of_its_own_where_it_is(board, written, measured):
    before = written(protocols.TABLE)
    assert "spreadthesign" not in before["md"]
    for name in ROWS:
        measured(name, "identification", "official", revision="paper", **PAPERS)
        measured(name, "identification_oracle", "official", revision="smoke", **PAPERS)
    after = written(protocols.TABLE)
    frame, rows = read(after["csv"]), len(read(before["csv"]))
    assert frame[:rows].equals(read(before["csv"]))
    assert frame[rows:][["split", "protocol", "id"]].to_numpy().tolist() == [
        [protocols.ON_PAPERS_CORPUS, "identification", name] for name in ROWS
    ]
    assert "*spreadthesign, official*: the paper's corpus, profile `paper`" in after["md"]


def test_a_result_that_the_pipeline_makes_must_be_there(board, written, workspace):
    next(workspace.leaderboard.rglob("analogies*")).unlink()
    with pytest.raises(ConfigError, match=r"analogies.*no result here"):
        written(protocols.TABLE)


def test_a_split_on_which_the_plan_asks_none_of_the_encoders_is_left_out(
    measured, written, monkeypatch
):
    monkeypatch.setattr(suites, "plan_of", lambda *_: suites.plan("smoke"))
    for need in protocols.needs():
        if need.split == suites.IN_DOMAIN:
            for name in ROWS:
                measured(name, need.task, need.split, ranks=RANKS)
    assert set(read(written(protocols.TABLE)["csv"])["split"]) == {suites.IN_DOMAIN}
