"""The table of protocols: Spreadthesign's rows where there are any, and nothing said without."""

import pytest

from benchmarks.report.tables import protocols
from benchmarks.results import Score
from signclip.core.errors import ConfigError

SCORES = {metric: Score(value=0.5, low=0.4, high=0.6, chance=0.1) for metric in protocols.METRICS}
ROWS = ("E7.2", "X")


@pytest.fixture
def board(result, tmp_path):
    """Made-up results of what the pipeline asks; and a writer of more."""

    def write(name: str, task: str, split: str, corpus: str = "letters-corpus", **more) -> None:
        given = dict(encoder=name, task=task, split=split, corpus=corpus, scores=SCORES)
        ranks = {f"clip-{i}": [1] for i in range(4)}
        result(**given, ranks=ranks, **more).write(tmp_path / "leaderboard")

    for split in protocols.SPLITS:
        for task in protocols.expected(split):
            for name in ROWS:
                write(name, task, split)
    return write


def written(folder):
    frame = protocols.write(revision="cpu", corpus="letters-corpus", results_folder=folder)
    return frame, (folder / "tables/protocols.md").read_text()


def test_spreadthesign_stands_in_rows_of_its_own_where_it_is(board, tmp_path):
    without, text = written(tmp_path)
    assert "spreadthesign" not in text
    assert set(without["split"]) == set(protocols.SPLITS)
    for name in ROWS:
        board(name, "identification", "official", "spreadthesign", revision="paper")
        board(name, "identification_oracle", "official", "spreadthesign", revision="smoke")
    frame, text = written(tmp_path)
    rows = len(without)
    assert frame[:rows].equals(without)
    assert frame[rows:][["split", "protocol", "id"]].to_numpy().tolist() == [
        [protocols.THERE, "identification", name] for name in ROWS
    ]
    assert "*spreadthesign, official*: the paper's corpus, profile `paper`" in text


def test_a_result_that_the_pipeline_makes_must_be_there(board, tmp_path):
    missing = next((tmp_path / "leaderboard").rglob("analogies*"))
    missing.unlink()
    with pytest.raises(ConfigError):
        written(tmp_path)
