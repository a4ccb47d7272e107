"""Tasks: found by their file, light to import, and applied where they make sense."""

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks import results, tasks
from benchmarks.evaluation import galleries
from benchmarks.evaluation.context import open_context
from benchmarks.evaluation.folds import Fold
from benchmarks.runner import run_tasks
from signclip.core.errors import ConfigError

NAME = "spreadthesign-fingerspelling"
TAGGED, PLAIN = "<{spoken_language}> <{sign_language}> {text}", "Sign {label}."
NEW_TASK = '''
"""The middle text: every clip is given the same text."""

from benchmarks.evaluation.ranks import CandidateRanks
from benchmarks.tasks import Task


def run(fold):
    """Rank 2 of 3 for every clip."""
    import numpy as np

    test = fold.fold.test
    return CandidateRanks(test, [np.array([2])] * len(test), [np.array([3])] * len(test), test)


def skip(context):
    """Only on letters."""
    return None if context.split == "letters" else "only on letters"


TASKS = (Task("middle", "always the second of three", "recognition", run, skip),)
'''


def test_the_tables_read_names_and_titles_in_a_fixed_order():
    assert list(tasks.all_tasks()) == [
        *("retrieval", "tagged_retrieval"),
        *("few_shot_1", "few_shot_5", "few_shot_10", "few_shot_100", "prototypes", "linear_probe"),
        *("sign_to_sign", "identification_prototypes"),
        *("identification", "identification_oracle", "conceptualisation", "analogies"),
        *("zero_shot", "zero_shot_in_vocabulary"),
    ]
    assert tasks.names_of("transfer") == ("zero_shot", "zero_shot_in_vocabulary")
    assert tasks.title_of("few_shot_5") == "5-shot nearest neighbours"
    assert len({task.title for task in tasks.all_tasks().values()}) == len(tasks.all_tasks())
    with pytest.raises(ConfigError, match="unknown task 'few_shot'"):
        tasks.find("few_shot")


def test_names_and_titles_are_read_without_torch_and_scikit_learn():
    script = "import sys; from benchmarks import tasks; tasks.all_tasks(); print(*sys.modules)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not {"torch", "sklearn", "mmengine", "transformers"} & {*done.stdout.split()}


@pytest.fixture
def copied(tmp_path, monkeypatch) -> Path:
    """A copy of the package of tasks, which is used in its place."""
    folder = tmp_path / "tasks"
    shutil.copytree(Path(tasks.__file__).parent, folder)
    before = set(sys.modules)
    monkeypatch.setattr(tasks, "__path__", [str(folder)])
    yield folder
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_task_is_added_by_one_file(copied, without_runs):
    (copied / "middle.py").write_text(NEW_TASK)
    assert tasks.names_of("recognition")[-1] == "middle"
    where = dict(profile="smoke", corpus=NAME, seeds=[0])
    context = open_context("nearest-neighbour", without_runs, split="letters", **where)
    found = run_tasks(context, tasks.names_of("recognition"))
    assert list(found) == ["middle"]
    assert found["middle"].scores["V2T_R@1"].value == 0
    assert found["middle"].scores["V2T_R@5"].value == 1
    assert found["middle"].scores["V2T_R@1"].chance == pytest.approx(1 / 3)
    path = without_runs.leaderboard / f"local/nearest-neighbour/smoke/middle.{NAME}.letters.json"
    assert results.read(path) == found["middle"]
    context = open_context("nearest-neighbour", without_runs, split="in_domain", **where)
    with pytest.raises(ConfigError, match="middle: only on letters"):
        run_tasks(context, ["middle"])


def test_two_tasks_of_one_name_are_refused(copied):
    (copied / "again.py").write_text(NEW_TASK.replace('"middle"', '"retrieval"'))
    with pytest.raises(ConfigError, match="several tasks are named retrieval"):
        tasks.all_tasks()


@dataclass
class Encoder:
    """What the tasks ask of an encoder."""

    template: str = PLAIN
    embeds: bool = True
    reads_text: bool = True
    transferred: bool = False


@dataclass
class Context:
    """A made-up context: fold -> (language, label) of its clips."""

    first_encoder: Encoder
    split: str = "in_domain"
    train: list = field(default_factory=lambda: [("ase", "a"), ("gsg", "a"), ("gsg", "b")])
    test: list = field(default_factory=lambda: [("ase", "b")])
    pretraining_labels: tuple[str, ...] = ()

    @property
    def folds(self):
        return [Fold(0, self.train, self.test)]

    @property
    def label_gallery(self):
        return galleries.Gallery(("a", "b"), (), {})

    def languages(self, ids):
        return [language for language, _ in ids]

    def labels(self, ids):
        return [label for _, label in ids]


def applied(*kinds, **given) -> set[str]:
    """The tasks of some kinds that make sense for an encoder in a context."""
    about = {name: given.pop(name) for name in list(given) if name in Encoder.__annotations__}
    context = Context(Encoder(**about), **given)
    return {name for name in tasks.names_of(*kinds) if tasks.find(name).skip(context) is None}


@pytest.mark.parametrize(
    ("split", "template", "expected"),
    [
        ("in_domain", PLAIN, {"retrieval"}),
        ("in_domain", TAGGED, {"retrieval", "tagged_retrieval"}),
        ("in_domain", galleries.PAIR, {"retrieval", "tagged_retrieval"}),
        ("letters", PLAIN, {"retrieval"}),
        ("letters", TAGGED, {"retrieval"}),
        ("letters", galleries.PAIR, {"retrieval"}),
        ("official", PLAIN, {"retrieval"}),
        ("official", TAGGED, {"tagged_retrieval"}),
        ("official", galleries.PAIR, {"retrieval"}),
    ],
)
def test_the_galleries_of_an_encoder_follow_from_its_prompts_and_the_split(
    split, template, expected
):
    assert applied("retrieval", split=split, template=template) == expected


def test_tasks_about_languages_need_tags_and_known_languages():
    names = set(tasks.names_of("language"))
    assert applied("language", template=TAGGED) == names
    assert applied("language", template=PLAIN) == set()
    assert applied("language", template=TAGGED, embeds=False) == set()
    assert applied("language", template=TAGGED, test=[("bfi", "a")]) == set()
    assert applied("language", template=TAGGED, train=[("ase", "a"), ("ase", "b")]) == set()
    assert applied("language", template=TAGGED, test=[("ase", "a")]) == names - {"analogies"}


def test_an_encoder_without_texts_has_recognition_and_analogies():
    assert applied("retrieval", reads_text=False) == set()
    names = applied("recognition", "language", "transfer", reads_text=False, template=TAGGED)
    assert names == {*tasks.names_of("recognition"), "analogies"}


def test_languages_by_class_means_need_no_texts_but_known_languages():
    names = {"sign_to_sign", "identification_prototypes"}
    assert applied("clips", reads_text=False) == names
    assert applied("clips", test=[("bfi", "a")]) == {"sign_to_sign"}
    assert applied("clips", train=[("ase", "a"), ("ase", "b")]) == {"sign_to_sign"}
    assert applied("clips", embeds=False) == set()


def test_a_probe_needs_two_labels():
    whole = set(tasks.names_of("recognition"))
    assert applied("recognition") == whole
    assert applied("recognition", train=[("ase", "a"), ("gsg", "a")]) == whole - {"linear_probe"}


def test_zero_shot_tasks_are_for_encoders_that_were_trained_on_other_clips():
    assert applied("transfer", pretraining_labels=("b",) * 21) == set()
    assert applied("transfer", transferred=True) == {"zero_shot"}
    both = {"zero_shot", "zero_shot_in_vocabulary"}
    assert applied("transfer", transferred=True, pretraining_labels=("b",) * 21) == both
