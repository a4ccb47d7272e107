"""`make repro CORPORA=open`: fetched, registered, trained on; offline nothing changes."""

from pathlib import Path

import pytest

from benchmarks import local_corpora, open_corpora, suites
from benchmarks.runner import rows
from signclip.core.errors import FetchError
from signclip.core.workspace import Workspace
from signclip.corpora import fetch, local, splits

PARAMS = "profile: cpu\n# a comment\ncorpora: {}\n"


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    (tmp_path / "params.yaml").write_text(PARAMS)
    return Workspace(params=tmp_path / "params.yaml")


@pytest.fixture
def fetched(monkeypatch) -> list[tuple[str, Path]]:
    """What is fetched: all servers can be reached, and nothing is downloaded."""
    calls: list[tuple[str, Path]] = []
    monkeypatch.setattr(fetch, "unreachable", lambda name: "")
    monkeypatch.setattr(fetch, "fetch", lambda name, to: calls.append((name, to)))
    return calls


def test_the_corpora_are_fetched_and_registered(workspace, fetched, tmp_path):
    lines = list(open_corpora.prepare(workspace))
    folders = {name: tmp_path / "downloads" / name for name in open_corpora.NAMES}
    assert fetched == list(folders.items())
    assert len(lines) == len(folders)
    entries = local.entries(workspace.params)
    assert {name: (one.path, one.loader, one.use) for name, one in entries.items()} == {
        name: (folder, name, ("open",)) for name, folder in folders.items()
    }
    assert "# a comment" in workspace.params.read_text()
    before = workspace.params.read_bytes()
    list(open_corpora.prepare(workspace))
    assert workspace.params.read_bytes() == before


def test_without_a_connection_it_is_one_line_and_nothing_changes(workspace, monkeypatch, tmp_path):
    monkeypatch.setenv(fetch.MIRROR, "http://127.0.0.1:9")
    with pytest.raises(FetchError, match=r"cannot be reached .*nothing was changed") as no:
        list(open_corpora.prepare(workspace))
    assert "\n" not in str(no.value)
    assert workspace.params.read_text() == PARAMS
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_a_plan_needs_no_connection(workspace, monkeypatch, tmp_path):
    monkeypatch.setenv(fetch.MIRROR, "http://127.0.0.1:9")
    list(open_corpora.prepare(workspace, download=False))
    assert list(local.entries(workspace.params)) == list(open_corpora.NAMES)
    assert not (tmp_path / "downloads").exists()


def test_a_corpus_that_is_registered_keeps_its_folder_and_uses(workspace, fetched, tmp_path):
    local.enable("lsa64", tmp_path / "mine", use=["transfer"], params=workspace.params)
    list(open_corpora.prepare(workspace))
    entry = local.entries(workspace.params)["lsa64"]
    assert (entry.path.resolve(), entry.use) == (tmp_path / "mine", ("transfer", "open"))
    assert [name for name, _ in fetched] == ["openhands-fingerspelling"]


def test_x_is_trained_on_all_splits_and_e3_2_on_the_official_one(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text(
        "corpora:\n  lsa64: {loader: lsa64, path: x, use: [open]}\n"
    )
    names = ("data", "features", "runs", "predictions", "results")
    place = Workspace(**{one: tmp_path / one for one in names}, params=tmp_path / "params.yaml")
    trained: dict[str, list[str]] = {}
    evaluated: dict[str, list[str]] = {}
    monkeypatch.setattr(splits, "names", lambda folder: ["official", "unseen_language"])
    monkeypatch.setattr(suites, "train", lambda rows, *_, **__: trained.update(rows))
    monkeypatch.setattr(
        rows, "evaluate_rows", lambda of, on, *_, **__: evaluated.update({on[0]: of})
    )
    local_corpora.pretrain("lsa64", place, local_corpora.Job("cpu", 0, 1))
    assert trained == evaluated == {"official": ["E3.2", "X"], "unseen_language": ["X"]}
    assert local_corpora.variants(local_corpora.ROWS["open"], Workspace()) == [
        *("dominant_hand", "signing")  # neither needs a face
    ]
