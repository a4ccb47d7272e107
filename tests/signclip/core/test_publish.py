"""Results that are there are replaced only where the command was told to."""

from pathlib import Path

import pytest

from signclip.core import publish


@pytest.fixture
def results(tmp_path) -> Path:
    """A table of two files that the pipeline wrote."""
    folder = tmp_path / "results"
    (folder / "tables").mkdir(parents=True)
    (folder / "tables/a.md").write_text("old")
    (folder / "tables/a.csv").write_text("same")
    return folder


def made(**contents: str):
    """Writes files below ``tables``; the key's last two letters are the suffix."""

    def make(out: Path) -> list[Path]:
        (out / "tables").mkdir(exist_ok=True)
        paths = [out / f"tables/{name.replace('_', '.')}" for name in contents]
        for path, text in zip(paths, contents.values(), strict=True):
            path.write_text(text)
        return paths

    return make


def content(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*.*")}


def test_what_differs_is_written_aside_with_all_that_belongs_to_it(results):
    before = content(results)
    written = publish.write(results, made(a_md="new", a_csv="same"), publish=False)
    assert written.paths == [results / f"local/tables/a.{suffix}" for suffix in ("md", "csv")]
    assert (
        written.note() == f"{results}/tables/a.md: kept as it was; --publish replaces what differs"
    )
    after = content(results)
    assert after == before | {"local/tables/a.md": "new", "local/tables/a.csv": "same"}


def test_what_replaces_nothing_is_written_in_its_place(results):
    written = publish.write(results, made(a_md="old", b_md="another"), publish=False)
    assert written.paths == [results / "tables/a.md", results / "tables/b.md"]
    assert written.note() == ""
    assert content(results)["tables/b.md"] == "another"
    assert not (results / "local").exists()


def test_published_results_replace_the_old_ones(results):
    written = publish.write(results, made(a_md="new"), publish=True)
    assert written.paths == [results / "tables/a.md"]
    assert content(results)["tables/a.md"] == "new"
    assert not (results / "local").exists()


def test_an_error_leaves_nothing_behind(results):
    before = content(results)

    def fail(out: Path) -> list[Path]:
        made(a_md="new")(out)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        publish.write(results, fail, publish=False)
    assert content(results) == before
    assert [path.name for path in results.iterdir()] == ["tables"]
