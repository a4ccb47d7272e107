"""The card of a saved model: data, the results of exactly its run, limits, licence."""

import json
from pathlib import Path

import pytest

import signclip
from signclip import checkpoint, inference, model_card
from signclip.core import files
from signclip.inference import SignCLIPModel

FINGERPRINT = "0123456789ab"
SCORE = dict(value=0.25, low=0.2, high=0.31, chance=0.04)


@pytest.fixture
def trained(make_model, smoke_config) -> SignCLIPModel:
    """A model as a run leaves it."""
    model = make_model()
    config = smoke_config("E7.2", split="in_domain", fold=None, variant="reduced_face")
    metrics = {
        "fingerprint": FINGERPRINT,
        "corpus_fingerprint": "9ddd5de15211",
        "clips": {"train": 451, "validation": 56},
    }
    run = model._run()._replace(config=config, metrics=metrics, prompt=config.prompt)
    return SignCLIPModel(run)


def write_result(folder: Path, name: str, *, seal: bool = True, **changes) -> None:
    values = {
        "task": "retrieval",
        "corpus": "spreadthesign-fingerspelling",
        "split": "in_domain",
        "n_evaluated": 93,
        "runs": {"0/in_domain": FINGERPRINT},
        "scores": {"V2T_R@1": SCORE, "V2T_MRR": SCORE},
        **changes,
    }
    path = folder / "repro/E7.2/cpu" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(files.sealed(values) if seal else values), "utf-8")


def card(model: SignCLIPModel, tmp_path: Path, results: Path | None) -> str:
    out = model.save_pretrained(tmp_path / "saved", results=results)
    assert signclip.load(out).prompt == model.prompt
    checkpoint.verify(out)
    return (out / "README.md").read_text("utf-8")


def test_data_limits_and_licence_are_those_of_the_corpus(trained, tmp_path):
    text = card(trained, tmp_path, None)
    assert "451 clips for train, 56 clips for validation" in text
    assert "Fingerspelling of 19 sign languages" in text
    assert "`9ddd5de15211`" in text
    assert "Licence of the data: MIT, as part of the package" in text
    assert "first 16 frames" in text
    assert "Profile smoke: smaller than the published model." in text
    assert "No result of this run was found." in text
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        *("## Data", "## Results", "## Limits", "## Licence")
    ]


def test_the_results_are_those_of_this_run_with_intervals(trained, tmp_path, caplog):
    results = tmp_path / "results"
    write_result(results, "retrieval")
    write_result(results, "other-run", runs={"0/in_domain": "ffffffffffff"})
    write_result(results, "edited", seal=False)
    write_result(results, "accuracy", task="probe", scores={"accuracy": SCORE})
    text = card(trained, tmp_path, results)
    rows = [line for line in text.split("## Results")[1].splitlines() if "[0.2, 0.31]" in line]
    where = "spreadthesign-fingerspelling, in_domain"
    assert rows == [
        f"| probe | {where} | accuracy 0.25 [0.2, 0.31], 0.04 | 93 | 1 |",
        f"| retrieval | {where} | V2T_R@1 0.25 [0.2, 0.31], 0.04 | 93 | 1 |",
    ]
    (warning,) = (record.getMessage() for record in caplog.records)
    assert "edited.json: left out of the model card (edited after it was written)" in warning


def test_a_local_corpus_has_its_own_licence(trained, tmp_path):
    trained.config = trained.config.model_copy(update={"corpus": "mine", "init_run": "runs/X"})
    text = card(trained, tmp_path, None)
    assert "The local corpus `mine`" in text
    assert "Licence of the data: that of the local corpus" in text
    assert "Trained from the weights of `runs/X`" in text


def test_an_imported_model_says_that_nothing_is_recorded(released_file, given, tmp_path):
    inference.import_checkpoint(released_file(), tmp_path / "m", **given)
    text = (tmp_path / "m/README.md").read_text("utf-8")
    assert "Not recorded with an imported model" in text
    assert "No result of this run was found." in text


def test_the_metrics_that_are_shown_are_those_of_a_result(tmp_path):
    """The results of this repository have them."""
    found = Path(__file__).parents[2] / "results/leaderboard/repro/E7.2"
    values = json.loads(next(found.rglob("retrieval.*.json")).read_text("utf-8"))
    assert set(model_card.METRICS) <= values["scores"].keys()
    (fingerprint, *_) = values["runs"].values()
    assert "| retrieval |" in model_card._results(fingerprint, found)
