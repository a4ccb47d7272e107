"""Result files: strict, traceable, whole."""

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.metrics import compare
from benchmarks.results import Score
from signclip.core import files
from signclip.core.errors import ConfigError


def test_what_is_written_reads_back(tmp_path, result):
    path = result().write(tmp_path)
    assert path == tmp_path / "repro" / "E3.2" / "cpu" / "retrieval.c.letters.json"
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


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda values: values["scores"]["V2T_R@1"].update(value=7), r"V2T_R@1 of 7.0; it lies"),
        (lambda values: values["scores"]["V2T_R@1"].update(low=0.9), "an interval from 0.9 to 0.6"),
        (lambda values: values["scores"].update(V2T_MeanR=values["scores"]["V2T_R@1"]), "of 0.5"),
        (lambda values: values.update(n_evaluated=-4), "n_evaluated"),
        (lambda values: values.update(n_total=50), "4 clips evaluated and 1 dropped are not 50"),
        (lambda values: values["n_dropped"].update(other=-1), "n_dropped"),
        (lambda values: values.update(schema_version=999), "schema_version"),
        (lambda values: values.update(ranks={"clip": [0]}), "ranks"),
        (lambda values: values.update(ranks={"clip": [11]}), "rank 11 among 10"),
        (lambda values: values["cost"].update(parameters=-1), "parameters"),
    ],
)
def test_impossible_values_are_refused_even_with_a_fitting_seal(tmp_path, result, edit, reason):
    path = result().write(tmp_path)
    values = json.loads(path.read_text())
    edit(values)
    path.write_text(files.canonical_json(files.sealed(values)))
    with pytest.raises(ConfigError, match=reason) as raised:
        results.read(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"scores": NaN}', "[]", "3", "\xff", '{"schema_version": []}', ""]
)
def test_what_is_no_result_is_one_error_naming_the_file(tmp_path, result, content):
    path = result().write(tmp_path)
    path.write_text(content, encoding="latin-1")
    with pytest.raises(ConfigError, match=path.name):
        results.read(path)


def test_what_was_written_is_checked_without_writing_it_again(tmp_path, monkeypatch, result):
    path = result().write(tmp_path)
    monkeypatch.setattr(files, "canonical_json", None)
    assert results.read(path) == result()


@pytest.mark.parametrize("layout", [{}, {"indent": 4}, {"indent": 1, "separators": (" ,", ":")}])
def test_a_result_in_another_layout_is_the_same_result(tmp_path, layout, result):
    path = result().write(tmp_path)
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values, **layout))
    assert results.read(path) == result()
    values["title"] = "another"
    path.write_text(json.dumps(values, **layout))
    with pytest.raises(ConfigError, match="edited after it was written"):
        results.read(path)


@pytest.mark.parametrize("new", [b'"value": NaN', b'"value": 0.5\xff', b'"value": "0.5', b""])
def test_a_damaged_text_is_refused(tmp_path, new, result):
    path = result().write(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"value": 0.5', new) if new else new)
    with pytest.raises(ConfigError, match="not a valid result"):
        results.read(path)


@pytest.mark.parametrize("key", ["signature", "content_sha256"])
def test_an_edited_signature_or_seal_is_refused(tmp_path, key, result):
    path = result().write(tmp_path)
    values = json.loads(path.read_text())
    other = values[key][::-1]
    path.write_text(path.read_text().replace(values[key], other))
    with pytest.raises(ConfigError, match="edited after it was written"):
        results.read(path)
    if key == "signature":  # also if its seal fits
        path.write_text(files.canonical_json(files.sealed(values | {key: other})))
        with pytest.raises(ConfigError, match="edited after it was written"):
            results.read(path)


@pytest.mark.parametrize("field", ["signers", "runs"])
def test_a_result_from_before_a_field_was_recorded_still_loads(tmp_path, result, field):
    path = result().write(tmp_path)
    values = json.loads(path.read_text())
    del values[field]
    path.write_text(files.canonical_json(files.sealed(values)))
    assert not getattr(results.read(path), field)


GOLDEN = Path(__file__).parents[1] / "golden/results/leaderboard"


def test_a_file_of_schema_version_1_loads():
    (path,) = GOLDEN.rglob("*.json")
    assert json.loads(path.read_text())["schema_version"] == 1
    old = results.read(path)
    assert (old.group, old.encoder, old.revision) == ("", "X", "cpu")
    assert old.scores["V2T_R@1"].value == pytest.approx(235 / 410, abs=1e-9)
    assert len(old.ranks) == old.n_evaluated == 410
    assert old.path(GOLDEN) == path
    assert set(results.load(GOLDEN)["metric"]) == set(old.scores)


def test_a_file_of_schema_version_2_loads():
    (path,) = GOLDEN.with_name("version-2").rglob("*.json")
    assert json.loads(path.read_text())["schema_version"] == 2
    old = results.read(path)
    assert (old.schema_version, old.group, old.encoder_fingerprint) == (2, "repro", "")
    assert len(old.ranks) == old.n_evaluated == 93
    assert old.path(GOLDEN.with_name("version-2")) == path


def test_a_file_of_schema_version_3_loads():
    (path,) = GOLDEN.with_name("version-3").rglob("*.json")
    assert json.loads(path.read_text())["schema_version"] == 3
    old = results.read(path)
    assert all(isinstance(rank, int) for of_clip in old.ranks.values() for rank in of_clip)
    assert compare.hits(old, "V2T_R@5").keys() == old.ranks.keys()


def test_a_tied_rank_is_stored_as_its_bounds(tmp_path, result):
    ranks = {"a": [3, [1, 4]], "b": [[2, 5, 2]]}
    path = result(ranks=ranks, labels=5).write(tmp_path)
    assert results.read(path).ranks == ranks
    assert compare.hits(results.read(path), "V2T_R@1") == {"a": 1 / 8, "b": 0}


@pytest.mark.parametrize("rank", [[2, 2], [3, 1], [1, 9], [1], [1, 2, 1], [0, 2], 9])
def test_bounds_that_are_none_are_refused(rank, result):
    with pytest.raises(ValueError, match="rank"):
        result(ranks={"a": [rank]}, labels=5)
    with pytest.raises(ValueError, match="schema version 3 with rank"):
        result(ranks={"a": [[1, 2]]}, labels=5, schema_version=3)


def test_metadata_beside_results_is_no_result(tmp_path, result):
    path = result().write(tmp_path)
    (path.parent / results.SIDECAR).write_text("not read here")
    assert len(results.load(tmp_path)) == 1


def test_a_result_of_another_version_of_the_suite_loads(tmp_path, result):
    old = result(suite="0.0.1")
    assert old.signature.endswith("|suite:0.0.1")
    assert old.signature != result().signature
    assert results.read(old.write(tmp_path)) == old


@pytest.mark.parametrize(
    ("part", "other"), [("repro", "full"), ("E3.2", "E3.1"), ("cpu", "paper"), ("letters", "all")]
)
def test_a_result_at_another_path_is_refused(tmp_path, part, other, result):
    path = result().write(tmp_path)
    moved = Path(str(path).replace(part, other))
    moved.parent.mkdir(parents=True, exist_ok=True)
    path.rename(moved)
    with pytest.raises(ConfigError, match="its content belongs at"):
        results.read(moved)


@pytest.mark.parametrize("group", ["", "..", "a/b"])
def test_a_new_result_has_a_group_that_names_a_folder(result, group):
    with pytest.raises(ValueError, match="group"):
        result(group=group)


def test_the_frame_has_one_row_per_result_and_metric(tmp_path, result):
    scores = {name: Score(value=0.5, low=0.4, high=0.6, chance=0.1) for name in ("a", "b")}
    shown = result(seeds=[0, 2], scores=scores)
    for one in (shown, result(group="full", split="in_domain")):
        one.write(tmp_path)
    frame = results.load(tmp_path)
    assert tuple(frame.columns) == results.COLUMNS
    assert frame[["group", "metric"]].to_numpy().tolist() == [
        ["full", "V2T_R@1"],
        ["repro", "a"],
        ["repro", "b"],
    ]
    row = frame.iloc[1]
    assert row["result"] == shown
    assert (row["seeds"], row["texts"], row["low"], row["chance"]) == ("0 2", 10, 0.4, 0.1)
    assert results.load(tmp_path / "none").empty


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
