"""Result files: strict, traceable, whole."""

import json
import subprocess

import pytest

from benchmarks import results
from benchmarks.results import Score
from signclip.core import files
from signclip.core.errors import ConfigError


def test_what_is_written_reads_back(tmp_path, result):
    path = result().write(tmp_path)
    assert path == tmp_path / "E3.2" / "cpu" / "retrieval.c.letters.json"
    assert results.read(path) == result()


@pytest.mark.parametrize(
    "change", [{"corpus": "other"}, {"folds": [0]}, {"split_fingerprint": "x"}]
)
def test_the_signature_tells_results_apart(change, result):
    assert result().signature != result(**change).signature


@pytest.mark.parametrize(
    ("old", "new"), [('"corpus": "c"', '"corpus": "better"'), ('"value": 0.5', '"value": 0.9')]
)
def test_an_edited_result_is_refused(tmp_path, result, old, new):
    path = result().write(tmp_path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConfigError, match="edited after it was written"):
        results.read(path)


@pytest.mark.parametrize(
    "edit",
    [
        lambda values: values.pop("n_total"),
        lambda values: values.update(surprise=1),
        lambda values: values["scores"]["V2T_R@1"].pop("low"),
        lambda values: values.pop("signature"),
    ],
)
def test_missing_and_unknown_fields_are_refused(tmp_path, edit, result):
    path = result().write(tmp_path)
    values = json.loads(path.read_text())
    edit(values)
    path.write_text(json.dumps(values))
    with pytest.raises(ConfigError, match="not a valid result"):
        results.read(path)


@pytest.mark.parametrize("field", ["signers", "runs"])
def test_a_result_from_before_a_field_was_recorded_still_loads(tmp_path, result, field):
    path = result().write(tmp_path)
    values = json.loads(path.read_text())
    del values[field]
    path.write_text(files.canonical_json(files.sealed(values)))
    assert not getattr(results.read(path), field)


def test_what_the_pipeline_writes_makes_no_commit_dirty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert results.git_commit() == "unknown"
    (tmp_path / "results").mkdir()
    for name in ("code.py", "dvc.lock", "results/a.md"):
        (tmp_path / name).write_text("1")
    of = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], [*of, "commit", "-qm", "one"]):
        subprocess.run(["git", *command], check=True)
    for name in ("dvc.lock", "results/a.md"):
        (tmp_path / name).write_text("2")
    commit = results.git_commit()
    assert len(commit) == 12
    (tmp_path / "code.py").write_text("2")
    assert results.git_commit() == f"{commit}-dirty"


def test_a_score_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="finite"):
        Score(value=float("nan"), low=0, high=1, chance=0.1)
