"""Run folders, read without opening the model."""

from pathlib import Path

import pytest
import yaml

from signclip.core.errors import RunError
from signclip.core.workspace import locate_run
from signclip.experiments import run_folder


def test_a_configuration_is_read_as_it_was_written(tmp_path, smoke_config):
    config = smoke_config("E3.2", split_prompt=True)
    values = {"run": config.model_dump(mode="json")}
    (tmp_path / run_folder.CONFIG).write_text(yaml.safe_dump(values))
    assert run_folder.read_config(tmp_path) == config


def test_a_run_trained_before_the_rename_of_split_prompt_is_understood(tmp_path, smoke_config):
    config = smoke_config("E3.2", split_prompt=True)
    values = config.model_dump(mode="json")
    values["apart"] = values.pop("split_prompt")
    (tmp_path / run_folder.CONFIG).write_text(yaml.safe_dump({"run": values}))
    assert run_folder.read_config(tmp_path) == config


@pytest.mark.parametrize("content", ["", "run: 3\n", "run: {epochs: many}\n", "model: {}\n"])
def test_what_is_no_runs_configuration_is_one_error_that_names_the_file(tmp_path, content):
    (tmp_path / run_folder.CONFIG).write_text(content)
    with pytest.raises(RunError, match=r"config\.yaml: not a run's configuration"):
        run_folder.read_config(tmp_path)


def test_an_unfinished_run_is_told_from_a_missing_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/fingerclip/E3.2/0/.letters-0.work").mkdir(parents=True)
    for path in ("runs/E3.2/0/letters-0", "runs/fingerclip/E3.2/0/letters-0"):
        with pytest.raises(RunError, match=r"letters-0: not finished; .* resumes it"):
            run_folder.check_model(locate_run(Path(path)))
    with pytest.raises(RunError, match="letters-1: no finished run here"):
        run_folder.check_model(locate_run(Path("runs/E3.2/0/letters-1")))
