"""`signclip train`: a corpus by name or as a folder; errors come before slow imports."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import signclip
from signclip import cli, corpora, inference
from signclip.cli import train
from signclip.core.errors import ConfigError, SignCLIPError
from signclip.core.workspace import Workspace
from signclip.corpora import prepare

ROOT = Path(__file__).parents[3]
SMOKE = ("--params", ROOT / "params.yaml", "--profile", "smoke", "--jobs", "1")


@pytest.fixture
def words(folder_corpus, make_pose, pose_bytes) -> Path:
    """A folder of three words, three clips each."""
    for number in range(9):
        split = ("train", "validation", "test")[number // 3]
        content = pose_bytes(make_pose(seed=number, frames=4))
        text = ("water", "tea", "coffee")[number % 3]
        folder_corpus.add(f"clip-{number}", content, text=text, split=split)
    return folder_corpus.write()


def run(tmp_path, monkeypatch, *arguments) -> str:
    """Output of ``signclip train`` in a folder; errors come as the library raises them."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli.app, ["train", *map(str, arguments)])
    if isinstance(result.exception, SignCLIPError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
def test_an_experiment_trains_on_a_folder_of_clips(words, tmp_path, monkeypatch):
    output = run(tmp_path, monkeypatch, "E3.2", "--corpus", words, *SMOKE)
    assert "runs/E3.2/0/official" in output
    trained = signclip.load(tmp_path / "runs/E3.2/0/official")
    assert trained.config.corpus == words.name
    assert (tmp_path / "features" / words.name / trained.variant).is_dir()
    for given in (words.name, f"data/{words.name}", tmp_path / "data" / words.name):
        assert prepare.built_name(str(given), Workspace()) == words.name


@pytest.mark.parametrize("init", [(), ("--init", "nowhere")])
@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ("nowhere", "data/nowhere: no such corpus, and nowhere is not a folder with manifest.csv"),
        ("./empty", "./empty: not a folder with manifest.csv, nor a corpus below data"),
        ("wlasl", "data/wlasl: not built yet; `signclip corpora build wlasl` builds it"),
        ("mine", "data/mine: not built yet; `signclip corpora build mine` builds it"),
    ],
)
def test_a_corpus_that_cannot_be_trained_on_is_named_first(
    tmp_path, monkeypatch, corpus, message, init
):
    (tmp_path / "empty").mkdir()
    (tmp_path / "params.yaml").write_text(
        f"experiments: {ROOT}/benchmarks/experiments.yaml\n"
        "corpora: {mine: {loader: folder, path: x}}\n"
    )
    with pytest.raises(ConfigError) as error:
        run(tmp_path, monkeypatch, "E3.2", "--corpus", corpus, *init)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("other", "signclip pack folder --path FOLDER --name other --variant dominant_hand"),
        ("wlasl", "signclip pack wlasl --variant dominant_hand"),
    ],
)
def test_a_corpus_that_is_not_packed_is_named_with_the_command(
    words, tmp_path, monkeypatch, name, command
):
    clips, dropped = corpora.build("folder", words, progress=False)
    table = corpora.split_table("folder", clips)
    corpora.write(tmp_path / "data" / name, clips, dropped, table)
    with pytest.raises(ConfigError) as error:
        run(tmp_path, monkeypatch, "E3.2", "--corpus", name, *SMOKE)
    store = f"features/{name}/dominant_hand"
    assert str(error.value) == f"{store}: no feature store here; `{command}` makes it"


@pytest.mark.parametrize(
    ("words_of", "message"),
    [
        (("E3.2", "--profile", "papr"), "unknown profile 'papr'.*did you mean paper"),
        (("--init", "here.pt", "--profile", "papr"), "unknown profile 'papr'"),
        (("E33.2", "--init", "here.pt"), "unknown experiment 'E33.2'.*did you mean E3.2"),
        (("--init", "runs/E3.2/0/letters-0"), "runs/E3.2/0/letters-0: no finished run here"),
        (("E6.1-flip",), "'E6.1-flip': augmentation 'flip' cannot serve variant 'sign_vq'"),
    ],
)
def test_what_is_wrong_with_names_and_rows_is_said_before_clips_are_read(
    words, tmp_path, monkeypatch, words_of, message
):
    monkeypatch.setattr(corpora, "build", lambda *_, **__: pytest.fail("clips were read"))
    monkeypatch.setattr(inference, "load", lambda *_, **__: pytest.fail("a model was read"))
    table = yaml.safe_load((ROOT / "benchmarks/experiments.yaml").read_text())
    table["E6.1-flip"] = {"base": "E6.1", "augment": ["flip"]}
    (tmp_path / "rows.yaml").write_text(yaml.safe_dump(table))
    (tmp_path / "here.pt").touch()
    given = (*words_of, "--corpus", words, "--experiments", "rows.yaml")
    params = ("--params", ROOT / "params.yaml")
    with pytest.raises(SignCLIPError, match=message):
        run(tmp_path, monkeypatch, *given, *params)


def test_a_split_or_fold_that_a_built_corpus_lacks_is_said_before_it_is_packed(
    words, tmp_path, monkeypatch
):
    clips, dropped = corpora.build("folder", words, progress=False)
    corpora.write(tmp_path / "data/mine", clips, dropped, corpora.split_table("folder", clips))
    with pytest.raises(ConfigError, match="no split 'letters' in data/mine; there are official"):
        run(tmp_path, monkeypatch, "E3.2", "--corpus", "mine", "--split", "letters", *SMOKE)


def test_a_run_that_is_another_training_is_never_replaced(tmp_path, smoke_config):
    """Neither by another profile, nor from another model of its name, nor on another corpus."""
    where = {"corpus": "mine", "split": "official", "fold": None}
    origin = {"init_run": "a/model", "init_sha256": "1"}
    folder = tmp_path / "run"
    folder.mkdir()
    for earlier, later, named in (
        ({"profile": "paper"}, {}, "with profile 'paper'"),
        (origin, {"init_run": "b/model", "init_sha256": "2"}, "that started from a/model"),
        (origin, {}, "that started from a/model"),
        ({"corpus": "other"}, {}, "on corpus 'other'"),
    ):
        config = smoke_config("E3.2", **where).model_copy(update=earlier)
        values = {"run": config.model_dump(mode="json")}
        (folder / "config.yaml").write_text(yaml.safe_dump(values))
        (folder / "metrics.json").write_text('{"sha256": {}}')
        wanted = smoke_config("E3.2", **where).model_copy(update=later)
        with pytest.raises(ConfigError, match=f"run: holds a run {named}; give another folder"):
            train._check_place(folder, wanted)
        train._check_place(folder, config)  # the same training
    for same in ({"init_sha256": "2"}, {"init_run": "moved/model"}):
        config = smoke_config("E3.2", **where).model_copy(update=origin)
        values = {"run": config.model_dump(mode="json")}
        (folder / "config.yaml").write_text(yaml.safe_dump(values))
        train._check_place(folder, config.model_copy(update=same))


def test_an_unknown_experiment_is_named(words, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"E99"):
        run(tmp_path, monkeypatch, "E99", "--corpus", words, *SMOKE)
    assert not (tmp_path / "data").exists()


def test_a_wrong_corpus_is_refused_without_importing_torch(tmp_path):
    code = f"""if True:
        import sys
        from signclip import cli
        sys.argv = ["signclip", "train", "E3.2", "--corpus", "../x", "--params",
                    "{ROOT}/params.yaml"]
        try:
            cli.main()
        except SystemExit as end:
            print(end.code, "torch" in sys.modules)
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "2 False\n"
    assert done.stderr == (
        "signclip: ../x: not a folder with manifest.csv, nor a corpus below data\n"
    )
