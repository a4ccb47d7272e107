"""The recognition page of a transfer corpus: what was measured stands there, the rest is empty."""

import io
from dataclasses import replace

import pandas as pd
import pytest

from benchmarks.report import page
from benchmarks.report.transfer import recognition
from benchmarks.source import Source
from signclip.core.errors import ConfigError


@pytest.fixture
def evaluated(measured):
    """Writes a made-up result on the corpus."""

    def write(encoder: str, task: str, revision: str = "cpu", value: float = 0.5) -> None:
        where = dict(group="transfer-mine", corpus="mine", revision=revision)
        measured(encoder, task, "official", value=value, **where)

    return write


@pytest.fixture
def written(workspace):
    """Writes the page; returns the frame of its CSV and its Markdown."""

    def write(**changes) -> tuple[pd.DataFrame, str]:
        source = replace(Source(workspace, "cpu", "mine", group="transfer-mine"), **changes)
        folder = workspace.results / "transfer/mine"
        page.write(recognition.TABLE, source, folder, folder / "costs.csv")
        csv = (folder / "recognition.csv").read_text()
        frame = pd.read_csv(io.StringIO(csv), dtype=str, keep_default_na=False)
        assert (folder / "costs.csv").is_file()
        return frame, (folder / "recognition.md").read_text()

    return write


def test_a_line_an_encoder_and_way_of_training(evaluated, written):
    evaluated("dtw", "retrieval", value=0.41)
    evaluated("X", "zero_shot", "cpu.in_domain", value=0.42)
    evaluated("X", "few_shot_5", "cpu.in_domain", value=0.43)
    evaluated("X", "tagged_retrieval", value=0.44)
    evaluated("X", "linear_probe", value=0.45)
    evaluated("X-finetuned", "retrieval", value=0.46)
    frame, text = written()
    assert len(frame) == 6
    part = recognition.printed(frame, "V2T_R@1").set_index(["id", "training"])
    assert list(part.index) == [
        ("dtw", "floor"),
        ("X", "zero-shot"),
        ("X", "from scratch"),
        ("X-finetuned", "fine-tuned"),
    ]
    assert part["retrieval"].str[:5].tolist() == ["0.410", "0.420", "0.440", "0.460"]
    assert part["5-shot nearest neighbours"].str[:5].tolist() == ["–", "0.430", "–", "–"]
    assert part["linear probe"].str[:5].tolist() == ["–", "–", "0.450", "–"]
    assert text.startswith("# mine: recognition\n")
    assert "Signature, dtw floor, X-finetuned fine-tuned: `task:retrieval|" in text
    assert [text.count(signature) for signature in set(frame["signature"])] == [1] * 5


def test_runs_of_another_pretraining_stand_in_the_place_of_the_letters(evaluated, written):
    evaluated("E8", "zero_shot", "cpu.in_domain", value=0.41)
    evaluated("E8", "zero_shot", "cpu.official", value=0.42)
    for run, value in (("in_domain", "0.4100"), ("official", "0.4200")):
        frame, text = written(run=run)
        assert frame["ours_V2T_R@1"].tolist() == [value]
        assert ("fingerspelled letters" in text) == (run == "in_domain")


def test_clips_whose_labels_are_frequent_in_pretraining_are_a_line_of_their_own(evaluated, written):
    evaluated("X", "zero_shot", "cpu.in_domain", value=0.42)
    evaluated("X", "zero_shot_in_vocabulary", "cpu.in_domain", value=0.62)
    evaluated("X", "few_shot_5", "cpu.in_domain", value=0.43)
    frame, text = written()
    part = recognition.printed(frame, "V2T_R@1").set_index("training")
    assert part["retrieval"].str[:5].to_dict() == {
        "zero-shot": "0.420",
        "zero-shot, in vocabulary": "0.620",
    }
    assert part["5-shot nearest neighbours"].str[:5].tolist() == ["0.430", "–"]
    assert "more than 20 clips" in text


def test_without_results_it_says_how_to_get_some(written):
    with pytest.raises(ConfigError, match="`signbench transfer mine`"):
        written()
