"""A corpus of one's own in a table: what was measured stands there, what was not is empty."""

import pytest

from benchmarks.report.tables import transfer
from benchmarks.results import Score
from signclip.core.errors import ConfigError

SCORES = {metric: Score(value=0.5, low=0.4, high=0.6, chance=0.1) for metric in transfer.METRICS}


@pytest.fixture
def measured(result, tmp_path):
    """Writes a made-up result on the corpus."""

    def write(encoder: str, task: str, revision: str = "cpu", value: float = 0.5) -> None:
        scores = SCORES | {"V2T_R@1": SCORES["V2T_R@1"].model_copy(update={"value": value})}
        result(
            encoder=encoder,
            task=task,
            revision=revision,
            corpus="mine",
            split="official",
            scores=scores,
        ).write(tmp_path / "results/leaderboard")

    return write


def test_a_line_an_encoder_and_way_of_learning(measured, tmp_path):
    measured("dtw", "retrieval", value=0.41)
    measured("X", "zero_shot", "cpu.in_domain", value=0.42)
    measured("X", "few_shot_5", "cpu.in_domain", value=0.43)
    measured("X", "tagged_retrieval", value=0.44)
    measured("X", "linear_probe", value=0.45)
    measured("X-finetuned", "retrieval", value=0.46)
    frame = transfer.write(revision="cpu", corpus="mine", results_folder=tmp_path / "results")
    assert len(frame) == 6
    part = transfer.printed(frame, "V2T_R@1").set_index(["id", "learning"])
    assert list(part.index) == [
        ("dtw", "floor"),
        ("X", "zero-shot"),
        ("X", "from scratch"),
        ("X-finetuned", "fine-tuned"),
    ]
    asked = part["asked itself"].str[:5].tolist()
    assert asked == ["0.410", "0.420", "0.440", "0.460"]
    assert part["5-shot nearest neighbours"].str[:5].tolist() == ["–", "0.430", "–", "–"]
    assert part["linear probe"].str[:5].tolist() == ["–", "–", "0.450", "–"]
    assert (tmp_path / "results/tables/mine.md").is_file()
    text = (tmp_path / "results/tables/mine.md").read_text()
    assert "Signature, dtw floor, X-finetuned fine-tuned: `task:retrieval|" in text
    assert [text.count(signature) for signature in set(frame["signature"])] == [1] * 5
    assert (tmp_path / "results/costs/mine.csv").is_file()


def test_runs_of_another_pretraining_stand_in_the_place_of_the_letters(measured, tmp_path):
    measured("E8", "zero_shot", "cpu.in_domain", value=0.41)
    measured("E8", "zero_shot", "cpu.official", value=0.42)
    where = dict(revision="cpu", corpus="mine", results_folder=tmp_path / "results")
    said = {}
    for run in ("in_domain", "official"):
        frame = transfer.write(**where, run=run)
        said[run] = frame["ours_V2T_R@1"].tolist()
        text = (tmp_path / "results/tables/mine.md").read_text()
        assert ("fingerspelt letters" in text) == (run == "in_domain")
    assert said == {"in_domain": ["0.4100"], "official": ["0.4200"]}


def test_clips_whose_labels_pretraining_had_often_are_a_line_of_their_own(measured, tmp_path):
    measured("X", "zero_shot", "cpu.in_domain", value=0.42)
    measured("X", "zero_shot_in_vocabulary", "cpu.in_domain", value=0.62)
    measured("X", "few_shot_5", "cpu.in_domain", value=0.43)
    where = tmp_path / "results"
    frame = transfer.write(revision="cpu", corpus="mine", results_folder=where)
    part = transfer.printed(frame, "V2T_R@1").set_index("learning")
    assert part["asked itself"].str[:5].to_dict() == {
        "zero-shot": "0.420",
        "zero-shot, in vocabulary": "0.620",
    }
    assert part["5-shot nearest neighbours"].str[:5].tolist() == ["0.430", "–"]
    assert "more than 20 times" in (where / "tables/mine.md").read_text()


def test_without_results_it_says_how_to_get_some(tmp_path):
    with pytest.raises(ConfigError, match="evaluate baselines --corpus mine --split official"):
        transfer.write(revision="cpu", corpus="mine", results_folder=tmp_path)
