"""Validation: an honest submission passes; every way of being wrong is named."""

import json
import re
import shutil
import sys

import numpy as np
import pytest

from benchmarks import results
from benchmarks.evaluation import precomputed
from benchmarks.evaluation.precomputed import Vectors
from benchmarks.submission import entry, folder, running, validation
from signclip.core import files
from signclip.core.errors import ConfigError
from signclip.core.workspace import Workspace

NAME = "spreadthesign-fingerspelling"


@pytest.fixture(scope="module")
def submitted(build_once, built, encoder_head):
    """A complete submission; copy it before you change it."""

    def workspace(path):
        names = ("features", "embeddings", "predictions", "results", "runs")
        return Workspace(data=built, **{name: path / name for name in names})

    def build(path):
        (path / "submitted_encoder.py").write_text(encoder_head)
        sys.path.insert(0, str(path))
        try:
            given = entry.find("submitted_encoder:Mean", workspace(path))
            running.run(given, workspace(path), running.Options())
            folder.submit(given, workspace(path))
        finally:
            sys.path.remove(str(path))

    return workspace(build_once("submitted", build))


@pytest.fixture
def copy(submitted, tmp_path):
    """A copy of the submission."""
    shutil.copytree(submitted.results, tmp_path / "results")
    return submitted.replace(results=tmp_path / "results")


def place(workspace):
    return workspace.leaderboard / "submitted/mine/1"


def problems(workspace, **given) -> list[str]:
    found = validation.validate(workspace.leaderboard, workspace, **given)
    return [f"{one.file}: {one.what}" for one in found if one.problem]


def rewrite(path, change):
    """Change a result and seal it again, as a forger would."""
    values = json.loads(path.read_text())
    change(values)
    path.write_text(files.canonical_json(files.sealed(values)))


def test_an_honest_submission_is_valid(copy):
    assert list(validation.validate(copy.leaderboard, copy, sample=100)) == []
    assert (place(copy) / f"{NAME}.npz").is_file()


def change_score(values):
    values["scores"]["V2T_R@1"]["value"] = values["scores"]["V2T_R@1"]["high"]


def change_rank(values):
    for clip in values["ranks"]:
        values["ranks"][clip] = [1]


def change_interval(values):
    score = values["scores"]["V2T_R@1"]
    score["low"] = score["value"]


def change_corpus(values):
    values["corpus_fingerprint"] = "000000000000"
    values["signature"] = results.Result(
        **{key: values[key] for key in values if key not in (files.SEAL, "signature")}
    ).signature


def hide_a_clip(values):
    values["ranks"].pop(next(iter(values["ranks"])))


def change_average_precision(values):
    values["scores"]["mAP"] = {"value": 1.0, "low": 1.0, "high": 1.0, "chance": 0.1}


@pytest.mark.parametrize(
    ("task", "change", "message"),
    [
        ("prototypes", change_score, "V2T_R@1 is .*, but its ranks give"),
        ("prototypes", change_rank, "but its ranks give"),
        ("prototypes", change_interval, r"the interval of V2T_R@1 is .*, but its ranks give"),
        ("prototypes", change_corpus, "corpus fingerprint 000000000000, but .* here"),
        ("prototypes", hide_a_clip, "clips evaluated, but ranks of"),
        ("sign_to_sign", change_average_precision, r"mAP is 1\.0000, but its embeddings give"),
    ],
)
def test_a_forged_result_is_found(copy, task, change, message):
    rewrite(next(place(copy).glob(f"{task}.*")), change)
    [found] = problems(copy, sample=100)
    assert_matches(message, found)


def assert_matches(pattern, text):
    assert re.search(pattern, text), text


def test_ranks_of_other_embeddings_are_found(copy):
    path = place(copy) / f"{NAME}.npz"
    vectors = precomputed.read(path)
    rng = np.random.default_rng(0)
    noise = {clip: rng.normal(size=8).astype(np.float32) for clip in vectors.clips}
    precomputed.write(path, Vectors(noise, {}, vectors.prompt))
    assert_matches("its embeddings give other ranks for", problems(copy, sample=1)[0])


def test_an_edited_file_a_foreign_file_and_a_wrong_path_are_found(copy):
    paths = sorted(place(copy).glob("prototypes.*"))
    paths[0].write_text(paths[0].read_text().replace("prototypes", "prototypez"))
    other = copy.leaderboard / "submitted/other/1"
    other.mkdir(parents=True)
    shutil.copy(next(place(copy).glob("linear_probe.*")), other)
    (place(copy) / "weights.pkl").write_bytes(b"")
    found = "\n".join(problems(copy, sample=0))
    assert_matches("edited after it was written", found)
    assert_matches("its content belongs at .*mine/1/linear_probe", found)
    assert_matches(r"weights\.pkl: no file of results", found)


def test_a_submission_without_metadata_is_found(copy):
    (place(copy) / results.SIDECAR).unlink()
    assert_matches("no metadata here", problems(copy, sample=0)[0])


def test_what_cannot_be_checked_is_said_and_is_no_problem(copy, tmp_path):
    (place(copy) / f"{NAME}.npz").unlink()
    elsewhere = copy.replace(data=tmp_path / "no-data")
    found = list(validation.validate(copy.leaderboard, elsewhere))
    assert not any(one.problem for one in found)
    said = "\n".join(one.what for one in found)
    assert_matches(f"corpus {NAME} is not built here", said)
    assert_matches("no embeddings", said)


def test_an_empty_folder_is_no_submission(tmp_path, copy):
    with pytest.raises(ConfigError, match="no results"):
        list(validation.validate(tmp_path / "nothing", copy))


def test_an_incomplete_run_is_not_submitted(open_entry, workspace):
    given = open_entry()
    with pytest.raises(ConfigError, match="no results; `signbench run"):
        folder.submit(given, workspace)
    running.run(given, workspace, running.Options(tasks=("prototypes",)))
    with pytest.raises(ConfigError, match=r"results are missing .*few_shot_1"):
        folder.submit(given, workspace)


def test_submitted_embeddings_are_an_encoder_of_their_own(copy, tmp_path):
    """What was submitted can be run again without the code that made it."""
    about = tmp_path / "about.yaml"
    values = json.loads((place(copy) / results.SIDECAR).read_text())
    values.pop(files.SEAL)
    about.write_text(json.dumps(values | {"name": "again"}))
    given = entry.find(str(place(copy) / f"{NAME}.npz"), copy, metadata=about)
    done = running.run(given, copy, running.Options(tasks=("prototypes", "sign_to_sign")))
    assert len(done.measured) == 2
    for _, split, task in done.measured:
        name = f"{task}.{NAME}.{split}.json"
        assert results.read(done.folder / name).ranks == results.read(place(copy) / name).ranks
